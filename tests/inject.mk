# The campaign: faults put into running drivers (docs/testing.md). Neither the injector nor the work is in the ordinary image.
all: $(B)/services/inject $(B)/tests/campaign

$(B)/services/inject: tests/inject/inject.c $(B)/libbardo.a
	@mkdir -p $(@D) && echo "  LD    $@"
	@$(CC_SERVICE) $(filter-out -MMD -MP,$(SERVICE_CFLAGS)) $(SERVICE_LDFLAGS) -s -o $@ $< $(B)/libbardo.a
$(B)/tests/campaign: $(wildcard tests/inject/campaign*.[ch])
	@mkdir -p $(@D) && echo "  CC    $@"
	@$(CC_SERVICE) $(filter-out -MMD -MP,$(PROGRAM_CFLAGS)) $(SERVICE_LDFLAGS) -s -o $@ $(wildcard tests/inject/campaign*.c)

.PHONY: campaign replay
campaign: all ## faults into a running driver, by seed: DRIVER=e1000|e1000e|rtl8139|virtio-net|ahci|virtio-block|ide|uart N=100 SEED=1
	@B=$(B) tools/campaign --driver '$(or $(DRIVER),e1000)' --count '$(or $(N),100)' --seed '$(or $(SEED),1)'
replay: all ## one fault of a campaign again, exactly: DRIVER=e1000 FAULT=SEED:NUMBER TWICE=--twice (and compare)
	@B=$(B) tools/campaign --driver '$(or $(DRIVER),e1000)' --replay '$(FAULT)' $(TWICE)

.PHONY: kills
kills: all ## kill a network card's driver KILLS (1000) times under a flood of frames, while all memory that is given back is checked
	@KILLS='$(or $(KILLS),1000)' B=$(B) tools/test tests/system/test_left_running.py
