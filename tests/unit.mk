# Unit tests on the host: each tests/unit/test_X.c, with the sources that its line "// sources: a.c b.c" names, under ASan and UBSan.
# A source that the test includes, for the sake of its static variables, is named by a line "// includes: a.c"; "// flags: ..." are
# compiler options ahead of the others: -Itests/unit/host for whole servers over a kernel that the test plays.
# "// as: service": with the compiler's options of services in place of sanitizers, for a test of what the compiler has made of it.
# "// library: net_host" names a library of the build's that it stands on (tools/net_host.mk).
UNIT_TESTS := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c)))
UNIT_CFLAGS := -std=gnu17 -O1 -g -I. -I$(B)/gen -Wall -Wextra -Werror -Wshadow -Wno-unused-parameter -fno-strict-aliasing \
	-MMD -MP
UNIT_CFLAGS_AS := -fsanitize=address,undefined -fno-sanitize-recover=undefined
UNIT_CFLAGS_AS_service := -O2 -mgeneral-regs-only -fcf-protection=none

# What these lines say, by one process for all: test_X_UNIT_SOURCES and so on.
$(foreach said,$(shell awk 'FNR == 1 { name = FILENAME; gsub(/.*\/|\.c$$/, "", name) } \
	FNR <= 20 && sub(/^\/\/ (sources|includes|library|as|flags): */, "&") { key = toupper(substr($$2, 1, length($$2) - 1)); for (i = 3; i <= NF; i++) print name "_UNIT_" key "+=" $$i }' \
	$(UNIT_TESTS:%=tests/unit/%.c)),$(eval $(said)))

# Tests without options of their own share what is compiled for them.
$(B)/unit/objects/%.o: %.c | $(GEN)
	@mkdir -p $(@D)
	@gcc $(UNIT_CFLAGS) $(UNIT_CFLAGS_AS) -c -o $@ $<

define unit_rules
$(1)_UNIT_COMPILED := $$(filter-out $$($(1)_UNIT_INCLUDES),$$(wildcard $$($(1)_UNIT_SOURCES)))
ifeq ($$($(1)_UNIT_FLAGS)$$($(1)_UNIT_AS),)
$(1)_UNIT_COMPILED := $$($(1)_UNIT_COMPILED:%.c=$(B)/unit/objects/%.o)
endif
$(1)_UNIT_LIBRARIES := $$(patsubst %,$(B)/%.a,$$($(1)_UNIT_LIBRARY))
$(B)/unit/$(1): tests/unit/$(1).c $$($(1)_UNIT_COMPILED) $$($(1)_UNIT_INCLUDES) $$(wildcard tests/unit/*.h tests/unit/host/lib/rt/*.h) $$($(1)_UNIT_LIBRARIES) | $(GEN)
	@mkdir -p $$(@D)
	@echo "  UNIT  $(1)"
	@gcc $$($(1)_UNIT_FLAGS) $(UNIT_CFLAGS) $$(UNIT_CFLAGS_AS$$(addprefix _,$$(strip $$($(1)_UNIT_AS)))) -o $$@ $$< $$($(1)_UNIT_COMPILED) $$($(1)_UNIT_LIBRARIES) -lcmocka
$(B)/unit/$(1).passed: $(B)/unit/$(1)
	@CMOCKA_MESSAGE_OUTPUT=stdout ASAN_OPTIONS=detect_leaks=1 $$< >$$@.log 2>&1 || { cat $$@.log; echo "FAILED: $(1)"; exit 1; }
	@grep -h -a 'PASSED' $$@.log | sed 's|^|  $(1) |'
	@touch $$@
endef
$(foreach t,$(UNIT_TESTS),$(eval $(call unit_rules,$(t))))

$(B)/undo_subject.a: tests/unit/undo_subject.c tests/unit/undo_subject.h $(UNDO_PLUGIN)
	@gcc -std=gnu17 -O2 -g -I. -Wall -Wextra -Werror -mgeneral-regs-only -fno-pie -fno-strict-aliasing $(UNDO_CFLAGS) -c -o $(@:.a=.o) $<
	@rm -f $@
	@ar rcs $@ $(@:.a=.o)

.PHONY: unit
unit: $(UNIT_TESTS:%=$(B)/unit/%.passed) ## unit tests on the host (cmocka, ASan, UBSan)
