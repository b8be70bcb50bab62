# emu.mk - the CUDA backend without a GPU (docs/EMULATOR.md): the library's objects, the kernels built as C++ and the
# emulated CUDA runtime, linked into the test suite and the program. Needs the CUDA toolkit's headers (CUDA=1), none of its libraries.
#   make emu                                the suite, and the list of seeded bugs
#   make emu EMU_SAN=address,undefined      the same under sanitizers, in a build folder of its own
EMU_SAN     ?= $(SAN)
CXX         ?= c++
EMU_SRC     := $(filter-out %/bugs_main.cpp,$(sort $(wildcard tests/emu/*.cpp)))
EMU_KERNELS := $(sort $(wildcard kernels/*.cu))
EMU_OBJ     := $(EMU_SRC:%.cpp=$(BUILD)/emu/%.o)
# The linker script knows kernels by this name.
EMU_KOBJ    := $(EMU_KERNELS:%.cu=$(BUILD)/emu/%.k.o)
EMU_BUGS    := $(patsubst %,$(BUILD)/emu/tests/emu/%,bugs.k.o bugs_host.k.o bugs_library.k.o bugs_mma.k.o bugs_main.o)
EMU_CXX     := -std=c++17 -DCUG_EMU -fvisibility=hidden -ffp-contract=off -fno-strict-aliasing -Wall -Wextra -Werror \
  -Wno-unknown-pragmas -Wno-cast-function-type -Wno-unneeded-internal-declaration -isystem $(CUDA_HOME)/include -Ikernels
EMU_LDLIBS  := $(filter-out -L$(CUDA_HOME)/lib64 -lcudart_static,$(LDLIBS))
ifneq ($(findstring address,$(SAN)),)
  EMU_CXX   += -fsanitize-sections=.emu_shared.*
endif
EMU_OWN     := $(CFLAGS)
ifneq ($(findstring thread,$(SAN)),)
  # The emulator tells ThreadSanitizer itself what runs beside what (sanitize.h).
  EMU_OWN   := $(filter-out -fsanitize=thread,$(CFLAGS)) -DEMU_TSAN
endif

# Criterion runs under neither of these two: the same tests with a small runner instead (tests/plain).
EMU_RUNNER  := -lcriterion
ifneq ($(filter thread memory,$(SAN)),)
  CPPFLAGS   := -Itests/plain $(CPPFLAGS)
  EMU_RUNNER := $(BUILD)/obj/tests/plain/main.o
endif

# The suite's files that are built, by name ("ops step"); all, where nothing is said. Under the two above those of the device.
EMU_TESTS    ?= $(if $(filter thread memory,$(SAN)),ops optim step cuda_device cuda_faults cuda_library cuda_ring)
EMU_TEST_OBJ := $(if $(strip $(EMU_TESTS)),$(EMU_TESTS:%=$(BUILD)/obj/tests/test_%.o) $(filter $(BUILD)/obj/tests/support/%,$(TEST_OBJ)),$(TEST_OBJ))

# A build folder for each kind; MemorySanitizer is clang's alone.
EMU_FOLDER   := $(if $(findstring thread,$(EMU_SAN)),tsan,$(if $(findstring memory,$(EMU_SAN)),msan,asan))
EMU_COMPILER := $(if $(findstring memory,$(EMU_SAN)),CC=clang CXX=clang++)

.PHONY: emu emu-suite emu-run
ifneq ($(EMU_SAN),$(SAN))
emu emu-suite emu-run:
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/emu-$(EMU_FOLDER) SAN=$(EMU_SAN) $(EMU_COMPILER) $@
else ifneq ($(CUDA),1)
emu emu-suite emu-run:
	@echo "make emu: needs the CUDA toolkit's headers, and none was found"; exit 1
else
emu-suite: $(BUILD)/emu/suite $(BUILD)/emu/bugs $(if $(strip $(EMU_TESTS)),,$(BUILD)/emu/cuglyph)
emu: emu-suite
	@$(MAKE) --no-print-directory emu-run
emu-run:
	$(BUILD)/emu/bugs
	$(BUILD)/emu/suite
endif

$(BUILD)/emu/%.o: %.cpp $(BUILD)/.flags tests/emu/emu.mk
	@mkdir -p $(@D); echo "  CXX     $<"
	$(Q)$(CXX) $(CPPFLAGS) $(EMU_CXX) $(EMU_OWN) -MMD -MP -c $< -o $@

$(BUILD)/emu/%.k.o: %.cu $(BUILD)/.flags tests/emu/emu.mk
	@mkdir -p $(@D); echo "  CXX     $< (emulated)"
	$(Q)$(CXX) $(CPPFLAGS) $(EMU_CXX) $(CFLAGS) -MMD -MP -x c++ -c $< -o $@

$(BUILD)/emu/suite: $(EMU_TEST_OBJ) $(OBJ) $(SIMD_OBJ) $(EMU_KOBJ) $(EMU_OBJ) $(filter %.o,$(EMU_RUNNER)) tests/emu/emu.ld
	@echo "  LINK    $@"
	$(Q)$(CXX) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,-T,tests/emu/emu.ld $(filter -l%,$(EMU_RUNNER)) $(EMU_LDLIBS)

# `cuglyph train --device cuda` without a GPU; some tests run it.
$(BUILD)/emu/cuglyph: $(CLI_OBJ) $(OBJ) $(SIMD_OBJ) $(EMU_KOBJ) $(EMU_OBJ) tests/emu/emu.ld
	@echo "  LINK    $@"
	$(Q)$(CXX) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,-T,tests/emu/emu.ld $(EMU_LDLIBS)

$(BUILD)/emu/bugs: $(EMU_BUGS) $(EMU_OBJ) tests/emu/emu.ld
	@echo "  LINK    $@"
	$(Q)$(CXX) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,-T,tests/emu/emu.ld -lpthread

-include $(patsubst %.o,%.d,$(filter %.o,$(EMU_RUNNER))) $(EMU_OBJ:.o=.d) $(EMU_KOBJ:.o=.d) $(EMU_BUGS:.o=.d)
