/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of manifests for what has numbers elsewhere; NULL where a number has none. */
#ifndef MANIFEST_NAMES_H
#define MANIFEST_NAMES_H

#include "abi/kernel.h"
#include "lib/manifest/manifest.h"

extern const char *const manifest_class_names[CLASSES];
extern const char *const manifest_kernel_call_names[KERNEL_CALLS];
extern const char *const manifest_strategy_names[STRATEGIES];
extern const char *const manifest_rung_names[LADDER_RUNGS];
extern const char *const manifest_end_names[ENDS];

#endif
