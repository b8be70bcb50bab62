# ladder.mk - kernels on the way to the ones that training uses (bench/ladder/ladder.h).
#   make ladder [ARCH=90]     checks and times every rung on the GPU of this machine
#   make ladder-emulated      checks every rung on the emulated device, toy shapes
LADDER_CU  := $(sort $(wildcard bench/ladder/*.cu))
LADDER_C   := $(sort $(wildcard bench/ladder/*.c))
LADDER_LIB := $(GPU_LIB)
LADDER_OBJ := $(LADDER_LIB:%.c=$(BUILD)/obj/%.o) $(SIMD_OBJ) $(LADDER_C:%.c=$(BUILD)/obj/%.o)

.PHONY: ladder ladder-program ladder-emulated
ifneq ($(CUDA),1)
ladder ladder-program ladder-emulated:
	@echo "make $@: needs the CUDA toolkit, and none was found"; exit 1
else
ladder-program:
	@$(MAKE) --no-print-directory -j$$(nproc) BUILD=$(GPU_BUILD) ARCH="$(GPU_ARCH)" $(GPU_BUILD)/bin/ladder
ladder: ladder-program
	@$(GPU_BUILD)/bin/ladder $(LADDER_ARGS)
ladder-emulated: $(BUILD)/emu/ladder
	$< --small --times 0
endif

$(BUILD)/obj/bench/ladder/%.o: bench/ladder/%.c $(BUILD)/.flags
	@mkdir -p $(@D); echo "  CC      $<"
	$(Q)$(CC) $(CPPFLAGS) $(CUDA_INC) $(CSTD) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/obj/bench/ladder/%.cu.o: bench/ladder/%.cu $(BUILD)/.kernel-flags
	@mkdir -p $(@D); echo "  NVCC    $<"
	$(Q)$(NVCC) $(KERNEL_FLAGS) $(KERNEL_HOST) -Ikernels $(GENCODE) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

$(BUILD)/bin/ladder: $(LADDER_OBJ) $(KERNEL_OBJ) $(LADDER_CU:%=$(BUILD)/obj/%.o)
	@mkdir -p $(@D); echo "  LINK    $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -L$(CUDA_HOME)/lib64 -lcudart_static $(GPU_LDLIBS)

$(BUILD)/emu/ladder: $(LADDER_OBJ) $(EMU_KOBJ) $(LADDER_CU:%.cu=$(BUILD)/emu/%.k.o) $(EMU_OBJ) tests/emu/emu.ld
	@echo "  LINK    $@"
	$(Q)$(CXX) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,-T,tests/emu/emu.ld $(GPU_LDLIBS)

-include $(LADDER_C:%.c=$(BUILD)/obj/%.d) $(LADDER_CU:%=$(BUILD)/obj/%.d) $(LADDER_CU:%.cu=$(BUILD)/emu/%.k.d)
