/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The units' registers (Intel VT-d 3.3, chapter 10). All share one set of tables. Invalidation by
 * registers, of everything: tables change when a device gets its driver, or a file system is
 * mounted, and at no other time.
 */
#include "servers/pci/iommu.h"

#include <errno.h>

#include "abi/iommu.h"
#include "abi/proto/rs.h"
#include "lib/driver/driver.h"
#include "lib/rt/kernel.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"
#include "servers/pci/pci.h"

enum {
    CAPABILITY = 0x08, /* 64 */
    EXTENDED = 0x10, /* 64 */
    COMMAND = 0x18,
    STATUS = 0x1c,
    ROOT = 0x20, /* 64 */
    CONTEXT_COMMAND = 0x28, /* 64 */
    FAULT_STATUS = IOMMU_FAULT_STATUS,
    FAULT_CONTROL = 0x38,
    FAULT_DATA = 0x3c,
    FAULT_ADDRESS = 0x40,
    FAULT_ADDRESS_HIGH = 0x44,
    FAULT_IS_MASKED = 1u << 31,
    COMMAND_TRANSLATE = 1u << 31,
    COMMAND_SET_ROOT = 1 << 30,
    COMMAND_FLUSH_BUFFER = 1 << 27,
    STATUS_KEPT = (int)0x96ffffff, /* what a command does not do once, but says */
    DOMAINS = 7, /* of CAPABILITY: how many, as 4 + 2 n bits of their numbers */
    CAN_FLUSH_BUFFER = 1 << 4, /* and must */
    CAN_3_LEVELS = 1 << 9,
    CAN_4_LEVELS = 1 << 10,
    INVALIDATE_HIGH = (int)(1u << 31 | 1u << 29), /* CONTEXT_COMMAND: now, global */
    INVALIDATE_IOTLB_HIGH = (int)(1u << 31 | 1u << 28), /* the same of the IOTLB's register */
    RECORD_SIZE = 16, /* of a fault */
    RECORD_SOURCE = 8,
    RECORD_WHY = 12,
    RECORD_IS_THERE = 1u << 31,
    RECORD_IS_READ = 1 << 30,
    REGISTERS = 4096,
};
#define PATIENCE (100 * 1000000ull) /* for a unit to do what it is told */
#define LOG_APART (1000 * 1000000ull)
#define FAULTS_APART (10 * 1000000ull) /* they are looked at so often, however many come */

static struct unit {
    volatile void *registers;
    uint32_t iotlb, records, record_count;
} units[IOMMU_UNITS];
static unsigned unit_count;
static uint64_t fault_next; /* not before */
static bool fault_waits;

static void flush(const void *at, size_t length)
{
    for (size_t i = 0; i < length; i += 64)
        __asm__ volatile("clflush (%0)" : : "r"((const char *)at + i) : "memory");
    __asm__ volatile("mfence" : : : "memory");
}

static struct tables domains = {.written = flush};

bool firmware_read(uint64_t physical, void *to, size_t length)
{
    long grant = grant_make(service_info()->rs, to, length, GRANT_WRITE);
    struct message m = message_of(
        RS_FIRMWARE, (struct rs_firmware_request){
                         .physical = physical, .grant = (uint64_t)grant, .length = length});
    bool done = grant >= 0 && ipc_call(service_info()->rs, &m) == 0;

    if (grant >= 0)
        grant_revoke(grant);
    return done;
}

/* ---- a unit ---- */

static bool wait_for(const struct unit *u, uint32_t offset, uint32_t mask, uint32_t value)
{
    uint64_t end = clock_now() + PATIENCE;

    while ((mmio_read32(u->registers, offset) & mask) != value)
        if (clock_now() > end)
            return false;
    return true;
}

static bool command(const struct unit *u, uint32_t what)
{
    uint32_t kept = mmio_read32(u->registers, STATUS) & (uint32_t)STATUS_KEPT;
    uint32_t done = what == COMMAND_FLUSH_BUFFER ? 0 : what;

    mmio_write32(u->registers, COMMAND, kept | what);
    return wait_for(u, STATUS, what, done);
}

/* In halves, the upper one last: it holds the bit that starts it. */
static bool invalidate(const struct unit *u)
{
    uint32_t high = u->iotlb + 4;

    if ((mmio_read32(u->registers, CAPABILITY) & CAN_FLUSH_BUFFER) &&
        !command(u, COMMAND_FLUSH_BUFFER))
        return false;
    mmio_write32(u->registers, CONTEXT_COMMAND, 0);
    mmio_write32(u->registers, CONTEXT_COMMAND + 4, (uint32_t)INVALIDATE_HIGH);
    if (!wait_for(u, CONTEXT_COMMAND + 4, 1u << 31, 0))
        return false;
    mmio_write32(u->registers, u->iotlb, 0);
    mmio_write32(u->registers, high, (uint32_t)INVALIDATE_IOTLB_HIGH);
    return wait_for(u, high, 1u << 31, 0);
}

static bool invalidate_all(void)
{
    bool done = true;

    for (unsigned n = 0; n < unit_count; n++)
        done &= invalidate(&units[n]);
    return done;
}

/* 0: it is none that we can drive. */
static unsigned levels_of(const struct unit *u)
{
    uint32_t low = mmio_read32(u->registers, CAPABILITY);

    if (low & CAN_3_LEVELS)
        return 3;
    return low & CAN_4_LEVELS ? 4 : 0;
}

static bool start_unit(struct unit *u, uint32_t vector)
{
    uint32_t high = mmio_read32(u->registers, CAPABILITY + 4);

    u->iotlb = (mmio_read32(u->registers, EXTENDED) >> 8 & 0x3ff) * 16 + 8;
    u->records = (mmio_read32(u->registers, CAPABILITY) >> 24 | (high & 3) << 8) * RECORD_SIZE;
    u->record_count = (high >> 8 & 0xff) + 1;
    if (u->iotlb + 8 > REGISTERS || u->records + u->record_count * RECORD_SIZE > REGISTERS)
        return false;
    mmio_write32(u->registers, ROOT, (uint32_t)domains.physical);
    mmio_write32(u->registers, ROOT + 4, (uint32_t)(domains.physical >> 32));
    if (!command(u, COMMAND_SET_ROOT) || !invalidate(u))
        return false;
    mmio_write32(u->registers, FAULT_DATA, vector);
    mmio_write32(u->registers, FAULT_ADDRESS, 0xfee00000);
    mmio_write32(u->registers, FAULT_ADDRESS_HIGH, 0);
    mmio_write32(u->registers, FAULT_CONTROL, vector ? 0 : FAULT_IS_MASKED);
    return command(u, COMMAND_TRANSLATE);
}

static bool add_unit(unsigned n, uint64_t physical)
{
    struct message m =
        message_of(RS_IOMMU, (struct rs_iommu_request){.number = n, .registers = physical});
    const struct rs_iommu_reply *reply = message_words(&m);
    unsigned levels, most;

    if (ipc_call(service_info()->rs, &m) < 0)
        return false;
    units[n].registers = (volatile void *)(uintptr_t)reply->registers;
    domains.page = (uint64_t(*)[TABLE_ENTRIES])(uintptr_t)reply->tables;
    domains.physical = reply->physical;
    domains.pages = (uint32_t)(reply->size / sizeof *domains.page);
    most = 1u << (4 + 2 * (mmio_read32(units[n].registers, CAPABILITY) & DOMAINS));
    if (domains.pages > most) /* they are the domains' numbers, too */
        domains.pages = most;
    levels = levels_of(&units[n]);
    if (levels == 0 || (n > 0 && levels != domains.levels))
        return false;
    domains.levels = levels;
    return start_unit(&units[n], (uint32_t)reply->vector);
}

void iommu_start(void)
{
    uint64_t base[IOMMU_UNITS];
    unsigned count;

    count = dmar_units(kernel_info()->rsdp, base, IOMMU_UNITS);
    for (unsigned n = 0; n < count && n < IOMMU_UNITS; n++) {
        if (!add_unit(n, base[n])) {
            log_info("IOMMU %u at %llx: none that we can drive", n, (unsigned long long)base[n]);
            return;
        }
        unit_count++;
    }
    if (count > IOMMU_UNITS)
        log_info("%u IOMMUs: the devices of %u reach all memory", count, count - IOMMU_UNITS);
    if (unit_count && service_info()->incarnation == 1)
        log_info("%u IOMMU%s: devices reach what is theirs", unit_count, unit_count > 1 ? "s" : "");
    iommu_interrupt(); /* what came while nobody was there */
}

/* ---- devices ---- */

long iommu_allow(const struct function *f)
{
    uint16_t requester = function_requester(f);
    bool complete = true;

    for (uint64_t n = 0; unit_count; n++) {
        struct message m = message_of(
            RS_DEVICE_MEMORY, (struct rs_device_memory_request){.place = f->place, .index = n});
        const struct rs_device_memory_reply *memory = message_words(&m);

        if (ipc_call(service_info()->rs, &m) < 0)
            break;
        complete &= domain_add(&domains, requester, memory->physical, memory->size);
    }
    if (!invalidate_all())
        return -EIO;
    return complete ? 0 : -ENOSPC;
}

/* Those on one conventional bus are one to the unit: they have a domain together, for good. */
static bool is_alone(const struct function *f)
{
    uint16_t requester = function_requester(f);

    for (uint32_t i = 0; i < table.count; i++)
        if (&table.function[i] != f && table.function[i].secondary == 0 &&
            function_requester(&table.function[i]) == requester)
            return false;
    return true;
}

void iommu_deny(const struct function *f)
{
    if (!unit_count || !is_alone(f))
        return;
    domain_end(&domains, function_requester(f));
    if (!invalidate_all())
        log_info("%02x:%02x.%x: the IOMMU does not forget it", f->place >> 8, f->place >> 3 & 31,
                 f->place & 7);
}

/* ---- faults ---- */

/* Its driver is replaced, or, of many on one bus, those of all. */
static bool blame(uint16_t requester, uint32_t why)
{
    bool blamed = false;

    for (uint32_t i = 0; i < table.count; i++) {
        const struct function *f = &table.function[i];
        struct message m =
            message_of(RS_DEVICE_FAULT,
                       (struct rs_device_fault_request){.place = f->place, .reason = why & 0xff});

        if (function_requester(f) == requester)
            blamed |= ipc_call(service_info()->rs, &m) == 0;
    }
    return blamed;
}

/* The log has a line about each driver that is replaced; of what else comes, of a device that
 * nobody drives any more, say, one now and then. */
static void tell_fault(uint16_t requester, uint64_t address, uint32_t why)
{
    static uint64_t said;
    bool blamed = blame(requester, why);

    if (!blamed && said && clock_now() - said < LOG_APART)
        return;
    said = clock_now();
    log_info("%02x:%02x.%x: kept from %s %llx (reason %u)", requester >> 8, requester >> 3 & 31,
             requester & 7, why & RECORD_IS_READ ? "reading" : "writing",
             (unsigned long long)address, why & 0xff);
}

/* Others look at the status, and believe what a driver says has been moved when it says nothing: so
 * RS is told first, then a record is given back. */
static void take_records(const struct unit *u)
{
    for (uint32_t n = 0; n < u->record_count; n++) {
        uint32_t at = u->records + n * RECORD_SIZE,
                 why = mmio_read32(u->registers, at + RECORD_WHY);
        uint64_t address;
        uint16_t place;

        if (!(why & RECORD_IS_THERE))
            continue;
        address = mmio_read32(u->registers, at) | (uint64_t)mmio_read32(u->registers, at + 4) << 32;
        place = (uint16_t)mmio_read32(u->registers, at + RECORD_SOURCE);
        tell_fault(place, address, why);
        mmio_write32(u->registers, at + RECORD_WHY, RECORD_IS_THERE);
    }
}

/* Of those that found no record free it is not known who they were. While that is told the records
 * that were in their way are there, and say that something is amiss. */
static void take_lost(const struct unit *u)
{
    struct message m =
        message_of(RS_DEVICE_FAULT, (struct rs_device_fault_request){.place = RS_DEVICE_ANY});

    if (!(mmio_read32(u->registers, FAULT_STATUS) & IOMMU_FAULT_LOST))
        return;
    mmio_write32(u->registers, FAULT_STATUS, IOMMU_FAULT_LOST);
    ipc_call(service_info()->rs, &m);
}

/* False: there are more already, of which no interrupt tells. */
static bool take_faults(const struct unit *u)
{
    take_lost(u);
    take_records(u);
    return !(mmio_read32(u->registers, FAULT_STATUS) & (IOMMU_FAULT_LOST | IOMMU_FAULT_IS_THERE));
}

void iommu_interrupt(void)
{
    uint64_t now = clock_now();

    fault_waits = now < fault_next;
    if (fault_waits)
        return;
    fault_next = now + FAULTS_APART;
    for (unsigned n = 0; n < unit_count; n++)
        fault_waits |= !take_faults(&units[n]);
}

uint64_t iommu_due(void)
{
    return fault_waits ? fault_next : 0;
}
