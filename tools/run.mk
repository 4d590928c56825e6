# Running and testing; the host's packages.

# Everything that is built waits for the host's packages: the generated tables come before every object.
$(B)/.setup: tools/setup
	@tools/setup $@
$(GEN) $(B)/boot.cpio: | $(B)/.setup

.PHONY: setup run gdb help test check
setup: ## install the Debian packages that are missing
	@tools/setup $(B)/.setup

run: all ## boot to an interactive shell on this terminal; Ctrl-] X leaves (NIC=e1000|e1000e|rtl8139|virtio SMP=1 MEM=256 SCREEN=gtk|curses|vnc=:0 SOUND=alsa|pa|wav:FILE DASHBOARD=1)
	@B=$(B) tools/guest --nic $(or $(NIC),e1000) --smp $(or $(SMP),1) --mem $(or $(MEM),256) $(SCREEN:%=--screen %) $(SOUND:%=--sound %) $(if $(filter-out 0,$(DASHBOARD)),--dashboard $(patsubst 1,0,$(DASHBOARD)))

gdb: all ## as make run, stopped at the first instruction, with gdb attached to the kernel
	@B=$(B) tools/guest --nic $(or $(NIC),e1000) --gdb

test: all ## everything that CI runs
	@B=$(B) tools/test

help: ## this list
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | sort -u | awk -F'\t' '{ printf "%-18s %s\n", $$1, $$2 }'

.PHONY: picture
picture: all ## the dashboard's picture in README, taken anew (Chromium)
	@B=$(B) tools/picture docs/dashboard.webp
