/* SPDX-License-Identifier: BSD-2-Clause */
/* The driver of Intel's 82574L. */
#ifndef E1000E_CHIP_H
#define E1000E_CHIP_H

#include "lib/e1000/e1000.h"

extern const struct net_driver e1000e_driver;

#endif
