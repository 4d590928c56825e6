/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the kernel asks of the processor: the only way from kernel/ into kernel/x86_64/, and back
 * (at the end). One kernel stack per CPU: the kernel never blocks inside; all state of a process is
 * in its slot. Interrupts are off in the kernel, but for arch_idle(). The kernel never touches user
 * addresses: it reaches user memory through the direct map.
 */
#ifndef KERNEL_ARCH_H
#define KERNEL_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/kernel.h"

struct slot;
struct registers;

/* All physical memory, from 0, is mapped here, writable, not executable. */
#define DIRECT_MAP 0xffff800000000000ull
static inline void *direct(uint64_t physical)
{
    return (void *)(physical + DIRECT_MAP);
}

/* Of what is in the kernel's image. */
static inline uint64_t arch_physical(const void *in_image)
{
    return (uint64_t)in_image - 0xffffffff80000000ull;
}

/* First thing in kernel_main(): descriptor tables, direct map of all RAM in boot_info, NX SMEP SMAP
 * UMIP, a guard page below each kernel stack. Needs no frames from frame.c. */
void arch_start(void);
/* After frame.c is up: interrupt controllers (everything masked), one-shot timer. */
void arch_devices_start(void);

/* ---- time ---- */
/* value * by / over, with 128 bits in between; ~0 when it does not fit. */
static inline uint64_t arch_scale(uint64_t value, uint64_t by, uint64_t over)
{
    uint64_t low, high, rest;

    __asm__("mulq %3" : "=a"(low), "=d"(high) : "0"(value), "r"(by));
    if (high >= over)
        return ~0ull;
    __asm__("divq %4" : "=a"(low), "=d"(rest) : "0"(low), "1"(high), "r"(over));
    return low;
}
static inline uint64_t arch_tsc(void)
{
    uint64_t low, high; /* the processor clears their upper halves */

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return high << 32 | low;
}
/* After arch_devices_start(): as measured then, for what is to be counted at one rate; and with what
 * the clock runs. */
extern uint64_t arch_tsc_hz;
extern struct kernel_page kernel_page;
/* ns since boot, and the TSC's value then; ~0 when that is beyond all times */
uint64_t arch_clock(uint64_t tsc);
uint64_t arch_clock_ticks(uint64_t ns);
static inline uint64_t arch_now(void)
{
    return arch_clock(arch_tsc());
}
/* absolute ns: kernel_timer() is called then or soon after (at once when past); ~0: no timer */
void arch_timer_set(uint64_t when);

/* ---- address spaces: 4-level tables; the kernel's upper half is in each ---- */
uint64_t arch_space_create(void); /* physical root, 0 when out of frames */
/* Frees the root of a space in which nothing is mapped any more. When it is current: the kernel's
 * own tables are loaded first. */
void arch_space_destroy(uint64_t root);
/* The leaf entry for an address of the user half; tables in between are made when create is set.
 * NULL: not there / out of frames. An entry is 0 when nothing is mapped. Entries of consecutive
 * pages are adjacent up to the next 2-MB boundary. */
uint64_t *arch_entry(uint64_t root, uint64_t address, bool create);
/* A part of the address space that is gone through by what is mapped there, not by address: empty
 * tables cost next to nothing. `at` is how far it has come; it stops when `work`, in units of about
 * 10 ns, is used up. */
struct arch_range {
    uint64_t at, end;
    long work;
};
#define ARCH_WORK_PAGE 10 /* a page that is unmapped, shared, or looked at */
/* The next entry that is not 0; its address is r->at. NULL: there is none up to r->at. */
uint64_t *arch_entry_next(uint64_t root, struct arch_range *r);
/* Unmaps, gives back frames (MAP_PHYSICAL has none) and empty tables. Returns the number of pages.
 */
uint64_t arch_unmap(uint64_t root, struct arch_range *r);
/* MAP_READ.. of abi/kernel.h; MAP_COW, MAP_PHYSICAL are kept in free bits. Of a frame it is the
 * same as that of 0 | the frame. */
uint64_t arch_entry_make(uint64_t physical, uint64_t map_flags);
uint64_t arch_entry_frame(uint64_t entry);
/* back to map flags: READ WRITE EXECUTE COW PHYSICAL UNCACHED VAULT */
uint64_t arch_entry_flags(uint64_t entry);
void arch_flush_page(uint64_t root, uint64_t address); /* on this CPU, when root is current */
void arch_flush_space(uint64_t root);

/* ---- interrupts ---- */
enum { ARCH_IRQ_VECTORS = 64 }; /* kernel_interrupt() numbers 0..63 for devices */
unsigned arch_irq_lines(void); /* number of GSIs */
/* Let line (a GSI) raise interrupt n, masked; flags: enum irq_flag. Returns 0 or -EINVAL. */
int arch_irq_route(unsigned line, unsigned n, unsigned flags);
void arch_irq_mask(unsigned line);
void arch_irq_unmask(unsigned line);
unsigned arch_irq_vector(unsigned n); /* the CPU vector of interrupt n, for MSI data */

/* ---- a slot's processor state ---- */
/* user segments, interrupts on, all else 0 */
void arch_slot_init(struct slot *s, uint64_t entry, uint64_t stack);
/* registers, FPU state, FS base */
void arch_slot_copy(struct slot *s, const struct slot *from);
void arch_slot_fresh(struct slot *s); /* FPU state and FS base as at start */
/* FPU state to and from memory of `who`: bytes (0: none), 0, or an error. Address 0: none from now
 * on. */
long arch_fpu_get(struct slot *s, struct slot *who, uint64_t address);
long arch_fpu_set(struct slot *s, struct slot *who, uint64_t address);
/* forgets its FPU state, also where the CPU still holds it */
void arch_slot_free(struct slot *s);
/* user segments, IF set, no IOPL, canonical addresses */
void arch_registers_sanitise(struct registers *r);
/* the Linux call; GET writes through copy.c */
long arch_prctl(struct slot *s, uint64_t code, uint64_t address);

/* ---- the rest ---- */
/* Leaves the kernel for the first time: loads s's registers. */
void arch_enter_user(struct slot *s) __attribute__((noreturn));
/* Leaves it to `to`, which is back from a system call (from_syscall) with a message: rax 0, rdi the
 * endpoint of `sender`; type and words are loaded from the registers that that one saved. */
void arch_hand_over(struct slot *to, const struct slot *sender) __attribute__((noreturn));
/* interrupts on, halt, off; returns after an interrupt was handled. Without halt: handles what is
 * pending */
void arch_idle(bool halt);
uint32_t arch_port_in(unsigned port, unsigned width);
void arch_port_out(unsigned port, unsigned width, uint32_t value);
void arch_port_out_bytes(unsigned port, const uint8_t *bytes, size_t n);
void arch_debug_write(const char *text, size_t n); /* debug console (port 0xe9) */
void arch_panic_write(const char *text, size_t n); /* the same, and COM1 by polling: last words */
void arch_screen_write(const char *text); /* at the top of the screen */
/* For good. The status goes to the debug exit port: QEMU's is 2 * status + 1. */
void arch_stop(uint8_t status) __attribute__((noreturn));
/* memcpy tuned for this processor: no rep movs, 8 x 8 bytes unrolled */
void arch_copy(void *to, const void *from, size_t n);

/* ---- called by the processor's half ---- */
/* from boot/entry.S, boot_info filled, on the kernel's stack */
void kernel_main(void) __attribute__((noreturn));
/* Each of these three returns the slot to run next: its registers, address space and all else are
 * loaded and it goes on. s is the one that ran. */
struct slot *kernel_syscall(struct slot *s); /* s->registers saved, vector 256 */
/* The two frequent ones, tried before that: leave by arch_hand_over(), or return with
 * nothing done. */
void fast_call(struct slot *s);
void fast_reply_receive(struct slot *s);
struct slot *kernel_exception(struct slot *s, unsigned vector, uint64_t error, uint64_t address);
/* after kernel_interrupt()/kernel_timer(): pick who is next */
struct slot *kernel_user_interrupt(struct slot *s);
/* From a device interrupt, in user mode or in arch_idle(). The controller is told (EOI) after it:
 * by then the line is masked, so a level that is still up does not interrupt again. */
void kernel_interrupt(unsigned n);
void kernel_timer(void);
void kernel_panic(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

#endif
