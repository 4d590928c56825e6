/* SPDX-License-Identifier: BSD-2-Clause */
/* The ioctl of devices that are written once (/dev/wo0), for programs and the disk server. */
#ifndef ABI_BURNER_H
#define ABI_BURNER_H

#include <stdint.h>

/* struct burner_state. ENOTTY: the device may be written as often as one likes. */
#define BURNER_GET_STATE 0x1290

struct burner_state {
    uint64_t next; /* byte where the next write must begin: all before has been written, or begun */
    uint64_t refused; /* sectors that somebody wanted to write again; the device has not done it */
    uint64_t block; /* bytes: writes begin and end at multiples of it */
};

#endif
