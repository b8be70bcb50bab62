# package.mk - the library for other programs: shared and static, headers, pkg-config file, manual page.
#   make install [PREFIX=/usr/local] [DESTDIR=]   LIBDIR=, INCLUDEDIR= ... for another layout;  make uninstall
PREFIX       ?= /usr/local
BINDIR       ?= $(PREFIX)/bin
LIBDIR       ?= $(PREFIX)/lib
INCLUDEDIR   ?= $(PREFIX)/include
MANDIR       ?= $(PREFIX)/share/man
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
INSTALL      ?= install

# Raised when programs built against an older library would no longer work with this one.
SOVERSION    := 0
SONAME       := libcuglyph.so.$(SOVERSION)
SHARED       := $(BUILD)/libcuglyph.so.$(VERSION)
# cuda.h is for builds that have what it declares.
HEADERS      := $(filter-out $(if $(filter 1,$(CUDA)),,%/cuda.h),$(sort $(wildcard include/cuglyph/*.h)))
# -z defs: nothing undefined; calls inside the library are bound there; what libcudart_static exports stays inside.
SHARED_FLAGS := -shared -Wl,-soname,$(SONAME) -Wl,-Bsymbolic-functions -Wl,--exclude-libs,ALL $(if $(SAN),,-Wl,-z,defs)

.PHONY: shared install uninstall
shared: $(SHARED)

$(SHARED): $(OBJ) $(SIMD_OBJ) $(KERNEL_OBJ)
	@echo "  LINK    $@"
	$(Q)$(CC) $(LDFLAGS) $(SHARED_FLAGS) -o $@ $^ $(LDLIBS)
	@ln -sf $(@F) $(BUILD)/$(SONAME); ln -sf $(SONAME) $(BUILD)/libcuglyph.so

# libcurl stands among the libraries: asked for by name (Requires.private), `pkg-config --static` would want the
# development packages of everything that libcurl itself was built with.
define PC_FILE
prefix=$(PREFIX)
exec_prefix=$${prefix}
libdir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(LIBDIR))
includedir=$(patsubst $(PREFIX)/%,$${prefix}/%,$(INCLUDEDIR))

Name: cuglyph
Description: trains small image models; CUDA and CPU backends checked against a float64 reference
Version: $(VERSION)
Requires.private: jansson libpng libmd zlib
Libs: -L$${libdir} -lcuglyph
Libs.private: -lcurl $(filter-out -ljansson -lpng -lmd -lcurl -lz,$(LDLIBS))
Cflags: -I$${includedir}
endef

$(BUILD)/cuglyph.1: docs/cuglyph.1.in docs/manpage $(BIN)
	@docs/manpage $(BIN) > $@

install: $(BIN) $(LIB) $(SHARED) $(BUILD)/cuglyph.1
	$(Q)$(INSTALL) -d "$(DESTDIR)$(BINDIR)" "$(DESTDIR)$(LIBDIR)" "$(DESTDIR)$(INCLUDEDIR)/cuglyph" \
	  "$(DESTDIR)$(MANDIR)/man1" "$(DESTDIR)$(PKGCONFIGDIR)"
	$(Q)$(INSTALL) -m 755 $(BIN) "$(DESTDIR)$(BINDIR)/cuglyph"
	$(Q)$(INSTALL) -m 644 $(LIB) "$(DESTDIR)$(LIBDIR)/libcuglyph.a"
	$(Q)$(INSTALL) -m 755 $(SHARED) "$(DESTDIR)$(LIBDIR)/$(notdir $(SHARED))"
	$(Q)ln -sf $(notdir $(SHARED)) "$(DESTDIR)$(LIBDIR)/$(SONAME)"
	$(Q)ln -sf $(SONAME) "$(DESTDIR)$(LIBDIR)/libcuglyph.so"
	$(Q)$(INSTALL) -m 644 $(HEADERS) "$(DESTDIR)$(INCLUDEDIR)/cuglyph"
	$(Q)$(INSTALL) -m 644 $(BUILD)/cuglyph.1 "$(DESTDIR)$(MANDIR)/man1/cuglyph.1"
	$(Q)$(file >$(BUILD)/cuglyph.pc,$(PC_FILE))$(INSTALL) -m 644 $(BUILD)/cuglyph.pc "$(DESTDIR)$(PKGCONFIGDIR)/cuglyph.pc"
	@echo "installed in $(DESTDIR)$(PREFIX)"

# Takes away what install put there, and folders only where nothing else is in them.
uninstall:
	$(Q)rm -f "$(DESTDIR)$(BINDIR)/cuglyph" "$(DESTDIR)$(LIBDIR)/libcuglyph.a" "$(DESTDIR)$(LIBDIR)/$(notdir $(SHARED))" \
	  "$(DESTDIR)$(LIBDIR)/$(SONAME)" "$(DESTDIR)$(LIBDIR)/libcuglyph.so" "$(DESTDIR)$(MANDIR)/man1/cuglyph.1" \
	  "$(DESTDIR)$(PKGCONFIGDIR)/cuglyph.pc" $(patsubst include/%,"$(DESTDIR)$(INCLUDEDIR)/%",$(wildcard include/cuglyph/*.h))
	$(Q)rmdir "$(DESTDIR)$(INCLUDEDIR)/cuglyph" 2>/dev/null || true
