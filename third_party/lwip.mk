# lwIP for servers/net: core, IPv4 and Ethernet, as servers/net/lwipopts.h configures it.
LWIP := $(B)/third_party/lwip
LWIP_TARBALL := $(B)/third_party/$(shell sed -n 's/^tarball  *//p' third_party/lwip.lock)
LWIP_CFLAGS := -isystem $(LWIP)/src/include -Iservers/net
LWIP_SOURCES := $(addprefix $(LWIP)/src/, \
	$(addsuffix .c,$(addprefix core/,def inet_chksum init ip mem memp netif pbuf raw stats tcp tcp_in tcp_out timeouts udp)) \
	$(addsuffix .c,$(addprefix core/ipv4/,dhcp etharp icmp ip4 ip4_addr ip4_frag)) netif/ethernet.c)
LWIP_OBJECTS := $(patsubst $(LWIP)/src/%.c,$(B)/third_party/lwip.o/%.o,$(LWIP_SOURCES))

$(LWIP_TARBALL): third_party/lwip.lock third_party/fetch | $(B)/.setup
	@third_party/fetch $< $(@D)
	@touch $@

$(LWIP)/.unpacked: $(LWIP_TARBALL) third_party/lwip.patch
	@rm -rf $(LWIP)
	@mkdir -p $(LWIP)
	@tar -xf $< -C $(LWIP) --strip-components=1
	@find $(LWIP)/src -name '*.[ch]' -exec sed -i 's/\r$$//' {} +
	@patch --quiet -d $(LWIP) -p1 <third_party/lwip.patch
	@touch $@
$(LWIP_SOURCES): $(LWIP)/.unpacked ;

# (gcc's own lists of headers leave out what system headers include.)
LWIP_HEADERS := servers/net/lwipopts.h servers/net/resend.h servers/net/arch/cc.h
$(LWIP_OBJECTS): $(LWIP_HEADERS) servers/net/net.svc $(call undo_of,net,$(UNDO_PLUGIN))

# Others' code: our optimisation and code model, none of our warnings.
$(B)/third_party/lwip.o/%.o: $(LWIP)/src/%.c
	@mkdir -p $(@D)
	@echo "  CC    lwip/$*.c"
	@$(CC_SERVICE) $(filter-out $(WARN),$(SERVICE_CFLAGS)) $(call undo_of,net,$(UNDO_CFLAGS)) $(LWIP_CFLAGS) -w -c -o $@ $<

$(B)/third_party/liblwip.a: $(LWIP_OBJECTS)
	@rm -f $@
	@ar rcs $@ $(LWIP_OBJECTS)
