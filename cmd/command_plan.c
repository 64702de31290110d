/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"
#include "report.h"
#include "signals.h"

#include <inttypes.h>
#include <jansson.h>

static const char help[] =
    "Usage: plamo-fast plan [OPTIONS]\n"
    "Show the files that would be installed, in install order: size in bytes (- where the\n"
    "mirror does not say), name, URL. Nothing is downloaded.\n"
    "Example: plamo-fast plan --release 8.x --categories \"00_base 02_devel\" --json\n"
    "\n"
    "      --json              one JSON object\n";

enum { OPT_JSON = OPT_OF_COMMAND };

static const struct option long_options[] = {
    OPTIONS_LONG,
    {"json", no_argument, NULL, OPT_JSON},
    {0},
};

static void print_lines(const struct pf_plan_file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (files[i].size_bytes < 0)
            printf("%12s  ", "-");
        else
            printf("%12" PRId64 "  ", files[i].size_bytes);
        report_escaped(stdout, files[i].file);
        fputs("  ", stdout);
        report_escaped(stdout, files[i].url);
        putchar('\n');
    }
}

static int print_json(const struct pf_engine *engine, const struct pf_plan_file *files,
                      size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *size = files[i].size_bytes < 0 ? json_null() : json_integer(files[i].size_bytes);
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:o, s:b}", "file", files[i].file, "url",
                                        files[i].url, "size", size, "package", files[i].package));
    }
    bool whole = json_array_size(list) == count;
    json_t *root = json_pack("{s:i, s:s, s:s, s:s, s:o}", "plamo-fast-plan", 1, "release",
                             pf_engine_release(engine), "arch", pf_engine_arch(engine), "mirror",
                             pf_engine_mirror(engine), "files", list);
    int failed = !whole || !root || json_dumpf(root, stdout, JSON_INDENT(1)) < 0;
    putchar('\n');
    json_decref(root);
    return failed;
}

static int plan(struct options *options, bool json)
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
    } else if (!json) {
        print_lines(files, count);
    } else if (print_json(engine, files, count)) {
        report_error("a file name or URL cannot be written as JSON");
        status = EXIT_FAILED;
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        report_error("the plan cannot be written to standard output");
        status = EXIT_FAILED;
    }
    command_end(engine);
    return status;
}

int command_plan(int argc, char **argv, struct options *options)
{
    bool json = false;
    int option;
    while ((option = options_next(argc, argv, OPTIONS_SHORT, long_options)) != -1) {
        if (command_answers(option, help))
            return EXIT_DONE;
        int taken = options_take(options, option, optarg);
        if (taken == 0 && option == OPT_JSON)
            json = true;
        else if (taken <= 0)
            return EXIT_USAGE;
    }
    if (argc != optind) {
        report_error("plan takes no \"%s\"", argv[optind]);
        return EXIT_USAGE;
    }
    return plan(options, json);
}
