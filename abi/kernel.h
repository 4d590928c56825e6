/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel calls: `syscall` with rax = number. Registers:
 *
 *     in   rdi endpoint   rsi type   rdx r10 r8 r9 r12 r13  words 0..5
 *          r14 extra (deadline, destination)
 *     out  rax status (0 or more, or -errno)   rdi source   rsi type
 *          rdx r10 r8 r9 r12 r13  words 0..5
 *
 * The calls that carry no message take their arguments as a Linux system call does (rdi rsi rdx r10
 * r8 r9) and change only rax (and rdx where a second result is named). rcx and r11 are lost in
 * both. Wrappers: lib/rt/kernel.h.
 *
 * No call keeps interrupts away for long (docs/bounds.md). One that has much to do (over a range of
 * pages, or many bytes) does a part, advances its arguments in the registers, and is made again
 * from there, by itself: whoever calls sees nothing of that but the changed registers, and others
 * get their turn in between.
 *
 * Every call may return -EPERM when the caller's rights do not list it, -EINVAL for an argument
 * that makes no sense, -EDEADSRCDST for an endpoint of the past. "ep" is an endpoint; where it
 * names an address space, that of the process; ENDPOINT_SELF is the caller. Addresses are virtual
 * unless called physical; times are in ns.
 */
#ifndef ABI_KERNEL_H
#define ABI_KERNEL_H

#include "abi/message.h"

#define KERNEL_CALL_BASE 0x1000

enum kernel_call {
    KERNEL_NULL, /* does nothing, for measuring */
    /* IPC (these six carry messages) */
    /* send to rdi and wait for the reply. r14: deadline in ns from now, 0 none: -ETIMEDOUT. */
    KERNEL_CALL,
    /* to rdi, who is blocked in a call to us. Never blocks. -ENOTREADY when it is not. */
    KERNEL_REPLY,
    /* from rdi (ENDPOINT_ANY or one; from one: no notifications). r14: time to wait in ns, 0 for
       ever, RECEIVE_POLL: -EAGAIN at once when nothing is there. -ETIMEDOUT. */
    KERNEL_RECEIVE,
    /* both in one; a failed reply is dropped silently. r14 as for receive. rdi 0: no reply. */
    KERNEL_REPLY_RECEIVE,
    /* hand caller rdi, blocked in a call to us, on to r14 with this message. Never blocks. When the
       new server dies, the caller comes back to us: MESSAGE_BOUNCED. */
    KERNEL_FORWARD,
    /* rdi: a program, blocked in a call to us, that was seized in a system call: what the server
       that had it then has answered since, or handed on, is received as a message; rdi: from whom,
       upper half: handed on to. From now on that server has it no more. -ENOENT: there is nothing.
     */
    KERNEL_LATE_ANSWER,
    /* (ep, bits): set bits (of 0..31; NOTIFY_ROOT_BITS: RS alone) in ep. Never blocks, never gets
       lost. */
    KERNEL_NOTIFY,
    /* copying */
    /* (ep, remote, local, length): read memory of ep, blocked in a call to us; our own (ranges that
       do not overlap); or any with RIGHT_COPY_ANY. The caller may block meanwhile for ep's pager.
       -EFAULT. Returns 0. */
    KERNEL_COPY_FROM,
    KERNEL_COPY_TO, /* (ep, remote, local, length): write it */
    /* (address, count): where our grants are, an array of struct grant, at most GRANT_MAX. */
    KERNEL_GRANT_TABLE,
    /* (ep, index, offset, local, length): read what ep granted us. -EPERM outside the grant. */
    KERNEL_GRANT_FROM,
    KERNEL_GRANT_TO, /* (ep, index, offset, local, length) */
    /* time and log */
    /* (time): NOTIFY_BIT_ALARM when the clock reaches it; 0: cancel. One alarm for each process. */
    KERNEL_ALARM,
    /* (TSC ticks a second): how fast the clock runs from now on, within 1 % of what was measured at
       boot. It goes on from where it is, and never back. */
    KERNEL_CLOCK_RATE,
    /* (text, length, aloud): add to the kernel's log ring; one record, at most LOG_RECORD_MAX bytes.
       aloud: it is written to COM1, too. (Ignored of who may not call KERNEL_PANIC.) */
    KERNEL_LOG,
    /* slots: RS and PM. Of services only with RIGHT_RULE_ANY, else -EPERM (but SLOT_STATUS) */
    /* (struct slot_config *): a new process, and unless shared an empty address space; returns its
       endpoint. -EAGAIN: no slot; -ENOMEM. */
    KERNEL_SLOT_CREATE,
    /* (ep): ends it at once, whatever it does; whoever is blocked on it gets -EDEADSRCDST.
       Its memory is left to REAP. The second argument is 0; or SLOT_KEEP: what it was, registers and
       memory, stays under a new endpoint, which is returned. That is for REGISTERS_GET, QUERY,
       COPY_FROM, UNMAP and SLOT_DESTROY alone: it never runs, and can neither be called nor
       notified. */
    KERNEL_SLOT_DESTROY,
    KERNEL_SLOT_CONTROL, /* (ep, enum slot_control, value) */
    KERNEL_SLOT_STATUS, /* (ep, struct slot_status *) */
    KERNEL_REGISTERS_GET, /* (ep, struct registers *): of a process that is not running. -EBUSY */
    /* (ep, const struct registers *): sanitised: user segments, IF set, no IOPL. Who has faulted, and
       nobody wanted to hear of it, runs again. */
    KERNEL_REGISTERS_SET,
    KERNEL_ROUTE, /* (enum route, ep): system calls of that class go to ep from now on */
    /* memory: RS and VM */
    /* (ep, address, pages, flags, source ep, source address | physical): see enum map_flag. -EEXIST
       when something is mapped there already, -ENOMEM. After an error rsi is the address that it
       came to, and what is before that is mapped; memory_map() takes it back. */
    KERNEL_MAP,
    /* (ep, address, pages, 0 | MAP_PART): holes are fine; a frame goes with its last mapping */
    KERNEL_UNMAP,
    /* (ep, address, pages, flags): new protection of what is mapped; never makes a copy-on-write
       page writable, and leaves MAP_PHYSICAL as it is for all but RS */
    KERNEL_PROTECT,
    /* (source ep, ep, address, pages, flags): the same frames at the same addresses in ep. MAP_COW:
       both lose the right to write; else shared for good. Holes stay holes. */
    KERNEL_CLONE,
    /* (ep, address, MAP_READ | WRITE | EXECUTE | UNCACHED): make the page there private and writable:
       in place when nobody shares it, else a copy. */
    KERNEL_COW_BREAK,
    /* (ep, address): physical address of the byte; rdx: its map flags | frame references << 32.
       -EFAULT: nothing is there; rdx: from where there may be something again. */
    KERNEL_QUERY,
    /* devices */
    /* (ep, line, n, flags): interrupt line (a GSI, or IRQ_MSI) becomes bit NOTIFY_BIT_IRQ + n of
       ep, and is masked from its arrival to irq_ack(). Unbound when ep dies. Returns its vector; MSI:
       address 0xfee00000 | cpu << 12, data = vector. flags: enum irq_flag. RS alone. */
    KERNEL_IRQ_BIND,
    KERNEL_IRQ_ACK, /* (n): unmask our interrupt n */
    KERNEL_PORT_IN, /* (port, width 1|2|4): the value. Ports: those in our rights. */
    KERNEL_PORT_OUT, /* (port, width, value) */
    KERNEL_PORT_OUT_BYTES, /* (port, bytes, count): one port, many bytes; for FIFOs */
    /* the system */
    /* (status): the system cannot go on. The latest events go to the log, and the machine stops;
       QEMU's status is 2 * status + 1. RS alone. */
    KERNEL_PANIC,
    /* (address, ns): when the root task dies from now on, of an exception or an end, or has used so
       many ns of the CPU (0: however many; GUARD_NS_MAX at most), it goes on at that address. rcx is
       where it was, r11 why: the exception's vector, or GUARD_*; all other registers are as they
       were. Not made again, it is so for 100 deaths, with 2 s of the CPU after each; then the system
       stops. The root task alone: -EPERM. */
    KERNEL_GUARD,
    /* Gives back a part (some 50 us) of the memory of processes that are no more: 1 when there is
       some left, 0 when not. Who destroys a process sees to it. */
    KERNEL_REAP,
    KERNEL_CALLS,
};

#define GUARD_END 0x100 /* it has made the system call that ends a program */
#define GUARD_TIME 0x101
#define GUARD_NS_MAX 10000000000ull

#define RECEIVE_POLL (~0ull)
#define LOG_RECORD_MAX 512

/* A grant: the owner lets `to` read or write its memory, until the entry is changed. */
struct grant {
    endpoint_t to; /* 0: unused */
    uint32_t flags; /* GRANT_READ | GRANT_WRITE */
    uint64_t address, length;
};
#define GRANT_READ 1
#define GRANT_WRITE 2
#define GRANT_MAX 64

/* Who the system calls of a class go to: abi/syscalls.tbl names the class of each number. */
enum route {
    ROUTE_NONE, /* -ENOSYS, counted */
    ROUTE_GUARDIAN, /* exit: PM for programs, RS for services */
    ROUTE_VM,
    ROUTE_PM,
    ROUTE_VFS,
    ROUTE_KERNEL, /* arch_prctl */
    ROUTES,
};

/* Rights, granted by RS at every start; what is not listed is refused with -EPERM. */
struct rights {
    uint64_t calls; /* bit: enum kernel_call */
    uint64_t may_call; /* bit: service id that call() may go to */
    uint64_t may_forward; /* the same of forward(): which never blocks, so it may go uphill */
    uint64_t may_notify; /* bit: service id. (Replies need no right.) */
    uint32_t routes; /* bit: enum route */
    uint32_t flags; /* enum right_flag */
    struct {
        uint16_t first, last; /* I/O ports; last 0: unused */
    } ports[6];
};
enum right_flag {
    RIGHT_COPY_ANY = 1, /* KERNEL_COPY_* for any process, not only our callers */
    /* SLOT_CREATE, SLOT_DESTROY, SLOT_CONTROL, REGISTERS_* of services, too: without it of programs
     * alone (SERVICE_ID_PROGRAM), else -EPERM */
    RIGHT_RULE_ANY = 2,
};

#define SERVICE_ID_PROGRAM 63 /* all Linux programs; they can be neither called nor notified */
#define SERVICE_IDS 64
#define SERVICE_ID_ROOT 0 /* RS, the root task */
#define SERVICE_ID_LOG 7 /* gets NOTIFY_BIT_KERNEL_LOG; as in enum service_id of abi/service.h */

struct slot_config {
    char name[16]; /* for people; NUL-terminated */
    endpoint_t guardian; /* gets its exceptions and exits */
    endpoint_t pager; /* gets its page faults; 0: they are exceptions */
    endpoint_t space_of; /* 0: an empty space of its own; else it shares that one's */
    /* 0: entry and stack below; else a copy of that (blocked) process's registers and FPU state */
    endpoint_t registers_of;
    uint32_t service_id;
    uint32_t priority; /* 0 highest .. PRIORITIES-1; equals share in turns of 10 ms */
    uint32_t flags; /* enum slot_flag */
    uint64_t entry, stack; /* first instruction and stack pointer */
    struct rights rights;
};
enum slot_flag {
    SLOT_START = 1, /* runs at once; otherwise it is stopped until SLOT_CONTROL_START */
    /* it begins as though blocked in a Linux system call to its creator, who may forward it or
       reply */
    SLOT_CALLING = 2,
};
#define PRIORITIES 16
#define SLOT_KEEP 1 /* of KERNEL_SLOT_DESTROY */

enum slot_control {
    SLOT_CONTROL_STOP, /* does not run until started; its IPC goes on around it */
    SLOT_CONTROL_START,
    /* whatever it does, it is now blocked in a Linux system call to us, as though forwarded;
       returns enum slot_seized. A server that had it in a system call does not notice: see
       KERNEL_LATE_ANSWER. */
    SLOT_CONTROL_SEIZE,
    SLOT_CONTROL_PRIORITY, /* value: new priority */
    SLOT_CONTROL_FS_BASE, /* value: its FS base */
    SLOT_CONTROL_GUARDIAN, /* value: endpoint */
    SLOT_CONTROL_NAME, /* value: address of char[16] in the caller */
    SLOT_CONTROL_FRESH, /* as after exec: FPU state, FS base cleared */
    /* value: address of FPU_STATE_BYTES in the caller; returns how many were written, 0: it has no
       FPU state */
    SLOT_CONTROL_FPU_GET,
    SLOT_CONTROL_FPU_SET, /* value: the same, to read from (sanitised), or 0: none */
};
#define FPU_STATE_BYTES 1024 /* an XSAVE area: x87, SSE, AVX (Intel SDM vol. 1, 13.4) */
enum slot_seized {
    /* it was between two instructions: a reply resumes it and changes no register */
    SEIZED_RUNNING,
    /* it was blocked in a system call (rdx: the server's endpoint): a reply is the result of that
       call */
    SEIZED_SYSCALL,
    SEIZED_FAULT, /* it was waiting for its pager or guardian: a reply repeats the instruction */
};

/* State of a slot as RS's heartbeat and `ps` see it. */
enum slot_state {
    SLOT_FREE,
    SLOT_READY,
    SLOT_STOPPED,
    SLOT_RECEIVING,
    SLOT_RECEIVING_ONE,
    SLOT_CALLING_STATE,
    SLOT_FAULTED
};
struct slot_status {
    endpoint_t endpoint, peer; /* peer: whom it is blocked on, 0 none */
    uint32_t state; /* enum slot_state */
    uint32_t service_id;
    /* how often it has come back to receive from anybody: its commit points. Moves, or state is
     * SLOT_RECEIVING: alive */
    uint64_t receives;
    uint64_t cpu_ns; /* CPU time used */
    /* CPU time that it pays for: what it has used unasked, and what servers have used for that, or
       because it asked them */
    uint64_t paid_ns;
    uint64_t pages; /* mapped in its space */
    uint64_t grants; /* address of its grant table */
    uint64_t grant_count;
    char name[16];
};

/* User registers, in the order in which the entry code saves them. */
struct registers {
    uint64_t r15, r14, r13, r12, rbp, rbx; /* callee-saved */
    uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector; /* how it came in: 256 syscall, else trap or interrupt; not settable */
    uint64_t error;
    uint64_t rip, cs, rflags, rsp, ss;
    uint64_t fs_base;
};

enum map_flag {
    MAP_READ = 0x1,
    MAP_WRITE = 0x2,
    MAP_EXECUTE = 0x4, /* never together with MAP_WRITE: -EINVAL (W^X) */
    MAP_COW = 0x8, /* with MAP_SHARE and CLONE: write-protected until COW_BREAK */
    MAP_SHARE = 0x10, /* the frames behind (source ep, source address); all must be there */
    MAP_PHYSICAL = 0x20, /* device memory at a physical address, outside RAM; RS alone */
    MAP_UNCACHED = 0x40,
    /* anonymous, zeroed, physically contiguous, below 4 GB: for DMA. Source address 0. RS alone.
       -EAGAIN: what was found has become somebody else's meanwhile; memory_map() repeats it */
    MAP_CONTIGUOUS = 0x80,
    MAP_COPY = 0x100, /* new frames with the contents of (source ep, source address) */
    /* UNMAP, PROTECT, CLONE: a part of it, some 50 us; `address` in the caller's register says how far
       it has come. Without, the call comes back when all is done, and only who is more urgent has
       run meanwhile. */
    MAP_PART = 0x200,
    /* The process itself can neither read nor write it (an exception, of a programmer's error or a
       wild pointer): copies alone reach it, COPY_*, GRANT_* and what the kernel fills in. Stays what
       it is with PROTECT. For data that a server keeps for others and never looks at. */
    MAP_VAULT = 0x400,
    /* none of SHARE PHYSICAL CONTIGUOUS COPY: anonymous zeroed memory */
};
#define PAGE_SIZE 4096ull
#define USER_END 0x0000800000000000ull

#define IRQ_MSI 0xffff
enum irq_flag { IRQ_EDGE = 1, IRQ_ACTIVE_LOW = 2 };

/* The picture that the boot loader has set up (multiboot2's specification 2.0, 3.6.12), of points in direct
 * colour. A colour is `bits` wide from bit `shift` of a point on. */
struct kernel_framebuffer {
    uint64_t physical; /* 0: there is none, or none that is so */
    uint32_t pitch, width, height; /* bytes from line to line; points */
    uint8_t point; /* bits of a point: 15, 16, 24 or 32 */
    struct {
        uint8_t shift, bits;
    } colour[3]; /* red, green, blue */
};

struct kernel_info {
    uint64_t tsc_hz; /* as measured at boot; kernel_page has the clock's */
    uint64_t frames_total, frames_free; /* of PAGE_SIZE */
    uint64_t slots_used;
    uint64_t unknown_calls; /* Linux system calls without a route */
    uint64_t last_unknown_call; /* the number of the last of them */
    uint64_t rsdp; /* physical address of the ACPI root, 0 none */
    uint64_t log_end, trace_end; /* how much has ever been put into the rings */
    /* bytes of the boot archive, mapped read-only for the root task at BOOT_ARCHIVE */
    uint64_t archive_size;
    uint64_t context_switches, interrupts;
    uint64_t cpus;
    uint32_t power_off[2]; /* I/O ports, ACPI's PM1a_CNT and PM1b_CNT; 0: none */
    struct kernel_framebuffer framebuffer;
    char command_line[256];
};

/* What the kernel shows all services, read-only, at KERNEL_PAGE. */
struct __attribute__((aligned(4096))) kernel_page {
    /* ns since boot = (rdtsc - tsc_boot) * 1e9 / tsc_hz. KERNEL_CLOCK_RATE changes both: read
       tsc_boot first, and again after the TSC; when it has changed, all of it once more. */
    volatile uint64_t tsc_boot, tsc_hz;
    struct kernel_info info;
    volatile uint64_t irq_count[256]; /* interrupts of devices, by vector, since boot */
};

enum trace_kind {
    TRACE_NONE,
    TRACE_CALL,
    TRACE_REPLY,
    TRACE_FORWARD,
    TRACE_NOTIFY,
    TRACE_FAULT,
    TRACE_EXCEPTION,
    TRACE_IRQ,
    TRACE_CREATE,
    TRACE_DESTROY,
    TRACE_SYSCALL
};
struct trace_event {
    uint64_t tsc;
    uint32_t kind; /* enum trace_kind */
    endpoint_t from, to;
    uint32_t type;
    uint64_t detail;
};

/* Two rings that the kernel shows to whose manifest says so: position n is at n % size, and there as
 * long as the end (struct kernel_info) is not beyond n + size. lib/rt/rings.h reads them. */
#define LOG_RING_SIZE 65536 /* bytes */
#define TRACE_RING_SIZE 8192 /* events */

/* Where things are in the address space of a service. */
#define SERVICE_INFO 0x700000000000ull /* struct service_info, read-only (abi/service.h) */
#define KERNEL_PAGE 0x701000000000ull /* struct kernel_page */
#define KERNEL_LOG_RING 0x702000000000ull
#define KERNEL_TRACE_RING 0x703000000000ull
#define SERVICE_NOTE 0x704000000000ull /* struct service_note, which it writes */
/* the boot archive (cpio newc), for RS and whom it grants it to */
#define BOOT_ARCHIVE 0x710000000000ull
/* queue memory: queue n at QUEUE_WINDOW + n * QUEUE_STRIDE; a driver's own is n = 0 */
#define QUEUE_WINDOW 0x720000000000ull
#define QUEUE_STRIDE 0x4000000ull
#define DEVICE_WINDOW 0x730000000000ull /* BAR n at DEVICE_WINDOW + n * DEVICE_STRIDE */
#define DEVICE_STRIDE 0x40000000ull
#define SERVICE_STACK_TOP 0x7ffff0000000ull

#endif
