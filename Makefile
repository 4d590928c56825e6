# Bardo. `make help` lists what there is to make. Components are found by their folders: nothing here is edited to add one.
#
#   servers/**/X.svc, drivers/**/X.svc   a service X: all .c files of that folder (and component.mk, if there: X_CFLAGS, X_LIBS)
#   programs/X.c, programs/X/*.c         a Linux program X
#   lib/*/*.c                            one library that all services may link
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

B := build
CC_SERVICE := musl-gcc
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
COMMON := -std=gnu17 -O2 -g -I. -I$(B)/gen $(WARN) -ffunction-sections -fdata-sections -fno-strict-aliasing -MMD -MP
KERNEL_CFLAGS := $(COMMON) -ffreestanding -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-pic -fno-pie \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -fno-omit-frame-pointer -fno-builtin
SERVICE_CFLAGS := $(COMMON) -mgeneral-regs-only -fno-pie -fno-asynchronous-unwind-tables -fcf-protection=none
PROGRAM_CFLAGS := $(COMMON) -fno-pie
SERVICE_LDFLAGS := -static -no-pie -Wl,--gc-sections -Wl,-z,max-page-size=4096 -Wl,-z,separate-code -Wl,-z,noexecstack -Wl,--build-id=none

MANIFESTS := $(sort $(shell find servers drivers -name '*.svc' 2>/dev/null))
SERVICES := $(basename $(notdir $(MANIFESTS)))
PROGRAMS := $(sort $(basename $(notdir $(wildcard programs/*.c))) $(notdir $(patsubst %/,%,$(dir $(wildcard programs/*/main.c)))))
KERNEL_SOURCES := $(sort $(wildcard kernel/*.c kernel/*/*.c kernel/*/*.S))
LIB_SOURCES := $(sort $(wildcard lib/*/*.c lib/*/*.S))
GEN := $(B)/gen/syscall_routes.h $(B)/gen/syscall_names.h

.PHONY: all
all: $(B)/kernel.elf $(B)/boot.cpio

include $(sort $(wildcard third_party/*.mk tools/*.mk tests/*.mk bench/*.mk))

# ---- generated tables ----
$(B)/gen/syscall_routes.h: abi/syscalls.tbl
	@mkdir -p $(@D)
	@awk '/^[0-9]/ { printf "[%d] = ROUTE_%s, /* %s */\n", $$1, toupper($$3), $$2 }' $< >$@
$(B)/gen/syscall_names.h: abi/syscalls.tbl
	@mkdir -p $(@D)
	@awk '/^[0-9]/ { printf "[%d] = \"%s\",\n", $$1, $$2 }' $< >$@

# ---- kernel ----
KERNEL_OBJECTS := $(patsubst %,$(B)/%.o,$(basename $(KERNEL_SOURCES)))
$(B)/kernel/%.o: kernel/%.c | $(GEN)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@gcc $(KERNEL_CFLAGS) -c -o $@ $<
$(B)/kernel/%.o: kernel/%.S | $(GEN)
	@mkdir -p $(@D)
	@echo "  AS    $<"
	@gcc $(KERNEL_CFLAGS) -D__ASSEMBLER__ -c -o $@ $<
$(B)/kernel.elf: $(KERNEL_OBJECTS) kernel/x86_64/kernel.ld
	@echo "  LD    $@"
	@ld -nostdlib -static -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments --build-id=none -T kernel/x86_64/kernel.ld -o $@ $(KERNEL_OBJECTS)

# ---- library of the services ----
LIB_OBJECTS := $(patsubst %,$(B)/%.o,$(basename $(LIB_SOURCES)))
$(B)/lib/%.o: lib/%.c | $(GEN)
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC_SERVICE) $(SERVICE_CFLAGS) -c -o $@ $<
$(B)/lib/%.o: lib/%.S | $(GEN)
	@mkdir -p $(@D)
	@$(CC_SERVICE) $(SERVICE_CFLAGS) -D__ASSEMBLER__ -c -o $@ $<
$(B)/libbardo.a: $(LIB_OBJECTS)
	@rm -f $@
	@ar rcs $@ $(LIB_OBJECTS)

# ---- services: one rule set each ----
IN_PLACE_OF_LIBC := $(B)/lib/rt/string.o # ahead of the C library, whose own parts are to find it, too
define service_rules
$(1)_SOURCES := $$(sort $$(wildcard $(2)/*.c))
$(1)_OBJECTS := $$(patsubst %.c,$(B)/%.o,$$($(1)_SOURCES))
-include $(2)/component.mk
$$($(1)_OBJECTS): $(B)/%.o: %.c | $(GEN) $$($(1)_NEEDS)
	@mkdir -p $$(@D)
	@echo "  CC    $$<"
	@$(CC_SERVICE) $(SERVICE_CFLAGS) $$($(1)_CFLAGS) -c -o $$@ $$<
$(B)/services/$(1): $$($(1)_OBJECTS) $(IN_PLACE_OF_LIBC) $$($(1)_LIBS) $(B)/libbardo.a
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	@$(CC_SERVICE) $(SERVICE_LDFLAGS) -o $$@.debug $$($(1)_OBJECTS) $(IN_PLACE_OF_LIBC) $$($(1)_LIBS) $(B)/libbardo.a
	@objcopy --strip-all $$@.debug $$@
endef
$(foreach m,$(MANIFESTS),$(eval $(call service_rules,$(basename $(notdir $(m))),$(patsubst %/,%,$(dir $(m))))))
SERVICE_IMAGES := $(SERVICES:%=$(B)/services/%)

# ---- programs ----
define program_rules
$(1)_PROGRAM_SOURCES := $$(sort $$(wildcard programs/$(1).c programs/$(1)/*.c))
$(B)/programs/$(1): $$($(1)_PROGRAM_SOURCES) $$(wildcard programs/$(1)/*.h lib/*/*.h abi/*.h abi/proto/*.h)
	@mkdir -p $$(@D)
	@echo "  CC    $$@"
	@$(CC_SERVICE) $(filter-out -MMD -MP,$(PROGRAM_CFLAGS)) $(SERVICE_LDFLAGS) -s -o $$@ $$($(1)_PROGRAM_SOURCES)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rules,$(p))))
PROGRAM_IMAGES := $(PROGRAMS:%=$(B)/programs/%)

# ---- boot archive: rootfs/ with busybox, services, manifests, programs, policy scripts ----
$(B)/boot.cpio: $(SERVICE_IMAGES) $(PROGRAM_IMAGES) $(MANIFESTS) $(shell find rootfs policy -type f 2>/dev/null) tools/image
	@echo "  IMAGE $@"
	@tools/image $@

.PHONY: loc style format clean
SOURCES = $(shell find abi bench drivers kernel lib programs servers tests -name '*.[ch]')
style: ## check that all C is as .clang-format says
	@clang-format --dry-run -Werror $(SOURCES)
format: ## bring all C into that form
	@clang-format -i $(SOURCES)
loc: ## count the kernel's lines; fails at 4000
	@cloc --quiet --csv --include-lang='C,C/C++ Header,Assembly' --force-lang=Assembly,ld kernel | \
		awk -F, '/SUM/ { n = $$5 } END { print "kernel: " n " lines (limit 4000)"; exit !(n > 0 && n < 4000) }'
clean: ## remove build/
	rm -rf $(B)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
