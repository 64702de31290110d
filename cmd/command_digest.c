/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"
#include "report.h"
#include "signals.h"

#include <stdio.h>

static const char help[] =
    "Usage: plamo-fast digest ROOT [OPTIONS]\n"
    "Print one digest of all that is in a root: the same packages give the same, on any machine\n"
    "and any day. Times, the install log and the root's own folder do not count.\n"
    "Example: plamo-fast digest /var/cache/lxc/rootfs-plamo-8.x-x86_64\n"
    "\n"
    "  -j, --jobs N        worker threads\n";

static const struct option long_options[] = {OPTIONS_LONG, {0}};

int command_digest(int argc, char **argv, struct options *options)
{
    const char *text;
    struct pf_error err = {0};
    int option, status = EXIT_DONE;
    while ((option = options_next(argc, argv, OPTIONS_SHORT, long_options)) != -1) {
        if (command_answers(option, help, options, false))
            return EXIT_DONE;
        if (options_take(options, option, optarg) <= 0)
            return EXIT_USAGE;
    }
    if (argc - optind != 1) {
        report_error("digest takes one folder: plamo-fast digest ROOT [OPTIONS]");
        return EXIT_USAGE;
    }
    struct pf_engine *engine = command_engine(options, &status);
    if (!engine)
        return status;
    if (pf_engine_digest(engine, argv[optind], &text, &err))
        status = report_failure(&err, signals_caught());
    else
        status = report_tree(text);
    command_end(engine);
    return status;
}
