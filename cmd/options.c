/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "options.h"

#include "language.h"
#include "namelist.h"
#include "quantity.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char options_root_help[] =
    "      --timezone ZONE like Europe/Berlin (Asia/Tokyo)  --network HOW  dhcp (default) or none\n"
    "      --root-password HOW  keep, locked, password:TEXT, file:PATH (its first line) or\n"
    "                      hash:CRYPT (default keep; of 5.x root, with a warning)\n";

/* A line is shown where all that it tells of is used. */
static const struct {
    unsigned uses;
    const char *text;
} help_lines[] = {
    {OPTIONS_RELEASE,
     N_("  -r, --release R     5.x to 8.x (default 7.x)     -a, --arch A     x86_64 or x86\n")},
    {OPTIONS_PACKAGES,
     N_("      --categories L  folders of plamo/                --contrib L  folders of contrib/\n"
        "      --ignore L      packages never taken             --add L      FOLDER/NAME of "
        "others\n")},
    {OPTIONS_MIRROR,
     N_("  -m, --mirror URL    http, https, ftp or file; repeated: others to turn to\n"
        "      --ca-file FILE  authorities for https        -4, --ipv4       -6, --ipv6  only "
        "that\n"
        "      --limit-rate R  bytes/s at most, like 2M         --connections N  at once (8)\n"
        "      --min-rate R    break off what is slower (1k)    --stall-timeout S  for so long "
        "(30)\n"
        "      --fetch-timeout S  for all of it (no limit)      --no-checksums   ignore its "
        "lists\n")},
    {OPTIONS_INSTALL,
     N_("      --limit NAME=N  of one package: entries, depth, names, ratio, bytes or memory\n"
        "  -j, --jobs N  threads    --skip-corrupt  go on without    --no-sandbox  trust "
        "scripts\n")},
    {OPTIONS_LOCK, N_("      --lock FILE     exactly what it says             --keyring K    "
                      "signed by one of K\n")},
    {OPTIONS_OFFLINE | OPTIONS_UPDATE, N_("      --offline       use the cache alone              "
                                          "--update     fetch what changed\n")},
    {OPTIONS_STORE,
     N_("      --cache DIR     default /var/cache/lxc           --lock-timeout S  wait (600)\n")},
    {0, N_("  -q, --quiet  -v, -vv, --verbose  --progress auto|bar|plain|json|none  -h, --help  "
           "--version\n")},
};

void options_print_help(unsigned uses)
{
    for (size_t i = 0; i < sizeof help_lines / sizeof *help_lines; i++) {
        if ((uses & help_lines[i].uses) == help_lines[i].uses)
            fputs(_(help_lines[i].text), stdout);
    }
}

const char options_environment_help[] =
    "Environment: DLSCHEME MIRRORSRV MIRRORPATH name the mirror (MIRRORSRV may name several);\n"
    "CATEGORIES EXTRACTGRS ADDONPKGS IGNOREPKGS choose packages; LXC_CACHE_PATH; release (each "
    "may\n"
    "be set in /etc/default/lxc, too); http_proxy https_proxy no_proxy. Exit status: 0 done,\n"
    "1 failed, 2 usage, 3 mirror, 4 package, 5 busy, 6 permission, 7 no space, 130 SIGINT, 143 "
    "SIGTERM\n";

enum { WORDS_CATEGORIES, WORDS_CONTRIB, WORDS_IGNORE, WORDS_ADDONS };

static void free_words(char **words)
{
    for (char **word = words; word && *word; word++)
        free(*word);
    free(words);
}

static int add_word(char ***words, size_t *count, const char *word)
{
    char *copy = strdup(word);
    char **grown = copy ? reallocarray(*words, *count + 2, sizeof *grown) : NULL;
    if (!grown) {
        free(copy);
        return -1;
    }
    *words = grown;
    grown[(*count)++] = copy;
    grown[*count] = NULL;
    return 0;
}

/* A word with braces stands for several; as for the shell, one whose braces make no sense stands
   for itself. */
static int put_words(char ***words, size_t *count, const char *word)
{
    struct namelist names = {0};
    char why[256];
    int failed = 0;
    if (!strchr(word, '{') || namelist_add(&names, word, why) < 0) {
        failed = add_word(words, count, word);
    } else {
        for (size_t i = 0; !failed && i < names.count; i++)
            failed = add_word(words, count, names.names[i]);
    }
    namelist_end(&names);
    return failed;
}

/* Splits at white space. NULL where memory is short. */
static char **split_words(const char *text)
{
    char *copy = strdup(text);
    char **words = calloc(1, sizeof *words);
    size_t count = 0;
    char *state = NULL;
    int failed = copy && words ? 0 : -1;
    for (char *w = failed ? NULL : strtok_r(copy, " \t\n", &state); !failed && w;
         w = strtok_r(NULL, " \t\n", &state))
        failed = put_words(&words, &count, w);
    free(copy);
    if (!failed)
        return words;
    free_words(words);
    return NULL;
}

static int set_words(struct options *options, int which, const char *text)
{
    char **words = split_words(text);
    if (!words)
        return -1;
    free_words(options->words[which]);
    options->words[which] = words;
    const char *const *list = (const char *const *)words;
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

/* Of the environment, else of the defaults' file. */
static const char *variable(const struct options *options, const char *name)
{
    const char *value = getenv(name);
    const struct defaults_value *found = value ? NULL : defaults_find(&options->defaults, name);
    return found ? found->value : value;
}

static const char *variable_or(const struct options *options, const char *name,
                               const char *fallback)
{
    const char *value = getenv(name);
    if (value && *value)
        return value;
    const struct defaults_value *found = defaults_find(&options->defaults, name);
    return found && found->value && *found->value ? found->value : fallback;
}

static int add_mirror(struct options *options, char *url)
{
    char **grown = realloc(options->mirrors, (options->mirror_count + 2) * sizeof *grown);
    if (grown)
        options->mirrors = grown;
    if (!grown || !url) {
        free(url);
        return -1;
    }
    grown[options->mirror_count++] = url;
    grown[options->mirror_count] = NULL;
    options->settings.mirrors = (const char *const *)grown;
    return 0;
}

static void drop_mirrors(struct options *options)
{
    for (size_t i = 0; i < options->mirror_count; i++)
        free(options->mirrors[i]);
    free(options->mirrors);
    options->mirrors = NULL;
    options->mirror_count = 0;
}

/* Those of the command line count instead of those of the environment. */
static int take_mirror(struct options *options, const char *url)
{
    if (!options->own_mirrors)
        drop_mirrors(options);
    options->own_mirrors = true;
    if (add_mirror(options, strdup(url)) == 0)
        return 1;
    report_error("out of memory");
    return -1;
}

/* MIRRORSRV may name several servers. */
static int mirrors_from_environment(struct options *options)
{
    const char *scheme = variable_or(options, "DLSCHEME", NULL);
    const char *names = variable_or(options, "MIRRORSRV", NULL);
    const char *path = variable_or(options, "MIRRORPATH", NULL);
    if (!scheme && !names && !path)
        return 0;
    char **servers = split_words(names ? names : "repository.plamolinux.org");
    int failed = servers ? 0 : -1;
    for (char **server = servers; !failed && *server; server++) {
        char *url = NULL;
        if (asprintf(&url, "%s://%s%s", scheme ? scheme : "https", *server,
                     path ? path : "/pub/linux/Plamo") < 0)
            url = NULL;
        failed = add_mirror(options, url);
    }
    free_words(servers);
    return failed;
}

static const struct {
    const char *name;
    int which;
} lists[] = {
    {"CATEGORIES", WORDS_CATEGORIES},
    {"EXTRACTGRS", WORDS_CONTRIB},
    {"IGNOREPKGS", WORDS_IGNORE},
    {"ADDONPKGS", WORDS_ADDONS},
};

int options_from_environment(struct options *options)
{
    static const char *const known[] = {"release",        "DLSCHEME",   "MIRRORSRV",  "MIRRORPATH",
                                        "CATEGORIES",     "EXTRACTGRS", "IGNOREPKGS", "ADDONPKGS",
                                        "LXC_CACHE_PATH", NULL};
    if (defaults_read(OPTIONS_DEFAULTS_FILE, known, &options->defaults) < 0)
        return -1;
    options->settings.release = variable_or(options, "release", NULL);
    options->settings.cache_folder = variable_or(options, "LXC_CACHE_PATH", NULL);
    const char *cache = getenv("LXC_CACHE_PATH");
    options->cache_of_system = options->settings.cache_folder && (!cache || !*cache);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        const char *value = variable(options, lists[i].name);
        if (value && set_words(options, lists[i].which, value) < 0)
            return -1;
    }
    return mirrors_from_environment(options);
}

static int check_readable(const struct options *options, const char *name)
{
    const struct defaults_value *found = defaults_find(&options->defaults, name);
    if (!found || found->value || variable_or(options, name, NULL))
        return 0;
    report_error("%s:%u: %s is set there in a way that takes a shell to read; give it a plain "
                 "value, or an option in its place",
                 OPTIONS_DEFAULTS_FILE, found->line, name);
    return -1;
}

static int check_combination(const struct options *options)
{
    const struct pf_settings *s = &options->settings;
    if (s->keyring && !s->lock_file)
        report_error("--keyring is of no use without --lock: it is for the lockfile's signature");
    else if (s->lock_file && options->chosen)
        report_error("--%s is of no use with --lock: the lockfile says which packages",
                     options->chosen);
    else
        return 0;
    return -1;
}

int options_check(const struct options *options)
{
    int failed = check_combination(options);
    for (size_t i = 0; !failed && i < sizeof lists / sizeof *lists; i++)
        failed = options->words[lists[i].which] ? 0 : check_readable(options, lists[i].name);
    if (!failed && !options->settings.release)
        failed = check_readable(options, "release");
    if (!failed && !options->settings.cache_folder)
        failed = check_readable(options, "LXC_CACHE_PATH");
    if (failed || options->own_mirrors)
        return failed;
    return check_readable(options, "DLSCHEME") < 0 || check_readable(options, "MIRRORSRV") < 0 ||
                   check_readable(options, "MIRRORPATH") < 0
               ? -1
               : 0;
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

static int take_rate(const char *option, const char *text, uint64_t *bytes_per_s)
{
    if (quantity_parse_rate(text, bytes_per_s) == 0)
        return 1;
    report_error("--%s takes bytes a second, like 500k or 2M, not \"%s\"", option, text);
    return -1;
}

static int take_min_rate(const char *text, unsigned *bytes_per_s)
{
    uint64_t rate;
    int taken = take_rate("min-rate", text, &rate);
    if (taken == 1 && (rate == 0 || rate > INT32_MAX)) {
        report_error("--min-rate takes 1 to 2G, not \"%s\"", text);
        return -1;
    }
    if (taken == 1)
        *bytes_per_s = (unsigned)rate;
    return taken;
}

/* "NAME=N": more than the default that one package may be. */
static int take_limit(const char *text, struct pf_limits *limits)
{
    const struct {
        const char *name;
        uint64_t *value;
    } known[] = {
        {"entries", &limits->entries},     {"depth", &limits->depth},
        {"names", &limits->name_bytes},    {"ratio", &limits->ratio},
        {"bytes", &limits->bytes},         {"memory", &limits->memory_bytes},
        {"unchecked", &limits->unchecked},
    };
    size_t length = strcspn(text, "=");
    for (size_t i = 0; text[length] && i < sizeof known / sizeof *known; i++) {
        if (strlen(known[i].name) == length && strncmp(text, known[i].name, length) == 0 &&
            quantity_parse_amount(text + length + 1, known[i].value) == 0)
            return 1;
    }
    report_error("--limit takes NAME=N like ratio=5000, with one of entries, depth, names, ratio, "
                 "bytes, memory, unchecked, not \"%s\"",
                 text);
    return -1;
}

static int take_progress(const char *word)
{
    if (report_choose(word) == 0)
        return 1;
    report_error("--progress takes auto, bar, plain, json or none, not \"%s\"", word);
    return -1;
}

static int take_words(struct options *options, int which, const char *text)
{
    if (set_words(options, which, text) == 0)
        return 1;
    report_error("out of memory");
    return -1;
}

/* Is an option one of what the command makes use of? */
static int check_use(const struct options *options, int option)
{
    static const struct {
        int option;
        const char *name;
        unsigned use;
    } known[] = {
        {'r', "release", OPTIONS_RELEASE},
        {'a', "arch", OPTIONS_RELEASE},
        {'m', "mirror", OPTIONS_MIRROR},
        {'4', "ipv4", OPTIONS_MIRROR},
        {'6', "ipv6", OPTIONS_MIRROR},
        {'j', "jobs", OPTIONS_JOBS},
        {OPT_CATEGORIES, "categories", OPTIONS_PACKAGES},
        {OPT_CONTRIB, "contrib", OPTIONS_PACKAGES},
        {OPT_IGNORE, "ignore", OPTIONS_PACKAGES},
        {OPT_ADD, "add", OPTIONS_PACKAGES},
        {OPT_CACHE, "cache", OPTIONS_CACHE},
        {OPT_CONNECTIONS, "connections", OPTIONS_MIRROR},
        {OPT_LOCK_TIMEOUT, "lock-timeout", OPTIONS_WAIT},
        {OPT_SKIP_CORRUPT, "skip-corrupt", OPTIONS_SKIP},
        {OPT_NO_SANDBOX, "no-sandbox", OPTIONS_SANDBOX},
        {OPT_CA_FILE, "ca-file", OPTIONS_MIRROR},
        {OPT_LIMIT_RATE, "limit-rate", OPTIONS_MIRROR},
        {OPT_MIN_RATE, "min-rate", OPTIONS_MIRROR},
        {OPT_STALL_TIMEOUT, "stall-timeout", OPTIONS_MIRROR},
        {OPT_FETCH_TIMEOUT, "fetch-timeout", OPTIONS_MIRROR},
        {OPT_NO_CHECKSUMS, "no-checksums", OPTIONS_MIRROR},
        {OPT_LIMIT, "limit", OPTIONS_LIMIT},
        {OPT_LOCK, "lock", OPTIONS_LOCK},
        {OPT_KEYRING, "keyring", OPTIONS_LOCK},
        {OPT_OFFLINE, "offline", OPTIONS_OFFLINE},
        {OPT_UPDATE, "update", OPTIONS_UPDATE},
    };
    size_t i = 0;
    while (i < sizeof known / sizeof *known && known[i].option != option)
        i++;
    if (i == sizeof known / sizeof *known || (options->uses & known[i].use))
        return 0;
    report_error("this command makes no use of --%s; --help lists what it takes", known[i].name);
    return -1;
}

static int take_choice(struct options *options, int which, const char *name, const char *text)
{
    options->chosen = name;
    return take_words(options, which, text);
}

int options_take(struct options *options, int option, const char *argument)
{
    struct pf_settings *s = &options->settings;
    if (check_use(options, option) < 0)
        return -1;
    switch (option) {
    case 'q':
        options->verbosity = -1;
        return 1;
    case 'v':
        options->verbosity = options->verbosity < 1 ? 1 : 2;
        return 1;
    case OPT_PROGRESS:
        return take_progress(argument);
    case 'r':
        s->release = argument;
        return 1;
    case 'a':
        s->arch = argument;
        return 1;
    case 'm':
        return take_mirror(options, argument);
    case '4':
    case '6':
        s->ip_version = (unsigned)(option - '0');
        return 1;
    case 'j':
        return take_number("jobs", argument, 1, 256, &s->jobs);
    case OPT_CATEGORIES:
        return take_choice(options, WORDS_CATEGORIES, "categories", argument);
    case OPT_CONTRIB:
        return take_choice(options, WORDS_CONTRIB, "contrib", argument);
    case OPT_IGNORE:
        return take_choice(options, WORDS_IGNORE, "ignore", argument);
    case OPT_ADD:
        return take_choice(options, WORDS_ADDONS, "add", argument);
    case OPT_CACHE:
        s->cache_folder = argument;
        options->cache_of_system = false;
        return 1;
    case OPT_CONNECTIONS:
        return take_number("connections", argument, 1, 64, &s->connections);
    case OPT_LOCK_TIMEOUT: {
        int taken = take_number("lock-timeout", argument, 0, 86400, &s->lock_timeout_s);
        if (taken == 1 && s->lock_timeout_s == 0)
            s->lock_timeout_s = PF_NO_WAIT;
        return taken;
    }
    case OPT_CA_FILE:
        s->ca_file = argument;
        return 1;
    case OPT_LIMIT_RATE:
        return take_rate("limit-rate", argument, &s->limit_bytes_per_s);
    case OPT_MIN_RATE:
        return take_min_rate(argument, &s->least_bytes_per_s);
    case OPT_STALL_TIMEOUT:
        return take_number("stall-timeout", argument, 1, 86400, &s->stall_timeout_s);
    case OPT_FETCH_TIMEOUT:
        return take_number("fetch-timeout", argument, 1, 31536000, &s->fetch_timeout_s);
    case OPT_LIMIT:
        return take_limit(argument, &s->limits);
    case OPT_LOCK:
        s->lock_file = argument;
        return 1;
    case OPT_KEYRING:
        s->keyring = argument;
        return 1;
    case OPT_NO_CHECKSUMS:
        s->no_checksums = true;
        return 1;
    case OPT_OFFLINE:
        s->offline = true;
        return 1;
    case OPT_UPDATE:
        s->update = true;
        return 1;
    case OPT_SKIP_CORRUPT:
        s->skip_corrupt = true;
        return 1;
    case OPT_NO_SANDBOX:
        s->no_sandbox = true;
        return 1;
    case OPT_TIMEZONE:
        options->timezone = argument;
        return 1;
    case OPT_NETWORK:
        options->network = argument;
        return 1;
    case OPT_ROOT_PASSWORD:
        options->root_password = argument;
        return 1;
    default:
        return 0;
    }
}

void options_end(struct options *options)
{
    for (size_t i = 0; i < sizeof options->words / sizeof *options->words; i++)
        free_words(options->words[i]);
    drop_mirrors(options);
    defaults_end(&options->defaults);
    *options = (struct options){0};
}
