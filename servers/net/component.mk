# The network server stands on lwIP (third_party/lwip.mk).
net_CFLAGS := $(LWIP_CFLAGS)
net_LIBS := $(B)/third_party/liblwip.a
net_NEEDS := $(LWIP)/.unpacked
$(net_OBJECTS): $(LWIP_HEADERS)
