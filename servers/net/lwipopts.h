/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How lwIP is configured: one thread, raw API, IPv4. The sizes are for a server with many
 * connections; the time from a frame to its acknowledgement decides how fast a transfer is.
 */
#ifndef NET_LWIPOPTS_H
#define NET_LWIPOPTS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "abi/proto/net.h"
#include "servers/net/resend.h"

/* One thread, no operating system below, no API but the raw one. */
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_SOCKET 0
#define LWIP_NETCONN 0
#define LWIP_TIMERS 1
#define LWIP_CALLBACK_API 1
/* What was refused of a frame, for watch.c; no other figures. */
#define LWIP_STATS 1
#define LWIP_STATS_LARGE 1
#define LINK_STATS 0
#define ETHARP_STATS 0
#define IPFRAG_STATS 0
#define ICMP_STATS 0
#define MEM_STATS 0
#define MEMP_STATS 0
#define SYS_STATS 0

/* Memory: memory.c for what varies in size, lwIP's own pools for the rest. These are empty at first and grow, by a page
 * or so, as far as is said below; what they have they keep. (third_party/lwip.patch) */
#define MEMP_GROW_BYTES 4000
#define LWIP_HOOK_MEMP_MEMORY(bytes) malloc(bytes)
#define MEM_CUSTOM_ALLOCATOR 1
#define MEM_CUSTOM_MALLOC memory_take
#define MEM_CUSTOM_CALLOC memory_take_zeroed
#define MEM_CUSTOM_FREE memory_give
void *memory_take(size_t bytes);
void *memory_take_zeroed(size_t count, size_t bytes);
void memory_give(void *block);
#define MEM_ALIGNMENT 16
/* As many of each kind as VFS allows sockets (servers/vfs/share.c): no user comes by all of one. Of connections so many
 * more that those which no program has, not yet or not any more, need not go for them. */
#define MEMP_NUM_TCP_PCB (NET_SOCKETS + 1024u)
#define MEMP_NUM_TCP_PCB_LISTEN NET_SOCKETS
#define MEMP_NUM_UDP_PCB NET_SOCKETS
#define MEMP_NUM_RAW_PCB NET_SOCKETS
/* Only the newest are kept: each new connection is looked for among them. */
#define TCP_TIME_WAIT_MAX 1024
#define MEMP_NUM_TCP_SEG 16384
#define MEMP_NUM_PBUF 16384
#define MEMP_NUM_ARP_QUEUE 256
#define MEMP_NUM_REASSDATA 64
#define MEMP_NUM_FRAG_PBUF 256
#define MEMP_NUM_SYS_TIMEOUT 24
#define PBUF_POOL_SIZE 16 /* lwIP itself does not use them here */
#define PBUF_LINK_HLEN 14
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define LWIP_PBUF_CUSTOM_DATA uint64_t kept; /* kept.h */
#define LWIP_PBUF_CUSTOM_DATA_INIT(p) ((p)->kept = 0)

/* Copies and checksums: checksum.c. */
#define LWIP_CHKSUM checksum
#define LWIP_CHKSUM_ALGORITHM 0
#define LWIP_CHECKSUM_ON_COPY 1
#define LWIP_CHKSUM_COPY(to, from, length) checksum_copy(to, from, length)
uint16_t checksum(const void *data, int length);
uint16_t checksum_copy(void *to, const void *from, uint16_t length);

/* Ethernet, ARP, IPv4, ICMP. */
#define LWIP_IPV4 1
#define LWIP_IPV6 0
#define LWIP_ETHERNET 1
#define LWIP_ARP 1
#define ARP_TABLE_SIZE 512
#define ARP_QUEUEING 1
#define ARP_QUEUE_LEN 16
#define LWIP_ICMP 1
#define LWIP_RAW 1
#define IP_FORWARD 0
#define IP_REASSEMBLY 1
#define IP_REASS_MAX_PBUFS 256
#define IP_FRAG 1
#define IP_SOF_BROADCAST 1
#define IP_SOF_BROADCAST_RECV 1
#define LWIP_NETIF_LOOPBACK 1
#define LWIP_HAVE_LOOPIF 1
#define LWIP_LOOPIF_MULTICAST 0
#define LWIP_LOOPBACK_MAX_PBUFS 1024
#define LWIP_NETIF_STATUS_CALLBACK 1
#define LWIP_NETIF_LINK_CALLBACK 1
#define LWIP_NETIF_TX_SINGLE_PBUF 0
#define LWIP_NETIF_HOSTNAME 1

/* DHCP: no waiting for conflicts. Names are the business of the programs' own resolver. */
#define LWIP_DHCP 1
#define DHCP_DOES_ARP_CHECK 0
#define LWIP_DHCP_DOES_ACD_CHECK 0
#define LWIP_DHCP_BOOTP_FILE 0
#define LWIP_DNS 0
#define LWIP_ACD 0
#define LWIP_AUTOIP 0
#define LWIP_IGMP 0

/* guard.c */
struct pbuf;
int guard_fragment(struct pbuf *p);
#define LWIP_HOOK_IP4_INPUT(p, netif) guard_fragment(p)

/* UDP and TCP. */
#define LWIP_UDP 1
#define LWIP_TCP 1
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1 /* they count PBUF_POOL, where received data is not */
#define TCP_MSS 1460
#define TCP_MSS_LEAST 64 /* third_party/lwip.patch */
#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 3
#define TCP_WND (256 * 1024)
#define TCP_SND_BUF (256 * 1024)
#define TCP_SND_QUEUELEN 1024
#define TCP_SNDLOWAT (56 * 1024)
#define TCP_SNDQUEUELOWAT 512
#define TCP_WND_UPDATE_THRESHOLD (16 * 1024)
#define TCP_QUEUE_OOSEQ 1
/* A window of whole segments, and some: not one of single bytes. */
#define TCP_OOSEQ_MAX_PBUFS (TCP_WND / TCP_MSS * 3 / 2)
#define LWIP_TCP_SACK_OUT 1
#define LWIP_TCP_MAX_SACK_NUM 4
#define TCP_LISTEN_BACKLOG 1
#define TCP_DEFAULT_LISTEN_BACKLOG 128
#define TCP_SYNMAXRTX 5 /* after 1, 3, 7, 15, 31 s */
#define TCP_OVERSIZE TCP_MSS
#define LWIP_TCP_TIMESTAMPS 0
#define LWIP_TCP_KEEPALIVE 1
#define LWIP_TCP_PCB_NUM_EXT_ARGS 3 /* acknowledge.c, guard_tcp.c, shortage.c */
#define SO_REUSE 1
#define SO_REUSE_RXTOALL 1
/* guard_tcp.c, kept.c */
struct tcp_pcb;
struct tcp_hdr;
void kept_segment(struct pbuf *p, const struct tcp_hdr *header, uint16_t option_bytes);
int guard_segment(struct tcp_pcb *pcb, const struct tcp_hdr *header, uint16_t length,
                  uint16_t option_bytes);
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, option_bytes, first_bytes, second, p)              \
    ({                                                                                             \
        int checked = guard_segment(pcb, header, (p)->tot_len, (second) ? 0 : (option_bytes));     \
                                                                                                   \
        if (checked == ERR_OK)                                                                     \
            kept_segment(p, header, option_bytes);                                                 \
        checked == ERR_OK ? resend_options(pcb, header, option_bytes, !(second)) : checked;        \
    })
/* From third_party/lwip.patch; resend.c. */
#define LWIP_TCP_PCB_FIELDS struct resend resend;
#define LWIP_TCP_SEG_FIELDS struct resend_sent sent;
#define LWIP_HOOK_TCP_ACKNOWLEDGED(pcb, number, plain) resend_acknowledged(pcb, number, plain)
#define LWIP_HOOK_TCP_SENDING(pcb, segment) resend_sending(pcb, segment)
#define LWIP_HOOK_TCP_RESEND(pcb) resend_output(pcb)
#define LWIP_HOOK_TCP_ROOM(pcb) resend_room(pcb)
/* The same; acknowledge.c. */
#define LWIP_HOOK_TCP_ACK(pcb)                                                                     \
    do {                                                                                           \
        if (!((pcb)->flags & TF_ACK_DELAY))                                                        \
            acknowledgements_due++;                                                                \
        tcp_set_flags(pcb, TF_ACK_DELAY);                                                          \
    } while (0)
extern unsigned acknowledgements_due;
/* The same; sieve.c. Addresses are pointers, ports in host order. */
#define LWIP_HOOK_TCP_BEGINS(pcb)                                                                  \
    sieve_add((pcb)->remote_ip.addr, (pcb)->remote_port, (pcb)->local_port)
#define LWIP_HOOK_TCP_ENDS(pcb)                                                                    \
    sieve_remove((pcb)->remote_ip.addr, (pcb)->remote_port, (pcb)->local_port)
#define LWIP_HOOK_TCP_MAY_EXIST(remote, remote_port, local_port)                                   \
    sieve_has((remote)->addr, remote_port, local_port)
void sieve_add(uint32_t remote, uint16_t remote_port, uint16_t local_port);
void sieve_remove(uint32_t remote, uint16_t remote_port, uint16_t local_port);
_Bool sieve_has(uint32_t remote, uint16_t remote_port, uint16_t local_port);
#define LWIP_HOOK_TCP_ISN(local, local_port, remote, remote_port)                                  \
    guard_isn(*(const uint32_t *)(const void *)(local), local_port,                                \
              *(const uint32_t *)(const void *)(remote), remote_port)
uint32_t guard_isn(uint32_t local, uint16_t local_port, uint32_t remote, uint16_t remote_port);
uint32_t random_isn(uint32_t local, uint16_t local_port, uint32_t remote, uint16_t remote_port);
uint64_t random_mac(uint64_t a, uint64_t b);

#endif
