# fuzz.mk - libFuzzer under ASan and UBSan, a target for each parser of outside data; tests/fuzz/README.md has the record.
#   make fuzz [FUZZ_SECONDS=60] [FUZZ_RUNS=10000000]   all of them (fuzz-idx: one); what they find grows $(BUILD)/fuzz/NAME.corpus
#   make fuzz-keep    puts what adds coverage into tests/fuzz/corpus, which the next run starts from
FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 60
FUZZ_RUNS    ?= -1
FUZZ_SAN     := address,undefined
FUZZ_FLAGS   := -std=c11 -g1 -O1 -fno-sanitize-recover=all
# The parsers and what they need; training and backends stay out.
FUZZ_SRC     := $(filter-out src/backend.c src/bench/% src/cpu/% src/ref/% src/cuda/% src/check/%,$(filter-out src/train/%,$(SRC))) \
  $(filter src/train/config%,$(SRC)) src/train/schedule.c
FUZZ_OBJ     := $(FUZZ_SRC:%.c=$(BUILD)/fuzz/obj/%.o)
FUZZERS      := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_BIN     := $(FUZZERS:%=$(BUILD)/fuzz/%)

.PHONY: fuzz fuzz-programs fuzz-keep $(FUZZERS:%=fuzz-%)
fuzz: $(FUZZERS:%=fuzz-%)
fuzz-programs: $(FUZZ_BIN)

$(BUILD)/fuzz/obj/%.o: %.c $(BUILD)/.flags
	@mkdir -p $(@D); echo "  CLANG   $<"
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link,$(FUZZ_SAN) -MMD -MP -c $< -o $@

$(FUZZ_BIN): $(BUILD)/fuzz/%: $(BUILD)/fuzz/obj/tests/fuzz/fuzz_%.o $(FUZZ_OBJ)
	@echo "  LINK    $@"
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer,$(FUZZ_SAN) $^ -o $@ $(LDLIBS)

# A crash leaves its input as $(BUILD)/fuzz/NAME-crash-... and fails; the log has the counts.
$(FUZZERS:%=fuzz-%): fuzz-%: $(BUILD)/fuzz/%
	@mkdir -p $(BUILD)/fuzz/$*.corpus
	@$< -max_total_time=$(FUZZ_SECONDS) -runs=$(FUZZ_RUNS) -max_len=4096 -print_final_stats=1 -verbosity=0 \
	  -artifact_prefix=$(BUILD)/fuzz/$*- $(BUILD)/fuzz/$*.corpus $(wildcard tests/fuzz/corpus/$*) >$(BUILD)/fuzz/$*.log 2>&1 \
	  || { tail -n 40 $(BUILD)/fuzz/$*.log; exit 1; }
	@echo "fuzz $*: $$(sed -n 's/^stat::number_of_executed_units: *//p' $(BUILD)/fuzz/$*.log) executions, nothing found"

fuzz-keep: $(FUZZ_BIN)
	@set -e; for f in $(FUZZERS); do mkdir -p tests/fuzz/corpus/$$f $(BUILD)/fuzz/$$f.corpus; \
	  $(BUILD)/fuzz/$$f -merge=1 -max_len=1024 tests/fuzz/corpus/$$f $(BUILD)/fuzz/$$f.corpus >$(BUILD)/fuzz/$$f.keep.log 2>&1; done

-include $(FUZZ_OBJ:.o=.d) $(FUZZERS:%=$(BUILD)/fuzz/obj/tests/fuzz/fuzz_%.d)
