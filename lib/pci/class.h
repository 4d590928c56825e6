/* SPDX-License-Identifier: BSD-2-Clause */
/* What a PCI device is, in words. Source: PCI Code and ID Assignment Specification 1.11, section 1. */
#ifndef PCI_CLASS_H
#define PCI_CLASS_H

#include <stdbool.h>
#include <stdint.h>

/* class << 16 | subclass << 8 | programming interface -> "Ethernet controller"; never NULL. What is
 * known of the class alone is said of it: "network controller". */
const char *pci_class_name(uint32_t class_code);

/* Without a driver something does not work; bridges do without. */
bool pci_class_needs_driver(uint32_t class_code);

#endif
