/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef RT_RANDOM_H
#define RT_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

/* A word that nobody can guess: of the processor's generator, or, when it has none or that fails,
 * of the jitter of the time that steps take. To seed with: it may take some 100 us. */
uint64_t random_word(void);

/* The processor has a generator: a word costs about as much as a division. */
bool random_is_cheap(void);

#endif
