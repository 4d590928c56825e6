/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/inject/host.h"

#include <errno.h>
#include <string.h>

#include "lib/rt/kernel.h"

/* QEMU's docs/specs/fw_cfg: a register that selects a file, and one that gives its bytes in turn.
 * File numbers, from a directory whose words have the high byte first. */
enum { CONFIG_SELECT = 0x510, CONFIG_DATA = 0x511, CONFIG_DIRECTORY = 0x19, CONFIG_NAME = 56 };

static void config_read(char *to, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        to[i] = (char)port_in(CONFIG_DATA, 1);
}

static uint32_t config_word(unsigned bytes)
{
    uint32_t word = 0;

    while (bytes--)
        word = word << 8 | (uint32_t)port_in(CONFIG_DATA, 1);
    return word;
}

static uint32_t config_find(const char *wanted)
{
    char name[CONFIG_NAME];
    uint32_t files, number;

    port_out(CONFIG_SELECT, 2, CONFIG_DIRECTORY);
    files = config_word(4);
    while (files--) {
        config_word(4); /* its size */
        number = config_word(2);
        config_word(2);
        config_read(name, sizeof name);
        if (strncmp(name, wanted, sizeof name) == 0)
            return number;
    }
    return 0;
}

long host_read(char *line, unsigned room)
{
    static uint32_t file;

    if (!file)
        file = config_find("opt/bardo/fault");
    if (!file)
        return -ENODEV;
    port_out(CONFIG_SELECT, 2, file);
    config_read(line, 1);
    if (*line == '-')
        return -EAGAIN;
    config_read(line + 1, room - 2);
    line[room - 1] = 0;
    line[strcspn(line, "\n")] = 0;
    return 0;
}
