/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * NVM Express: registers, queues, and what is in memory. Source: NVM Express Base Specification,
 * revision 1.4: section 3 for registers, 4 for memory, 5 for admin commands, 6 for the others.
 */
#ifndef NVME_CHIP_H
#define NVME_CHIP_H

#include "lib/driver/blockdriver.h"

extern const struct block_driver nvme_driver;

enum nvme_register { /* 32 bits, the long ones as two */
                     CAP = 0x00, /* capabilities, 64 */
                     INTMS = 0x0c, /* interrupt mask: set; not for MSI-X */
                     INTMC = 0x10, /* clear */
                     CC = 0x14, /* configuration */
                     CSTS = 0x1c, /* status */
                     AQA = 0x24, /* entries of the admin queues, each less one */
                     ASQ = 0x28, /* addresses of the admin queues, 64 */
                     ACQ = 0x30,
                     DOORBELLS = 0x1000,
                     REGISTERS_SIZE = 0x2000,
};

enum {
    CAP_ENTRIES = 0xffff, /* of a queue, at most, less one */
    CAP_TIMEOUT_SHIFT = 24, /* in units of 500 ms */
    CAP_HIGH_STRIDE = 0xf, /* in the upper half: of doorbells, as a power of two, of 4 bytes */
    CAP_HIGH_NVM = 1 << 5, /* the command set */
    CAP_HIGH_PAGE = 0xf << 16, /* smallest page, as a power of two, of 4 kB */
    CC_ENABLE = 1,
    CC_VALUE = CC_ENABLE | 6 << 16 | 4 << 20, /* entries of 64 and 16 bytes, pages of 4 kB */
    CSTS_READY = 1,
    CSTS_STATE = 0xf, /* with the bits for a fatal error and for shutdown */
};

enum nvme_admin { ADMIN_CREATE_SQ = 1, ADMIN_CREATE_CQ = 5, ADMIN_IDENTIFY = 6, ADMIN_SET = 9 };
enum nvme_io { IO_FLUSH = 0, IO_WRITE = 1, IO_READ = 2 };
enum { IO_FUA = 1 << 30, FEATURE_QUEUES = 7, IDENTIFY_NAMESPACE = 0, IDENTIFY_CONTROLLER = 1 };
enum { QUEUE_CONTIGUOUS = 1, QUEUE_INTERRUPTS = 2 };

enum nvme_identity { /* bytes: of the controller, 5.15.2.2; of a namespace, 5.15.2.1 */
                     CONTROLLER_SERIAL = 4,
                     CONTROLLER_MODEL = 24,
                     CONTROLLER_TRANSFER = 77, /* most, as a power of two, of pages; 0: any */
                     CONTROLLER_NAMESPACES = 516, /* 32 bits */
                     CONTROLLER_CACHE = 525, /* bit 0: it has one that is volatile */
                     NAMESPACE_BLOCKS = 0, /* 64 bits */
                     NAMESPACE_FORMAT = 26, /* which of ... */
                     NAMESPACE_FORMATS = 128, /* ... these; 32 bits: bytes beside a block, its size
                                                 as a power of two */
};

struct nvme_command {
    uint8_t operation, flags;
    uint16_t id;
    uint32_t space; /* namespace */
    uint64_t reserved, metadata;
    uint64_t data[2]; /* the first page; the second, or where there is a list of them */
    uint32_t word[6]; /* 10 to 15 */
};
struct nvme_completion {
    uint32_t result, reserved;
    uint16_t head, queue, id, status; /* status: bit 0 changes with each round, the rest is 0: OK */
};

enum { PAGE = 4096, ADMIN_ENTRIES = 16 };
/* Of the queue for reads and writes. A slot has one command in it at a time, so it never is full. */
enum { ENTRIES = 64 };
enum { LIST_ENTRIES = BLOCK_TRANSFER_MAX / PAGE }; /* and one more in the command */

/*
 * A request that cannot be told by pages (a page that is not whole in the middle of it), or is more
 * than the chip takes, is done in parts, one after the other.
 */
struct nvme_slot {
    uint32_t
        given; /* 0: not; else 1 + the place where its command was put. Before the chip sees it */
    uint16_t id, sequence; /* of that command; no two that follow each other have the same */
    uint32_t done, end; /* bytes: of the parts before; with the part that is under way */
    uint32_t total;
    struct block_request request; /* ours: checked */
};

struct nvme_memory { /* in the queue's memory for the chip: outlives us */
    struct nvme_command admin[ADMIN_ENTRIES];
    _Alignas(PAGE) struct nvme_completion admin_done[ADMIN_ENTRIES];
    _Alignas(PAGE) struct nvme_command command[ENTRIES];
    _Alignas(PAGE) struct nvme_completion completion[ENTRIES];
    _Alignas(PAGE) uint8_t identity[PAGE];
    _Alignas(PAGE) uint64_t list[BLOCK_SLOTS][LIST_ENTRIES]; /* no list crosses a page */
    uint32_t whole; /* WHOLE: all is set up */
    uint32_t most; /* bytes of one command */
    uint32_t tail; /* commands that the chip has been given, ever */
    uint32_t taken; /* completions that have been looked at */
    struct nvme_slot slot[BLOCK_SLOTS];
};
#define WHOLE 0x656d766eu
_Static_assert(sizeof(struct nvme_memory) <= BLOCK_CHIP_SIZE, "fits into the chip's memory");
_Static_assert(sizeof(struct nvme_command) == 64 && sizeof(struct nvme_completion) == 16,
               "as the chip has them");
_Static_assert(PAGE % (LIST_ENTRIES * sizeof(uint64_t)) == 0, "no list crosses a page");

#endif
