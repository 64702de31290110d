/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"
#include "report.h"
#include "signals.h"

static const char help[] =
    "Usage: plamo-fast clean [OPTIONS]\n"
    "Remove the downloaded packages and the cached root of one release and architecture.\n"
    "Containers that were made from them stay.\n"
    "Example: plamo-fast clean --release 8.x\n";

static const struct option long_options[] = {OPTIONS_LONG, {0}};

int command_clean(int argc, char **argv, struct options *options)
{
    struct pf_error err = {0};
    int option, status = EXIT_DONE;
    while ((option = options_next(argc, argv, OPTIONS_SHORT, long_options)) != -1) {
        if (command_answers(option, help, options, false))
            return EXIT_DONE;
        if (options_take(options, option, optarg) <= 0)
            return EXIT_USAGE;
    }
    if (argc != optind) {
        report_error("clean takes no \"%s\"", argv[optind]);
        return EXIT_USAGE;
    }
    struct pf_engine *engine = command_engine(options, &status);
    if (!engine)
        return status;
    struct pf_gc_result result;
    if (pf_engine_clean(engine, &result, &err))
        status = report_failure(&err, signals_caught());
    else
        report_removed(&result, false);
    command_end(engine);
    return status;
}
