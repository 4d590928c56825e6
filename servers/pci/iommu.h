/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keeping devices within their memory (docs/security.md): Intel VT-d, legacy mode, addresses as
 * they are. Each function has a domain of its own; who has none reaches nothing.
 *
 *     dmar.c    where the units are
 *     domain.c  the tables in memory; pure logic
 *     iommu.c   the units' registers
 */
#ifndef PCI_IOMMU_H
#define PCI_IOMMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- dmar.c ---- */
/* How many units there are; the registers of the first `most` of them. */
unsigned dmar_units(uint64_t rsdp, uint64_t *base, unsigned most);
bool firmware_read(uint64_t physical, void *to, size_t length); /* in iommu.c */

/* ---- domain.c ---- */
#define TABLE_ENTRIES 512

/*
 * Memory for tables; the first page is the root. There is no list of what is free: a page that the
 * root does not lead to is. So there is nothing that a death could leave half done, and a fresh pci
 * goes on with what it finds.
 */
struct tables {
    uint64_t (*page)[TABLE_ENTRIES];
    uint64_t physical; /* of the first */
    uint32_t pages;
    unsigned levels; /* of a domain's: 3 or 4 */
    void (*written)(const void *at, size_t length); /* now the unit must see it */
};
#define TABLES_PAGES_MAX 1024

/* The function reaches that memory, too: false: no room, or it is beyond what the tables can say */
bool domain_add(const struct tables *t, uint16_t place, uint64_t physical, uint64_t size);
void domain_end(const struct tables *t, uint16_t place); /* it reaches nothing */
/* Does it? For tests. */
bool domain_reaches(const struct tables *t, uint16_t place, uint64_t physical);

/* ---- iommu.c ---- */
void iommu_start(void); /* translation is on after that, if there is a unit */
struct function;
long iommu_allow(const struct function *f); /* what RS says that it may reach; 0 or -errno */
void iommu_deny(const struct function *f);
void iommu_interrupt(void); /* a device was stopped: RS is told */
uint64_t iommu_due(void); /* clock: call iommu_interrupt() then; 0: no need */

#endif
