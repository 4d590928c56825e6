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

define unit_rules
$(1)_UNIT_INCLUDES := $$(shell sed -n '1,20s|^// includes: *||p' tests/unit/$(1).c)
$(1)_UNIT_SOURCES := $$(filter-out $$($(1)_UNIT_INCLUDES),$$(wildcard $$(shell sed -n '1,20s|^// sources: *||p' tests/unit/$(1).c)))
$(1)_UNIT_LIBRARY := $$(patsubst %,$(B)/%.a,$$(shell sed -n '1,20s|^// library: *||p' tests/unit/$(1).c))
$(1)_UNIT_AS := $$(shell sed -n '1,20s|^// as: *|_|p' tests/unit/$(1).c)
$(1)_UNIT_FLAGS := $$(shell sed -n '1,20s|^// flags: *||p' tests/unit/$(1).c)
$(B)/unit/$(1): tests/unit/$(1).c $$($(1)_UNIT_SOURCES) $$($(1)_UNIT_INCLUDES) $$(wildcard tests/unit/*.h tests/unit/host/lib/rt/*.h) $$($(1)_UNIT_LIBRARY) | $(GEN)
	@mkdir -p $$(@D)
	@echo "  UNIT  $(1)"
	@gcc $$($(1)_UNIT_FLAGS) $(UNIT_CFLAGS) $$(UNIT_CFLAGS_AS$$($(1)_UNIT_AS)) -o $$@ $$< $$($(1)_UNIT_SOURCES) $$($(1)_UNIT_LIBRARY) -lcmocka
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
