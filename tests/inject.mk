# The campaign: faults put into running drivers (docs/testing.md). Neither the injector nor the work is in the ordinary image.
all: $(B)/services/inject $(B)/tests/campaign $(B)/tests/flips $(B)/tests/steady.so

INJECT := $(addprefix tests/inject/,inject.c flip.c host.c ill.c)
CAMPAIGN := $(wildcard tests/inject/campaign*.c) tests/inject/unit.c
FLIPS := $(wildcard tests/inject/flips*.c) $(addprefix tests/inject/,unit.c campaign_net.c campaign_stream.c)

$(B)/services/inject: $(INJECT) $(wildcard tests/inject/*.h) $(B)/libbardo.a
	@mkdir -p $(@D) && echo "  LD    $@"
	@$(CC_SERVICE) $(filter-out -MMD -MP,$(SERVICE_CFLAGS)) $(SERVICE_LDFLAGS) -s -o $@ $(INJECT) $(B)/libbardo.a
$(B)/tests/campaign: $(CAMPAIGN) $(wildcard tests/inject/*.h)
	@mkdir -p $(@D) && echo "  CC    $@"
	@$(CC_SERVICE) $(filter-out -MMD -MP,$(PROGRAM_CFLAGS)) $(SERVICE_LDFLAGS) -s -o $@ $(CAMPAIGN)
$(B)/tests/flips: $(FLIPS) $(wildcard tests/inject/*.h)
	@mkdir -p $(@D) && echo "  CC    $@"
	@$(CC_SERVICE) $(filter-out -MMD -MP,$(PROGRAM_CFLAGS)) $(SERVICE_LDFLAGS) -s -o $@ $(FLIPS)
$(B)/tests/steady.so: tests/inject/steady.c
	@mkdir -p $(@D) && echo "  HOST  $@"
	@gcc -std=gnu17 -O2 -Wall -Wextra -Werror -fPIC -shared -o $@ $<

.PHONY: campaign replay
IMAGE_OPTION = $(if $(filter-out 0,$(IMAGE)),--image)
campaign: all ## faults into a running driver, by seed: DRIVER=e1000|e1000e|rtl8139|virtio-net|ahci|virtio-block|ide|uart N=100 SEED=1 IMAGE=1 (into its program itself)
	@B=$(B) tools/campaign --driver '$(or $(DRIVER),e1000)' --count '$(or $(N),100)' --seed '$(or $(SEED),1)' $(IMAGE_OPTION)
ifneq ($(filter replay,$(MAKECMDGOALS)),) # the same number is another fault of another driver
$(if $(and $(DRIVER),$(FAULT)),,$(error replay: DRIVER=NAME and FAULT=SEED:NUMBER say which fault, as the campaign printed it))
endif
replay: all ## one fault of a campaign again, exactly: DRIVER=e1000 FAULT=SEED:NUMBER IMAGE=1 TWICE=--twice (and compare)
	@B=$(B) tools/campaign --driver '$(DRIVER)' --replay '$(FAULT)' $(IMAGE_OPTION) $(TWICE)

.PHONY: processors
processors: all ## each processor that QEMU has (some 140): it boots to a shell, or refuses it with a reason (2 minutes)
	@B=$(B) tools/processors

.PHONY: flips
flips: all ## bits of the servers' memory flip, by seed, under work that is checked: VICTIM=all|rs|ds|vm|pm|vfs|net|ram|ext4 N=100 SEED=1 LIVE=--live
	@B=$(B) tools/flips --victim '$(or $(VICTIM),all)' --count '$(or $(N),100)' --seed '$(or $(SEED),1)' $(LIVE)

.PHONY: kills
kills: all ## kill a network card's driver KILLS (1000) times under a flood of frames, while all memory that is given back is checked
	@KILLS='$(or $(KILLS),1000)' B=$(B) tools/test tests/system/test_left_running.py
