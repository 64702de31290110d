/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"
#include "config.h"
#include "language.h"
#include "quantity.h"
#include "report.h"
#include "signals.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_CONFIG PF_CONFIG_FILE

static const char help[] =
    "Usage: plamo-fast warm [SECTION...] [OPTIONS]\n"
    "Bring the caches that a configuration file names up to date, ahead of need: all its sections "
    "or\n"
    "these. Containers can be made meanwhile. Options count for all sections, before the file.\n"
    "Example: plamo-fast warm --max-age 6h --quiet\n"
    "\n"
    "      --config FILE   default /etc/plamo-fast.conf, which is explained in its example\n"
    "      --max-age TIME  do not ask for what was asked less than TIME ago, like 90m, 6h or 2d\n"
    "      --update        ask in any case: --max-age 0\n"
    "      --keep N        keep N older sets of packages when newer ones replace them (none)\n";

enum { OPT_CONFIG = OPT_OF_COMMAND, OPT_MAX_AGE, OPT_KEEP };

static const struct option long_options[] = {
    OPTIONS_LONG,
    {"config", required_argument, NULL, OPT_CONFIG},
    {"max-age", required_argument, NULL, OPT_MAX_AGE},
    {"keep", required_argument, NULL, OPT_KEEP},
    {0},
};

/* The keys of a section are long options. */
static const char *const keys[] = {
    "release",     "arch",  "mirror",       "categories", "contrib",  "ignore",
    "add",         "cache", "ca-file",      "limit-rate", "min-rate", "stall-timeout",
    "connections", "jobs",  "lock-timeout", "max-age",    "keep",     NULL,
};

/* One section on its way. */
struct warming {
    const struct config_section *section;
    struct options options;
    struct pf_engine *engine;
    char *cache; /* the path of its folder, canonical where it is there */
};

struct warm {
    const char *config_path;
    struct config config;
    char **names; /* of the sections that are wanted; none: all */
    size_t name_count;
    struct warming *warmings;
    size_t count;
};

/* 1: taken; -1: it makes no sense, which has been said; 0: another option. */
static int take_own(struct options *options, int option, const char *argument)
{
    uint64_t value;
    switch (option) {
    case OPT_MAX_AGE:
        if (quantity_parse_duration(argument, &value) == 0 && value <= UINT32_MAX) {
            options->settings.max_age_s = (unsigned)value;
            return 1;
        }
        report_error("--max-age takes a time like 90m, 6h or 2d, not \"%s\"", argument);
        return -1;
    case OPT_UPDATE:
        options->settings.max_age_s = 0;
        return 1;
    case OPT_KEEP:
        if (strcmp(argument, "0") == 0 ||
            (quantity_parse_amount(argument, &value) == 0 && value <= 1000)) {
            options->settings.keep = (unsigned)strtoul(argument, NULL, 10);
            return 1;
        }
        report_error("--keep takes a whole number up to 1000, not \"%s\"", argument);
        return -1;
    default:
        return options_take(options, option, argument);
    }
}

/* The command line, once for each section. 1 where help has been answered, 0, or -1. */
static int take_command_line(struct warm *w, int argc, char **argv, struct options *options)
{
    int option;
    optind = 0; /* begins anew */
    while ((option = options_next(argc, argv, OPTIONS_SHORT, long_options)) != -1) {
        if (command_answers(option, help, options, false))
            return 1;
        if (option == OPT_CONFIG)
            w->config_path = optarg;
        else if (take_own(options, option, optarg) <= 0)
            return -1;
    }
    w->names = argv + optind;
    w->name_count = (size_t)(argc - optind);
    return 0;
}

static int code_of_key(const char *key)
{
    const struct option *option = long_options;
    while (option->name && strcmp(option->name, key) != 0)
        option++;
    return option->val;
}

/* A value's words are mirrors of which one after the other is turned to. */
static int take_mirrors(struct options *options, char *value)
{
    char *state = NULL;
    int taken = -1;
    for (char *url = strtok_r(value, " \t", &state); url; url = strtok_r(NULL, " \t", &state)) {
        taken = options_take(options, 'm', url);
        if (taken < 0)
            return taken;
    }
    if (taken < 0)
        report_error("mirror takes a URL, or several");
    return taken;
}

static const struct config_entry *earlier(const struct config_section *section, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(section->entries[i].key, section->entries[index].key) == 0)
            return &section->entries[i];
    }
    return NULL;
}

static int take_entry(const struct config_section *section, size_t index, struct options *options)
{
    const struct config_entry *entry = &section->entries[index];
    if (strcmp(entry->key, "mirror") == 0) {
        /* The value is cut, but needed again for the next section. */
        char *copy = strdup(entry->value);
        int taken = copy ? take_mirrors(options, copy) : -1;
        free(copy);
        return taken;
    }
    const struct config_entry *before = earlier(section, index);
    if (!before)
        return take_own(options, code_of_key(entry->key), entry->value);
    report_error("%s is given already, at line %u", entry->key, before->line);
    return -1;
}

static int take_section(const struct warm *w, const struct config_section *section,
                        struct options *options)
{
    int taken = 1;
    for (size_t i = 0; taken > 0 && i < section->count; i++) {
        char place[PATH_MAX + 16];
        snprintf(place, sizeof place, "%s:%u", w->config_path, section->entries[i].line);
        report_place(place);
        taken = take_entry(section, i, options);
        report_place(NULL);
    }
    /* Those that follow count instead of these. */
    options->own_mirrors = false;
    return taken > 0 ? 0 : -1;
}

static bool is_wanted(const struct warm *w, const char *name)
{
    bool wanted = w->name_count == 0;
    for (size_t i = 0; i < w->name_count && !wanted; i++)
        wanted = strcmp(w->names[i], name) == 0;
    return wanted;
}

static int check_names(const struct warm *w)
{
    for (size_t i = 0; i < w->name_count; i++) {
        bool found = false;
        for (size_t j = 1; j < w->config.count && !found; j++)
            found = strcmp(w->config.sections[j].name, w->names[i]) == 0;
        if (found)
            continue;
        report_error("%s has no section [%s]", w->config_path, w->names[i]);
        return EXIT_USAGE;
    }
    if (w->config.count > 1)
        return EXIT_DONE;
    report_error("%s has no section; one [NAME] for each cache is what it needs", w->config_path);
    return EXIT_USAGE;
}

/* Everything of a section is settled before any work begins. Returns the exit status. */
static int settle(struct warm *w, struct warming *warming, int argc, char **argv)
{
    struct pf_error err = {0};
    struct options *options = &warming->options;
    if (options_from_environment(options) < 0 ||
        take_section(w, &w->config.sections[0], options) < 0 ||
        take_section(w, warming->section, options) < 0 ||
        take_command_line(w, argc, argv, options) < 0 || options_check(options) < 0)
        return EXIT_USAGE;
    options->settings.update = true;
    options->settings.on_event = report_event;
    if (pf_engine_new(&options->settings, &warming->engine, &err)) {
        pf_error_context(&err, "%s:%u: section [%s]", w->config_path, warming->section->line,
                         warming->section->name);
        return report_failure(&err, 0);
    }
    const char *folder = pf_engine_cache_folder(warming->engine);
    warming->cache = realpath(folder, NULL);
    if (!warming->cache)
        warming->cache = strdup(folder);
    return warming->cache ? EXIT_DONE : EXIT_FAILED;
}

/* A cache folder has one set of packages for a release and architecture: two sections would undo
   each other's work for ever. */
static int refuse_rivals(const struct warm *w, const struct warming *a, const struct warming *b)
{
    const char *release = pf_engine_release(a->engine), *arch = pf_engine_arch(a->engine);
    if (strcmp(a->cache, b->cache) != 0 || strcmp(release, pf_engine_release(b->engine)) != 0 ||
        strcmp(arch, pf_engine_arch(b->engine)) != 0)
        return EXIT_DONE;
    report_error("%s:%u: section [%s] is of Plamo %s for %s in %s, as is [%s] at line %u: one of "
                 "them needs another cache",
                 w->config_path, b->section->line, b->section->name, release, arch, b->cache,
                 a->section->name, a->section->line);
    return EXIT_USAGE;
}

static int settle_all(struct warm *w, int argc, char **argv, unsigned uses)
{
    int status = EXIT_DONE;
    w->warmings = calloc(w->config.count, sizeof *w->warmings);
    if (!w->warmings)
        return EXIT_FAILED;
    for (size_t i = 1; i < w->config.count && status == EXIT_DONE; i++) {
        if (!is_wanted(w, w->config.sections[i].name))
            continue;
        struct warming *warming = &w->warmings[w->count++];
        warming->section = &w->config.sections[i];
        warming->options.uses = uses;
        status = settle(w, warming, argc, argv);
        for (size_t j = 0; j + 1 < w->count && status == EXIT_DONE; j++)
            status = refuse_rivals(w, &w->warmings[j], warming);
    }
    return status;
}

static int warm_one(const struct warm *w, struct warming *warming)
{
    struct pf_error err = {0};
    char text[PATH_MAX + 256];
    snprintf(text, sizeof text, _("[%s]: Plamo %s for %s in %s"), warming->section->name,
             pf_engine_release(warming->engine), pf_engine_arch(warming->engine), warming->cache);
    signals_watch(warming->engine);
    report_begin();
    report_event(NULL, &(struct pf_event){.type = PF_EVENT_PHASE, .text = text});
    int status = EXIT_DONE;
    if (pf_engine_prepare(warming->engine, &err)) {
        pf_error_context(&err, "%s:%u: section [%s]", w->config_path, warming->section->line,
                         warming->section->name);
        status = report_failure(&err, signals_caught());
    } else {
        report_summary(warming->engine);
    }
    command_end(warming->engine);
    warming->engine = NULL;
    return status;
}

/* A section that fails keeps no other from its turn. The first failure is the exit status. */
static int warm_all(struct warm *w)
{
    int status = EXIT_DONE;
    for (size_t i = 0; i < w->count && !signals_caught(); i++) {
        int one = warm_one(w, &w->warmings[i]);
        if (status == EXIT_DONE)
            status = one;
    }
    return signals_caught() ? 128 + signals_caught() : status;
}

static void end(struct warm *w)
{
    for (size_t i = 0; i < w->count; i++) {
        pf_engine_free(w->warmings[i].engine);
        options_end(&w->warmings[i].options);
        free(w->warmings[i].cache);
    }
    free(w->warmings);
    config_end(&w->config);
}

int command_warm(int argc, char **argv, struct options *options)
{
    char error[CONFIG_ERROR_SIZE];
    struct warm w = {.config_path = DEFAULT_CONFIG};
    int answered = take_command_line(&w, argc, argv, options);
    if (answered)
        return answered > 0 ? EXIT_DONE : EXIT_USAGE;
    report_init("plamo-fast", options->verbosity);
    pf_engine_init_process();
    int status = EXIT_USAGE;
    if (config_read(w.config_path, keys, &w.config, error) < 0)
        report_error("%s", error);
    else
        status = check_names(&w);
    if (status == EXIT_DONE)
        status = settle_all(&w, argc, argv, options->uses);
    if (status == EXIT_DONE && geteuid() != 0) {
        report_error("warming a cache needs root's privileges: it installs packages");
        status = EXIT_PERMISSION;
    }
    if (status == EXIT_DONE)
        status = warm_all(&w);
    end(&w);
    return status;
}
