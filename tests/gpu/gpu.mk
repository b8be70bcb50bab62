# gpu.mk - what only a GPU can show, in one program (docs/GPU_CHECK.md). Needs a C compiler, zlib and the CUDA toolkit:
# the parts of the library that use other libraries stay out.
#   make gpu-check [ARCH=90]         builds for the GPU of this machine (or for ARCH) and runs; results in $OUT
#   make gpu-check-program ARCH=90   builds alone, on any machine with nvcc
#   make gpu-check-emulated          the same program, its small shapes, on the emulator
# GPU_BUILD: the folder it is built in; one of its own, since the architecture is another than the program's.
GPU_BUILD  ?= $(BUILD)/gpu-check
GPU_ARCH   := $(if $(filter command environment,$(origin ARCH)),$(ARCH),native)
GPU_LIB    := $(wildcard src/*.c) $(filter src/model/% src/ref/% src/cpu/% src/cuda/% src/check/%,$(SRC)) \
  $(patsubst %,src/bench/%.c,cases kernels op_conv op_layers op_norm op_step roof side stats) \
  $(patsubst %,src/train/%.c,net net_step nonfinite schedule) \
  $(patsubst %,src/io/%.c,atomic choices) $(patsubst %,src/data/%.c,idx inflate dataset images large_alloc loader shift known places)
GPU_C      := $(sort $(wildcard tests/gpu/*.c))
GPU_COBJ   := $(GPU_C:%.c=$(BUILD)/obj/%.o)
GPU_OBJ    := $(GPU_LIB:%.c=$(BUILD)/obj/%.o) $(SIMD_OBJ) $(GPU_COBJ) $(BUILD)/obj/bench/loading.o \
  $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard tests/support/op_*.c)))
GPU_LDLIBS := -lz -lm -lpthread -ldl -lrt

.PHONY: gpu-check gpu-check-program gpu-check-emulated
ifneq ($(CUDA),1)
gpu-check gpu-check-program gpu-check-emulated:
	@echo "make $@: needs the CUDA toolkit, and none was found"; exit 1
else
# -arch=native needs the GPU while compiling.
gpu-check:
	@if [ "$(GPU_ARCH)" = native ] && ! [ -e /dev/nvidiactl -o -e /dev/dxg ] && ! nvidia-smi -L >/dev/null 2>&1; then \
	  echo "make gpu-check: nothing was checked: this machine has no GPU (no /dev/nvidiactl, no nvidia-smi)"; exit 1; fi
	@began=$$SECONDS; $(MAKE) --no-print-directory -j$$(nproc) gpu-check-program && \
	  $(GPU_BUILD)/bin/gpu-check --spent $$((SECONDS - began)) --out "$${OUT:-$(BUILD)/gpu-check}" $(GPU_ARGS)

gpu-check-program:
	@$(MAKE) --no-print-directory BUILD=$(GPU_BUILD) ARCH="$(GPU_ARCH)" $(GPU_BUILD)/bin/gpu-check

gpu-check-emulated: $(BUILD)/emu/gpu-check
	CUGLYPH_TEST_TINY=1 $< --small --times 1 --out $(BUILD)/emu/gpu-check-results
endif

$(GPU_COBJ): $(BUILD)/obj/%.o: %.c $(BUILD)/.flags
	@mkdir -p $(@D); echo "  CC      $<"
	$(Q)$(CC) $(CPPFLAGS) $(CUDA_INC) -DGPU_CUDA_HOME='"$(CUDA_HOME)"' $(CSTD) $(CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/obj/tests/gpu/%.o: tests/gpu/%.cu $(BUILD)/.kernel-flags
	@mkdir -p $(@D); echo "  NVCC    $<"
	$(Q)$(NVCC) $(KERNEL_FLAGS) $(KERNEL_HOST) $(GENCODE) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

$(BUILD)/bin/gpu-check: $(GPU_OBJ) $(KERNEL_OBJ) $(BUILD)/obj/tests/gpu/door.o
	@mkdir -p $(@D); echo "  LINK    $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -L$(CUDA_HOME)/lib64 -lcudart_static $(GPU_LDLIBS)

# The loader's benchmark against the emulated device: build/emu/loader 500 1
$(BUILD)/emu/loader: $(BUILD)/obj/bench/loader.o $(BUILD)/obj/bench/loading.o $(OBJ) $(SIMD_OBJ) $(EMU_KOBJ) $(EMU_OBJ) tests/emu/emu.ld
	@echo "  LINK    $@"
	$(Q)$(CXX) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,-T,tests/emu/emu.ld $(EMU_LDLIBS)

$(BUILD)/emu/gpu-check: $(GPU_OBJ) $(EMU_KOBJ) $(BUILD)/emu/tests/gpu/door.k.o $(EMU_OBJ) tests/emu/emu.ld
	@echo "  LINK    $@"
	$(Q)$(CXX) $(LDFLAGS) -o $@ $(filter %.o,$^) -Wl,-T,tests/emu/emu.ld $(GPU_LDLIBS)

-include $(BUILD)/obj/bench/loader.d $(BUILD)/obj/bench/loading.d
-include $(GPU_COBJ:.o=.d) $(BUILD)/obj/tests/gpu/door.d $(BUILD)/emu/tests/gpu/door.k.d
