/* SPDX-License-Identifier: BSD-2-Clause */
#include "lib/manifest/manifest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "abi/kernel.h"
#include "lib/manifest/keys.h"
#include "lib/manifest/suggest.h"

#define STACK_DEFAULT (64u << 10)

#define CALL_BIT(n) (1ull << (n))
#define KERNEL_STANDARD                                                                            \
    (CALL_BIT(KERNEL_NULL) | CALL_BIT(KERNEL_CALL) | CALL_BIT(KERNEL_REPLY) |                      \
     CALL_BIT(KERNEL_RECEIVE) | CALL_BIT(KERNEL_REPLY_RECEIVE) | CALL_BIT(KERNEL_FORWARD) |        \
     CALL_BIT(KERNEL_NOTIFY) | CALL_BIT(KERNEL_COPY_FROM) | CALL_BIT(KERNEL_COPY_TO) |             \
     CALL_BIT(KERNEL_GRANT_TABLE) | CALL_BIT(KERNEL_GRANT_FROM) | CALL_BIT(KERNEL_GRANT_TO) |      \
     CALL_BIT(KERNEL_ALARM) | CALL_BIT(KERNEL_LOG))

bool manifest_kernel_call_standard(unsigned call)
{
    return KERNEL_STANDARD >> call & 1;
}

/* ---- a line ---- */

static void read_value(struct reader *r, struct manifest *m, unsigned i, uint16_t *given)
{
    const struct manifest_key *key = &manifest_keys[i];
    char message[96];

    r->key = key->name;
    if (*given && !key->repeats) {
        snprintf(message, sizeof message, "given twice; line %u has it already", *given);
        reader_error(r, message, NULL);
        return;
    }
    *given = (uint16_t)r->line;
    if (!reader_more(r)) {
        snprintf(message, sizeof message, "its value is missing: %s", key->value);
        reader_error(r, message, NULL);
        return;
    }
    key->read(r, m);
    reader_end(r);
}

static void read_line(struct reader *r, struct manifest *m, struct manifest_lines *lines)
{
    char word[READER_WORD_MAX], message[READER_WORD_MAX + 64];
    const char *near;

    r->key = NULL;
    reader_word(r, word, "key");
    if (r->failed)
        return;
    for (unsigned i = 0; i < manifest_key_count; i++)
        if (strcmp(word, manifest_keys[i].name) == 0) {
            read_value(r, m, i, &lines->of[i]);
            return;
        }
    near = suggest_name(word, &manifest_keys[0].name, manifest_key_count, sizeof manifest_keys[0]);
    if (near)
        snprintf(message, sizeof message, "unknown key '%s' (did you mean '%s'?)", word, near);
    else
        snprintf(message, sizeof message, "unknown key '%s'", word);
    reader_error(r, message, NULL);
}

unsigned manifest_line(const struct manifest_lines *lines, const char *key)
{
    for (unsigned i = 0; i < manifest_key_count; i++)
        if (strcmp(key, manifest_keys[i].name) == 0)
            return lines->of[i];
    return 0;
}

const char *manifest_key_name(unsigned n)
{
    return n < manifest_key_count ? manifest_keys[n].name : NULL;
}

/* ---- the whole ---- */

/* NAME from .../NAME.svc; false: no such name. */
static bool take_name(struct manifest *m, const char *file)
{
    const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file,
               *dot = strrchr(name, '.');
    size_t n = dot ? (size_t)(dot - name) : 0;

    if (n == 0 || n >= sizeof m->name || strcmp(dot, ".svc") != 0)
        return false;
    memcpy(m->name, name, n);
    return reader_good_name(m->name);
}

static bool climbs_to(const struct manifest *m, enum manifest_rung rung)
{
    return manifest_has_rung(&m->ladder, m->ladder.count, rung);
}

static bool climbs_to_reset(const struct manifest *m)
{
    return climbs_to(m, LADDER_RESET) || climbs_to(m, LADDER_BUS_RESET);
}

/* What is wrong with it as a whole, and with which key; NULL: nothing. */
static const char *check_whole(const struct manifest *m, const char **key)
{
    static const char never_replaced[] =
        "what the system cannot do without is never replaced: it goes on";
    const struct {
        bool is_wrong;
        const char *key, *what;
    } rules[] = {
        {m->class == CLASS_NONE, "class", "the line \"class\" is missing"},
        {m->isa && m->devices != 0, "device", "a device is either on the PCI or on the ISA bus"},
        {m->places != 0 && m->irqs != 0, "irq",
         "interrupts are given twice: with \"device isa\" and by themselves"},
        {m->places != 0 && m->ports != 0, "ports",
         "ports are given twice: with \"device isa\" and by themselves"},
        {m->registers_size != 0 && !m->isa, "registers",
         "registers at a place of their own have ISA devices alone"},
        {m->framebuffer && !m->isa, "framebuffer",
         "the loader's picture is for an ISA device alone"},
        {m->queue_size != 0 && strcmp(m->queue_client, m->name) == 0, "queue", "a queue to itself"},
        {strcmp(m->alternate, m->name) == 0, "alternate", "its alternate is itself"},
        {m->alternate[0] && m->rolled_back, "alternate",
         "one that goes on with its memory has no alternate"},
        {m->essential && !m->rolled_back, "essential",
         "what the system cannot do without must keep its memory: \"returns rolled-back\" is "
         "missing"},
        {m->hold && m->essential, "hold", "what the system cannot do without is never held"},
        {m->strategy != STRATEGY_DEFAULT && m->essential, "strategy", never_replaced},
        {m->ladder.count != 0 && m->essential, "ladder", never_replaced},
        {m->at_end != END_GIVE_UP && m->essential, "at-end", never_replaced},
        {climbs_to_reset(m) && !m->isa && !m->devices, "ladder",
         "it has no device that could be reset"},
        {climbs_to(m, LADDER_BUS_RESET) && m->isa, "ladder",
         "what is on the ISA bus can be reset by its driver alone, not from outside"},
        {climbs_to(m, LADDER_ALTERNATE) && !m->alternate[0], "ladder",
         "there is no line \"alternate\" with the other program"},
        {climbs_to(m, LADDER_SCRIPT) && !m->policy[0], "ladder",
         "there is no line \"policy\" with the script"},
        {m->standby && (m->class < CLASS_NET || m->rolled_back), "standby",
         "only drivers have a fresh copy that stands by"},
    };

    for (unsigned i = 0; i < sizeof rules / sizeof *rules; i++)
        if (rules[i].is_wrong) {
            *key = rules[i].key;
            return rules[i].what;
        }
    return NULL;
}

static void set_defaults(struct manifest *manifest)
{
    memset(manifest, 0, sizeof *manifest);
    *manifest = (struct manifest){.start = 7,
                                  .kernel_calls = KERNEL_STANDARD,
                                  .priority = 6,
                                  .stack = STACK_DEFAULT,
                                  .heartbeat_ms = 100,
                                  .heartbeat_high_ms = 200,
                                  .restart = true,
                                  .budget = 15,
                                  .budget_window_s = 60,
                                  .backoff_free = 5,
                                  .backoff_first_ms = 10,
                                  .backoff_max_ms = 1000,
                                  .deadline_ms = 5000,
                                  .end_uptime_s = 300,
                                  .routes = 1u << ROUTE_GUARDIAN | 1u << ROUTE_KERNEL};
}

/* Each fault is told, when somebody wants to hear of all; else the first ends it. */
static bool goes_on(struct reader *r, const struct manifest_listener *all, unsigned *faults)
{
    if (!r->failed)
        return true;
    ++*faults;
    if (!all)
        return false;
    all->report(all->to, r->error);
    r->failed = false;
    return true;
}

static unsigned parse(struct reader *r, struct manifest *m, struct manifest_lines *lines,
                      const struct manifest_listener *all)
{
    const char *wrong, *key = NULL;
    unsigned faults = 0, line;

    while (reader_next_line(r) || r->failed) {
        if (!r->failed)
            read_line(r, m, lines);
        if (!goes_on(r, all, &faults))
            return faults;
    }
    wrong = check_whole(m, &key);
    if (!wrong || (faults && strcmp(key, "class") == 0 && manifest_line(lines, key)))
        return faults;
    line = manifest_line(lines, key);
    r->key = NULL;
    if (line)
        r->line = line;
    else if (r->line == 0)
        r->line = 1;
    reader_error(r, wrong, NULL);
    goes_on(r, all, &faults);
    return faults;
}

int manifest_parse_all(const char *text, size_t size, const char *file, struct manifest *manifest,
                       struct manifest_lines *lines, const struct manifest_listener *all,
                       char *error, size_t room)
{
    struct reader r = {.text = text, .size = size, .file = file, .error = error, .room = room};

    set_defaults(manifest);
    memset(lines, 0, sizeof *lines);
    if (!take_name(manifest, file)) {
        snprintf(error, room,
                 "%s: a manifest's name is NAME.svc, NAME of at most %d letters, digits, '-', '_' "
                 "and '.'",
                 file, MANIFEST_NAME_MAX - 1);
        if (all)
            all->report(all->to, error);
        return -EINVAL;
    }
    if (parse(&r, manifest, lines, all) != 0)
        return -EINVAL;
    if (manifest->essential)
        manifest->restart = false; /* nobody could replace it */
    return 0;
}

int manifest_parse(const char *text, size_t size, const char *file, struct manifest *manifest,
                   char *error, size_t room)
{
    struct manifest_lines lines;

    return manifest_parse_all(text, size, file, manifest, &lines, NULL, error, room);
}
