# Bardo. `make help` lists what there is to make. Components are found by their folders: nothing here is edited to add one.
#
#   servers/**/X.svc, drivers/**/X.svc   a service X: all .c files of that folder (and component.mk, if there: X_CFLAGS, X_LIBS)
#   programs/X.c, programs/X/*.c         a Linux program X (and component.mk, if there: X_PROGRAM_NEEDS, sources of services that it shares)
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
SERVICE_CFLAGS := $(COMMON) -mgeneral-regs-only -fno-pie -fno-asynchronous-unwind-tables -fcf-protection=none $(EXTRA_CFLAGS)
PROGRAM_CFLAGS := $(COMMON) -fno-pie
SERVICE_LDFLAGS := -static -no-pie -Wl,--gc-sections -Wl,-z,max-page-size=4096 -Wl,-z,separate-code -Wl,-z,noexecstack -Wl,--build-id=none

# services that keep their memory: `returns rolled-back` in the manifest (lib/undo/undo.h)
UNDO_PLUGIN := $(B)/undo_plugin.so
UNDO_CFLAGS := -DUNDO -fplugin=$(UNDO_PLUGIN) -ffixed-r15 -mno-red-zone -flive-patching=inline-clone # tools/update: functions are replaced one by one
UNDO_LDFLAGS := -Wl,-e,undo_start
MANIFESTS := $(sort $(shell find servers drivers -name '*.svc' 2>/dev/null))
SERVICES := $(basename $(notdir $(MANIFESTS)))
UNDO_SERVICES := $(basename $(notdir $(shell grep -l '^returns *rolled-back' $(MANIFESTS))))
undo_of = $(if $(filter $(1),$(UNDO_SERVICES)),$(2),$(3))
PROGRAMS := $(sort $(basename $(notdir $(wildcard programs/*.c))) $(notdir $(patsubst %/,%,$(dir $(wildcard programs/*/main.c)))))
KERNEL_SOURCES := $(sort $(wildcard kernel/*.c kernel/*/*.c kernel/*/*.S))
BOOT_SOURCES := $(sort $(wildcard boot/*.c boot/*.S))
LIB_SOURCES := $(filter-out lib/undo/%,$(sort $(wildcard lib/*/*.c lib/*/*.S)))
UNDO_SOURCES := $(sort $(wildcard lib/undo/*.c lib/undo/*.S))
GEN := $(B)/gen/syscall_routes.h $(B)/gen/syscall_names.h

.PHONY: all
all: $(B)/kernel.elf $(B)/boot.cpio $(B)/postmortem $(B)/witness

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
BOOT_OBJECTS := $(patsubst %,$(B)/%.o,$(basename $(BOOT_SOURCES)))
$(B)/boot/%.o: boot/%.c # runs at low addresses and reaches the kernel at high ones
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@gcc $(KERNEL_CFLAGS) -mcmodel=large -c -o $@ $<
	@objcopy --prefix-alloc-sections=.boot $@
$(B)/boot/%.o: boot/%.S
	@mkdir -p $(@D)
	@echo "  AS    $<"
	@gcc $(KERNEL_CFLAGS) -D__ASSEMBLER__ -c -o $@ $<
$(B)/gen/root.S: $(B)/services/rs tools/flat # the root task, which comes with the kernel
	@mkdir -p $(@D)
	@tools/flat $< $@
$(B)/kernel/root.o: $(B)/gen/root.S
	@mkdir -p $(@D)
	@gcc -c -o $@ $<
$(B)/kernel.elf: $(BOOT_OBJECTS) $(KERNEL_OBJECTS) $(B)/kernel/root.o kernel/x86_64/kernel.ld
	@echo "  LD    $@"
	@ld -nostdlib -static -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments --build-id=none -T kernel/x86_64/kernel.ld -o $@ $(BOOT_OBJECTS) $(KERNEL_OBJECTS) $(B)/kernel/root.o

$(B)/postmortem: tools/postmortem.c | $(GEN) # on the host: what a system did that does not answer
	@echo "  HOST  $<"
	@gcc -std=gnu17 -O2 -g -I. -I$(B)/gen -Wall -Wextra -Werror -MMD -MF $@.d -o $@ $<

$(B)/witness: tools/witness.c | $(GEN) # on the host: which rights a system uses
	@echo "  HOST  $<"
	@gcc -std=gnu17 -O2 -g -I. -I$(B)/gen -Wall -Wextra -Werror -MMD -MF $@.d -o $@ $<

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

# ---- the same for services that keep their memory ----
$(UNDO_PLUGIN): tools/undo-plugin/undo.cc
	@mkdir -p $(@D)
	@echo "  HOST  $<"
	@g++ -std=gnu++17 -O2 -fPIC -fno-rtti -shared -isystem $$(gcc -print-file-name=plugin)/include -o $@ $<
UNDO_OBJECTS := $(patsubst %,$(B)/undo/%.o,$(basename $(LIB_SOURCES) $(UNDO_SOURCES)))
UNLOGGED := $(patsubst %,$(B)/undo/lib/undo/%.o,log mirror scrub verify return refuse root) # nobody rolls back what rolls back
$(UNLOGGED): UNDO_CFLAGS := -DUNDO -ffixed-r15 -mno-red-zone
$(B)/undo/lib/%.o: lib/%.c $(UNDO_PLUGIN) | $(GEN)
	@mkdir -p $(@D)
	@echo "  CC    $< (undo)"
	@$(CC_SERVICE) $(SERVICE_CFLAGS) $(UNDO_CFLAGS) -c -o $@ $<
$(B)/undo/lib/%.o: lib/%.S | $(GEN)
	@mkdir -p $(@D)
	@$(CC_SERVICE) $(SERVICE_CFLAGS) -DUNDO -D__ASSEMBLER__ -c -o $@ $<
$(B)/libbardo_undo.a: $(UNDO_OBJECTS)
	@rm -f $@
	@ar rcs $@ $(UNDO_OBJECTS)

# ---- services: one rule set each ----
IN_PLACE_OF_LIBC := lib/rt/string.o # ahead of the C library, whose own parts are to find it, too
define service_rules
$(1)_SOURCES := $$(sort $$(wildcard $(2)/*.c))
$(1)_OBJECTS := $$(patsubst %.c,$(B)/%.o,$$($(1)_SOURCES))
-include $(2)/component.mk
$$($(1)_OBJECTS): $(B)/%.o: %.c $(2)/$(1).svc $(call undo_of,$(1),$(UNDO_PLUGIN)) | $(GEN) $$($(1)_NEEDS)
	@mkdir -p $$(@D)
	@echo "  CC    $$<"
	@$(CC_SERVICE) $(SERVICE_CFLAGS) $(call undo_of,$(1),$(UNDO_CFLAGS)) $$($(1)_CFLAGS) -c -o $$@ $$<
$(1)_LINKED := $$($(1)_OBJECTS) $(B)/$(call undo_of,$(1),undo/)$(IN_PLACE_OF_LIBC) $$($(1)_LIBS) $(B)/$(call undo_of,$(1),libbardo_undo.a,libbardo.a)
$(B)/services/$(1): $$($(1)_LINKED) $(call undo_of,$(1),tools/undo-check)
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	@$(CC_SERVICE) $(SERVICE_LDFLAGS) $(call undo_of,$(1),$(UNDO_LDFLAGS)) -Wl,-Map=$$@.map -o $$@.debug $$($(1)_LINKED)
	$(call undo_of,$(1),@tools/undo-check $$@.debug && tools/update stamp $$@.debug)
	@objcopy --strip-all $$@.debug $$@
endef
$(foreach m,$(MANIFESTS),$(eval $(call service_rules,$(basename $(notdir $(m))),$(patsubst %/,%,$(dir $(m))))))

# ---- another program for one that keeps its memory and runs: what was linked in BASE (a build folder), of the sources as they are now ----
BASE = $(B)
define update_rules
$(B)/update/$(1): $$($(1)_LINKED) tools/update tools/undo-check
	@mkdir -p $$(@D)
	@echo "  LD    $$@"
	@tools/update fit $$(BASE)/services/$(1).debug $$@.debug $(CC_SERVICE) $(SERVICE_LDFLAGS) $(UNDO_LDFLAGS) $$($(1)_LINKED)
	@tools/undo-check $$@.debug .text2
	@objcopy --strip-all $$@.debug $$@
endef
$(foreach s,$(UNDO_SERVICES),$(eval $(call update_rules,$(s))))
SERVICE_IMAGES := $(SERVICES:%=$(B)/services/%)
$(B)/services/%.symbols: $(B)/services/% tools/symbols
	@tools/symbols $<.debug $@
SERVICE_SYMBOLS := $(SERVICES:%=$(B)/services/%.symbols)

# ---- programs ----
define program_rules
-include programs/$(1)/component.mk
$(1)_PROGRAM_SOURCES := $$(sort $$(wildcard programs/$(1).c programs/$(1)/*.c)) $$($(1)_PROGRAM_NEEDS)
$(B)/programs/$(1): $$($(1)_PROGRAM_SOURCES) $$(wildcard programs/$(1)/*.h lib/*/*.h abi/*.h abi/proto/*.h servers/rs/*.h) | $(GEN)
	@mkdir -p $$(@D)
	@echo "  CC    $$@"
	@$(CC_SERVICE) $(filter-out -MMD -MP,$(PROGRAM_CFLAGS)) $(SERVICE_LDFLAGS) -s -o $$@ $$($(1)_PROGRAM_SOURCES)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rules,$(p))))
PROGRAM_IMAGES := $(PROGRAMS:%=$(B)/programs/%)

# ---- boot archive: rootfs/ with busybox, services, manifests, programs, policy scripts ----
$(B)/boot.cpio: $(SERVICE_IMAGES) $(SERVICE_SYMBOLS) $(PROGRAM_IMAGES) $(MANIFESTS) $(shell find rootfs policy -type f 2>/dev/null) tools/image
	@echo "  IMAGE $@"
	@tools/image $@

.PHONY: loc style format circles clean
SOURCES = $(shell find abi bench boot drivers kernel lib programs servers tests -name '*.[ch]')
style: circles ## check that all C is as .clang-format says, has no nested conditional expressions, no numbered words of messages, no circles of files, and nothing past its budget of lines
	@clang-format --dry-run -Werror $(SOURCES)
	@tools/nested $(SOURCES)
	@tools/words $(SOURCES)
	@tools/sizes $(SOURCES)
circles: $(KERNEL_OBJECTS) $(LIB_OBJECTS) $(B)/libbardo_undo.a $(SERVICE_IMAGES) # which file of a component stands on which
	@tools/circles $(B)
format: ## bring all C into that form
	@clang-format -i $(SOURCES)
LOC = cloc --quiet --csv --include-lang='C,C/C++ Header,Assembly' --force-lang=Assembly,ld
loc: ## count the lines of the kernel, and of what runs before it; fails when the kernel has 4000
	@$(LOC) boot | awk -F, '/SUM/ { print "boot: " $$5 " lines, before the kernel begins" }'
	@$(LOC) kernel | awk -F, '/SUM/ { n = $$5 } END { print "kernel: " n " lines (limit 4000)"; exit !(n > 0 && n < 4000) }'
clean: ## remove build/
	rm -rf $(B)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
