/* SPDX-License-Identifier: BSD-2-Clause */
/* System V gABI, chapters 4 and 5; notes as in Linux' <sys/procfs.h> for x86-64. */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>
#undef PAGE_SIZE /* that comes with it; abi/kernel.h has its own */

#include "lib/fs/corpse.h"

#include "abi/proto/corpse.h"
#include "lib/fs/report.h"
#include "lib/rt/defect.h"
#include "lib/rt/kernel.h"
#include "lib/rt/rings.h"
#include "lib/service/service.h"

#define AREAS_MAX 64
#define PART PAGE_SIZE /* that RS_CORPSE_MEMORY gives at once */

_Static_assert(sizeof(struct elf_prstatus) == 336 && sizeof(struct elf_prpsinfo) == 136,
               "as Linux has them");

static long fetch(uint32_t number, struct rs_corpse *out)
{
    struct message m;
    long grant = grant_make(service_info()->rs, out, sizeof *out, GRANT_WRITE), result;

    if (grant < 0)
        return grant;
    m = message_of(RS_CORPSE,
                   (struct rs_corpse_request){.number = number, .grant = (uint64_t)grant});
    result = ipc_call(service_info()->rs, &m);
    grant_revoke(grant);
    return result;
}

int corpse_next(int number, char *name, size_t room)
{
    static struct rs_corpse c;

    if (number < 0 || fetch((uint32_t)number, &c) < 0)
        return 0;
    snprintf(name, room, "%u.%.15s", c.number, c.name);
    return (int)c.number;
}

int corpse_named(const char *name)
{
    char right[40];
    unsigned long number = strtoul(name, NULL, 10);

    if (number == 0 || number > CORPSE_NUMBER_MAX ||
        corpse_next((int)number, right, sizeof right) != (int)number)
        return 0;
    return strcmp(name, right) == 0 ? (int)number : 0;
}

/* ---- notes ---- */

static void add_note(struct text *t, const char *owner, uint32_t type, const void *bytes,
                     size_t length)
{
    static const char zeros[4];
    Elf64_Nhdr header = {(uint32_t)strlen(owner) + 1, (uint32_t)length, type};

    text_add_bytes(t, &header, sizeof header);
    text_add_bytes(t, owner, header.n_namesz);
    text_add_bytes(t, zeros, -header.n_namesz & 3);
    text_add_bytes(t, bytes, length);
    text_add_bytes(t, zeros, -header.n_descsz & 3);
}

/* The signal that Linux would have sent for it. */
static short signal_of(const struct rs_corpse *c)
{
    static const uint8_t of_vector[32] = {[0] = SIGFPE,  [1] = SIGTRAP, [3] = SIGTRAP, [6] = SIGILL,
                                          [16] = SIGFPE, [17] = SIGBUS, [19] = SIGFPE};

    if (c->defect == DEFECT_EXCEPTION)
        return c->detail < 32 && of_vector[c->detail] ? of_vector[c->detail] : SIGSEGV;
    return c->defect == DEFECT_KILLED ? (short)c->detail : SIGABRT;
}

static void add_status(struct text *t, const struct rs_corpse *c)
{
    const struct registers *r = &c->registers;
    const uint64_t registers[ELF_NGREG] = {r->r15,    r->r14, r->r13, r->r12,    r->rbp, r->rbx,
                                           r->r11,    r->r10, r->r9,  r->r8,     r->rax, r->rcx,
                                           r->rdx,    r->rsi, r->rdi, ~0ull,     r->rip, r->cs,
                                           r->rflags, r->rsp, r->ss,  r->fs_base};
    struct elf_prstatus status = {.pr_info.si_signo = signal_of(c),
                                  .pr_cursig = signal_of(c),
                                  .pr_pid = (pid_t)c->pid,
                                  .pr_ppid = 2,
                                  .pr_pgrp = (pid_t)c->pid,
                                  .pr_sid = (pid_t)c->pid};
    struct elf_prpsinfo info = {
        .pr_sname = 'Z', .pr_zomb = 1, .pr_pid = (pid_t)c->pid, .pr_ppid = 2};

    memcpy(status.pr_reg, registers, sizeof status.pr_reg);
    if (strlen(c->program) <= 9) /* as its file is called on the host */
        snprintf(info.pr_fname, sizeof info.pr_fname, "%.9s.debug", c->program);
    else
        snprintf(info.pr_fname, sizeof info.pr_fname, "%.15s", c->program);
    snprintf(info.pr_psargs, sizeof info.pr_psargs, "%.15s (incarnation %u, %s %u)", c->name,
             c->incarnation, defect_name(c->defect), c->detail);
    if (c->has_registers)
        add_note(t, "CORE", NT_PRSTATUS, &status, sizeof status);
    add_note(t, "CORE", NT_PRPSINFO, &info, sizeof info);
}

/* Who that is, as a word. The dead one's own endpoint means it. */
static void add_name(struct text *t, const struct rs_corpse *c, endpoint_t ep, const char *other,
                     corpse_namer namer)
{
    char program[40] = "";

    if (ep == c->endpoint)
        text_add(t, " %.15s", c->name);
    else if (other[0])
        text_add(t, " %.15s", other);
    else if (ep <= 0)
        text_add(t, " kernel");
    else if (namer && namer(ep, program, sizeof program))
        text_add(t, " %s", program);
    else
        text_add(t, " gone");
}

static void add_event(struct text *t, const struct rs_corpse *c, const struct rs_corpse_event *e,
                      corpse_namer namer)
{
    text_add(t, "event %llu %s %u.%u %u.%u %#x %#llx", (unsigned long long)e->ns,
             trace_kind_name(e->kind), endpoint_slot(e->from), endpoint_generation(e->from),
             endpoint_slot(e->to), endpoint_generation(e->to), e->type,
             (unsigned long long)e->detail);
    add_name(t, c, e->from, e->other, namer);
    add_name(t, c, e->to, e->other, namer);
    text_add(t, "\n");
}

static void add_registers(struct text *t, const struct registers *r)
{
    const struct {
        const char *name;
        uint64_t value;
    } list[] = {{"rip", r->rip}, {"rsp", r->rsp}, {"rflags", r->rflags},  {"rax", r->rax},
                {"rbx", r->rbx}, {"rcx", r->rcx}, {"rdx", r->rdx},        {"rsi", r->rsi},
                {"rdi", r->rdi}, {"rbp", r->rbp}, {"r8", r->r8},          {"r9", r->r9},
                {"r10", r->r10}, {"r11", r->r11}, {"r12", r->r12},        {"r13", r->r13},
                {"r14", r->r14}, {"r15", r->r15}, {"fs_base", r->fs_base}};

    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++)
        text_add(t, "register %s %llx\n", list[i].name, (unsigned long long)list[i].value);
}

static void add_story(struct text *t, const struct rs_corpse *c, corpse_namer namer)
{
    static const char *const memory[] = {
        [CORPSE_MEMORY_NONE] = "none", [CORPSE_MEMORY_STACK] = "stack",
        [CORPSE_MEMORY_DATA] = "data", [CORPSE_MEMORY_LESS] = "no-heap",
        [CORPSE_MEMORY_ALL] = "all",
    };

    text_add(t, "number %u\nservice %.15s\nprogram %.15s\npid %u\nincarnation %u\n", c->number,
             c->name, c->program, c->pid, c->incarnation);
    text_add(t, "defect %s\ndetail %u\ndied_ns %llu\nlived_ns %llu\nheld %u\n",
             defect_name(c->defect), c->detail, (unsigned long long)c->died_ns,
             (unsigned long long)(c->died_ns > c->started_ns ? c->died_ns - c->started_ns : 0),
             c->held);
    text_add(t, "memory %s\nkept_kb %llu\n",
             c->memory < sizeof memory / sizeof memory[0] ? memory[c->memory] : "none",
             (unsigned long long)c->pages * (PAGE_SIZE / 1024));
    if (c->defect == DEFECT_EXCEPTION)
        text_add(t, "error %llx\naddress %llx\ninstruction %llx\n", (unsigned long long)c->error,
                 (unsigned long long)c->address, (unsigned long long)c->instruction);
    if (c->has_registers)
        add_registers(t, &c->registers);
    text_add(t, "endpoint %u.%u\nevents_lost %u\n", endpoint_slot(c->endpoint),
             endpoint_generation(c->endpoint), c->events_lost);
    for (uint32_t i = 0; i < c->events && i < CORPSE_EVENTS; i++)
        add_event(t, c, &c->event[CORPSE_EVENTS - c->events + i], namer);
}

/* ---- segments ---- */

struct area {
    uint64_t address, pages;
};

static unsigned find_areas(const struct rs_corpse *c, struct area *areas)
{
    unsigned count = 0;

    for (uint64_t at = 0; count < AREAS_MAX;) {
        struct message m = message_of(
            RS_CORPSE_AREA, (struct rs_corpse_area_request){.number = c->number, .address = at});
        const struct rs_corpse_area_reply *next = message_words(&m);
        struct area *last = count ? &areas[count - 1] : NULL;

        if (ipc_call(service_info()->rs, &m) < 0 || next->pages == 0)
            break;
        at = next->address + next->pages * PAGE_SIZE;
        if (last && last->address + last->pages * PAGE_SIZE == next->address)
            last->pages += next->pages;
        else
            areas[count++] = (struct area){next->address, next->pages};
    }
    return count;
}

/* The segments are not in this text: by these headers corpse_read() fetches them, one after the
 * other from the page behind the notes on, up to which corpse_write() fills it with zeros. So their
 * places are computed here. */
static void add_headers(struct text *t, const struct area *areas, unsigned count,
                        size_t notes_length)
{
    size_t notes_at = sizeof(Elf64_Ehdr) + (count + 1) * sizeof(Elf64_Phdr);
    Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_CORE,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof header,
        .e_ehsize = sizeof header,
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = (Elf64_Half)(count + 1)};
    Elf64_Phdr notes = {
        .p_type = PT_NOTE, .p_offset = notes_at, .p_filesz = notes_length, .p_align = 4};
    uint64_t offset = (notes_at + notes_length + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);

    text_add_bytes(t, &header, sizeof header);
    text_add_bytes(t, &notes, sizeof notes);
    for (unsigned i = 0; i < count; i++) {
        Elf64_Phdr load = {.p_type = PT_LOAD,
                           .p_flags = PF_R | PF_W,
                           .p_offset = offset,
                           .p_vaddr = areas[i].address,
                           .p_filesz = areas[i].pages * PAGE_SIZE,
                           .p_memsz = areas[i].pages * PAGE_SIZE,
                           .p_align = PAGE_SIZE};

        text_add_bytes(t, &load, sizeof load);
        offset += load.p_filesz;
    }
}

void corpse_write(struct text *t, int number, corpse_namer namer)
{
    static const char zeros[PAGE_SIZE];
    static struct area areas[AREAS_MAX];
    static struct rs_corpse c;
    struct text notes = {0}, story = {0};
    unsigned count;

    if (fetch((uint32_t)number, &c) < 0 || c.number != (uint32_t)number)
        return;
    count = find_areas(&c, areas);
    add_status(&notes, &c);
    add_story(&story, &c, namer);
    add_note(&notes, "BARDO", 1, story.bytes, story.length);
    add_headers(t, areas, count, notes.length);
    text_add_bytes(t, notes.bytes, notes.length);
    if (count > 0)
        text_add_bytes(t, zeros, -t->length & (PAGE_SIZE - 1));
    text_free(&notes);
    text_free(&story);
}

/* The segment of that file in which the offset lies; NULL: none, it is at its end. */
static const Elf64_Phdr *segment_at(const struct text *head, uint64_t offset)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)head->bytes;
    const Elf64_Phdr *segments = (const Elf64_Phdr *)(header + 1);

    for (unsigned i = 0; head->length >= sizeof *header && i < header->e_phnum; i++)
        if (segments[i].p_type == PT_LOAD && offset - segments[i].p_offset < segments[i].p_filesz)
            return &segments[i];
    return NULL;
}

/* From its memory; at most a part. */
static long fetch_memory(int number, uint64_t address, void *to, size_t length)
{
    struct message m;
    long grant = grant_make(service_info()->rs, to, length, GRANT_WRITE), result;

    if (grant < 0)
        return grant;
    m = message_of(RS_CORPSE_MEMORY, (struct rs_corpse_memory_request){.number = (uint32_t)number,
                                                                       .address = address,
                                                                       .length = length,
                                                                       .grant = (uint64_t)grant});
    result = ipc_call(service_info()->rs, &m);
    grant_revoke(grant);
    return result;
}

long corpse_read(int number, const struct text *head, struct fs_transfer *t)
{
    static char part[PART];
    uint64_t done = 0;

    while (done < t->length) {
        uint64_t at = t->offset + done;
        const Elf64_Phdr *s = segment_at(head, at);
        uint64_t left = s ? s->p_offset + s->p_filesz - at : 0, n = t->length - done;
        long error;

        n = n < left ? n : left;
        n = n < sizeof part ? n : sizeof part;
        if (n == 0)
            break;
        if (fetch_memory(number, s->p_vaddr + (at - s->p_offset), part, n) < 0)
            return done ? (long)done : -EIO;
        error = copy_to(t->program, t->address + done, part, n);
        if (error < 0)
            return done ? (long)done : error;
        done += n;
    }
    return (long)done;
}
