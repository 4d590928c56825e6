/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The PCI server finds the devices, tells RS (RS_DEVICE_FOUND), and does RS's device work
 * (RS_DEVICE_WORK). Drivers do not call it. For tools and fs/proc:
 */
#ifndef ABI_PROTO_PCI_H
#define ABI_PROTO_PCI_H

#include "abi/message.h"

enum pci_request {
    /* w[0] index -> 0, struct rs_device to our grant w[1]; -ENOENT past the end */
    PCI_LIST = PROTOCOL_PCI,
};

#endif
