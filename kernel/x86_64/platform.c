/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports, the debug console, last words on COM1, and how the machine stops. */
#include "abi/kernel.h"
#include "kernel/x86_64/cpu.h"

#define PORT_DEBUG_CONSOLE 0xe9
#define PORT_DEBUG_EXIT 0x501
#define PORT_COM1 0x3f8
#define COM1_PATIENCE 500000 /* looks for a whole text, of about 1 us: its other end may not read */
#define LSR_THR_EMPTY 0x20

uint32_t arch_port_in(unsigned port, unsigned width)
{
    uint32_t value = 0;

    if (width == 1)
        __asm__ volatile("inb %w1, %b0" : "+a"(value) : "d"(port));
    else if (width == 2)
        __asm__ volatile("inw %w1, %w0" : "+a"(value) : "d"(port));
    else
        __asm__ volatile("inl %w1, %0" : "=a"(value) : "d"(port));
    return value;
}

void arch_port_out(unsigned port, unsigned width, uint32_t value)
{
    if (width == 1)
        __asm__ volatile("outb %b0, %w1" : : "a"(value), "d"(port));
    else if (width == 2)
        __asm__ volatile("outw %w0, %w1" : : "a"(value), "d"(port));
    else
        __asm__ volatile("outl %0, %w1" : : "a"(value), "d"(port));
}

void arch_port_out_bytes(unsigned port, const uint8_t *bytes, size_t n)
{
    __asm__ volatile("rep outsb" : "+S"(bytes), "+c"(n) : "d"(port) : "memory");
}

void arch_debug_write(const char *text, size_t n)
{
    arch_port_out_bytes(PORT_DEBUG_CONSOLE, (const uint8_t *)text, n);
}

void arch_panic_write(const char *text, size_t n)
{
    arch_debug_write(text, n);
    for (size_t i = 0, spins = 0; i < n; i++) {
        while (!(arch_port_in(PORT_COM1 + 5, 1) & LSR_THR_EMPTY) && spins < COM1_PATIENCE)
            spins++;
        if (text[i] == '\n')
            arch_port_out(PORT_COM1, 1, '\r');
        arch_port_out(PORT_COM1, 1, (uint8_t)text[i]);
    }
}

void arch_screen_write(const char *text)
{
    volatile uint16_t *screen = direct(0xb8000); /* VGA's text, if there is any */

    for (unsigned i = 0; text[i] && text[i] != '\n' && i < 2000; i++)
        screen[i] = 0x0f00 | (uint8_t)text[i];
}

void arch_stop(uint8_t status)
{
    arch_port_out(PORT_DEBUG_EXIT, 1, status);
    for (;;)
        __asm__ volatile("cli; hlt");
}
