# kernels.mk - device code: compiled by nvcc for every architecture CUDA 13 builds for; its objects join the library.
#   ARCH=90      one architecture (a list in quotes), for a quick build;  ARCH=native: the GPU of this machine
#   make kernels-gate   compiles for sm_75 and sm_90 alone and prints registers, shared memory, code size of each kernel
#   make kernels-sass   the same, and reads the machine code: instructions promised, no local memory (nvdisasm, from PyPI)
KERNEL_SRC   := $(sort $(wildcard kernels/*.cu))
KERNEL_WARN  := -Werror all-warnings -Xcompiler -Wall,-Wextra,-Werror
KERNEL_PTXAS := -Xptxas --warning-as-error,-warn-spills
KERNEL_FLAGS  = -std=c++17 -O3 -Iinclude -Ikernels $(KERNEL_WARN) $(KERNEL_PTXAS)
GATE_ARCH    ?= 75 90

ifeq ($(CUDA),1)
  ARCHS_ALL := 75 80 86 89 90 100 120
  ARCH      ?= $(ARCHS_ALL)
  ifeq ($(ARCH),native)
    GENCODE := -arch=native
    ARCH_TEXT := the GPU of the machine that built it
  else
    GENCODE := $(foreach a,$(ARCH),-gencode arch=compute_$(a),code=sm_$(a)) \
      -gencode arch=compute_$(lastword $(ARCH)),code=compute_$(lastword $(ARCH))
    ARCH_TEXT := $(ARCH:%=sm_%) and PTX of sm_$(lastword $(ARCH))
  endif
  CPPFLAGS   += -DCUG_CUDA_ARCHS='"$(ARCH_TEXT)"'
  KERNEL_OBJ := $(KERNEL_SRC:%.cu=$(BUILD)/obj/%.o)
  $(LIB): $(KERNEL_OBJ)
  -include $(KERNEL_OBJ:.o=.d)
endif

# So that the objects need no C++ runtime and the C compiler links the program. The only static locals are those nvcc
# makes: a kernel's handle, looked up at its first launch, which two threads may as well look up twice.
KERNEL_HOST  := -Xcompiler -fPIC,-fvisibility=hidden,-fno-exceptions,-fno-rtti,-fno-threadsafe-statics
KERNEL_NOW    = $(NVCC) $(KERNEL_FLAGS) $(KERNEL_HOST) $(GENCODE)
$(BUILD)/.kernel-flags: FORCE
	@mkdir -p $(@D); echo '$(KERNEL_NOW)' | cmp -s - $@ || echo '$(KERNEL_NOW)' > $@

$(BUILD)/obj/kernels/%.o: kernels/%.cu $(BUILD)/.kernel-flags
	@mkdir -p $(@D); echo "  NVCC    $<"
	$(Q)$(NVCC) $(KERNEL_FLAGS) $(KERNEL_HOST) $(GENCODE) -MMD -MP -MF $(@:.o=.d) -c $< -o $@

# --- gate: no warnings, no spills, and a table ------------------------------------------------------------------------
GATE_OBJ := $(foreach a,$(GATE_ARCH),$(KERNEL_SRC:kernels/%.cu=$(BUILD)/gate/%.sm_$(a).cubin))

define GATE_RULE
$(BUILD)/gate/%.sm_$(1).cubin: kernels/%.cu $(wildcard kernels/*.cuh kernels/*.h)
	@mkdir -p $$(@D); echo "  NVCC    $$< (sm_$(1))"
	$(Q)$$(NVCC) $$(KERNEL_FLAGS) -Xptxas -v -arch=sm_$(1) -cubin $$< -o $$@ 2> $$@.log || \
	  { cat $$@.log; rm -f $$@; exit 1; }
endef
$(foreach a,$(GATE_ARCH),$(eval $(call GATE_RULE,$(a))))

.PHONY: kernels-gate kernels-sass
ifeq ($(NVCC),)
kernels-gate kernels-sass:
	@echo "make $@: needs nvcc; put it on PATH or set NVCC=/path/to/nvcc"; exit 1
else
kernels-gate: $(GATE_OBJ)
	@kernels/resources $(sort $(GATE_OBJ))

kernels-sass: $(GATE_OBJ)
	@SASS_ENV=$(BUILD)/sass-env kernels/sass $(sort $(GATE_OBJ))
endif
