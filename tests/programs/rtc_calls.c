/* SPDX-License-Identifier: BSD-2-Clause */
/* /dev/rtc0: what it does and what it refuses. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "cases.h"

struct
    rtc_time { /* linux/rtc.h: second, minute, hour, day, month, year, day of week, of year, dst */
    int of[9];
};
#define RTC_RD_TIME 0x80247009
#define RTC_SET_TIME 0x4024700a
#define RTC_UIE_ON 0x7003

static time_t seconds_of(const struct rtc_time *r)
{
    struct tm t = {.tm_sec = r->of[0],
                   .tm_min = r->of[1],
                   .tm_hour = r->of[2],
                   .tm_mday = r->of[3],
                   .tm_mon = r->of[4],
                   .tm_year = r->of[5]};

    return timegm(&t);
}

static void refuses(int fd)
{
    static const struct rtc_time good = {{59, 59, 23, 31, 11, 130}},
                                 wrong[] = {
                                     {{60, 0, 0, 1, 0, 130}}, {{-1, 0, 0, 1, 0, 130}},
                                     {{0, 60, 0, 1, 0, 130}}, {{0, 0, 24, 1, 0, 130}},
                                     {{0, 0, 0, 0, 0, 130}},  {{0, 0, 0, 32, 0, 130}},
                                     {{0, 0, 0, 31, 3, 130}}, {{0, 0, 0, 30, 1, 132}},
                                     {{0, 0, 0, 29, 1, 131}}, {{0, 0, 0, 1, 12, 130}},
                                     {{0, 0, 0, 1, -1, 130}}, {{0, 0, 0, 1, 0, 69}},
                                     {{0, 0, 0, 1, 0, 200}},  {{0, 0, 0, 1, 0, 0x7fffffff}},
                                 };
    char byte;

    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        FAILS(ioctl(fd, RTC_SET_TIME, &wrong[i]), EINVAL);
    FAILS(ioctl(fd, RTC_SET_TIME, NULL), EFAULT);
    FAILS(ioctl(fd, RTC_RD_TIME, NULL), EFAULT);
    FAILS(ioctl(fd, RTC_RD_TIME, 4096), EFAULT);
    FAILS(ioctl(fd, RTC_UIE_ON, 0), ENOTTY);
    FAILS(read(fd, &byte, 1), EINVAL);
    CHECK(poll(&(struct pollfd){fd, POLLIN, 0}, 1, 0) == 0);
    if (fork() == 0) {
        CHECK(setuid(1000) == 0);
        FAILS(ioctl(fd, RTC_SET_TIME, &good), EACCES);
        FAILS(open("/dev/rtc0", O_RDONLY), EACCES);
        _exit(0);
    }
}

/* rtc_calls: the errors. rtc_calls COUNT: sets and reads that often; what is read is what was set,
 * or up to two seconds more. */
int main(int argc, char **argv)
{
    int fd = open("/dev/rtc", O_RDONLY), count = argc > 1 ? atoi(argv[1]) : 0;
    struct stat s;

    CHECK(fd >= 0);
    CHECK(fstat(fd, &s) == 0 && S_ISCHR(s.st_mode) && s.st_rdev == makedev(254, 0));
    if (!count)
        refuses(fd);
    for (int i = 0; i < count; i++) {
        struct rtc_time set = {{i % 60, i % 59, i % 24, 1 + i % 28, i % 12, 70 + i % 130}}, is;
        long passed;

        CHECK(ioctl(fd, RTC_SET_TIME, &set) == 0);
        CHECK(ioctl(fd, RTC_RD_TIME, &is) == 0);
        passed = seconds_of(&is) - seconds_of(&set);
        if (passed < 0 || passed > 2) {
            printf("%d: read %ld seconds after what was set\n", i, passed);
            return 1;
        }
    }
    printf("done\n");
    return 0;
}
