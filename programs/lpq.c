/* SPDX-License-Identifier: BSD-2-Clause */
/* lpq: the jobs that wait for the printer. */
#include <pwd.h>

#include "programs/lpd/client.h"

static const char usage[] =
    "usage: lpq\n"
    "\n"
    "Shows what the spooler is doing, and the jobs that wait for " LPD_DEVICE
    ": number, whose, how many\n"
    "bytes, how many of them are known to be printed, and the title.\n";

static void show(const char *line)
{
    unsigned number, uid;
    unsigned long bytes, done;
    int title = 0;
    const struct passwd *user;
    char name[16];

    if (sscanf(line, "%u %u %lu %lu %n", &number, &uid, &bytes, &done, &title) < 4 || !title)
        return;
    user = getpwuid(uid);
    snprintf(name, sizeof name, "%u", uid);
    printf("%6u  %-10s %10lu %10lu  %s\n", number, user ? user->pw_name : name, bytes, done,
           line + title);
}

int main(int argc, char **argv)
{
    char line[LPD_LINE];
    bool is_first = true;
    FILE *answer;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc != 1) {
        fputs(usage, stderr);
        return 2;
    }
    answer = lpd_answer("lpq", lpd_request("lpq", "list\n"));
    while (fgets(line, sizeof line, answer)) {
        line[strcspn(line, "\n")] = 0;
        if (is_first)
            printf("%s\n%6s  %-10s %10s %10s  %s\n", line, "JOB", "USER", "BYTES", "PRINTED",
                   "TITLE");
        else
            show(line);
        is_first = false;
    }
    fclose(answer);
    if (is_first)
        fputs("lpq: the spooler does not answer\n", stderr);
    return is_first;
}
