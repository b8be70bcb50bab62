# faults.mk - the program with every call for memory, to a file or for a thread sent through tests/faults/faults.c, which lets
# each fail in turn. Under the sanitizers, so that what a failure leaks is seen.
#   make faults [FAULT_POINTS=200]   FAULT_POINTS=0: every call
FAULT_POINTS ?= 0
FAULT_SAN    ?= address,undefined
FAULT_CALLS  := malloc calloc realloc aligned_alloc strdup strndup open_memstream posix_memalign read pread write pwrite fsync fdatasync \
  rename link ftruncate lseek fstat flock mkdir fopen fread fgets opendir pthread_create inflateInit2_ open openat
FAULT_OBJ    := $(patsubst %.c,$(BUILD)/obj/%.o,$(sort $(wildcard tests/faults/*.c)))

.PHONY: faults faults-program
faults: faults-program
	@ASAN_OPTIONS=detect_leaks=1:exitcode=99:allocator_may_return_null=1 $(BUILD)/asan/faults $(FAULT_POINTS)

faults-program:
	@$(MAKE) --no-print-directory CUDA=0 BUILD=$(BUILD)/asan SAN=$(FAULT_SAN) $(BUILD)/asan/faults

$(BUILD)/faults: $(FAULT_OBJ) $(filter-out %/main.o,$(CLI_OBJ)) $(LIB)
	@echo "  LINK    $@"
	$(Q)$(CC) $(LDFLAGS) $(FAULT_CALLS:%=-Wl,--wrap=%) -o $@ $^ $(LDLIBS)

-include $(FAULT_OBJ:.o=.d)
