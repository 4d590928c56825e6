/* SPDX-License-Identifier: BSD-2-Clause */
/* reboot(2) with commands that there are not. */
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
    static const unsigned commands[] = {100, 0x12345678, 0xffffffff};

    for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++) {
        long result = syscall(SYS_reboot, 0xfee1deadu, 672274793, commands[i], 0);

        printf("%ld %d\n", result, result < 0 && errno == EINVAL);
    }
    return 0;
}
