/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames made by chance but with sense, for the network server on the host: connections in every
 * state whose numbers are right, nearly right or wrong; options, fragments, ICMP about our own
 * segments, packets in pieces, from the wire and from a program to ourselves, ARP, DHCP answers to what was asked; answers of DNS to programs that read them, and to one
 * that does not, sound, cut short, with pointers anywhere; bytes flipped in any of them; time that passes;
 * programs that connect and hang up, and such as make any call, to each other, too. Whoever plays makes the choices: a seed's random numbers, or a
 * fuzzer's input.
 */
#ifndef NET_HOST_PLAY_H
#define NET_HOST_PLAY_H

#include <stdint.h>

/* `choose` returns a number below n, any 32 bits for 0. Starts net (once in a process). */
void play_start(uint64_t seed, uint32_t (*choose)(uint32_t n));
void play_step(void); /* one frame, and perhaps some time */

/* ---- between the files ---- */

extern uint32_t (*play_choose)(uint32_t n);
void calls_step(void); /* of a program, on one of its sockets: calls.c */

#endif
