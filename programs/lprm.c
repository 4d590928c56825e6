/* SPDX-License-Identifier: BSD-2-Clause */
/* lprm: takes jobs away from the print spooler. */
#include "programs/lpd/client.h"

static const char usage[] = "usage: lprm JOB...\n"
                            "\n"
                            "Removes the jobs with these numbers (see lpq), also one that is being "
                            "printed: it ends with the\n"
                            "page in progress. Root may remove any job, others their own.\n";

int main(int argc, char **argv)
{
    bool good = true;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    if (argc < 2 || argv[1][0] == '-') {
        fputs(usage, stderr);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        char request[LPD_LINE], line[LPD_LINE];

        snprintf(request, sizeof request, "remove %.32s\n", argv[i]);
        good &= lpd_ok("lprm", argv[i], lpd_request("lprm", request), line);
    }
    return good ? 0 : 1;
}
