# coverage.mk - which lines of src/ the tests run: the suite, the scripts and the injected faults, in a build folder of its own.
#   make coverage [COVER_LEAST=90]   per cent of lines, a line a file; fails under COVER_LEAST; what was not run, in $(COVER)/not-run
# src/cuda is left out (its tests run on the emulated device); a file built for several instruction sets counts once.
COVER       := $(BUILD)/coverage
COVER_LEAST ?= 90
COVER_MAKE   = $(MAKE) --no-print-directory CUDA=0 BUILD=$(COVER) CFLAGS="-O1 -g --coverage -fprofile-update=atomic" LDFLAGS=--coverage

.PHONY: coverage coverage-run
coverage:
	+@$(COVER_MAKE) all suite $(COVER)/faults
	@find $(COVER) -name '*.gcda' -delete
	@$(MAKE) --no-print-directory coverage-run

# A failing test is told by make test; here what ran counts.
coverage-run:
	-@$(COVER)/suite >$(COVER)/suite.log 2>&1 || grep FAIL $(COVER)/suite.log
	-@$(COVER)/faults 40 >$(COVER)/faults.log 2>&1 || grep '^not ok' $(COVER)/faults.log
	-@for s in $(filter-out %/test_package.sh,$(wildcard tests/cli/test_*.sh)); do \
	  CUGLYPH=$(CURDIR)/$(COVER)/cuglyph bash $$s >>$(COVER)/cli.log 2>&1 || echo "$$s: failed"; done
	@tests/coverage $(COVER) $(COVER_LEAST)
