# Services that the ordinary image does not contain: tests and benchmarks add them, with their manifests, when they boot
# (tools/guest --add build/services/X:/lib/bardo/X --add X.manifest:/etc/bardo/X.svc).
EXTRA_SERVICES := faulty bench_client bench_server
EXTRA_IMAGES := $(EXTRA_SERVICES:%=$(B)/services/%)
EXTRA_BUILD = @mkdir -p $(@D) && echo "  LD    $@" && $(CC_SERVICE) $(filter-out -MMD -MP,$(SERVICE_CFLAGS)) $(SERVICE_LDFLAGS) -s -o $@ $< $(B)/libbardo.a

all: $(EXTRA_IMAGES)

$(B)/services/faulty: drivers/example/faulty/main.c $(B)/libbardo.a
	$(EXTRA_BUILD)
$(B)/services/bench_client: bench/services/bench_client.c $(B)/libbardo.a
	$(EXTRA_BUILD)
$(B)/services/bench_server: bench/services/bench_server.c $(B)/libbardo.a
	$(EXTRA_BUILD)

# Linux programs that only the benchmarks need.
$(B)/bench/%: bench/programs/%.c
	@mkdir -p $(@D) && echo "  CC    $@"
	@$(CC_SERVICE) $(filter-out -MMD -MP,$(PROGRAM_CFLAGS)) $(SERVICE_LDFLAGS) -s -o $@ $<

.PHONY: bench
bench: all $(B)/bench/pagefault $(B)/bench/files ## measure: throughput, recovery, boot, memory; and guest instructions under icount (SIZE=256 REPS=3)
	@B=$(B) SIZE='$(SIZE)' REPS='$(REPS)' ACCEL='$(ACCEL)' bench/run $(BENCH)
