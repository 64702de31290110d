/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "options.h"

#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char options_help[] =
    "  -r, --release R         release, like 7.x or 8.x (default 7.x)\n"
    "  -a, --arch A            x86_64 or x86 (default: this machine's)\n"
    "  -m, --mirror URL        the folder that has Plamo-R, by http or https\n"
    "      --categories LIST   folders of plamo/ (default 00_base); \"\" for none\n"
    "      --contrib LIST      folders of contrib/\n"
    "      --ignore LIST       packages never taken from a category\n"
    "      --add LIST          single packages, as FOLDER/NAME\n"
    "      --cache DIR         cache folder (default /var/cache/lxc)\n"
    "  -j, --jobs N            worker threads (default: one per processor)\n"
    "      --connections N     transfers at once (default 8)\n"
    "      --lock-timeout S    seconds to wait for another build (default 600)\n"
    "      --skip-corrupt      go on without damaged packages\n"
    "  -q, --quiet             only warnings and errors;  -v, --verbose  everything\n"
    "  -h, --help              this help;  --version  the version\n";

enum { WORDS_CATEGORIES, WORDS_CONTRIB, WORDS_IGNORE, WORDS_ADDONS };

static void free_words(char **words)
{
    if (!words)
        return;
    free(words[0]); /* the text that all of them point into, see split_words */
    free(words);
}

/* Splits at white space. The first element owns the text and is not part of the list. */
static char **split_words(const char *text)
{
    char *copy = strdup(text);
    char **words = calloc(strlen(text) / 2 + 3, sizeof *words);
    if (!copy || !words) {
        free(copy);
        free(words);
        return NULL;
    }
    words[0] = copy;
    size_t count = 1;
    char *state = NULL;
    for (char *w = strtok_r(copy, " \t\n", &state); w; w = strtok_r(NULL, " \t\n", &state))
        words[count++] = w;
    return words;
}

static int set_words(struct options *options, int which, const char *text)
{
    char **words = split_words(text);
    if (!words)
        return -1;
    free_words(options->words[which]);
    options->words[which] = words;
    const char *const *list = (const char *const *)(words + 1);
    switch (which) {
    case WORDS_CATEGORIES:
        options->settings.categories = list;
        break;
    case WORDS_CONTRIB:
        options->settings.contrib = list;
        break;
    case WORDS_IGNORE:
        options->settings.ignore = list;
        break;
    default:
        options->settings.addons = list;
        break;
    }
    return 0;
}

static const char *env_or(const char *name, const char *fallback)
{
    const char *value = getenv(name);
    return value && *value ? value : fallback;
}

static int mirror_from_environment(struct options *options)
{
    if (!env_or("DLSCHEME", NULL) && !env_or("MIRRORSRV", NULL) && !env_or("MIRRORPATH", NULL))
        return 0;
    if (asprintf(&options->mirror, "%s://%s%s", env_or("DLSCHEME", "https"),
                 env_or("MIRRORSRV", "repository.plamolinux.org"),
                 env_or("MIRRORPATH", "/pub/linux/Plamo")) < 0) {
        options->mirror = NULL;
        return -1;
    }
    options->settings.mirror = options->mirror;
    return 0;
}

int options_from_environment(struct options *options)
{
    static const struct {
        const char *name;
        int which;
    } lists[] = {
        {"CATEGORIES", WORDS_CATEGORIES},
        {"EXTRACTGRS", WORDS_CONTRIB},
        {"IGNOREPKGS", WORDS_IGNORE},
        {"ADDONPKGS", WORDS_ADDONS},
    };
    options->settings.release = env_or("release", NULL);
    options->settings.cache_folder = env_or("LXC_CACHE_PATH", NULL);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const char *value = getenv(lists[i].name);
        if (value && set_words(options, lists[i].which, value) < 0)
            return -1;
    }
    return mirror_from_environment(options);
}

int options_next(int argc, char **argv, const char *short_options,
                 const struct option *long_options)
{
    opterr = 0;
    int option = getopt_long(argc, argv, short_options, long_options, NULL);
    if (option != '?' && option != ':')
        return option;
    /* getopt has moved past a long option; a short one may stand among others in one word. */
    const char *word = argv[optind - 1];
    char letter[3] = {'-', (char)optopt, '\0'};
    bool is_long = strncmp(word, "--", 2) == 0 || optopt == 0 || optopt > 255;
    const char *name = is_long ? word : letter;
    if (option == ':')
        report_error("option %s needs an argument", name);
    else if (is_long && optopt)
        report_error("option %s takes no argument", name);
    else
        report_error("there is no option %s; --help lists them", name);
    return '?';
}

/* A whole number from least to most. */
static int take_number(const char *option, const char *text, unsigned long least,
                       unsigned long most, unsigned *out)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || value < least || value > most) {
        report_error("--%s takes a whole number from %lu to %lu, not \"%s\"", option, least, most,
                     text);
        return -1;
    }
    *out = (unsigned)value;
    return 1;
}

static int take_words(struct options *options, int which, const char *text)
{
    if (set_words(options, which, text) == 0)
        return 1;
    report_error("out of memory");
    return -1;
}

int options_take(struct options *options, int option, const char *argument)
{
    struct pf_settings *s = &options->settings;
    switch (option) {
    case 'q':
        options->verbosity = -1;
        return 1;
    case 'v':
        options->verbosity = 1;
        return 1;
    case 'r':
        s->release = argument;
        return 1;
    case 'a':
        s->arch = argument;
        return 1;
    case 'm':
        s->mirror = argument;
        return 1;
    case 'j':
        return take_number("jobs", argument, 1, 256, &s->jobs);
    case OPT_CATEGORIES:
        return take_words(options, WORDS_CATEGORIES, argument);
    case OPT_CONTRIB:
        return take_words(options, WORDS_CONTRIB, argument);
    case OPT_IGNORE:
        return take_words(options, WORDS_IGNORE, argument);
    case OPT_ADD:
        return take_words(options, WORDS_ADDONS, argument);
    case OPT_CACHE:
        s->cache_folder = argument;
        return 1;
    case OPT_CONNECTIONS:
        return take_number("connections", argument, 1, 64, &s->connections);
    case OPT_LOCK_TIMEOUT: {
        int taken = take_number("lock-timeout", argument, 0, 86400, &s->lock_timeout_s);
        if (taken == 1 && s->lock_timeout_s == 0)
            s->lock_timeout_s = PF_NO_WAIT;
        return taken;
    }
    case OPT_SKIP_CORRUPT:
        s->skip_corrupt = true;
        return 1;
    default:
        return 0;
    }
}

void options_end(struct options *options)
{
    for (size_t i = 0; i < sizeof options->words / sizeof *options->words; i++)
        free_words(options->words[i]);
    free(options->mirror);
    *options = (struct options){0};
}
