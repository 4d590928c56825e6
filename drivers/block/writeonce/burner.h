/* SPDX-License-Identifier: BSD-2-Clause */
/* The burner: block requests onto a disc that can be written once. */
#ifndef WRITEONCE_BURNER_H
#define WRITEONCE_BURNER_H

#include "lib/driver/blockdriver.h"

extern const struct block_driver writeonce_driver;

#endif
