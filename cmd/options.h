/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options: the settings that both programs take from the environment and the command line. */
#ifndef PF_CMD_OPTIONS_H
#define PF_CMD_OPTIONS_H

#include "defaults.h"
#include "engine.h"

#include <getopt.h>
#include <stdbool.h>

/* Owns the words that settings point to. Zero-initialise it. */
struct options {
    struct pf_settings settings;
    char **words[4]; /* categories, contrib, ignore, addons: split, or NULL */
    char **mirrors;  /* URLs, ended by NULL */
    size_t mirror_count;
    bool own_mirrors;         /* they are the command line's */
    struct defaults defaults; /* what OPTIONS_DEFAULTS_FILE says */
    bool cache_of_system;     /* that names the cache folder */
    unsigned uses;            /* enum options_use: of this command */
    const char *chosen;       /* an option of OPTIONS_PACKAGES that the command line has */
    int verbosity;            /* -1 quiet, 0, 1 verbose, 2 more of it */
    const char *timezone, *network, *root_password; /* of a root, see struct pf_target */
};

/* What a command makes use of. A shared option of anything else is refused, and not in its help. */
enum options_use {
    OPTIONS_RELEASE = 1 << 0,  /* --release, --arch */
    OPTIONS_PACKAGES = 1 << 1, /* --categories, --contrib, --ignore, --add */
    OPTIONS_MIRROR = 1 << 2,   /* what is asked of mirrors, and how */
    OPTIONS_LIMIT = 1 << 3,    /* --limit */
    OPTIONS_JOBS = 1 << 4,     /* --jobs */
    OPTIONS_SKIP = 1 << 5,     /* --skip-corrupt */
    OPTIONS_SANDBOX = 1 << 6,  /* --no-sandbox */
    OPTIONS_LOCK = 1 << 7,     /* --lock, --keyring */
    OPTIONS_OFFLINE = 1 << 8,
    OPTIONS_UPDATE = 1 << 9,
    OPTIONS_CACHE = 1 << 10,
    OPTIONS_WAIT = 1 << 11, /* --lock-timeout */
    OPTIONS_STORE = OPTIONS_CACHE | OPTIONS_WAIT,
    OPTIONS_INSTALL = OPTIONS_LIMIT | OPTIONS_JOBS | OPTIONS_SKIP | OPTIONS_SANDBOX,
    OPTIONS_ALL = (1 << 12) - 1,
};

/* Long options that all sub-commands of plamo-fast share; put them into their tables. */
enum {
    OPT_CATEGORIES = 256,
    OPT_CONTRIB,
    OPT_IGNORE,
    OPT_ADD,
    OPT_CACHE,
    OPT_CONNECTIONS,
    OPT_LOCK_TIMEOUT,
    OPT_SKIP_CORRUPT,
    OPT_NO_SANDBOX,
    OPT_CA_FILE,
    OPT_LIMIT_RATE,
    OPT_MIN_RATE,
    OPT_STALL_TIMEOUT,
    OPT_FETCH_TIMEOUT,
    OPT_NO_CHECKSUMS,
    OPT_LIMIT,
    OPT_LOCK,
    OPT_KEYRING,
    OPT_OFFLINE,
    OPT_UPDATE,
    OPT_TIMEZONE,
    OPT_NETWORK,
    OPT_ROOT_PASSWORD,
    OPT_PROGRESS,
    OPT_VERSION,
    OPT_OF_COMMAND, /* the first that a sub-command may use for its own */
};

#define OPTIONS_SHORT ":hqv46r:a:m:j:"
#define OPTIONS_LONG                                                                               \
    {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, OPT_VERSION},                 \
        {"quiet", no_argument, NULL, 'q'}, {"verbose", no_argument, NULL, 'v'},                    \
        {"progress", required_argument, NULL, OPT_PROGRESS},                                       \
        {"release", required_argument, NULL, 'r'}, {"arch", required_argument, NULL, 'a'},         \
        {"mirror", required_argument, NULL, 'm'}, {"jobs", required_argument, NULL, 'j'},          \
        {"categories", required_argument, NULL, OPT_CATEGORIES},                                   \
        {"contrib", required_argument, NULL, OPT_CONTRIB},                                         \
        {"ignore", required_argument, NULL, OPT_IGNORE},                                           \
        {"add", required_argument, NULL, OPT_ADD}, {"cache", required_argument, NULL, OPT_CACHE},  \
        {"connections", required_argument, NULL, OPT_CONNECTIONS},                                 \
        {"lock-timeout", required_argument, NULL, OPT_LOCK_TIMEOUT},                               \
        {"ca-file", required_argument, NULL, OPT_CA_FILE},                                         \
        {"limit-rate", required_argument, NULL, OPT_LIMIT_RATE},                                   \
        {"min-rate", required_argument, NULL, OPT_MIN_RATE},                                       \
        {"stall-timeout", required_argument, NULL, OPT_STALL_TIMEOUT},                             \
        {"fetch-timeout", required_argument, NULL, OPT_FETCH_TIMEOUT},                             \
        {"lock", required_argument, NULL, OPT_LOCK},                                               \
        {"limit", required_argument, NULL, OPT_LIMIT},                                             \
        {"keyring", required_argument, NULL, OPT_KEYRING},                                         \
        {"no-checksums", no_argument, NULL, OPT_NO_CHECKSUMS},                                     \
        {"offline", no_argument, NULL, OPT_OFFLINE}, {"update", no_argument, NULL, OPT_UPDATE},    \
        {"no-sandbox", no_argument, NULL, OPT_NO_SANDBOX}, {"ipv4", no_argument, NULL, '4'},       \
        {"ipv6", no_argument, NULL, '6'},                                                          \
    {                                                                                              \
        "skip-corrupt", no_argument, NULL, OPT_SKIP_CORRUPT                                        \
    }

/* Those of the programs that configure a root. */
#define OPTIONS_LONG_ROOT                                                                          \
    {"timezone", required_argument, NULL, OPT_TIMEZONE},                                           \
        {"network", required_argument, NULL, OPT_NETWORK},                                         \
    {                                                                                              \
        "root-password", required_argument, NULL, OPT_ROOT_PASSWORD                                \
    }

/* Sourced by lxc-plamo, too. */
#define OPTIONS_DEFAULTS_FILE "/etc/default/lxc"

/* What the environment says, and where it says nothing OPTIONS_DEFAULTS_FILE: release, DLSCHEME,
   MIRRORSRV, MIRRORPATH, CATEGORIES, EXTRACTGRS, IGNOREPKGS, ADDONPKGS, LXC_CACHE_PATH. For the
   lists, set but empty means none. -1 where memory is short. */
int options_from_environment(struct options *options);

/* When all options are taken: -1 where they contradict each other, or leave to the defaults' file
   what it does not say in plain words, which has been said. */
int options_check(const struct options *options);

/* getopt_long without its own messages: for an option that is unknown or lacks its argument it says
   so in one line and returns '?'. short_options begins with ":". */
int options_next(int argc, char **argv, const char *short_options,
                 const struct option *long_options);

/* Takes one option that options_next returned, if it is a shared one. 1: taken; 0: not a shared
   one; -1: its argument makes no sense, which has been said. */
int options_take(struct options *options, int option, const char *argument);

void options_end(struct options *options);

/* Prints the help's lines on the shared options of what is used. */
void options_print_help(unsigned uses);

/* On the environment and the exit status. */
extern const char options_environment_help[];

/* And on those of OPTIONS_LONG_ROOT. */
extern const char options_root_help[];

#endif
