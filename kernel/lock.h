/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one kernel lock: taken on every way into the kernel, given up on every way out and while
 * idle. It is what makes the kernel's plain data structures right on several processors; there is
 * no other lock.
 */
#ifndef KERNEL_LOCK_H
#define KERNEL_LOCK_H

extern volatile int kernel_lock_word;

static inline void kernel_enter(void)
{
    /* one instruction: lock bts */
    while (__atomic_fetch_or(&kernel_lock_word, 1, __ATOMIC_ACQUIRE) & 1)
        while (kernel_lock_word)
            __asm__ volatile("pause");
}
static inline void kernel_leave(void)
{
    __atomic_store_n(&kernel_lock_word, 0, __ATOMIC_RELEASE);
}

#endif
