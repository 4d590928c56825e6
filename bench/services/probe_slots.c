/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel calls about processes, devices, the clock and the log. */
#include <string.h>

#include "bench/services/probe.h"
#include "lib/service/service.h"

#define TIMES 100 /* of a call that is short: the alarm finds each part of it */

static endpoint_t one; /* a slot that never runs */
static uint8_t state[FPU_STATE_BYTES] __attribute__((aligned(64)));
static char bytes[65536];

/* Nearly all slots that there are. */
static long create_all(void)
{
    static endpoint_t made[ENDPOINT_SLOTS];
    unsigned n = 0;

    while (n < ENDPOINT_SLOTS && (made[n] = space_new()) > 0)
        n++;
    for (unsigned i = 0; i < n; i++)
        slot_destroy(made[i]);
    one = space_new();
    return n > 500 ? 0 : -ENOMEM;
}
static long destroy_keep(void)
{
    endpoint_t kept = slot_keep(space_new());

    return kept < 0 ? kept : slot_destroy(kept);
}
static long control_all(void)
{
    static const struct {
        enum slot_control what;
        uint64_t value;
    } all[] = {{SLOT_CONTROL_STOP, 0},
               {SLOT_CONTROL_START, 0},
               {SLOT_CONTROL_STOP, 0},
               {SLOT_CONTROL_SEIZE, 0},
               {SLOT_CONTROL_PRIORITY, PRIORITIES - 1},
               {SLOT_CONTROL_FS_BASE, USER_END - 1},
               {SLOT_CONTROL_GUARDIAN, ~0ull},
               {SLOT_CONTROL_NAME, (uint64_t)bytes},
               {SLOT_CONTROL_FPU_GET, (uint64_t)state},
               {SLOT_CONTROL_FPU_SET, (uint64_t)state},
               {SLOT_CONTROL_FPU_SET, 0},
               {SLOT_CONTROL_FRESH, 0}};
    long result = 0;

    for (unsigned t = 0; t < TIMES && result >= 0; t++)
        for (unsigned i = 0; i < sizeof all / sizeof *all && result >= 0; i++)
            result = slot_control(one, all[i].what, all[i].value);
    return result < 0 ? result : 0;
}
static long status(void)
{
    struct slot_status s;
    long result = 0;

    for (unsigned t = 0; t < TIMES && !result; t++)
        result = slot_status(one, &s);
    return result;
}
static struct registers registers;

static long registers_read(void)
{
    long result = 0;

    for (unsigned t = 0; t < TIMES && !result; t++)
        result = registers_get(one, &registers);
    return result;
}
static long registers_write(void)
{
    long result = 0;

    memset(&registers, 0xff, sizeof registers);
    for (unsigned t = 0; t < TIMES && !result; t++)
        result = registers_set(one, &registers);
    slot_destroy(one);
    return result;
}
/* To where it goes already. */
static long route(void)
{
    endpoint_t vm = service_info()->vm;
    long result = vm ? 0 : -ENOENT;

    for (unsigned t = 0; t < TIMES && !result; t++)
        result = kernel_route(ROUTE_VM, vm);
    return result;
}

/* ---- devices ---- */

static long bind_all(void)
{
    for (unsigned n = 0; n < 8; n++) {
        long vector = irq_bind(probe_worker, IRQ_MSI, n, 0);

        if (vector < 0)
            return vector;
    }
    return 0;
}
static long interrupts_bind(void)
{
    return as_root(bind_all);
}
static long interrupts_ack(void)
{
    long result = 0;

    for (unsigned t = 0; t < TIMES && !result; t++)
        result = irq_ack(t % 8);
    return result;
}
static long port_read(void)
{
    for (unsigned t = 0; t < TIMES; t++)
        if (port_in(0x80, 1) < 0)
            return -EIO;
    return 0;
}
static long port_write(void)
{
    long result = 0;

    for (unsigned t = 0; t < TIMES && !result; t++)
        result = port_out(0x80, 1, t);
    return result;
}
static long port_many(void)
{
    return port_out_bytes(0x80, bytes, sizeof bytes);
}

/* ---- clock, log, the system ---- */

static long alarm_set(void)
{
    for (unsigned t = 0; t < TIMES; t++)
        clock_alarm(t & 1 ? 1 : ~0ull);
    return clock_alarm(0);
}
static long rate(void)
{
    long result = 0;

    for (unsigned t = 0; t < TIMES && !result; t++)
        result = kernel_clock_rate(kernel_page()->tsc_hz);
    return result;
}
static long log_longest(void)
{
    memset(bytes, '-', LOG_RECORD_MAX);
    return kernel_log(bytes, LOG_RECORD_MAX, false);
}
/* RS names its own place again 20 times a second. */
static long guard(void)
{
    return kernel_call6(KERNEL_GUARD, USER_END - 1, GUARD_NS_MAX, 0, 0, 0, 0);
}
static long guard_largest(void)
{
    return as_root(guard);
}

static const struct probe_case cases[] = {
    PROBE_CASE(SLOT_CREATE, create_all),
    PROBE_CASE(SLOT_DESTROY, destroy_keep),
    PROBE_CASE(SLOT_CONTROL, control_all),
    PROBE_CASE(SLOT_STATUS, status),
    PROBE_CASE(REGISTERS_GET, registers_read),
    PROBE_CASE(REGISTERS_SET, registers_write),
    PROBE_CASE(ROUTE, route),
    PROBE_CASE(IRQ_BIND, interrupts_bind),
    PROBE_CASE(IRQ_ACK, interrupts_ack),
    PROBE_CASE(PORT_IN, port_read),
    PROBE_CASE(PORT_OUT, port_write),
    PROBE_CASE(PORT_OUT_BYTES, port_many),
    PROBE_CASE(ALARM, alarm_set),
    PROBE_CASE(CLOCK_RATE, rate),
    PROBE_CASE(LOG, log_longest),
    PROBE_CASE(GUARD, guard_largest),
};
const struct probe_list probe_slots = {cases, sizeof cases / sizeof *cases};
