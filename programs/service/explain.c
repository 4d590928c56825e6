/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of an incarnation that died, as text for people. All of it comes out of its core
 * file; functions are named, and found up the stack, by the tables of /lib/symbols.
 */
#include <stdio.h>
#include <string.h>

#include "abi/message.h"
#include "abi/proto/corpse.h"
#include "programs/service/core.h"
#include "programs/service/rows.h"
#include "programs/service/symbols.h"

#define FRAMES_MAX 32
#define SEARCHED 64 /* words of the stack, for an address to return to */
#define WORD 8

/* ---- names ---- */

static const char *const linux_names[] = {
#include "syscall_names.h"
};

static void print_type(unsigned long type)
{
    static const struct {
        unsigned long base;
        const char *name;
    } protocols[] = {{PROTOCOL_RS, "rs"},    {PROTOCOL_DS, "ds"},   {PROTOCOL_VM, "vm"},
                     {PROTOCOL_PM, "pm"},    {PROTOCOL_VFS, "vfs"}, {PROTOCOL_FILE, "file"},
                     {PROTOCOL_PCI, "pci"},  {PROTOCOL_NET, "net"}, {PROTOCOL_DISK, "disk"},
                     {PROTOCOL_TEST, "test"}};
    static const char *const kernel[] = {"notification", "page fault", "exception", "bounced"};
    size_t count = sizeof linux_names / sizeof linux_names[0];

    if (type < count && linux_names[type]) {
        printf("%s()", linux_names[type]);
        return;
    }
    if (type >= MESSAGE_NOTIFY && type <= MESSAGE_BOUNCED) {
        printf("%s", kernel[type - MESSAGE_NOTIFY]);
        return;
    }
    for (size_t i = 0; i < sizeof protocols / sizeof protocols[0]; i++)
        if (type >= protocols[i].base && type < protocols[i].base + 256) {
            printf("%s+%lu", protocols[i].name, type - protocols[i].base);
            return;
        }
    printf("%#lx", type);
}

struct event {
    char kind[16], from[16], to[16], from_name[48], to_name[48];
    unsigned long long ns, type, detail;
};

static bool next_event(const struct core *core, const char **at, struct event *e)
{
    char line[256];

    return core_line(core, "event", at, line, sizeof line) &&
           sscanf(line, "%llu %15s %15s %15s %llx %llx %47s %47s", &e->ns, e->kind, e->from, e->to,
                  &e->type, &e->detail, e->from_name, e->to_name) == 8;
}

/* Who has that endpoint, as far as the events of its last moments tell. */
static void print_endpoint(const struct core *core, endpoint_t ep)
{
    const char *at = NULL;
    struct event e;
    char text[32];

    snprintf(text, sizeof text, "%u.%u", endpoint_slot(ep), endpoint_generation(ep));
    while (next_event(core, &at, &e))
        if (strcmp(e.from, text) == 0 || strcmp(e.to, text) == 0) {
            printf("%s (%s)", strcmp(e.from, text) == 0 ? e.from_name : e.to_name, text);
            return;
        }
    printf("%s", text);
}

/* ---- parts of the report ---- */

static const char *vector_name(unsigned long vector)
{
    static const char *const names[] = {[0] = "divide error",     [1] = "debug",
                                        [3] = "breakpoint",       [4] = "overflow",
                                        [5] = "bounds",           [6] = "invalid opcode",
                                        [7] = "no FPU",           [11] = "segment not present",
                                        [12] = "stack segment",   [13] = "general protection",
                                        [14] = "page fault",      [16] = "x87 error",
                                        [17] = "alignment check", [19] = "SIMD error"};

    return vector < sizeof names / sizeof names[0] && names[vector] ? names[vector] : "exception";
}

static void print_place(const struct symbols *symbols, uint64_t address, bool is_return)
{
    const struct symbol *s = symbol_at(symbols, is_return ? address - 1 : address);

    printf("%#llx", (unsigned long long)address);
    if (s)
        printf(" %s+%#llx", s->name, (unsigned long long)(address - s->address));
    else
        printf(" ?");
}

static const char *access_name(unsigned long error)
{
    if (error & FAULT_EXECUTE)
        return "executing";
    return error & FAULT_WRITE ? "writing" : "reading";
}

static void print_head(const struct core *core, const struct symbols *symbols)
{
    unsigned long long died = core_number(core, "died_ns", 10) / 1000,
                       lived = core_number(core, "lived_ns", 10) / 1000;
    unsigned long error = core_number(core, "error", 16);
    char defect[16];

    printf("%s", core_value(core, "service"));
    printf(": incarnation %s", core_value(core, "incarnation"));
    printf(" (pid %s)", core_value(core, "pid"));
    printf(" died at %llu.%06llu s, having lived for %llu.%06llu s\n", died / 1000000,
           died % 1000000, lived / 1000000, lived % 1000000);
    snprintf(defect, sizeof defect, "%s", core_value(core, "defect"));
    printf("  defect     %s %s", defect, detail_in_words(defect, core_value(core, "detail")));
    if (*core_value(core, "instruction")) {
        printf(": %s", vector_name(core_number(core, "detail", 10)));
        if (core_number(core, "detail", 10) == 14)
            printf(", %s %#llx (%s)", access_name(error),
                   (unsigned long long)core_number(core, "address", 16),
                   error & FAULT_PRESENT ? "not permitted" : "nothing is there");
        printf(", at ");
        print_place(symbols, core_number(core, "instruction", 16), false);
    }
    putchar('\n');
    printf("  kept       number %s, ", core_value(core, "number"));
    printf("memory: %s, ", core_value(core, "memory"));
    printf("%s kB%s\n", core_value(core, "kept_kb"),
           core_number(core, "held", 10) ? "; its service is held" : "");
}

static void print_message(const struct core *core, const struct message *m)
{
    print_type(m->type & 0xffffffff);
    if (m->source) {
        printf(" of ");
        print_endpoint(core, message_caller(m));
    }
    if (m->source >> 32) {
        printf(", handed on by ");
        print_endpoint(core, message_via(m));
    }
    printf("\n             words");
    for (int i = 0; i < MESSAGE_WORDS; i++)
        printf(" %llx", (unsigned long long)m->w[i]);
    putchar('\n');
}

static bool read_variable(const struct core *core, const struct symbols *symbols, const char *name,
                          void *to, size_t length)
{
    const struct symbol *s = symbol_named(symbols, name);

    return s && core_read(core, s->address, to, length);
}

/* A driver has no callers: what has woken it last. */
static void print_last_word(const struct core *core)
{
    struct event e, last = {0};
    const char *at = NULL;

    while (next_event(core, &at, &e))
        if (strcmp(e.to, core_value(core, "endpoint")) == 0 && strcmp(e.from, e.to) != 0)
            last = e;
    if (!last.ns)
        printf("not known\n");
    else if (strcmp(last.kind, "notify") == 0)
        printf("no call; last notified by %s, bits %#llx\n", last.from_name, last.type);
    else {
        printf("not known; last: %s of %s, ", last.kind, last.from_name);
        print_type(last.type);
        putchar('\n');
    }
}

static void print_request(const struct core *core, const struct symbols *symbols)
{
    struct message m;
    uint64_t serves;

    printf("  serving    ");
    if ((read_variable(core, symbols, "service_serves", &serves, sizeof serves) &&
         read_variable(core, symbols, "service_request", &m, sizeof m)) ||
        (read_variable(core, symbols, "undo_in_step", &serves, sizeof serves) &&
         read_variable(core, symbols, "undo_message", &m, sizeof m))) {
        if (serves)
            print_message(core, &m);
        else
            printf("nothing: it waited\n");
    } else
        print_last_word(core);
}

static void print_registers(const struct core *core)
{
    const char *at = NULL;
    char line[64], name[16];
    unsigned long long value;
    int n = 0;

    while (core_line(core, "register", &at, line, sizeof line)) {
        if (sscanf(line, "%15s %llx", name, &value) != 2)
            continue;
        if (n % 3 == 0)
            printf("%s", n == 0 ? "  registers  " : "             ");
        printf("%-7s %016llx%s", name, value, n % 3 == 2 ? "\n" : "  ");
        n++;
    }
    if (n % 3)
        putchar('\n');
    if (n == 0)
        printf("  registers  not kept\n");
}

/* ---- backtrace ---- */

struct frame {
    uint64_t at, stack;
    bool is_return, is_guess;
};

/* Where the table knows nothing: the first word of the stack that may be an address to return to. */
static bool search(const struct core *core, const struct symbols *symbols, struct frame *f)
{
    uint64_t word;

    for (int i = 0; i < SEARCHED; i++) {
        if (!core_read(core, f->stack, &word, WORD))
            return false;
        f->stack += WORD;
        if (!symbols_returns_to(symbols, word))
            continue;
        f->is_guess = i > 0;
        f->at = word;
        return true;
    }
    return false;
}

/* The caller's. False: there is none, or it is not to be found. */
static bool unwind(const struct core *core, const struct symbols *symbols, struct frame *f)
{
    uint64_t at = f->is_return ? f->at - 1 : f->at, size, word;
    const struct symbol *s = symbol_at(symbols, at);

    size = s ? symbol_frame(s, at) : 0;
    f->is_return = true;
    f->is_guess = false;
    if (s && strcmp(s->name, "_start") == 0)
        return false;
    if (size == 0)
        return search(core, symbols, f);
    if (!core_read(core, f->stack + size - WORD, &word, WORD) || word == 0)
        return false;
    if (!symbols_returns_to(symbols, word)) /* its stack is damaged, or it is not a call's */
        return search(core, symbols, f);
    f->stack += size;
    f->at = word;
    return true;
}

static void print_backtrace(const struct core *core, const struct symbols *symbols)
{
    struct frame f = {core_register(core, "rip"), core_register(core, "rsp"), false, false};
    bool more = *core_value(core, "register rip") != 0;

    printf("  backtrace%s\n", more ? "" : "  none: its registers are not kept");
    for (int n = 0; more && n < FRAMES_MAX; n++) {
        printf("    #%-2d ", n);
        print_place(symbols, f.at, f.is_return);
        printf("%s\n", f.is_guess ? " (perhaps)" : "");
        more = unwind(core, symbols, &f);
    }
    if (symbols->count == 0)
        printf("    there is no table of its functions: gdb on the host knows them (--core)\n");
}

static unsigned count_events(const struct core *core)
{
    const char *at = NULL;
    struct event e;
    unsigned n = 0;

    while (next_event(core, &at, &e))
        n++;
    return n;
}

static void print_heading(const struct core *core)
{
    unsigned n = count_events(core);

    printf(n ? "  last events, us before its death" : "  last events: none");
    if (core_number(core, "events_lost", 10))
        printf(" (%u; others may have been written over)", n);
    putchar('\n');
}

static void print_events(const struct core *core)
{
    long long died = (long long)core_number(core, "died_ns", 10);
    const char *at = NULL;
    struct event e;

    print_heading(core);
    while (next_event(core, &at, &e)) {
        double us = (double)((long long)e.ns - died) / 1000;

        printf("    %12.1f %-9s %s -> %s ", us, e.kind, e.from_name, e.to_name);
        if (strcmp(e.kind, "notify") == 0)
            printf("bits %#llx", e.type);
        else if (strcmp(e.kind, "reply") == 0)
            printf("%d", (int)e.type);
        else if (strcmp(e.kind, "create") == 0 || strcmp(e.kind, "destroy") == 0)
            printf("process %s", e.to);
        else if (strcmp(e.kind, "exception") == 0)
            printf("%llu, address %#llx", e.type, e.detail);
        else
            print_type(e.type);
        putchar('\n');
    }
}

void explain(const struct core *core)
{
    struct symbols symbols;

    symbols_open(&symbols, core_value(core, "program"));
    print_head(core, &symbols);
    print_request(core, &symbols);
    print_registers(core);
    print_backtrace(core, &symbols);
    print_events(core);
    symbols_close(&symbols);
}
