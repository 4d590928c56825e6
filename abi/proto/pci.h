/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PCI server finds the devices, tells RS (RS_DEVICE_FOUND), and does RS's device work
 * (RS_DEVICE_WORK). Drivers do not call it. For tools and fs/proc:
 */
#ifndef ABI_PROTO_PCI_H
#define ABI_PROTO_PCI_H

#include "abi/message.h"

enum pci_request {
    /* struct rs_device to our grant -> 0; -ENOENT past the end */
    PCI_LIST = PROTOCOL_PCI,
};

struct IN_MESSAGE pci_list_request {
    uint64_t index;
    uint64_t grant;
};
MESSAGE_FITS(struct pci_list_request);

#endif
