/* SPDX-License-Identifier: BSD-2-Clause */
/* The host's, with the constant of the C library that Bardo's servers are built with. */
#include_next <signal.h>

#undef MINSIGSTKSZ
#define MINSIGSTKSZ 2048
