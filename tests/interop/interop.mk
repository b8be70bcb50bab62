# interop.mk - the project held against suites that were written elsewhere (tests/interop/README.md).
#   make interop-check    builds and runs the samples that are kept: no Python
#   make interop          makes the samples anew, in a Python environment of its own, and runs those
#   make interop-break    breaks each op of the reference on purpose and looks which suites turn red
INTEROP_ENV  ?= $(BUILD)/interop-venv
# One thread: the same sums on every machine.
INTEROP_PY   := OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 $(INTEROP_ENV)/bin/python
INTEROP_MADE := $(BUILD)/interop-fixtures
INTEROP_SRC  := $(sort $(wildcard tests/interop/*.c))
INTEROP_OBJ  := $(INTEROP_SRC:%.c=$(BUILD)/obj/%.o) $(patsubst %,$(BUILD)/obj/tests/support/%.o,op_check op_data op_world)

.PHONY: interop interop-check interop-fixtures interop-break
interop-check: $(BUILD)/interop
	@$<

interop: $(BUILD)/interop interop-fixtures
	@$< $(INTEROP_MADE)

# The environment is made once; another requirements.txt makes it anew.
$(INTEROP_ENV)/.made: tests/interop/requirements.txt
	@echo "  VENV    $(INTEROP_ENV)"
	@python3 -m venv $(INTEROP_ENV) && $(INTEROP_ENV)/bin/pip install --quiet --disable-pip-version-check -r $< || \
	  { echo "interop: no environment: this needs python3 with venv, and PyPI (6 GB of disk with what PyTorch brings)"; exit 1; }
	@touch $@

interop-fixtures: $(INTEROP_ENV)/.made
	@mkdir -p $(INTEROP_MADE)
	$(Q)$(INTEROP_PY) tests/interop/make_gradients.py $(INTEROP_MADE)/gradients.safetensors.gz 2>/dev/null
	$(Q)$(INTEROP_PY) tests/interop/make_forward.py $(INTEROP_MADE)/forward.safetensors.gz
	$(Q)$(INTEROP_PY) tests/interop/make_training.py $(INTEROP_MADE)/training.safetensors.gz data/segments 2>/dev/null

interop-break: $(BUILD)/interop
	@tests/interop/break_each_op $(BUILD)

$(BUILD)/interop: $(INTEROP_OBJ) $(LIB)
	@echo "  LINK    $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

ifeq ($(CUDA),1)
$(BUILD)/emu/interop: $(INTEROP_OBJ) $(OBJ) $(SIMD_OBJ) $(EMU_KOBJ) $(EMU_OBJ) tests/emu/emu.ld
	@echo "  LINK    $@"
	$(Q)$(CXX) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,-T,tests/emu/emu.ld $(EMU_LDLIBS)
endif

# A broken copy of a file of the reference takes the library's place (break_each_op).
ifneq ($(BROKEN),)
$(BROKEN_DIR)/%.o: $(BROKEN_DIR)/%.c
	@$(CC) $(CPPFLAGS) $(CSTD) $(CFLAGS) -c $< -o $@

$(BROKEN_DIR)/interop: $(BROKEN:.c=.o) $(INTEROP_OBJ) $(LIB)
	@$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
endif

-include $(INTEROP_OBJ:.o=.d)
