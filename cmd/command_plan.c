/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"
#include "jsontext.h"
#include "line.h"
#include "plantree.h"
#include "report.h"
#include "signals.h"

#include <inttypes.h>

static const char help[] =
    "Usage: plamo-fast plan [OPTIONS]\n"
    "Show the files that would be installed, in install order: size in bytes (- where the\n"
    "mirror does not say), name, URL. Nothing is downloaded.\n"
    "Example: plamo-fast plan --release 8.x --categories \"00_base 02_devel\" --json\n"
    "\n"
    "      --json          one JSON object                  --tree    folders, with their sizes\n"
    "      --offline       of what the cache has\n";

enum { OPT_JSON = OPT_OF_COMMAND, OPT_TREE };

enum shape { SHAPE_LINES, SHAPE_JSON, SHAPE_TREE };

static const struct option long_options[] = {
    OPTIONS_LONG,
    {"json", no_argument, NULL, OPT_JSON},
    {"tree", no_argument, NULL, OPT_TREE},
    {0},
};

static void print_lines(const struct pf_plan_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (files[i].size_bytes < 0)
            printf("%12s  ", "-");
        else
            printf("%12" PRId64 "  ", files[i].size_bytes);
        line_escape(stdout, files[i].file);
        fputs("  ", stdout);
        line_escape(stdout, files[i].url ? files[i].url : "-");
        putchar('\n');
    }
}

/* -1 after saying what went wrong. */
static int print_json(const struct pf_engine *engine, const struct pf_plan_file *files,
                      size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *size = files[i].size_bytes < 0 ? json_null() : json_integer(files[i].size_bytes);
        json_array_append_new(list,
                              json_pack("{s:o, s:o, s:o, s:b}", "file", json_text(files[i].file),
                                        "url", json_text(files[i].url), "size", size, "package",
                                        files[i].package));
    }
    if (json_array_size(list) < count) {
        json_decref(list);
        return json_print(NULL);
    }
    return json_print(json_pack("{s:i, s:s, s:s, s:o, s:o}", "plamo-fast-plan", 1, "release",
                                pf_engine_release(engine), "arch", pf_engine_arch(engine), "mirror",
                                json_text(pf_engine_mirror(engine)), "files", list));
}

static int plan(struct options *options, enum shape shape)
{
    const struct pf_plan_file *files;
    size_t count;
    struct pf_error err = {0};
    int status = EXIT_DONE;
    struct pf_engine *engine = command_engine(options, &status);
    if (!engine)
        return status;
    if (pf_engine_plan(engine, true, &files, &count, &err)) {
        status = report_failure(&err, signals_caught());
    } else if (shape == SHAPE_LINES) {
        print_lines(files, count);
    } else if (shape == SHAPE_TREE) {
        if (plantree_print(files, count) < 0) {
            report_error("out of memory");
            status = EXIT_FAILED;
        }
    } else if (print_json(engine, files, count) < 0) {
        status = EXIT_FAILED;
    }
    command_end(engine);
    return command_flush(status);
}

int command_plan(int argc, char **argv, struct options *options)
{
    enum shape shape = SHAPE_LINES;
    int option;
    while ((option = options_next(argc, argv, OPTIONS_SHORT, long_options)) != -1) {
        if (command_answers(option, help, options, false))
            return EXIT_DONE;
        int taken = options_take(options, option, optarg);
        enum shape before = shape;
        if (taken == 0 && option == OPT_JSON)
            shape = SHAPE_JSON;
        else if (taken == 0 && option == OPT_TREE)
            shape = SHAPE_TREE;
        else if (taken <= 0)
            return EXIT_USAGE;
        if (before != SHAPE_LINES && before != shape) {
            report_error("--json and --tree are two ways to show it: give one of them");
            return EXIT_USAGE;
        }
    }
    if (argc != optind) {
        report_error("plan takes no \"%s\"", argv[optind]);
        return EXIT_USAGE;
    }
    return plan(options, shape);
}
