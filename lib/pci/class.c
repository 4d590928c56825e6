/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/pci/class.h"

#include <stddef.h>

#define BRIDGE 0x06u
#define ANY 0xffffffu

/* The first that fits; of each class the whole comes last. */
static const struct {
    uint32_t code, mask;
    const char *name;
} names[] = {
    {0x000100, 0xffff00, "VGA device without a class"},
    {0x000000, 0xff0000, "unclassified device"},
    {0x010000, 0xffff00, "SCSI controller"},
    {0x010100, 0xffff00, "IDE controller"},
    {0x010200, 0xffff00, "floppy disk controller"},
    {0x010400, 0xffff00, "RAID controller"},
    {0x010500, 0xffff00, "ATA controller"},
    {0x010601, 0xffffff, "SATA controller (AHCI)"},
    {0x010600, 0xffff00, "SATA controller"},
    {0x010700, 0xffff00, "SAS controller"},
    {0x010802, 0xffffff, "NVMe controller"},
    {0x010800, 0xffff00, "non-volatile memory controller"},
    {0x010000, 0xff0000, "mass storage controller"},
    {0x020000, 0xffff00, "Ethernet controller"},
    {0x028000, 0xffff00, "network controller"},
    {0x020000, 0xff0000, "network controller"},
    {0x030000, 0xffff00, "VGA display controller"},
    {0x030000, 0xff0000, "display controller"},
    {0x040000, 0xffff00, "video device"},
    {0x040100, 0xffff00, "audio device"},
    {0x040300, 0xffff00, "HD audio device"},
    {0x040000, 0xff0000, "multimedia device"},
    {0x050000, 0xff0000, "memory controller"},
    {0x060000, 0xffff00, "host bridge"},
    {0x060100, 0xffff00, "ISA bridge"},
    {0x060400, 0xffff00, "PCI bridge"},
    {0x060000, 0xff0000, "bridge"},
    {0x070000, 0xffff00, "serial port"},
    {0x070100, 0xffff00, "parallel port"},
    {0x070000, 0xff0000, "communication controller"},
    {0x080500, 0xffff00, "SD host controller"},
    {0x080600, 0xffff00, "IOMMU"},
    {0x080000, 0xff0000, "system peripheral"},
    {0x090000, 0xff0000, "input device"},
    {0x0a0000, 0xff0000, "docking station"},
    {0x0b0000, 0xff0000, "processor"},
    {0x0c0000, 0xffff00, "FireWire controller"},
    {0x0c0300, 0xffffff, "USB controller (UHCI)"},
    {0x0c0310, 0xffffff, "USB controller (OHCI)"},
    {0x0c0320, 0xffffff, "USB controller (EHCI)"},
    {0x0c0330, 0xffffff, "USB controller (xHCI)"},
    {0x0c0300, 0xffff00, "USB controller"},
    {0x0c0500, 0xffff00, "SMBus controller"},
    {0x0c0700, 0xffff00, "IPMI interface"},
    {0x0c0000, 0xff0000, "serial bus controller"},
    {0x0d0000, 0xff0000, "wireless controller"},
    {0x0e0000, 0xff0000, "intelligent controller"},
    {0x0f0000, 0xff0000, "satellite communication controller"},
    {0x100000, 0xff0000, "encryption controller"},
    {0x110000, 0xff0000, "signal processing controller"},
    {0x120000, 0xff0000, "processing accelerator"},
    {0xff0000, 0xff0000, "unclassified device"},
};

const char *pci_class_name(uint32_t class_code)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if ((class_code & ANY & names[i].mask) == names[i].code)
            return names[i].name;
    return "device of an unknown class";
}

bool pci_class_needs_driver(uint32_t class_code)
{
    return (class_code >> 16 & 0xff) != BRIDGE;
}
