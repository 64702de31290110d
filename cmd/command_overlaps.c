/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"
#include "jsontext.h"
#include "owned.h"
#include "report.h"
#include "signals.h"

static const char help[] =
    "Usage: plamo-fast overlaps [OPTIONS]\n"
    "List every file or link that two or more packages of a root have (without --root: of the\n"
    "cached one), sorted by path: whose it is now, and whom that replaced.\n"
    "Example: plamo-fast overlaps --release 8.x --json\n"
    "\n"
    "      --root ROOT     an installed root              --json         one JSON object\n";

enum { OPT_JSON = OPT_OF_COMMAND, OPT_ROOT };

static const struct option long_options[] = {
    OPTIONS_LONG,
    {"json", no_argument, NULL, OPT_JSON},
    {"root", required_argument, NULL, OPT_ROOT},
    {0},
};

static int print(void *ctx, const struct pf_owned *owned)
{
    (void)ctx;
    owned_print(owned);
    return 0;
}

static int add(void *ctx, const struct pf_owned *owned)
{
    json_t *list = ctx;
    return json_array_append_new(list, owned_json(owned)) < 0;
}

static int list_json(struct pf_records *records, struct pf_error *err)
{
    json_t *list = json_array();
    int result = pf_records_overlaps(records, add, list, err);
    if (result < 0) {
        json_decref(list);
        return report_failure(err, signals_caught());
    }
    json_t *whole =
        result ? NULL : json_pack("{s:i, s:O}", "plamo-fast-overlaps", 1, "paths", list);
    json_decref(list);
    return json_print(whole) < 0 ? EXIT_FAILED : EXIT_DONE;
}

static int list_lines(struct pf_records *records, struct pf_error *err)
{
    return pf_records_overlaps(records, print, NULL, err) ? report_failure(err, signals_caught())
                                                          : EXIT_DONE;
}

static int overlaps(struct options *options, const char *root, bool json)
{
    struct pf_records *records;
    struct pf_error err = {0};
    int status;
    struct pf_engine *engine = command_engine(options, &status);
    if (!engine)
        return status;
    report_end(); /* the answers have the terminal to themselves */
    if (pf_engine_open_records(engine, root, &records, &err)) {
        status = report_failure(&err, signals_caught());
    } else {
        status = json ? list_json(records, &err) : list_lines(records, &err);
        pf_records_free(records);
    }
    command_end(engine);
    return command_flush(status);
}

int command_overlaps(int argc, char **argv, struct options *options)
{
    const char *root = NULL;
    bool json = false;
    int option;
    while ((option = options_next(argc, argv, OPTIONS_SHORT, long_options)) != -1) {
        if (command_answers(option, help, options, false))
            return EXIT_DONE;
        int taken = options_take(options, option, optarg);
        if (taken == 0 && option == OPT_JSON)
            json = true;
        else if (taken == 0 && option == OPT_ROOT)
            root = optarg;
        else if (taken <= 0)
            return EXIT_USAGE;
    }
    if (argc != optind) {
        report_error("overlaps takes no \"%s\"", argv[optind]);
        return EXIT_USAGE;
    }
    return overlaps(options, root, json);
}
