# Services that the ordinary image does not contain: tests and benchmarks add them, with their manifests, when they boot
# (tools/guest --add build/services/X:/lib/bardo/X --add X.manifest:/etc/bardo/X.svc).
EXTRA_SERVICES := faulty mortal hostile bench_client bench_server probe ahci_liar pci_late standby_ill misclock hoard crowd echoer ext4_ill dev_ill proc_ill overeager pesterer pingpong keyed
EXTRA_IMAGES := $(EXTRA_SERVICES:%=$(B)/services/%)
EXTRA_BUILD = @mkdir -p $(@D) && echo "  LD    $@" && $(CC_SERVICE) $(filter-out -MMD -MP,$(SERVICE_CFLAGS)) $(SERVICE_LDFLAGS) -o $@.debug $(filter %.c,$^) $(B)/libbardo.a $(EXTRA_FLAGS) && objcopy --strip-all $@.debug $@

all: $(EXTRA_IMAGES)

$(B)/services/faulty: $(wildcard drivers/example/faulty/*.c) drivers/example/faulty/interrupts.h $(B)/libbardo.a
	$(EXTRA_BUILD)
$(B)/services/hostile: $(wildcard drivers/example/hostile/*.c) drivers/example/hostile/hostile.h $(B)/libbardo.a
	$(EXTRA_BUILD)
$(B)/services/bench_client: bench/services/bench_client.c $(B)/libbardo.a
	$(EXTRA_BUILD)
$(B)/services/probe: $(wildcard bench/services/probe*.c) bench/services/probe.h $(B)/libbardo.a
	$(EXTRA_BUILD)
$(B)/services/hoard: bench/services/hoard.c $(B)/libbardo.a
	$(EXTRA_BUILD)
$(B)/services/misclock: bench/services/misclock.c $(B)/libbardo.a
	$(EXTRA_BUILD)
$(B)/services/bench_server: bench/services/bench_server.c $(B)/libbardo.a
	$(EXTRA_BUILD)

$(B)/services/crowd: tests/services/crowd.c tests/net_host/frames.c tests/net_host/host.h $(B)/libbardo.a
	$(EXTRA_BUILD)

$(B)/services/echoer: tests/services/echoer.c tests/net_host/frames.c tests/net_host/host.h servers/net/ring.c $(B)/libbardo.a
	$(EXTRA_BUILD)

$(B)/services/overeager: tests/services/overeager.c $(B)/libbardo.a
	$(EXTRA_BUILD)

$(B)/services/pesterer: tests/services/pesterer.c $(B)/libbardo.a
	$(EXTRA_BUILD)

$(B)/services/pingpong: tests/services/pingpong.c $(B)/libbardo.a
	$(EXTRA_BUILD)

$(B)/services/keyed: tests/services/keyed.c $(B)/libbardo.a
	$(EXTRA_BUILD)

# Services of the image with something changed: tests put them in their place.
$(B)/services/ahci_liar: tests/services/ahci_liar.c drivers/block/ahci/chip.c $(B)/libbardo.a
	$(EXTRA_BUILD)
$(B)/services/mortal: tests/services/mortal.c drivers/net/e1000/chip.c $(B)/libbardo.a
	$(EXTRA_BUILD)
$(B)/services/standby_ill: tests/services/standby_ill.c drivers/net/e1000/chip.c $(B)/libbardo.a
	$(EXTRA_BUILD)
$(B)/services/pci_late: tests/services/pci_late.c $(wildcard servers/pci/*.c) $(B)/libbardo.a
	$(EXTRA_BUILD)
$(B)/services/pci_late: EXTRA_FLAGS := -Wl,--wrap=device_msi

$(B)/services/ext4_ill: tests/services/ext4_ill.c $(wildcard servers/fs/ext4/*.c) $(B)/libbardo.a
	$(EXTRA_BUILD)
$(B)/services/ext4_ill: EXTRA_FLAGS := -Wl,--wrap=name_find,--wrap=file_read,--wrap=request_begin,--wrap=request_later,--wrap=requests_retry

$(B)/services/dev_ill: tests/services/lost_lookup.c $(wildcard servers/fs/dev/*.c) $(B)/libbardo.a
	$(EXTRA_BUILD)
$(B)/services/proc_ill: tests/services/lost_lookup.c $(wildcard servers/fs/proc/*.c) $(B)/libbardo.a
	$(EXTRA_BUILD)
$(B)/services/dev_ill $(B)/services/proc_ill: EXTRA_FLAGS := -Wl,--wrap=fs_do_lookup

# Linux programs that only the benchmarks need.
$(B)/bench/%: bench/programs/%.c
	@mkdir -p $(@D) && echo "  CC    $@"
	@$(CC_SERVICE) $(filter-out -MMD -MP,$(PROGRAM_CFLAGS)) $(SERVICE_LDFLAGS) -s -o $@ $<

.PHONY: bench
bench: all $(B)/bench/pagefault $(B)/bench/calls $(B)/bench/files $(B)/bench/stream ## measure: throughput, recovery, boot, memory; and guest instructions under icount (SIZE=256 REPS=3)
	@B=$(B) SIZE='$(SIZE)' REPS='$(REPS)' ACCEL='$(ACCEL)' bench/run $(BENCH)
