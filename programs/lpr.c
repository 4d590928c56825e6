/* SPDX-License-Identifier: BSD-2-Clause */
/* lpr: gives files to the print spooler. */
#include <fcntl.h>
#include <libgen.h>

#include "programs/lpd/client.h"

static const char usage[] = "usage: lpr [-T TITLE] [FILE...]\n"
                            "\n"
                            "Prints each FILE, or what comes from standard input, as a job of its "
                            "own, and writes its number.\n"
                            "lpq shows the jobs that wait, lprm removes one.\n";

/* The answer says why when the spooler does not take it all: that is no error here. */
static bool send_all(int from, int to, const char *name)
{
    static char bytes[16384];
    ssize_t n;

    while ((n = read(from, bytes, sizeof bytes)) > 0)
        for (ssize_t done = 0, k; done < n; done += k) {
            k = write(to, bytes + done, (size_t)(n - done));
            if (k < 0)
                return true;
        }
    if (n < 0)
        fprintf(stderr, "lpr: %s: %s\n", name, strerror(errno));
    return n == 0;
}

static bool print(int from, const char *name, const char *title)
{
    char request[LPD_LINE], line[LPD_LINE];
    int fd;

    snprintf(request, sizeof request, "print %.*s", LPD_TITLE - 1, title);
    for (char *c = request; *c; c++)
        if (*c == '\n')
            *c = '?';
    strcat(request, "\n");
    fd = lpd_request("lpr", request);
    if (!send_all(from, fd, name)) {
        close(fd);
        return false;
    }
    if (!lpd_ok("lpr", name, fd, line))
        return false;
    printf("job%s\n", line + 2);
    return true;
}

int main(int argc, char **argv)
{
    const char *title = NULL;
    bool good = true;
    int option;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        fputs(usage, stdout);
        return 0;
    }
    while ((option = getopt(argc, argv, "T:")) == 'T')
        title = optarg;
    if (option != -1) {
        fputs(usage, stderr);
        return 2;
    }
    if (optind == argc)
        return !print(0, "standard input", title ? title : "standard input");
    for (; optind < argc; optind++) {
        const char *name = argv[optind];
        int fd = open(name, O_RDONLY | O_CLOEXEC);

        if (fd < 0)
            fprintf(stderr, "lpr: %s: %s\n", name, strerror(errno));
        good &= fd >= 0 && print(fd, name, title ? title : basename(argv[optind]));
        if (fd >= 0)
            close(fd);
    }
    return good ? 0 : 1;
}
