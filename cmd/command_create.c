/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"
#include "containers.h"
#include "language.h"
#include "lxcstart.h"
#include "namelist.h"
#include "report.h"
#include "signals.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: plamo-fast create NAME... [OPTIONS]\n"
    "Make LXC containers, many at once. NAME may have ranges: 'web{001..100}', 'db{a,b}'.\n"
    "What is there already is kept. Example: plamo-fast create 'web{1..9}' --backing overlay\n"
    "\n"
    "      --names-from F  the words of a file          --count N --prefix P  P1 to PN\n"
    "  -P, --lxcpath DIR   LXC's path (as LXC has it)   -f, --config F   instead of default.conf\n"
    "      --settings F    settings per container       --start          start them\n"
    "  -B, --backing HOW   auto (reflink, else copy), dir (the same) or overlay\n";

enum { OPT_NAMES_FROM = OPT_OF_COMMAND, OPT_COUNT, OPT_PREFIX, OPT_SETTINGS, OPT_START };

static const struct option long_options[] = {
    OPTIONS_LONG,
    OPTIONS_LONG_ROOT,
    {"names-from", required_argument, NULL, OPT_NAMES_FROM},
    {"count", required_argument, NULL, OPT_COUNT},
    {"prefix", required_argument, NULL, OPT_PREFIX},
    {"lxcpath", required_argument, NULL, 'P'},
    {"config", required_argument, NULL, 'f'},
    {"settings", required_argument, NULL, OPT_SETTINGS},
    {"backing", required_argument, NULL, 'B'},
    {"start", no_argument, NULL, OPT_START},
    {0},
};

/* What the command line asks for. */
struct create {
    struct namelist names;
    struct pf_containers wish;
    struct pf_container *containers;
    char **configs; /* owned, one for each container */
    struct pf_container_result *results;
    struct containers settings;
    const char *settings_file, *prefix;
    unsigned count;
    bool start;
};

static int take_backing(struct create *c, const char *text)
{
    if (strcmp(text, "overlay") == 0)
        c->wish.backing = PF_BACKING_OVERLAY;
    else if (strcmp(text, "auto") == 0 || strcmp(text, "dir") == 0)
        c->wish.backing = PF_BACKING_DIR;
    else
        return report_error("--backing takes auto, dir or overlay, not \"%s\"", text), -1;
    return 1;
}

static int take_count(struct create *c, const char *text)
{
    char *end;
    unsigned long count = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || count == 0 || count > NAMELIST_MAX) {
        report_error("--count takes a whole number from 1 to %d, not \"%s\"", NAMELIST_MAX, text);
        return -1;
    }
    c->count = (unsigned)count;
    return 1;
}

static int take_names_from(struct create *c, const char *file)
{
    char why[256];
    if (namelist_add_file(&c->names, file, why) == 0)
        return 1;
    report_error("--names-from: %s", why);
    return -1;
}

/* 1: taken; else as options_take. */
static int take(struct create *c, int option, const char *argument)
{
    switch (option) {
    case OPT_NAMES_FROM:
        return take_names_from(c, argument);
    case OPT_COUNT:
        return take_count(c, argument);
    case OPT_PREFIX:
        c->prefix = argument;
        return 1;
    case 'P':
        c->wish.lxcpath = argument;
        return 1;
    case 'f':
        c->wish.default_config = argument;
        return 1;
    case OPT_SETTINGS:
        c->settings_file = argument;
        return 1;
    case 'B':
        return take_backing(c, argument);
    case OPT_START:
        c->start = true;
        return 1;
    default:
        return 0;
    }
}

static int add_names(struct create *c, char **words)
{
    char why[256];
    for (; *words; words++) {
        if (namelist_add(&c->names, *words, why) < 0) {
            report_error("\"%s\": %s", *words, why);
            return -1;
        }
    }
    if (!c->count != !c->prefix) {
        report_error("--count and --prefix go together: --count 10 --prefix web");
        return -1;
    }
    if (c->count && namelist_add_numbered(&c->names, c->prefix, c->count, why) < 0) {
        report_error("--count: %s", why);
        return -1;
    }
    if (c->names.count == 0) {
        report_error("create takes containers' names: plamo-fast create NAME... [OPTIONS]");
        return -1;
    }
    return 0;
}

/* A line beside those of the engine, in whatever way events are shown. */
static void say(enum pf_event_type type, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void say(enum pf_event_type type, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    report_event(NULL, &(struct pf_event){.type = type, .text = text});
}

/* Settings that no container of this run gets may be of others, or a heading may be mistyped. */
static void warn_of_unused(const struct create *c)
{
    const char *last = NULL;
    for (size_t i = 0; i < c->settings.count; i++) {
        const struct setting *s = &c->settings.settings[i];
        if (!s->used && s->patterns != last)
            say(PF_EVENT_WARNING, _("%s:%u: no container of this run is called %s"),
                c->settings_file, s->line, s->patterns);
        last = s->patterns;
    }
}

static int settle(struct create *c, const struct options *options)
{
    char why[512];
    size_t count = c->names.count;
    if (c->settings_file && containers_read(&c->settings, c->settings_file, why) < 0) {
        report_error("%s", why);
        return -1;
    }
    c->containers = calloc(count, sizeof *c->containers);
    c->configs = calloc(count, sizeof *c->configs);
    c->results = calloc(count, sizeof *c->results);
    int failed = c->containers && c->configs && c->results ? 0 : -1;
    for (size_t i = 0; !failed && i < count; i++) {
        c->containers[i] = (struct pf_container){.name = c->names.names[i],
                                                 .timezone = options->timezone,
                                                 .network = options->network,
                                                 .root_password = options->root_password};
        failed = containers_apply(&c->settings, &c->containers[i], &c->configs[i]);
    }
    if (failed)
        report_error("out of memory");
    else
        warn_of_unused(c);
    c->wish.containers = c->containers;
    c->wish.count = count;
    return failed;
}

static void end(struct create *c)
{
    for (size_t i = 0; c->configs && i < c->names.count; i++)
        free(c->configs[i]);
    free(c->configs);
    free(c->containers);
    free(c->results);
    containers_end(&c->settings);
    namelist_end(&c->names);
}

/* Each failure by its container's name, then what became of all. */
static void report_results(const struct create *c)
{
    size_t numbers[PF_CONTAINER_FAILED + 1] = {0};
    for (size_t i = 0; i < c->wish.count; i++) {
        const struct pf_container_result *result = &c->results[i];
        numbers[result->state]++;
        if (result->state == PF_CONTAINER_FAILED)
            report_container(c->containers[i].name, &result->error);
    }
    say(PF_EVENT_NOTE, _("%zu containers made, %zu kept, %zu failed, %zu not begun"),
        numbers[PF_CONTAINER_MADE], numbers[PF_CONTAINER_KEPT], numbers[PF_CONTAINER_FAILED],
        numbers[PF_CONTAINER_NOT_BEGUN]);
}

/* Did the run get as far as the containers? */
static bool any_settled(const struct create *c)
{
    for (size_t i = 0; i < c->wish.count; i++) {
        if (c->results[i].state != PF_CONTAINER_NOT_BEGUN)
            return true;
    }
    return false;
}

/* Those that were there are somebody's, who has them stopped or running as he wants them. */
static int start_made(const struct create *c)
{
    int status = EXIT_DONE;
    /* LXC does not start a container in a path that is relative. */
    char *lxcpath = c->wish.lxcpath ? realpath(c->wish.lxcpath, NULL) : NULL;
    for (size_t i = 0; i < c->wish.count; i++) {
        if (c->results[i].state != PF_CONTAINER_MADE)
            continue;
        if (lxc_start(lxcpath, c->containers[i].name) == 0)
            continue;
        report_error("%s was made, but does not start: lxc-start -F -n %s shows why",
                     c->containers[i].name, c->containers[i].name);
        status = EXIT_FAILED;
    }
    free(lxcpath);
    return status;
}

static int create(struct create *c, struct options *options)
{
    struct pf_error err = {0};
    int status;
    if (geteuid() != 0) {
        report_error("making containers needs root's privileges");
        return EXIT_PERMISSION;
    }
    struct pf_engine *engine = command_engine(options, &status);
    if (!engine)
        return status;
    status = EXIT_DONE;
    int failed = pf_engine_create_containers(engine, &c->wish, c->results, &err);
    bool settled = any_settled(c);
    if (settled)
        report_results(c);
    if (failed && (!settled || err.code == PF_E_CANCELLED))
        status = report_failure(&err, signals_caught());
    else if (failed)
        status = report_status(&err, signals_caught());
    /* None of it is needed any more, and starting takes its time. */
    command_end(engine);
    if (c->start && settled && !signals_caught()) {
        int started = start_made(c);
        status = status ? status : started;
    }
    return status;
}

int command_create(int argc, char **argv, struct options *options)
{
    struct create c = {0};
    int option, status = EXIT_USAGE;
    while ((option = options_next(argc, argv, OPTIONS_SHORT "P:f:B:", long_options)) != -1) {
        if (command_answers(option, help, options, true)) {
            status = EXIT_DONE;
            break;
        }
        int taken = options_take(options, option, optarg);
        if (taken == 0)
            taken = take(&c, option, optarg);
        if (taken <= 0)
            break;
    }
    if (option == -1 && add_names(&c, argv + optind) == 0 && settle(&c, options) == 0)
        status = create(&c, options);
    end(&c);
    return status;
}
