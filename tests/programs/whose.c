/* SPDX-License-Identifier: BSD-2-Clause */
/* Whose rights it runs with: effective and real. */
#include <stdio.h>
#include <unistd.h>

int main(void)
{
    printf("%d %d %d %d\n", (int)geteuid(), (int)getegid(), (int)getuid(), (int)getgid());
    return 0;
}
