# Who may do what: the matrix of all manifests, by the parser that RS has. Fails when one is wrong or calls uphill.
$(B)/authority: tools/authority.c $(wildcard lib/manifest/*.[ch])
	@mkdir -p $(@D) && echo "  CC    $@"
	@gcc -std=gnu17 -O1 -g -I. $(WARN) -o $@ $(filter %.c,$^)
all: $(B)/authority
.PHONY: authority
authority: $(B)/authority ## print who may call, notify, publish, complain, and reach which devices
	@$(B)/authority $(MANIFESTS)
