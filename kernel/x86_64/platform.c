/* SPDX-License-Identifier: BSD-2-Clause */
/* Ports, the debug console, last words on COM1, the real-time clock (MC146818), and how the machine
 * is switched off. */
#include "abi/kernel.h"
#include "kernel/string.h"
#include "kernel/x86_64/cpu.h"

#define PORT_DEBUG_CONSOLE 0xe9
#define PORT_DEBUG_EXIT 0x501
#define PORT_COM1 0x3f8
#define PORT_RTC 0x70
#define PORT_RESET 0xcf9
#define SLEEP_ENABLE 0x2000
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
    for (size_t i = 0; i < n; i++) {
        for (unsigned spin = 0; spin < 100000 && !(arch_port_in(PORT_COM1 + 5, 1) & LSR_THR_EMPTY);
             spin++)
            ;
        if (text[i] == '\n')
            arch_port_out(PORT_COM1, 1, '\r');
        arch_port_out(PORT_COM1, 1, (uint8_t)text[i]);
    }
}

void arch_power(unsigned how, int status)
{
    if (how == POWER_RESET)
        arch_port_out(PORT_RESET, 1, 6);
    if (status)
        arch_port_out(PORT_DEBUG_EXIT, 1, (uint8_t)status);
    if (acpi.pm1a_control)
        arch_port_out(acpi.pm1a_control, 2, SLEEP_ENABLE);
    if (acpi.pm1b_control)
        arch_port_out(acpi.pm1b_control, 2, SLEEP_ENABLE);
    for (;;)
        __asm__ volatile("cli; hlt");
}

static unsigned rtc(unsigned n)
{
    arch_port_out(PORT_RTC, 1, n);
    return arch_port_in(PORT_RTC + 1, 1);
}

/* Days since 1970-01-01 of a date in the proleptic Gregorian calendar. */
static uint64_t days(unsigned year, unsigned month, unsigned day)
{
    static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    unsigned leap = month > 2 && (year % 4 == 0 && (year % 100 || year % 400 == 0)),
             past = year - 1;

    return (uint64_t)year * 365 + past / 4 - past / 100 + past / 400 + before[(month - 1) % 12] +
           leap + day - 719528;
}

uint64_t arch_realtime(void)
{
    unsigned v[6], again[6];
    static const uint8_t numbers[6] = {0, 2, 4, 7, 8, 9}; /* seconds minutes hours day month year */
    unsigned format = rtc(0xb);

    do { /* until two readings agree: no update in between */
        for (unsigned i = 0; i < 6; i++)
            v[i] = rtc(numbers[i]);
        for (unsigned i = 0; i < 6; i++)
            again[i] = rtc(numbers[i]);
    } while (memcmp(v, again, sizeof v));
    for (unsigned i = 0; i < 6 && !(format & 4); i++) /* BCD */
        v[i] = (v[i] >> 4) * 10 + (v[i] & 15);
    return (days(2000 + v[5], v[4] ? v[4] : 1, v[3]) * 24 + v[2]) * 3600 + v[1] * 60 + v[0];
}
