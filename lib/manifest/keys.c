/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of a manifest: each reads its own words. What they mean is in docs/policies.md. */
#include "lib/manifest/keys.h"

#include <string.h>

#include "abi/kernel.h"
#include "abi/service.h"
#include "lib/manifest/names.h"

#define STACK_MAX (8u << 20)
#define HEARTBEAT_HIGH 2 /* times the low mark, where the high one is not given */
#define DAY_S 86400u
#define ISA_MEMORY 0xa0000u
#define ISA_MEMORY_END 0x100000u

#define CALL_BIT(n) (1ull << (n))

static const char *const right_names[] = {[0] = "copy_any", [1] = "rule_any"};
static const char *const route_names[] = {
    [ROUTE_VM] = "memory", [ROUTE_PM] = "process", [ROUTE_VFS] = "files"};
static const char *const ring_names[] = {[RING_LOG] = "log", [RING_TRACE] = "trace"};
static const char *const boolean_names[] = {"no", "yes"};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static void read_description(struct reader *r, struct manifest *m)
{
    reader_rest(r, m->description, sizeof m->description);
}

static void read_class(struct reader *r, struct manifest *m)
{
    m->class = (enum manifest_class)reader_choice(r, manifest_class_names, CLASSES, "class");
}

static void read_start(struct reader *r, struct manifest *m)
{
    m->start = (uint32_t)reader_number(r, 0, 1000);
}

static bool is_range(uint64_t range)
{
    return range >> 16 <= (range & 0xffff) && (range & 0xffff) != 0;
}

/* Where such a device may be; without an interrupt it has none of its own. */
static void read_place(struct reader *r, struct manifest *m)
{
    uint64_t range = reader_pair(r, '-');

    if (m->places == MANIFEST_PLACES || !is_range(range)) {
        reader_error(r, is_range(range) ? "too many devices" : "bad range of ports", NULL);
        return;
    }
    m->place[m->places].first = (uint16_t)(range >> 16);
    m->place[m->places].last = (uint16_t)range;
    m->place[m->places].has_irq = reader_more(r);
    if (m->place[m->places].has_irq)
        m->place[m->places].irq = (uint8_t)reader_number(r, 0, 15);
    m->places++;
}

static void read_device(struct reader *r, struct manifest *m)
{
    char word[READER_WORD_MAX];

    reader_word(r, word, "pci or isa");
    if (strcmp(word, "isa") == 0) {
        m->isa = true;
        if (reader_more(r))
            read_place(r, m);
    } else if (strcmp(word, "pci") == 0 && m->devices < MANIFEST_DEVICES) {
        uint64_t id = reader_pair(r, ':');

        m->device[m->devices].vendor = (uint16_t)(id >> 16);
        m->device[m->devices++].device = (uint16_t)id;
    } else
        reader_error(r, m->devices < MANIFEST_DEVICES ? "bad kind of device" : "too many devices",
                     word);
}

static void read_irq(struct reader *r, struct manifest *m)
{
    do {
        uint64_t line = reader_number(r, 0, 15);

        if (m->irqs == MANIFEST_IRQS) {
            reader_error(r, "too many interrupts", NULL);
            return;
        }
        m->irq[m->irqs++] = (uint8_t)line;
    } while (reader_more(r));
}

static void read_ports(struct reader *r, struct manifest *m)
{
    do {
        uint64_t range = reader_pair(r, '-');

        if (m->ports == MANIFEST_PORTS || !is_range(range)) {
            reader_error(
                r, m->ports == MANIFEST_PORTS ? "too many ranges of ports" : "bad range of ports",
                NULL);
            return;
        }
        m->port[m->ports].first = (uint16_t)(range >> 16);
        m->port[m->ports++].last = (uint16_t)range;
    } while (reader_more(r));
}

/* What adapters on the ISA bus have in memory lies between a PC's two parts of memory. */
static void read_registers(struct reader *r, struct manifest *m)
{
    uint64_t first, last;

    reader_range(r, &first, &last);
    if (first % PAGE_SIZE || (last + 1) % PAGE_SIZE || first > last || first < ISA_MEMORY ||
        last >= ISA_MEMORY_END) {
        reader_error(r, "registers are whole pages from 0xa0000 to 0xfffff", NULL);
        return;
    }
    m->registers = first;
    m->registers_size = last + 1 - first;
}

static void read_queue(struct reader *r, struct manifest *m)
{
    m->queue_size = reader_size(r, PAGE_SIZE, QUEUE_STRIDE);
    if (m->queue_size % PAGE_SIZE != 0)
        reader_error(r, "size of the queue is not a multiple of 4K", NULL);
    reader_name(r, m->queue_client);
}

static bool is_class(const char *word)
{
    for (unsigned c = CLASS_NONE + 1; c < CLASSES; c++)
        if (manifest_names_it(word, "", (enum manifest_class)c))
            return true;
    return false;
}

static void read_names(struct reader *r, struct manifest_names *names, uint32_t limit)
{
    char name[MANIFEST_NAME_MAX];

    while (reader_more(r)) {
        reader_name(r, name);
        if (strcmp(name, "all") == 0)
            names->all = true;
        else if (names->count == limit) {
            reader_error(r, "too many names", name);
            return;
        } else {
            names->line[names->count] = (uint16_t)r->line;
            memcpy(names->name[names->count++], name, sizeof name);
        }
    }
}

/* Those that may be given as a whole class, with a star; but never as "all". */
static void read_callees(struct reader *r, struct manifest_names *names)
{
    while (reader_more(r)) {
        char name[MANIFEST_NAME_MAX];

        reader_text(r, name, sizeof name, "name of a service");
        if (!r->failed && strcmp(name, "all") == 0)
            reader_error(r, "name those that it needs, not", name);
        if (!r->failed && !reader_good_name(name) && !is_class(name))
            reader_error(r, "bad name", name);
        if (!r->failed && names->count == MANIFEST_NAMES)
            reader_error(r, "too many names", name);
        if (r->failed)
            return;
        names->line[names->count] = (uint16_t)r->line;
        memcpy(names->name[names->count++], name, sizeof name);
    }
}

static void read_calls(struct reader *r, struct manifest *m)
{
    read_callees(r, &m->calls);
}

static void read_calls_up(struct reader *r, struct manifest *m)
{
    read_callees(r, &m->calls_up);
}

static void read_forwards(struct reader *r, struct manifest *m)
{
    read_callees(r, &m->forwards);
}

static void read_notifies(struct reader *r, struct manifest *m)
{
    read_names(r, &m->notifies, MANIFEST_NAMES);
}

static void read_dependents(struct reader *r, struct manifest *m)
{
    read_names(r, &m->dependents, MANIFEST_DEPENDENTS);
    if (m->dependents.all)
        reader_error(r, "name those that are restarted with it, not", "all");
}

static void read_complains_of(struct reader *r, struct manifest *m)
{
    read_names(r, &m->complains_of, MANIFEST_NAMES);
}

static void read_publishes(struct reader *r, struct manifest *m)
{
    do {
        char key[MANIFEST_KEY_MAX];

        reader_text(r, key, sizeof key, "name in DS");
        if (!r->failed && !reader_good_key(key))
            reader_error(r, "bad name", key);
        if (!r->failed && m->keys == MANIFEST_KEYS)
            reader_error(r, "too many names", key);
        if (!r->failed)
            memcpy(m->key[m->keys++], key, sizeof key);
    } while (reader_more(r));
}

static void read_kernel(struct reader *r, struct manifest *m)
{
    while (reader_more(r))
        m->kernel_calls |=
            CALL_BIT(reader_choice(r, manifest_kernel_call_names, KERNEL_CALLS, "kernel call"));
}

static void read_reads(struct reader *r, struct manifest *m)
{
    while (reader_more(r))
        m->reads |= 1u << reader_choice(r, ring_names, COUNT(ring_names), "ring of the kernel");
}

static void read_rights(struct reader *r, struct manifest *m)
{
    while (reader_more(r))
        m->right_flags |= 1u << reader_choice(r, right_names, COUNT(right_names), "right");
}

static void read_linux(struct reader *r, struct manifest *m)
{
    while (reader_more(r))
        m->routes |=
            1u << reader_choice(r, route_names, COUNT(route_names), "class of Linux calls");
}

static void read_priority(struct reader *r, struct manifest *m)
{
    m->priority = (uint32_t)reader_number(r, 0, PRIORITIES - 1);
}

static void read_cpu(struct reader *r, struct manifest *m)
{
    m->cpu_permille = (uint32_t)reader_number(r, 1, 1000);
}

static void read_memory(struct reader *r, struct manifest *m)
{
    m->memory = reader_size(r, PAGE_SIZE, 1ull << 46);
}

static void read_stack(struct reader *r, struct manifest *m)
{
    m->stack = (reader_size(r, PAGE_SIZE, STACK_MAX) + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

static void read_framebuffer(struct reader *r, struct manifest *m)
{
    m->framebuffer = reader_choice(r, boolean_names, 2, "yes or no");
}

static void read_archive(struct reader *r, struct manifest *m)
{
    m->archive = reader_choice(r, boolean_names, 2, "yes or no");
}

static void read_heartbeat(struct reader *r, struct manifest *m)
{
    uint32_t low = (uint32_t)reader_number(r, 0, 60000);

    if (low > 0 && low < 10)
        reader_error(r, "a heartbeat is 0 (none) or 10 ms and more", NULL);
    m->heartbeat_ms = low;
    m->heartbeat_high_ms = HEARTBEAT_HIGH * low;
    if (!reader_more(r))
        return;
    m->heartbeat_high_ms = (uint32_t)reader_number(r, low + 1, 600000);
    if (low == 0)
        reader_error(r, "0 is for no heartbeat at all: no second number follows it", NULL);
}

static void read_hold(struct reader *r, struct manifest *m)
{
    m->hold = reader_choice(r, boolean_names, 2, "yes or no");
}

static void read_standby(struct reader *r, struct manifest *m)
{
    m->standby = reader_choice(r, boolean_names, 2, "yes or no");
}

static void read_restart(struct reader *r, struct manifest *m)
{
    m->restart = reader_choice(r, boolean_names, 2, "yes or no");
}

static void read_instances(struct reader *r, struct manifest *m)
{
    static const char *const names[] = {"one", "on-request"};

    m->on_request = reader_choice(r, names, 2, "one or on-request");
}

static void read_returns(struct reader *r, struct manifest *m)
{
    static const char *const names[] = {"fresh", "rolled-back"};

    m->rolled_back = reader_choice(r, names, 2, "fresh or rolled-back");
}

static void read_essential(struct reader *r, struct manifest *m)
{
    m->essential = reader_choice(r, boolean_names, 2, "yes or no");
}

static void read_budget(struct reader *r, struct manifest *m)
{
    m->budget = (uint32_t)reader_number(r, 0, MANIFEST_BUDGET_MAX);
    m->budget_window_s = (uint32_t)reader_number(r, 1, DAY_S);
}

static void read_backoff(struct reader *r, struct manifest *m)
{
    m->backoff_free = (uint32_t)reader_number(r, 0, MANIFEST_BUDGET_MAX);
    m->backoff_first_ms = (uint32_t)reader_number(r, 1, DAY_S * 1000);
    m->backoff_max_ms = (uint32_t)reader_number(r, m->backoff_first_ms, DAY_S * 1000);
}

static void read_script(struct reader *r, char path[128], char *arguments, size_t room)
{
    reader_text(r, path, 128, "path of the script");
    if (!r->failed && path[0] != '/')
        reader_error(r, "the path of a policy script begins with '/'", NULL);
    reader_rest(r, arguments, room);
}

static void read_policy(struct reader *r, struct manifest *m)
{
    read_script(r, m->policy, m->policy_arguments, sizeof m->policy_arguments);
}

static void read_strategy(struct reader *r, struct manifest *m)
{
    m->strategy = (enum manifest_strategy)reader_choice(r, manifest_strategy_names, STRATEGIES,
                                                        "one, rest or all");
}

static void read_ladder(struct reader *r, struct manifest *m)
{
    struct manifest_ladder *l = &m->ladder;

    while (reader_more(r) && !r->failed) {
        size_t rung = reader_choice(r, manifest_rung_names, LADDER_RUNGS, "rung");
        size_t before = l->count ? l->rung[l->count - 1] : LADDER_RESTART;

        if (!r->failed && l->count == MANIFEST_RUNGS)
            reader_error(r, "too many rungs", manifest_rung_names[rung]);
        else if (!r->failed && rung < before)
            reader_error(r, "what is milder does not help any more after the one before it:",
                         manifest_rung_names[rung]);
        else if (!r->failed && rung == before && rung > LADDER_BUS_RESET)
            reader_error(r, "only restart, reset and bus-reset are tried twice, not",
                         manifest_rung_names[rung]);
        else if (!r->failed)
            l->rung[l->count++] = (uint8_t)rung;
    }
    if (!r->failed && l->rung[0] >= LADDER_SCRIPT)
        reader_error(r, "it begins with a fresh copy, not with", manifest_rung_names[l->rung[0]]);
}

static void read_at_end(struct reader *r, struct manifest *m)
{
    m->at_end = (enum manifest_end)reader_choice(r, manifest_end_names, ENDS, "action");
    if (m->at_end == END_SCRIPT)
        read_script(r, m->end_script, m->end_arguments, sizeof m->end_arguments);
    if (m->at_end == END_REBOOT && reader_more(r))
        m->end_uptime_s = (uint32_t)reader_number(r, 0, DAY_S);
}

static void read_alternate(struct reader *r, struct manifest *m)
{
    reader_text(r, m->alternate, sizeof m->alternate, "name of a program");
    if (!r->failed && !reader_good_name(m->alternate))
        reader_error(r, "bad name", m->alternate);
}

static void read_deadline(struct reader *r, struct manifest *m)
{
    m->deadline_ms = (uint32_t)reader_number(r, 10, DAY_S * 1000);
}

static void read_parameters(struct reader *r, struct manifest *m)
{
    reader_rest(r, m->parameters, sizeof m->parameters);
}

const struct manifest_key manifest_keys[] = {
    {"description", read_description, false, "text"},
    {"class", read_class, false, "server, fs, net, char, block, input or screen"},
    {"start", read_start, false, "0 to 1000"},
    {"device", read_device, true, "pci VENDOR:DEVICE, or isa [FIRST-LAST [IRQ]]"},
    {"irq", read_irq, true, "LINE..."},
    {"ports", read_ports, true, "FIRST-LAST..."},
    {"registers", read_registers, false, "FIRST-LAST"},
    {"framebuffer", read_framebuffer, false, "yes or no"},
    {"queue", read_queue, false, "SIZE CLIENT"},
    {"calls", read_calls, true, "NAME..."},
    {"calls-up", read_calls_up, true, "NAME..."},
    {"forwards", read_forwards, true, "NAME..."},
    {"notifies", read_notifies, true, "NAME..."},
    {"complains-of", read_complains_of, true, "NAME..."},
    {"publishes", read_publishes, true, "NAME..."},
    {"kernel", read_kernel, true, "CALL..."},
    {"reads", read_reads, true, "log, trace"},
    {"rights", read_rights, true, "copy_any, rule_any"},
    {"linux", read_linux, true, "memory, files, process"},
    {"priority", read_priority, false, "0 to 15"},
    {"cpu", read_cpu, false, "1 to 1000"},
    {"memory", read_memory, false, "SIZE"},
    {"stack", read_stack, false, "SIZE"},
    {"archive", read_archive, false, "yes or no"},
    {"heartbeat", read_heartbeat, false, "LOW [HIGH], in ms, or 0"},
    {"restart", read_restart, false, "yes or no"},
    {"hold", read_hold, false, "yes or no"},
    {"standby", read_standby, false, "yes or no"},
    {"returns", read_returns, false, "fresh or rolled-back"},
    {"essential", read_essential, false, "yes or no"},
    {"instances", read_instances, false, "one or on-request"},
    {"budget", read_budget, false, "FAILURES SECONDS"},
    {"backoff", read_backoff, false, "FREE FIRST MOST"},
    {"dependents", read_dependents, true, "NAME..."},
    {"strategy", read_strategy, false, "one, rest or all"},
    {"ladder", read_ladder, false,
     "restart, reset, bus-reset, dependents, alternate, script, give-up"},
    {"at-end", read_at_end, false,
     "give-up, hold, reboot [SECONDS], poweroff or script PATH [ARGUMENT...]"},
    {"policy", read_policy, false, "PATH [ARGUMENT...]"},
    {"alternate", read_alternate, false, "PROGRAM"},
    {"deadline", read_deadline, false, "MS"},
    {"parameters", read_parameters, false, "text"},
};
const unsigned manifest_key_count = COUNT(manifest_keys);
