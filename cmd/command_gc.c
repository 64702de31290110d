/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"
#include "quantity.h"
#include "report.h"
#include "signals.h"

#include <stdio.h>

static const char help[] =
    "Usage: plamo-fast gc [OPTIONS]\n"
    "Remove from a cache folder what killed runs have left, and what is old or too much: package\n"
    "sets kept of earlier updates, broken-off downloads, releases, the longest unused first.\n"
    "What is in use stays. Of whatever release: --cache alone says where.\n"
    "Example: plamo-fast gc --max-age 60d --max-size 20G --dry-run\n"
    "\n"
    "      --max-age TIME  what was not used for so long, like 12h or 60d\n"
    "      --max-size N    so much may stay altogether, like 500M or 20G\n"
    "      --dry-run       only tell what would go\n";

enum { OPT_MAX_AGE = OPT_OF_COMMAND, OPT_MAX_SIZE, OPT_DRY_RUN };

static const struct option long_options[] = {
    OPTIONS_LONG,
    {"max-age", required_argument, NULL, OPT_MAX_AGE},
    {"max-size", required_argument, NULL, OPT_MAX_SIZE},
    {"dry-run", no_argument, NULL, OPT_DRY_RUN},
    {0},
};

/* 1: taken; -1: it makes no sense, which has been said; 0: not an option of this command. */
static int take_own(struct pf_gc *gc, int option, const char *argument)
{
    switch (option) {
    case OPT_MAX_AGE:
        if (quantity_parse_duration(argument, &gc->max_age_s) == 0 && gc->max_age_s > 0)
            return 1;
        report_error("--max-age takes a time like 12h or 60d, not \"%s\"", argument);
        return -1;
    case OPT_MAX_SIZE:
        if (quantity_parse_amount(argument, &gc->max_bytes) == 0)
            return 1;
        report_error("--max-size takes a size like 500M or 20G, not \"%s\"", argument);
        return -1;
    case OPT_DRY_RUN:
        gc->dry_run = true;
        return 1;
    default:
        return 0;
    }
}

int command_gc(int argc, char **argv, struct options *options)
{
    struct pf_gc gc = {0};
    struct pf_gc_result result;
    struct pf_error err = {0};
    int option, status = EXIT_DONE;
    while ((option = options_next(argc, argv, OPTIONS_SHORT, long_options)) != -1) {
        if (command_answers(option, help, options, false))
            return EXIT_DONE;
        int taken = options_take(options, option, optarg);
        if (taken == 0)
            taken = take_own(&gc, option, optarg);
        if (taken <= 0)
            return EXIT_USAGE;
    }
    if (argc != optind) {
        report_error("gc takes no \"%s\"", argv[optind]);
        return EXIT_USAGE;
    }
    struct pf_engine *engine = command_engine(options, &status);
    if (!engine)
        return status;
    if (pf_engine_gc(engine, &gc, &result, &err))
        status = report_failure(&err, signals_caught());
    else
        report_removed(&result, gc.dry_run);
    command_end(engine);
    return status;
}
