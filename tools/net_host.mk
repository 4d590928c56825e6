# The network server, lwIP and its surroundings for the host, under ASan and UBSan: what tests/unit/test_net_wire.c and the fuzzers stand on
# (tests/net_host/host.h).
NET_HOST_SOURCES := $(filter-out servers/net/random.c,$(sort $(wildcard servers/net/*.c))) lib/service/queue.c lib/service/attend.c lib/service/attend_loop.c $(sort $(wildcard tests/net_host/*.c))
NET_HOST_CFLAGS := -std=gnu17 -O1 -g -Itests/net_host -I. -I$(B)/gen $(LWIP_CFLAGS) -Dmain=net_main -fno-strict-aliasing -MMD -MP \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-sanitize=alignment

# $(1): where it is built, and the library's name; $(2): the compiler
define net_host_rules
$(1)_OBJECTS := $$(patsubst %.c,$(B)/$(1)/%.o,$$(NET_HOST_SOURCES)) $$(patsubst $(LWIP)/src/%.c,$(B)/$(1)/lwip/%.o,$$(LWIP_SOURCES))
$(B)/$(1)/lwip/%.o: $(LWIP)/src/%.c $(LWIP_HEADERS)
	@mkdir -p $$(@D)
	@$(2) $$(NET_HOST_CFLAGS) -w -c -o $$@ $$<
$(B)/$(1)/%.o: %.c $(LWIP)/.unpacked $(LWIP_HEADERS) | $(GEN)
	@mkdir -p $$(@D)
	@$(2) $$(NET_HOST_CFLAGS) -Wall -Wextra -Werror -c -o $$@ $$<
$(B)/$(1).a: $$($(1)_OBJECTS)
	@echo "  AR    $$@"
	@rm -f $$@
	@ar rcs $$@ $$($(1)_OBJECTS)
endef
$(eval $(call net_host_rules,net_host,gcc))
$(eval $(call net_host_rules,net_guided,AFL_QUIET=1 afl-clang-fast))

SECONDS ?= 60
SEED ?= 1
.PHONY: fuzz-net fuzz-net-guided
fuzz-net: $(B)/unit/test_net_fuzz ## frames by chance into the network server on the host: SECONDS=60 SEED=1
	@FUZZ_SECONDS=$(SECONDS) FUZZ_FROM=$(SEED) $<

# (AFL++ is no package that a build needs: it is installed when it is asked for.)
fuzz-net-guided: $(B)/net_guided.setup ## the same, guided by what its code does with them (AFL++): SECONDS=60; goes on where the last one ended
	@$(MAKE) --no-print-directory $(B)/net_guided/net_guided
	@B=$(B) tools/fuzz-net-guided --seconds '$(SECONDS)'
$(B)/net_guided.setup:
	@mkdir -p $(@D)
	@tools/setup --also afl++ $@
$(B)/net_guided/net_guided: tests/fuzz/net_guided.c $(B)/net_guided.a
	@AFL_QUIET=1 afl-clang-fast -std=gnu17 -O1 -g -I. -fsanitize=address,undefined -o $@ $< $(B)/net_guided.a
