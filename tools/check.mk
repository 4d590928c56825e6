# The manifests and policy scripts that are shipped, by the parser that RS has: what is wrong is said here, not at boot.
SHIPPED := $(MANIFESTS) $(sort $(wildcard policy/*.sh))
$(B)/manifests.checked: $(B)/programs/service $(SHIPPED)
	@echo "  CHECK manifests"
	@$(B)/programs/service check --top . $(SHIPPED) >$@.log
	@touch $@
$(B)/boot.cpio: $(B)/manifests.checked
