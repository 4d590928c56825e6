/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses: from the manifest's parameters,
 *
 *     parameters  e0=10.0.2.15/24,10.0.2.2        address/prefix,gateway
 *
 * (the gateway may be missing), else by DHCP, asking first for the lease that an earlier
 * incarnation of ours had. Leases stay over the deaths of drivers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lwip/dhcp.h>
#include <lwip/prot/dhcp.h>

#include "lib/rt/log.h"
#include "servers/net/interface.h"

#define COMING_MS 6000u /* since boot */

struct lease { /* as saved in DS */
    uint8_t mac[8];
    uint32_t address;
};

/* ---- the parameters ---- */

/* The text of parameter NAME=TEXT, NUL-terminated in text; false: there is none. */
static bool parameter(const char *name, char *text, size_t room)
{
    const char *at = service_info()->parameters, *end = at + SERVICE_PARAMETERS_MAX;
    size_t length = strlen(name);

    while (at < end && *at) {
        size_t word = strcspn(at, " \t");

        if (word > length + 1 && memcmp(at, name, length) == 0 && at[length] == '=' &&
            word - length - 1 < room) {
            memcpy(text, at + length + 1, word - length - 1);
            text[word - length - 1] = 0;
            return true;
        }
        at += word + strspn(at + word, " \t");
    }
    return false;
}

static uint32_t prefix_mask(unsigned bits)
{
    return bits == 0 ? 0 : lwip_htonl(~0u << (32 - bits));
}

static unsigned mask_bits(const ip4_addr_t *mask)
{
    return (unsigned)__builtin_popcount(ip4_addr_get_u32(mask));
}

/* False: none given, or nonsense. */
static bool set_static(struct interface *i)
{
    char text[64], *gateway, *prefix;
    ip4_addr_t address, mask, via = {0};
    unsigned long bits;

    if (!parameter(i->name, text, sizeof text))
        return false;
    gateway = strchr(text, ',');
    if (gateway)
        *gateway++ = 0;
    prefix = strchr(text, '/');
    if (prefix)
        *prefix++ = 0;
    bits = prefix ? strtoul(prefix, &prefix, 10) : 33;
    if (bits > 32 || *prefix || !ip4addr_aton(text, &address) ||
        (gateway && !ip4addr_aton(gateway, &via))) {
        log_info("%s: bad parameter: an address is A.B.C.D/BITS or A.B.C.D/BITS,GATEWAY", i->name);
        return false;
    }
    ip4_addr_set_u32(&mask, prefix_mask((unsigned)bits));
    netif_set_addr(&i->netif, &address, &mask, &via);
    return true;
}

/* ---- leases ---- */

static void lease_save(const struct interface *i)
{
    struct lease lease = {.address = ip4_addr_get_u32(netif_ip4_addr(&i->netif))};

    memcpy(lease.mac, i->netif.hwaddr, sizeof i->netif.hwaddr);
    service_save(i->name, &lease, sizeof lease);
}

/* What we had is asked for at once, when the link comes up, without discovering servers first. */
static void lease_restore(struct interface *i)
{
    struct dhcp *dhcp = netif_dhcp_data(&i->netif);
    struct lease lease = {0};

    if (service_restore(i->name, &lease, sizeof lease) != sizeof lease ||
        memcmp(lease.mac, i->netif.hwaddr, sizeof i->netif.hwaddr) != 0)
        return;
    ip4_addr_set_u32(&dhcp->offered_ip_addr, lease.address);
    dhcp->state = DHCP_STATE_REBOOTING;
}

/* Everybody finds it in DS as "net/INTERFACE/address"; NULL: there is none. */
static void address_tell(const struct interface *i, const char *text)
{
    char key[DS_KEY_MAX];

    snprintf(key, sizeof key, "net/%s/address", i->name);
    if (text)
        service_set_text(key, text);
    else
        service_unset(key);
}

static void address_changed(struct netif *netif)
{
    struct interface *i = netif->state;
    char address[IP4ADDR_STRLEN_MAX], gateway[IP4ADDR_STRLEN_MAX];
    char text[2 * IP4ADDR_STRLEN_MAX + sizeof "/32 via "];

    net_output_pending();
    address_choose_default();
    sockets_address_changed();
    if (ip4_addr_isany_val(*netif_ip4_addr(netif))) {
        log_info("%s: no address", i->name);
        address_tell(i, NULL);
        return;
    }
    ip4addr_ntoa_r(netif_ip4_addr(netif), address, sizeof address);
    ip4addr_ntoa_r(netif_ip4_gw(netif), gateway, sizeof gateway);
    snprintf(text, sizeof text, "%s/%u via %s", address, mask_bits(netif_ip4_netmask(netif)),
             gateway);
    log_info("%s: %s", i->name, text);
    address_tell(i, text);
    if (dhcp_supplied_address(netif))
        lease_save(i);
}

/* ---- */

void address_begin(struct interface *i)
{
    netif_set_status_callback(&i->netif, address_changed);
    if (set_static(i))
        return;
    if (dhcp_start(&i->netif) != ERR_OK) { /* the link is still down, so nothing is sent yet */
        log_info("%s: too little memory for DHCP", i->name);
        return;
    }
    lease_restore(i);
}

void address_hurry(struct interface *i)
{
    const struct dhcp *dhcp = netif_dhcp_data(&i->netif);

    if (dhcp && dhcp->state != DHCP_STATE_BOUND && netif_is_link_up(&i->netif))
        dhcp_network_changed_link_up(&i->netif);
}

/* From the beginning on the first address may take some time: programs wait so long for it instead
 * of failing. */
bool address_coming(void)
{
    if (clock_now() > COMING_MS * 1000000ull) /* sys_now() begins again after 49 days */
        return false;
    for (unsigned n = 0; n < INTERFACES_MAX; n++) {
        const struct interface *i = interfaces[n];

        if (i && i->incarnation && !i->given_up && ip4_addr_isany_val(*netif_ip4_addr(&i->netif)))
            return true;
    }
    return false;
}

/* The first that is up and has a gateway; else the first that is up. */
void address_choose_default(void)
{
    struct netif *best = NULL;

    for (unsigned n = INTERFACES_MAX; n-- > 0;) {
        struct netif *netif = interfaces[n] ? &interfaces[n]->netif : NULL;
        bool gateway = netif && !ip4_addr_isany_val(*netif_ip4_gw(netif));

        if (!netif || !netif_is_link_up(netif))
            continue;
        if (!best || gateway || ip4_addr_isany_val(*netif_ip4_gw(best)))
            best = netif;
    }
    netif_set_default(best);
}
