# The network server, lwIP and its surroundings for the host, under ASan and UBSan: what tests/unit/test_net_wire.c and the fuzzer stand on
# (tests/net_host/host.h).
NET_HOST_SOURCES := $(filter-out servers/net/random.c,$(sort $(wildcard servers/net/*.c))) $(sort $(wildcard tests/net_host/*.c))
NET_HOST_OBJECTS := $(patsubst %.c,$(B)/net_host/%.o,$(NET_HOST_SOURCES)) $(patsubst $(LWIP)/src/%.c,$(B)/net_host/lwip/%.o,$(LWIP_SOURCES))
NET_HOST_CFLAGS := -std=gnu17 -O1 -g -Itests/net_host -I. -I$(B)/gen $(LWIP_CFLAGS) -Dmain=net_main -fno-strict-aliasing -MMD -MP \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-sanitize=alignment

$(B)/net_host/lwip/%.o: $(LWIP)/src/%.c $(LWIP_HEADERS)
	@mkdir -p $(@D)
	@gcc $(NET_HOST_CFLAGS) -w -c -o $@ $<
$(B)/net_host/%.o: %.c $(LWIP)/.unpacked $(LWIP_HEADERS) | $(GEN)
	@mkdir -p $(@D)
	@gcc $(NET_HOST_CFLAGS) -Wall -Wextra -Werror -c -o $@ $<
$(B)/net_host.a: $(NET_HOST_OBJECTS)
	@echo "  AR    $@"
	@rm -f $@
	@ar rcs $@ $(NET_HOST_OBJECTS)

SECONDS ?= 60
SEED ?= 1
.PHONY: fuzz-net
fuzz-net: $(B)/unit/test_net_fuzz ## frames by chance into the network server on the host: SECONDS=60 SEED=1
	@FUZZ_SECONDS=$(SECONDS) FUZZ_FROM=$(SEED) $<
