/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What others than pci see of an IOMMU: whether it has kept a device from memory, and pci has not
 * looked at that yet (Intel VT-d 3.3, 10.4.9: Fault Status Register). To read it changes nothing.
 */
#ifndef ABI_IOMMU_H
#define ABI_IOMMU_H

#define IOMMU_FAULT_STATUS 0x34u /* 32 bits, in the page of the unit's registers */
#define IOMMU_FAULT_LOST 1u /* there was no record free to say whose it was */
#define IOMMU_FAULT_IS_THERE 2u /* in one of the records */

#endif
