/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/manifest/names.h"

#include <stddef.h>

const char *const manifest_class_names[CLASSES] = {
    [CLASS_SERVER] = "server", [CLASS_FS] = "fs",       [CLASS_NET] = "net",
    [CLASS_CHAR] = "char",     [CLASS_BLOCK] = "block", [CLASS_INPUT] = "input",
    [CLASS_SCREEN] = "screen",
};

const char *const manifest_kernel_call_names[KERNEL_CALLS] = {
    [KERNEL_NULL] = "null",
    [KERNEL_CALL] = "call",
    [KERNEL_REPLY] = "reply",
    [KERNEL_RECEIVE] = "receive",
    [KERNEL_REPLY_RECEIVE] = "reply_receive",
    [KERNEL_FORWARD] = "forward",
    [KERNEL_LATE_ANSWER] = "late_answer",
    [KERNEL_NOTIFY] = "notify",
    [KERNEL_COPY_FROM] = "copy_from",
    [KERNEL_COPY_TO] = "copy_to",
    [KERNEL_GRANT_TABLE] = "grant_table",
    [KERNEL_GRANT_FROM] = "grant_from",
    [KERNEL_GRANT_TO] = "grant_to",
    [KERNEL_ALARM] = "alarm",
    [KERNEL_CLOCK_RATE] = "clock_rate",
    [KERNEL_LOG] = "log",
    [KERNEL_SLOT_CREATE] = "slot_create",
    [KERNEL_SLOT_DESTROY] = "slot_destroy",
    [KERNEL_SLOT_CONTROL] = "slot_control",
    [KERNEL_SLOT_STATUS] = "slot_status",
    [KERNEL_REGISTERS_GET] = "registers_get",
    [KERNEL_REGISTERS_SET] = "registers_set",
    [KERNEL_ROUTE] = "route",
    [KERNEL_MAP] = "map",
    [KERNEL_UNMAP] = "unmap",
    [KERNEL_PROTECT] = "protect",
    [KERNEL_CLONE] = "clone",
    [KERNEL_COW_BREAK] = "cow_break",
    [KERNEL_REAP] = "reap",
    [KERNEL_QUERY] = "query",
    [KERNEL_IRQ_BIND] = "irq_bind",
    [KERNEL_IRQ_ACK] = "irq_ack",
    [KERNEL_PORT_IN] = "port_in",
    [KERNEL_PORT_OUT] = "port_out",
    [KERNEL_PORT_OUT_BYTES] = "port_out_bytes",
    [KERNEL_PANIC] = "panic",
    [KERNEL_GUARD] = "guard",
};

const char *const manifest_strategy_names[STRATEGIES] = {
    [STRATEGY_ONE] = "one", [STRATEGY_REST] = "rest", [STRATEGY_ALL] = "all"};

const char *const manifest_rung_names[LADDER_RUNGS] = {
    [LADDER_RESTART] = "restart",     [LADDER_RESET] = "reset",
    [LADDER_BUS_RESET] = "bus-reset", [LADDER_DEPENDENTS] = "dependents",
    [LADDER_ALTERNATE] = "alternate", [LADDER_SCRIPT] = "script",
    [LADDER_GIVE_UP] = "give-up"};

const char *const manifest_end_names[ENDS] = {[END_GIVE_UP] = "give-up",
                                              [END_HOLD] = "hold",
                                              [END_REBOOT] = "reboot",
                                              [END_POWEROFF] = "poweroff",
                                              [END_SCRIPT] = "script"};

const char *manifest_class_name(enum manifest_class class)
{
    return class > CLASS_NONE && class < CLASSES ? manifest_class_names[class] : "none";
}

const char *manifest_kernel_call_name(unsigned call)
{
    return call < KERNEL_CALLS ? manifest_kernel_call_names[call] : NULL;
}

const char *manifest_strategy_name(enum manifest_strategy strategy)
{
    return manifest_strategy_names[strategy];
}

const char *manifest_rung_name(enum manifest_rung rung)
{
    return manifest_rung_names[rung];
}

const char *manifest_end_name(enum manifest_end end)
{
    return manifest_end_names[end];
}
