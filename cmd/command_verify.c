/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"
#include "jsontext.h"
#include "language.h"
#include "line.h"
#include "report.h"
#include "signals.h"

#include <inttypes.h>
#include <stdlib.h>

static const char help[] =
    "Usage: plamo-fast verify [ROOT] [OPTIONS]\n"
    "Check that all is as it was stored. Without ROOT: the cached packages, read to the end, and\n"
    "the cached root. With ROOT: that everything its records list is there, and like the packages\n"
    "that the cache has: mode, owner, content. What scripts or configuration may have changed, "
    "and\n"
    "what a running container has mounted there, is no damage, and told with -v. 4 where anything\n"
    "is damaged.\n"
    "Example: plamo-fast verify /var/lib/lxc/web1/rootfs --release 8.x\n"
    "\n"
    "      --json          one JSON object              -j, --jobs N     worker threads\n"
    "      --limit NAME=N  of one package: entries, depth, names, ratio, bytes or memory\n";

enum { OPT_JSON = OPT_OF_COMMAND };

static const struct option long_options[] = {
    OPTIONS_LONG,
    {"json", no_argument, NULL, OPT_JSON},
    {0},
};

/* Where findings go. */
struct output {
    json_t *list; /* NULL: lines are printed */
    bool verbose;
};

static void print_finding(const struct pf_finding *f)
{
    char *text = line_escaped_text(f->text);
    char *package = f->package ? line_escaped_text(f->package) : NULL;
    char *reason = f->reason ? line_escaped_text(f->reason) : NULL;
    line_escape(stdout, *f->subject ? f->subject : ".");
    fputs(": ", stdout);
    if (package && reason)
        printf(_("%s (of %s); no damage: %s"), text ? text : "", package, reason);
    else if (package)
        printf(_("%s (of %s)"), text ? text : "", package);
    else if (reason)
        printf(_("%s; no damage: %s"), text ? text : "", reason);
    else
        fputs(text ? text : "", stdout);
    putchar('\n');
    free(text);
    free(package);
    free(reason);
}

static int on_finding(void *ctx, const struct pf_finding *f)
{
    struct output *output = ctx;
    if (output->list)
        return json_array_append_new(output->list,
                                     json_pack("{s:o, s:o, s:o, s:o, s:b}", "subject",
                                               json_text(f->subject), "package",
                                               json_text(f->package), "text", json_text(f->text),
                                               "reason", json_text(f->reason), "damaged",
                                               f->reason == NULL)) < 0;
    if (f->reason && !output->verbose)
        return 0;
    print_finding(f);
    return 0;
}

static void print_summary(const struct pf_verified *v)
{
    printf(
        _("%ju packages read, %ju paths looked at, %ju compared with their packages: %ju damaged, "
          "%ju changed by scripts or configuration"),
        (uintmax_t)v->packages, (uintmax_t)v->files, (uintmax_t)v->contents, (uintmax_t)v->damaged,
        (uintmax_t)v->explained);
    putchar('\n');
}

static json_t *summary_json(const struct pf_verified *v, json_t *list)
{
    return json_pack("{s:i, s:I, s:I, s:I, s:I, s:I, s:O}", "plamo-fast-verify", 1, "packages",
                     (json_int_t)v->packages, "paths", (json_int_t)v->files, "compared",
                     (json_int_t)v->contents, "damaged", (json_int_t)v->damaged, "explained",
                     (json_int_t)v->explained, "findings", list);
}

static int verify(struct options *options, const char *root, bool json)
{
    struct pf_verified verified;
    struct pf_error err = {0};
    int status;
    struct pf_engine *engine = command_engine(options, &status);
    if (!engine)
        return status;
    report_end(); /* the answers have the terminal to themselves */
    struct output output = {.list = json ? json_array() : NULL, .verbose = options->verbosity > 0};
    int result = pf_engine_verify(engine, root, on_finding, &output, &verified, &err);
    status = result || verified.damaged ? EXIT_PACKAGE : EXIT_DONE;
    if (result < 0)
        status = report_failure(&err, signals_caught());
    else if (json && json_print(result ? NULL : summary_json(&verified, output.list)) < 0)
        status = EXIT_FAILED;
    else if (!json && options->verbosity >= 0)
        print_summary(&verified);
    json_decref(output.list);
    command_end(engine);
    return command_flush(status);
}

int command_verify(int argc, char **argv, struct options *options)
{
    bool json = false;
    int option;
    while ((option = options_next(argc, argv, OPTIONS_SHORT, long_options)) != -1) {
        if (command_answers(option, help, options, false))
            return EXIT_DONE;
        int taken = options_take(options, option, optarg);
        if (taken == 0 && option == OPT_JSON)
            json = true;
        else if (taken <= 0)
            return EXIT_USAGE;
    }
    if (argc - optind > 1) {
        report_error("verify takes one root: plamo-fast verify [ROOT] [OPTIONS]");
        return EXIT_USAGE;
    }
    return verify(options, argc > optind ? argv[optind] : NULL, json);
}
