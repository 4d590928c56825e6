/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The manifest of a service (NAME.svc): what it is, what it may do, and what happens when it fails.
 * Text, one "key value..." a line; what the keys mean is in docs/policies.md. The parser is pure
 * logic: it resolves no names and allocates nothing.
 */
#ifndef MANIFEST_MANIFEST_H
#define MANIFEST_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MANIFEST_NAME_MAX                                                                          \
    16 /* with the NUL; one less of that, so that "NAME.1" fits, too, is up to the author */
#define MANIFEST_NAMES 24
#define MANIFEST_DEVICES 16
#define MANIFEST_IRQS 8
#define MANIFEST_PORTS 4
#define MANIFEST_DEPENDENTS 8
#define MANIFEST_PLACES 4 /* of a kind of ISA device */
#define MANIFEST_KEYS 8
#define MANIFEST_KEY_MAX 32 /* of a name in DS, with the NUL */
#define MANIFEST_BUDGET_MAX 1024
#define MANIFEST_KEY_KINDS 64 /* room for as many keys of manifests as there may ever be */
#define MANIFEST_ERROR_MAX 256 /* of a message, with the NUL */
#define MANIFEST_RUNGS 12 /* of a ladder */

enum manifest_class {
    CLASS_NONE,
    CLASS_SERVER,
    CLASS_FS,
    CLASS_NET,
    CLASS_CHAR,
    CLASS_BLOCK,
    CLASS_INPUT,
    CLASS_SCREEN,
    CLASSES
};

enum manifest_ring { RING_LOG, RING_TRACE }; /* of the kernel */

/* Which of those who depend on it are restarted when it is back: manifest_strategy(). */
enum manifest_strategy {
    STRATEGY_DEFAULT, /* no line says so */
    STRATEGY_ONE, /* none */
    STRATEGY_REST, /* those that are started after it */
    STRATEGY_ALL,
    STRATEGIES
};

/* What is tried, one after the other, of a service that does not last; each goes on with what those
 * before it do. */
enum manifest_rung {
    LADDER_RESTART, /* it takes its device over as it is */
    LADDER_RESET, /* it resets it */
    LADDER_BUS_RESET, /* pci has reset it before */
    LADDER_DEPENDENTS, /* those who depend on it are restarted, too */
    LADDER_ALTERNATE, /* the other program */
    LADDER_SCRIPT, /* its policy script decides from here on */
    LADDER_GIVE_UP, /* at once, whatever is left of the budget */
    LADDER_RUNGS
};
struct manifest_ladder {
    uint32_t count; /* 0: restart, reset, bus-reset */
    uint8_t rung[MANIFEST_RUNGS]; /* enum manifest_rung, none before a lower one */
};

/* When its budget is used up. */
enum manifest_end { END_GIVE_UP, END_HOLD, END_REBOOT, END_POWEROFF, END_SCRIPT, ENDS };

struct manifest_names {
    bool all; /* the word "all": every service */
    uint32_t count;
    char name[MANIFEST_NAMES][MANIFEST_NAME_MAX]; /* or a whole class, with a star */
    uint16_t line[MANIFEST_NAMES]; /* where it stands, for messages */
};

struct manifest {
    char name[MANIFEST_NAME_MAX]; /* from the file's name */
    char description[64];
    enum manifest_class class;
    uint32_t start;
    bool isa; /* "device isa" */
    uint32_t places; /* "device isa FIRST-LAST [IRQ]": place n is the device of instance n */
    struct {
        uint16_t first, last; /* ports */
        bool has_irq;
        uint8_t irq; /* ISA line */
    } place[MANIFEST_PLACES];
    uint32_t devices; /* 0 and not isa: no device */
    struct {
        uint16_t vendor, device;
    } device[MANIFEST_DEVICES];
    uint32_t irqs;
    uint8_t irq[MANIFEST_IRQS]; /* ISA lines */
    uint32_t ports;
    struct {
        uint16_t first, last;
    } port[MANIFEST_PORTS];
    bool framebuffer; /* the boot loader's picture, if there is one, is the device's, too */
    uint64_t registers, registers_size; /* physical address, bytes; of an ISA device. 0: none */
    uint64_t queue_size; /* bytes, a multiple of the page size; 0: no queue */
    char queue_client[MANIFEST_NAME_MAX];
    struct manifest_names calls, notifies, dependents;
    struct manifest_names forwards; /* to whom it may hand on its callers */
    struct manifest_names calls_up; /* against the order: exceptions, one by one */
    struct manifest_names complains_of; /* beside the drivers of its own queues */
    uint32_t keys;
    char key[MANIFEST_KEYS][MANIFEST_KEY_MAX]; /* that it publishes in DS, beside its own names */
    uint64_t kernel_calls; /* bit: enum kernel_call; with the standard set */
    uint32_t reads; /* bit: enum manifest_ring */
    uint32_t right_flags; /* enum right_flag */
    uint32_t routes; /* bit: enum route; with exit and arch_prctl, which everybody has */
    uint32_t priority;
    uint32_t cpu_permille; /* 0: no limit */
    uint64_t memory; /* bytes, 0: no limit */
    uint64_t stack; /* bytes, a multiple of the page size */
    bool archive;
    /* Without a sign of life for the first it is slow, for the second it is replaced; 0: never. */
    uint32_t heartbeat_ms, heartbeat_high_ms;
    bool on_request; /* not started at boot: each request of VFS starts one more */
    bool restart;
    bool hold; /* when it has failed it is kept for inspection in place of being restarted */
    bool standby; /* the next incarnation of the driver is started already, and waits */
    bool rolled_back; /* it keeps its memory when it dies, and undoes what it was doing */
    bool essential; /* of those: no fresh copy would do, so the system stops when it cannot go on */
    uint32_t budget, budget_window_s; /* at most so many failures in so many seconds */
    uint32_t backoff_free, backoff_first_ms, backoff_max_ms;
    char policy[128], policy_arguments[256];
    char alternate[MANIFEST_NAME_MAX]; /* program that is tried before it is given up; "": none */
    enum manifest_strategy strategy;
    struct manifest_ladder ladder;
    enum manifest_end at_end;
    uint32_t end_uptime_s; /* END_REBOOT: not before the machine has run for so long */
    char end_script[128], end_arguments[240]; /* END_SCRIPT */
    uint32_t deadline_ms;
    char parameters[512];
};

/*
 * Parses the text of `file` (a path that ends in NAME.svc). 0, or -EINVAL with a message
 * "FILE:LINE: what is wrong" in error.
 */
int manifest_parse(const char *text, size_t size, const char *file, struct manifest *manifest,
                   char *error, size_t room);

/*
 * The same for who wants to hear of every fault: after each, `report` is called and the next line is
 * read. lines: where each key was given last. all NULL: it ends with the first.
 */
struct manifest_lines {
    uint16_t of[MANIFEST_KEY_KINDS]; /* 0: it was not given */
};
struct manifest_listener {
    void (*report)(void *to, const char *message);
    void *to;
};
int manifest_parse_all(const char *text, size_t size, const char *file, struct manifest *manifest,
                       struct manifest_lines *lines, const struct manifest_listener *all,
                       char *error, size_t room);
unsigned manifest_line(const struct manifest_lines *lines, const char *key); /* 0: not given */
const char *manifest_key_name(unsigned n); /* NULL past the end */

const char *manifest_class_name(enum manifest_class class);
const char *manifest_kernel_call_name(unsigned call); /* NULL: no such call */
bool manifest_kernel_call_standard(unsigned call); /* that everybody has */

/* Is that name of a list (a service, or a class with a star) one for the service? */
bool manifest_names_it(const char *word, const char *name, enum manifest_class class);
bool manifest_lists(const struct manifest_names *names, const struct manifest *m);

/*
 * How the service d, whose manifest is `of_d`, stands on s: bits of enum manifest_link, 0: it does
 * not. To whom it hands on its callers does not count: mostly that is the way back.
 */
enum manifest_link {
    LINK_CALLS = 1,
    LINK_QUEUE = 2, /* to its driver; or, as a file server does, to the other end of its own */
    LINK_RESTARTED = 4, /* s names it among its `dependents` */
};
unsigned manifest_links(const char *d, const struct manifest *of_d, const char *s,
                        const struct manifest *of_s);

/* As its line says, or what it is without one. */
enum manifest_strategy manifest_strategy(const struct manifest *m);
/*
 * Is d restarted with s, by that strategy? Those that s names, or if it names none all that stand
 * on it; never one that keeps its memory. is_later: d is started after s.
 */
bool manifest_restarts(const char *s, const struct manifest *of_s, enum manifest_strategy strategy,
                       const char *d, const struct manifest *of_d, bool is_later);
const char *manifest_strategy_name(enum manifest_strategy strategy);
const char *manifest_rung_name(enum manifest_rung rung);
const char *manifest_end_name(enum manifest_end end);
/* Is the rung one of the first n + 1 of the ladder? */
bool manifest_has_rung(const struct manifest_ladder *ladder, uint32_t n, enum manifest_rung rung);

/*
 * Do all calls of it go downhill (ARCHITECTURE.md, "Who is who")? find() gives the manifest of a
 * service, NULL if there is none. False: a message "FILE:LINE: what is wrong" in error.
 */
bool manifest_downhill(const struct manifest *m, const struct manifest *(*find)(const char *name),
                       char *error, size_t room);

/*
 * May the service `name` (NAME or, of instances, NAME.n) of that manifest publish `key` in DS? It
 * may always be found under its own name and under CLASS/name, which nobody else can be called; all
 * else the manifest lists.
 */
bool manifest_may_publish(const struct manifest *m, const char *name, const char *key);

#endif
