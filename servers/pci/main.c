/* SPDX-License-Identifier: BSD-2-Clause */
/* The PCI server's loop: finds the devices, tells RS of each, then does with them what RS wants. */
#include <errno.h>

#include "abi/proto/pci.h"
#include "lib/pci/class.h"
#include "lib/rt/kernel.h"
#include "lib/rt/error.h"
#include "lib/rt/log.h"
#include "lib/service/service.h"
#include "servers/pci/iommu.h"
#include "servers/pci/pci.h"

#define MS 1000000ull

/* Of each function: a quiesce that takes time; step 0: none. */
static struct {
    unsigned step;
    uint64_t due;
} pending[FUNCTIONS_MAX];

static void tell_done(uint16_t place, enum rs_device_work work, long result)
{
    struct message m =
        message_of(RS_DEVICE_DONE,
                   (struct rs_device_done_request){.place = place, .work = work, .result = result});

    ipc_call(service_info()->rs, &m);
}

static void save(void)
{
    if (service_save("table", &table, sizeof table) < 0)
        panic("cannot keep the table of devices");
}

/* ---- quiesce, faults: one alarm for all that wait ---- */

static void set_alarm(void)
{
    uint64_t next = iommu_due();

    for (uint32_t i = 0; i < table.count; i++)
        if (pending[i].step && (!next || pending[i].due < next))
            next = pending[i].due;
    clock_alarm(next);
}

static void quiesce(struct function *f)
{
    uint32_t i = (uint32_t)(f - table.function);
    long result = device_quiesce(f, pending[i].step);

    if (result > 0) {
        pending[i].step++;
        pending[i].due = clock_now() + (uint64_t)result * MS;
        return;
    }
    if (result == 0 && pending[i].step > 0)
        result = DEVICE_WAS_RESET;
    pending[i].step = 0;
    iommu_deny(f); /* not before: the reset waits for what is under way */
    tell_done(f->place, DEVICE_QUIESCE, result);
}

static void quiesce_due(void)
{
    for (uint32_t i = 0; i < table.count; i++)
        if (pending[i].step && pending[i].due <= clock_now())
            quiesce(&table.function[i]);
}

/* ---- work ---- */

static void work_enable(struct function *f, const struct rs_device_work_reply *r)
{
    long error = iommu_allow(f);

    (void)r;
    device_enable(f);
    tell_done(f->place, DEVICE_ENABLE, error);
}

static void work_memory(struct function *f, const struct rs_device_work_reply *r)
{
    (void)r;
    tell_done(f->place, DEVICE_MEMORY, iommu_allow(f));
}

static void work_quiesce(struct function *f, const struct rs_device_work_reply *r)
{
    (void)r;
    pending[f - table.function].step = 0;
    quiesce(f);
}

static void work_msi(struct function *f, const struct rs_device_work_reply *r)
{
    long error = device_msi(f, (uint32_t)r->arguments[0], (uint32_t)r->arguments[1]);

    save();
    tell_done(f->place, DEVICE_MSI, error);
}

static void do_work(void)
{
    static void (*const works[])(struct function *, const struct rs_device_work_reply *) = {
        [DEVICE_ENABLE] = work_enable,
        [DEVICE_QUIESCE] = work_quiesce,
        [DEVICE_MSI] = work_msi,
        [DEVICE_MEMORY] = work_memory};

    for (;;) {
        struct message m = {.type = RS_DEVICE_WORK};
        const struct rs_device_work_reply *r = message_words(&m);
        struct function *f;

        if (ipc_call(service_info()->rs, &m) < 0)
            break;
        f = function_at((uint16_t)r->place);
        if (f && r->work < sizeof works / sizeof *works && works[r->work])
            works[r->work](f, r);
        else
            tell_done((uint16_t)r->place, r->work, f ? -ENOSYS : -ENODEV);
    }
    set_alarm();
}

/* Once: not again when we have been replaced. */
static void say_undriven(const struct function *f)
{
    if (pci_class_needs_driver(f->found.class_code))
        log_info("%02x:%02x.%x: %04x:%04x, %s: no driver", f->place >> 8, f->place >> 3 & 31,
                 f->place & 7, f->found.vendor, f->found.device,
                 pci_class_name(f->found.class_code));
}

static void tell_rs(struct function *f, bool again)
{
    long grant = grant_make(service_info()->rs, &f->found, sizeof f->found, GRANT_READ);
    struct message m =
        message_of(RS_DEVICE_FOUND, (struct rs_grant_request){.grant = (uint64_t)grant});
    const struct rs_device_found_reply *reply = message_words(&m);
    long result = grant < 0 ? grant : ipc_call(service_info()->rs, &m);

    grant_revoke(grant);
    if (result == 0 && reply->msix_table && f->found.has_msix && !f->msix_table) {
        f->msix_table = reply->msix_table;
        save();
    }
    if (result < 0)
        log_info("%02x:%02x.%x: RS does not take it: %s", f->place >> 8, f->place >> 3 & 31,
                 f->place & 7, error_name(result));
    else if (!reply->is_driven && !again)
        say_undriven(f);
}

/* ---- requests ---- */

static long list(struct message *m)
{
    const struct pci_list_request *r = message_words(m);

    if (r->index >= table.count)
        return -ENOENT;
    return grant_to(message_caller(m), r->grant, 0, &table.function[r->index].found,
                    sizeof(struct rs_device));
}

static void notified(uint64_t bits)
{
    if (bits & NOTIFY_BIT(NOTIFY_BIT_ALARM))
        quiesce_due();
    if (bits & NOTIFY_BIT(NOTIFY_BIT_IRQ) || iommu_due())
        iommu_interrupt();
    do_work();
}

int main(void)
{
    static const struct service_entry entries[] = {{PCI_LIST, list}};
    static struct pci_table known;
    bool restarted = service_restore("table", &known, sizeof known) == sizeof known &&
                     known.magic == PCI_TABLE_MAGIC;

    enumerate(restarted ? &known : NULL);
    save(); /* before anybody hears of them: from now on they may be at work */
    iommu_start(); /* before any device is enabled, and before anybody waits for one */
    service_publish("pci");
    for (uint32_t i = 0; i < table.count; i++)
        if (table.function[i].secondary == 0)
            tell_rs(&table.function[i], restarted);
    if (!restarted)
        log_info("%u functions", table.count);
    service_ready(RS_READY_FRESH);
    do_work();
    service_run(&(struct service_table){
        .entries = entries, .count = sizeof entries / sizeof *entries, .notified = notified});
}
