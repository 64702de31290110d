/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"
#include "jsontext.h"
#include "owned.h"
#include "report.h"
#include "signals.h"

static const char help[] =
    "Usage: plamo-fast owners PATH... [OPTIONS]\n"
    "Say which package put each path there, and which ones it replaced, by the records of a root\n"
    "(without --root: the cached one). 1 where a path is no package's.\n"
    "Example: plamo-fast owners /usr/bin/perl usr/lib64 --root /srv/plamo\n"
    "\n"
    "      --root ROOT     an installed root              --json         one JSON object\n";

enum { OPT_JSON = OPT_OF_COMMAND, OPT_ROOT };

static const struct option long_options[] = {
    OPTIONS_LONG,
    {"json", no_argument, NULL, OPT_JSON},
    {"root", required_argument, NULL, OPT_ROOT},
    {0},
};

/* What is asked, and where the answers go. */
struct question {
    char **paths;
    const char *root;
    bool json;
};

static int answer(struct pf_records *records, const struct question *q, json_t *list)
{
    struct pf_error err = {0};
    int status = EXIT_DONE;
    for (char **path = q->paths; *path; path++) {
        struct pf_owned owned;
        if (pf_records_owners(records, *path, &owned, &err))
            return report_failure(&err, signals_caught());
        if (!owned.winner)
            status = EXIT_FAILED;
        if (list)
            json_array_append_new(list, owned_json(&owned));
        else
            owned_print(&owned);
    }
    return status;
}

static int answer_json(struct pf_records *records, const struct question *q)
{
    size_t count = 0;
    json_t *list = json_array();
    while (q->paths[count])
        count++;
    int status = answer(records, q, list);
    if (status != EXIT_DONE && status != EXIT_FAILED) {
        json_decref(list);
        return status;
    }
    json_t *whole = json_array_size(list) == count
                        ? json_pack("{s:i, s:O}", "plamo-fast-owners", 1, "paths", list)
                        : NULL;
    json_decref(list);
    return json_print(whole) < 0 ? EXIT_FAILED : status;
}

static int owners(struct options *options, const struct question *q)
{
    struct pf_records *records;
    struct pf_error err = {0};
    int status;
    struct pf_engine *engine = command_engine(options, &status);
    if (!engine)
        return status;
    report_end(); /* the answers have the terminal to themselves */
    if (pf_engine_open_records(engine, q->root, &records, &err)) {
        status = report_failure(&err, signals_caught());
    } else {
        status = q->json ? answer_json(records, q) : answer(records, q, NULL);
        pf_records_free(records);
    }
    command_end(engine);
    return command_flush(status);
}

int command_owners(int argc, char **argv, struct options *options)
{
    struct question q = {0};
    int option;
    while ((option = options_next(argc, argv, OPTIONS_SHORT, long_options)) != -1) {
        if (command_answers(option, help, options, false))
            return EXIT_DONE;
        int taken = options_take(options, option, optarg);
        if (taken == 0 && option == OPT_JSON)
            q.json = true;
        else if (taken == 0 && option == OPT_ROOT)
            q.root = optarg;
        else if (taken <= 0)
            return EXIT_USAGE;
    }
    if (argc == optind) {
        report_error("owners needs a path: plamo-fast owners PATH... [OPTIONS]");
        return EXIT_USAGE;
    }
    q.paths = argv + optind;
    return owners(options, &q);
}
