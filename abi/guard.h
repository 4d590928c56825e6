/* SPDX-License-Identifier: BSD-2-Clause */
/* The ioctl of disks whose blocks are checked (lib/block/integrity.h), for programs and the disk server. */
#ifndef ABI_GUARD_H
#define ABI_GUARD_H

/* No argument. 0: it is such a disk, or a part of one. ENOTTY: it is none. */
#define GUARD_IS_CHECKED 0x1291

#endif
