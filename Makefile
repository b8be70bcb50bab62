# cuglyph: `make run` trains on MNIST, `make test` proves it; `make help` lists the rest.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

BUILD ?= build
NVCC  ?= $(firstword $(shell command -v nvcc 2>/dev/null) $(wildcard /usr/local/cuda/bin/nvcc))
CUDA  ?= $(if $(NVCC),1,0)
SAN   ?=
Q     := $(if $(V),,@)

CC       ?= cc
VERSION  := $(shell sed -n 's/^\#define CUG_VERSION "\(.*\)".*/\1/p' include/cuglyph/version.h)
ARCH_CPU := $(shell $(CC) -dumpmachine)
WARN     := -Wall -Wextra -Wpedantic -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
CPPFLAGS += -Iinclude -Isrc -Itests -D_GNU_SOURCE
CFLAGS   ?= -O2 -g
AR       ?= ar
# One set of objects for programs, libcuglyph.a and libcuglyph.so: hidden unless declared CUG_API.
CSTD     := -std=c11 -fPIC -fvisibility=hidden -fno-semantic-interposition -ffp-contract=off $(WARN)
LDLIBS   := -ljansson -lpng -lmd -lcurl -lz -lm -lpthread

ifneq ($(SAN),)
  # address and undefined-behaviour sanitizers; a build folder of its own. Reports need lines, not variables.
  CFLAGS  += -O1 -g1 -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all
  LDFLAGS += -fsanitize=$(SAN)
endif

# --- sources: every .c under src/ is built; src/cpu/simd/*.c once for each instruction set -----------------------------
SRC      := $(filter-out src/cpu/simd/% src/cuda/% src/cli/%,$(shell find src -name '*.c' | sort))
CLI_SRC  := $(sort $(wildcard src/cli/*.c))
SIMD_SRC := $(sort $(wildcard src/cpu/simd/*.c))
ifneq ($(filter x86_64%,$(ARCH_CPU)),)
  SIMD_ISA := base avx2 avx512
else
  SIMD_ISA := base
endif
SIMD_FLAGS_base   :=
SIMD_FLAGS_avx2   := -mavx2 -mfma
SIMD_FLAGS_avx512 := -mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma -mprefer-vector-width=512

ifeq ($(CUDA),1)
  CUDA_HOME := $(patsubst %/bin/nvcc,%,$(realpath $(NVCC)))
  ifeq ($(CUDA_HOME),)
    $(error CUDA=1 but nvcc was not found; put it on PATH, set NVCC=/path/to/nvcc, or build with CUDA=0)
  endif
  SRC      += $(sort $(wildcard src/cuda/*.c))
  CPPFLAGS += -DCUG_HAVE_CUDA=1
  CUDA_INC := -isystem $(CUDA_HOME)/include
  LDLIBS   += -L$(CUDA_HOME)/lib64 -lcudart_static -ldl -lrt
endif

OBJ      := $(SRC:%.c=$(BUILD)/obj/%.o)
SIMD_OBJ := $(foreach i,$(SIMD_ISA),$(SIMD_SRC:%.c=$(BUILD)/obj/%.$(i).o))
CLI_OBJ  := $(CLI_SRC:%.c=$(BUILD)/obj/%.o)
LIB      := $(BUILD)/libcuglyph.a
BIN      := $(BUILD)/cuglyph
include kernels/kernels.mk
include package.mk

TEST_SRC := $(sort $(wildcard tests/test_*.c tests/support/*.c))
TEST_OBJ := $(TEST_SRC:%.c=$(BUILD)/obj/%.o)
SUITE    := $(BUILD)/suite

.PHONY: all lib suite help clean run test test-full bench bench-loader accept format lint analyze setup
all: $(BIN)
lib: $(LIB)
suite: $(SUITE)

help:
	@echo "make run         install what is missing, build, get MNIST, train cnn-d for 5 epochs, print its test accuracy"
	@echo "make test        install what is missing, build, run every test a machine without a GPU can run"
	@echo "make test-full   the same and the long ones"
	@echo "make             build $(BIN) alone"
	@echo "make emu         the CUDA backend on an emulated GPU: the test suite, and bugs it must find"
	@echo "make interop     samples of PyTorch, ONNX, scikit-learn made anew, with a Python of its own, and run; interop-break: see them fail"
	@echo "make bench       images/s of training steps and where their time goes (BENCH_ARGS=\"--device cpu --threads 1,2\")"
	@echo "make bench-peers the same nets in PyTorch, JAX, Keras, tinygrad, ONNX Runtime, oneDNN, in turn with ours (PEERS_ARGS=--smoke)"
	@echo "make bench-loader  batches a second of the training loader alone, in each of its modes"
	@echo "make ladder      each convolution and matrix kernel from the obvious one up, checked and timed on a GPU (ladder-emulated: checked)"
	@echo "make accept      trains every model for fixed seeds and holds its accuracy against its floor (MODELS=... for some)"
	@echo "make install     program, library, headers, pkg-config file, manual page (PREFIX=/usr/local DESTDIR=); uninstall"
	@echo "make format lint clang-format; clang-format, clang-tidy and cppcheck as checks"
	@echo "make analyze     gcc -fanalyzer over src/; every warning must have its reason in tests/analyze.known"
	@echo "make coverage    per cent of the lines of src/ that the tests run; fails under 90"
	@echo "make fuzz        a minute of libFuzzer for each parser of outside data (needs clang; FUZZ_SECONDS=60)"
	@echo "make faults      training, resuming and evaluating with each call to the system failing in turn (FAULT_POINTS=200: a sample)"
	@echo "make clean       remove $(BUILD)"
	@echo "options          CUDA=0|1 (default: 1 if nvcc is found)  BUILD=folder  SAN=address,undefined  V=1"

setup:
	@.ci/setup

# The two commands. Each installs first and then calls make anew, which so sees a compiler that was just installed.
# Kernels are built for the GPU that is here; without one, for a single architecture, since none will run.
run: setup
	@$(MAKE) --no-print-directory -j$$(nproc) all \
	  ARCH="$(if $(filter command environment,$(origin ARCH)),$(ARCH),$(if $(shell nvidia-smi -L 2>/dev/null),native,75))"
	@args=$$(data/obtain $(BIN)) && $(BIN) train cnn-d --epochs 5 $$args

test: setup
	@tests/run

test-full: setup
	@tests/run --full

# Rebuilt when the flags change (CUDA=, SAN=, CFLAGS=), not otherwise.
FLAGS_NOW := $(CC) $(CSTD) $(CFLAGS) $(CPPFLAGS) $(LDFLAGS) $(LDLIBS)
$(BUILD)/.flags: FORCE
	@mkdir -p $(@D); echo '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || echo '$(subst ','\'',$(FLAGS_NOW))' > $@
.PHONY: FORCE
FORCE:

$(BUILD)/obj/%.o: %.c $(BUILD)/.flags
	@mkdir -p $(@D); echo "  CC      $<"
	$(Q)$(CC) $(CPPFLAGS) $(if $(filter src/cuda/%,$<),$(CUDA_INC)) $(CSTD) $(CFLAGS) -MMD -MP -c $< -o $@

define SIMD_RULE
$(BUILD)/obj/src/cpu/simd/%.$(1).o: src/cpu/simd/%.c $(BUILD)/.flags
	@mkdir -p $$(@D); echo "  CC      $$< ($(1))"
	$(Q)$$(CC) $$(CPPFLAGS) -DCUG_ISA=$(1) -DCUG_ISA_$(1)=1 $$(CSTD) $$(CFLAGS) -O3 -fno-var-tracking $(SIMD_FLAGS_$(1)) -ffp-contract=fast -fno-math-errno -fno-trapping-math -MMD -MP -c $$< -o $$@
endef
$(foreach i,$(SIMD_ISA),$(eval $(call SIMD_RULE,$(i))))

$(LIB): $(OBJ) $(SIMD_OBJ)
	@echo "  AR      $@"; rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BIN): $(CLI_OBJ) $(LIB)
	@echo "  LINK    $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

$(SUITE): $(TEST_OBJ) $(LIB)
	@echo "  LINK    $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lcriterion $(LDLIBS)

-include $(OBJ:.o=.d) $(SIMD_OBJ:.o=.d) $(CLI_OBJ:.o=.d) $(TEST_OBJ:.o=.d)

-include tests/emu/emu.mk
-include tests/gpu/gpu.mk
-include tests/interop/interop.mk
-include tests/faults/faults.mk
-include tests/coverage.mk
-include tests/fuzz/fuzz.mk
-include bench/ladder/ladder.mk
-include bench/peers/peers.mk

# --- benchmarks --------------------------------------------------------------------------------------------------------
$(BUILD)/bench/%: bench/%.c $(LIB)
	@mkdir -p $(@D); echo "  LINK    $@"
	$(Q)$(CC) $(CPPFLAGS) $(CSTD) $(CFLAGS) $(LDFLAGS) -o $@ $(filter %.c,$^) $(LIB) $(LDLIBS)

# cuglyph bench says more: every kernel by itself, inference, comparison with an earlier run (docs/PERFORMANCE.md).
BENCH_ARGS ?=
bench: $(BIN)
	@$(BIN) bench train cnn-d mlp $(BENCH_ARGS)
	@$(BIN) bench train sprint --batch 256 $(BENCH_ARGS)

# Accuracy of every model with a calibrated floor, fixed seeds: an hour or more on a small machine. DEVICE=cpu|cuda, MODELS="mlp cnn-d".
accept: $(BIN)
	@CUGLYPH=$(BIN) ACCEPT_DIR=$(BUILD)/accept DEVICE=$(or $(DEVICE),cpu) THREADS=$(or $(THREADS),0) bench/accept $(MODELS)

$(BUILD)/bench/loader: bench/loading.c

bench-loader: $(BUILD)/bench/loader
	@$<

# --- style and static checks -------------------------------------------------------------------------------------------
C_FILES = $(shell git ls-files --cached --others --exclude-standard '*.c' '*.h' '*.cu' '*.cuh')

format:
	@clang-format -i $(C_FILES)

lint:
	@clang-format --dry-run -Werror $(C_FILES)
	@cppcheck --quiet --error-exitcode=1 --std=c11 --enable=warning,performance,portability --inline-suppr \
	  --suppress=missingIncludeSystem --suppress=unknownMacro --suppress=invalidFunctionArg -Iinclude -Isrc -j2 src
	@printf '%s\n' $(filter-out src/cuda/% src/cpu/simd/%,$(filter src/%.c,$(C_FILES))) | xargs -P $$(nproc) -n 1 sh -c \
	  'clang-tidy --quiet --warnings-as-errors="*" "$$@" -- $(CPPFLAGS) -std=c11 2>/dev/null' tidy

analyze:
	@tests/analyze $(CPPFLAGS) $(if $(filter 1,$(CUDA)),$(CUDA_INC))

clean:
	rm -rf $(BUILD)
