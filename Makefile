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
VERSION  := 0.1.0
ARCH_CPU := $(shell $(CC) -dumpmachine)
WARN     := -Wall -Wextra -Wpedantic -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wvla
CPPFLAGS += -Iinclude -Isrc -D_GNU_SOURCE -DCUG_VERSION='"$(VERSION)"'
CFLAGS   ?= -O2 -g
AR       ?= ar
CSTD     := -std=c11 -fopenmp -fvisibility=hidden -ffp-contract=off $(WARN)
LDLIBS   := -ljansson -lpng -lmd -lcurl -lz -lm -lpthread
LDFLAGS  += -fopenmp

ifneq ($(SAN),)
  # address and undefined-behaviour sanitizers; a build folder of its own
  CFLAGS  += -O1 -fno-omit-frame-pointer -fsanitize=$(SAN) -fno-sanitize-recover=all
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

TEST_SRC := $(sort $(wildcard tests/test_*.c tests/support/*.c))
TEST_OBJ := $(TEST_SRC:%.c=$(BUILD)/obj/%.o)
SUITE    := $(BUILD)/suite

.PHONY: all lib suite help clean
all: $(BIN)
lib: $(LIB)
suite: $(SUITE)

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
	$(Q)$$(CC) $$(CPPFLAGS) -DCUG_ISA=$(1) -DCUG_ISA_$(1)=1 $$(CSTD) $$(CFLAGS) -O3 $(SIMD_FLAGS_$(1)) -ffp-contract=fast -fno-math-errno -fno-trapping-math -MMD -MP -c $$< -o $$@
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

clean:
	rm -rf $(BUILD)
