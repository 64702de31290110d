/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"
#include "language.h"
#include "report.h"
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "Usage: plamo-fast lock [FILE] [OPTIONS]\n"
    "Write a lockfile: each package with its URL, size and SHA-256, in install order. Builds\n"
    "with --lock FILE take exactly these, and make the same tree of them, or stop. An old FILE\n"
    "is replaced, and what differs is shown.\n"
    "Example: plamo-fast lock web.lock --release 8.x --update\n"
    "\n"
    "      --no-digest     leave the tree out: its scripts write the time, or random bytes\n";

enum { OPT_NO_DIGEST = OPT_OF_COMMAND };

static const struct option long_options[] = {
    OPTIONS_LONG,
    {"no-digest", no_argument, NULL, OPT_NO_DIGEST},
    {0},
};

/* All of it under another name first: a reader never sees half of one. */
static int write_file(const char *path, const char *text)
{
    char *temporary;
    if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
        return -1;
    int fd = mkostemp(temporary, O_CLOEXEC);
    size_t length = strlen(text);
    int failed = fd < 0 || fchmod(fd, 0644) < 0;
    while (!failed && length > 0) {
        ssize_t n = TEMP_FAILURE_RETRY(write(fd, text, length));
        failed = n < 0;
        text += failed ? 0 : n;
        length -= failed ? 0 : (size_t)n;
    }
    failed = failed || TEMP_FAILURE_RETRY(fsync(fd)) < 0;
    if (fd >= 0)
        failed = (close(fd) < 0 && errno != EINTR) || failed;
    failed = failed || TEMP_FAILURE_RETRY(rename(temporary, path)) < 0;
    if (failed && fd >= 0)
        unlink(temporary);
    free(temporary);
    return failed ? -1 : 0;
}

static int write_lock(const char *path, const char *text)
{
    int failed = path ? write_file(path, text) : fputs(text, stdout) < 0 || fflush(stdout) != 0;
    if (failed)
        report_error("the lockfile cannot be written to %s: %m",
                     path ? path : _("standard output"));
    return failed ? EXIT_FAILED : EXIT_DONE;
}

static int lock(struct options *options, const char *path)
{
    char *text = NULL;
    struct pf_error err = {0};
    int status;
    struct pf_engine *engine = command_engine(options, &status);
    if (!engine)
        return status;
    if (pf_engine_lock(engine, path, &text, &err))
        status = report_failure(&err, signals_caught());
    else
        status = write_lock(path, text);
    free(text);
    command_end(engine);
    return status;
}

int command_lock(int argc, char **argv, struct options *options)
{
    int option;
    options->settings.digest = true;
    while ((option = options_next(argc, argv, OPTIONS_SHORT, long_options)) != -1) {
        if (command_answers(option, help, options, false))
            return EXIT_DONE;
        int taken = options_take(options, option, optarg);
        if (taken == 0 && option == OPT_NO_DIGEST)
            options->settings.digest = false;
        else if (taken <= 0)
            return EXIT_USAGE;
    }
    if (argc - optind > 1) {
        report_error("lock takes one file: plamo-fast lock [FILE] [OPTIONS]");
        return EXIT_USAGE;
    }
    return lock(options, argc > optind ? argv[optind] : NULL);
}
