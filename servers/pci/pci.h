/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PCI server: what its files share.
 *
 *     main.c       the loop; work from RS; the list for tools
 *     enumerate.c  which functions there are, and how large their BARs are
 *     route.c      from interrupt pins to interrupt lines
 *     device.c     what is done to one: enable, quiesce, MSI and MSI-X
 *     config.c     configuration space, through ports 0xcf8 and 0xcfc
 *     iommu.c      what of memory it may reach (iommu.h)
 *
 * It may die at any time. What it learned by disturbing a device (the size of a BAR is found by
 * writing to it) is kept in DS before anybody hears of the device, so its successor disturbs none
 * that is at work. Everything else it reads again.
 *
 * All but main.c, config.c and iommu.c is tested on the host against a fake configuration space.
 */
#ifndef PCI_PCI_H
#define PCI_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/proto/rs.h"

#define FUNCTIONS_MAX 64
#define NO_FUNCTION 0xffffu
#define NO_GSI 0xffffffffu
#define BARS 6

/* Configuration space, as in the PCI Local Bus Specification 3.0, section 6.1, and 3.2.5 of the
 * PCI-to-PCI Bridge one. */
enum pci_register {
    PCI_VENDOR = 0x00, /* 16; all ones: nothing is there */
    PCI_DEVICE = 0x02,
    PCI_COMMAND = 0x04,
    PCI_STATUS = 0x06,
    PCI_CLASS = 0x08, /* 32: class, subclass, interface, revision */
    PCI_CACHE_LINE = 0x0c,
    PCI_HEADER = 0x0e,
    PCI_BAR = 0x10, /* six of 32 bits; a bridge has two */
    PCI_SECONDARY_BUS = 0x19,
    PCI_CAPABILITIES = 0x34,
    PCI_INTERRUPT_LINE = 0x3c,
    PCI_INTERRUPT_PIN = 0x3d, /* 1..4, 0 none */
    PCI_BRIDGE_CONTROL = 0x3e,
};
enum {
    COMMAND_IO = 1 << 0,
    COMMAND_MEMORY = 1 << 1,
    COMMAND_MASTER = 1 << 2,
    COMMAND_NO_INTX = 1 << 10,
    STATUS_CAPABILITIES = 1 << 4,
    HEADER_BRIDGE = 1,
    HEADER_MANY = 1 << 7, /* the device has more than one function */
    BAR_IS_PORT = 1 << 0,
    BAR_TYPE = 3 << 1,
    BAR_IS_64 = 2 << 1,
    BRIDGE_RESET = 1 << 6,
    CAPABILITY_MSI = 0x05,
    CAPABILITY_VENDOR = 0x09,
    CAPABILITY_EXPRESS = 0x10,
    CAPABILITY_MSIX = 0x11,
    CAPABILITY_ADVANCED = 0x13, /* "advanced features": FLR of conventional devices */
    MSI_CONTROL = 2,
    MSI_ENABLE = 1 << 0,
    MSI_COUNT = 7 << 4,
    MSI_IS_64 = 1 << 7,
    MSIX_CONTROL = 2,
    MSIX_ENABLE = 1 << 15,
    MSIX_MASK_ALL = 1 << 14,
    MSIX_TABLE = 4, /* 32: offset of the table, and in which BAR it is */
    MSIX_TABLE_BAR = 7,
    ENTRY_ADDRESS = 0, /* of an entry of the table: 32, as all */
    ENTRY_ADDRESS_HIGH = 4,
    ENTRY_DATA = 8,
    ENTRY_CONTROL = 12,
    ENTRY_MASKED = 1 << 0,
    EXPRESS_FLAGS = 2, /* 16 */
    EXPRESS_TYPE = 15 << 4,
    EXPRESS_TO_PCI = 7 << 4,
    EXPRESS_CAPABILITIES = 4, /* 32 */
    EXPRESS_HAS_FLR = 1 << 28,
    EXPRESS_CONTROL = 8,
    EXPRESS_FLR = 1 << 15,
    VIRTIO_TYPE = 3, /* of a vendor's capability: VIRTIO 1.0, 4.1.4; 8 bits, as the next */
    VIRTIO_BAR = 4,
    VIRTIO_OFFSET = 8, /* 32, as the next two */
    VIRTIO_LENGTH = 12,
    VIRTIO_MULTIPLIER = 16,
    VENDOR_VIRTIO = 0x1af4,
    ADVANCED_CAPABILITIES = 3,
    ADVANCED_HAS_FLR = 1 << 1,
    ADVANCED_CONTROL = 4,
    ADVANCED_FLR = 1 << 0,
};

struct function {
    struct rs_device found; /* as RS is told */
    uint16_t place; /* bus << 8 | device << 3 | function */
    uint16_t parent; /* index of the bridge it is behind; NO_FUNCTION: on the root bus */
    uint8_t secondary; /* of a bridge: the bus behind it; else 0 */
    uint8_t pin, interrupt_line, cache_line;
    uint8_t msi, msix, express, advanced; /* where these capabilities are; 0: it has none */
    uint64_t msix_table; /* where it is mapped here; 0: not in use */
    uint32_t msi_address, msi_data; /* as RS wants them; 0: not in use */
};

/* What is kept in DS. */
struct pci_table {
    uint32_t magic, count;
    struct function function[FUNCTIONS_MAX];
};
#define PCI_TABLE_MAGIC 0x33494350u /* "PCI3" */

extern struct pci_table table;

/* ---- config.c ---- */
uint32_t config_read(uint16_t place, unsigned offset,
                     unsigned width); /* width 1, 2, 4; offset a multiple of it */
void config_write(uint16_t place, unsigned offset, unsigned width, uint32_t value);

/* ---- enumerate.c ---- */
void enumerate(const struct pci_table
                   *known); /* fills the table; BARs of those that are known are not touched */
struct function *function_at(uint16_t place); /* NULL: none */
/* Who a unit takes its accesses for: itself, or the bridge of a conventional bus that it is on. */
uint16_t function_requester(const struct function *f);

/* ---- route.c ---- */
void route_begin(void); /* which machine is it; quiets the lines' second way */
void route(struct function *f); /* fills in found.gsi and found.irq_flags */

/* ---- device.c ---- */
void device_enable(const struct function *f);
long device_msi(struct function *f, uint32_t address, uint32_t data); /* 0, -ENOTSUP */
/*
 * Quiesce in steps: each does something and returns how many ms must pass before the next, or 0:
 * done; -errno: failed. step counts from 0. At the end the device does nothing any more, and its
 * BARs are as they were.
 */
long device_quiesce(const struct function *f, unsigned step);

#endif
