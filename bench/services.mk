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
