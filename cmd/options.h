/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options: the settings that both programs take from the environment and the command line. */
#ifndef PF_CMD_OPTIONS_H
#define PF_CMD_OPTIONS_H

#include "engine.h"

#include <getopt.h>
#include <stdbool.h>

/* Owns the words that settings point to. Zero-initialise it. */
struct options {
    struct pf_settings settings;
    char **words[4]; /* categories, contrib, ignore, addons: split, or NULL */
    char *mirror;
    int verbosity; /* -1 quiet, 0, 1 verbose */
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
    OPT_VERSION,
    OPT_OF_COMMAND, /* the first that a sub-command may use for its own */
};

#define OPTIONS_SHORT ":hqvr:a:m:j:"
#define OPTIONS_LONG                                                                               \
    {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, OPT_VERSION},                 \
        {"quiet", no_argument, NULL, 'q'}, {"verbose", no_argument, NULL, 'v'},                    \
        {"release", required_argument, NULL, 'r'}, {"arch", required_argument, NULL, 'a'},         \
        {"mirror", required_argument, NULL, 'm'}, {"jobs", required_argument, NULL, 'j'},          \
        {"categories", required_argument, NULL, OPT_CATEGORIES},                                   \
        {"contrib", required_argument, NULL, OPT_CONTRIB},                                         \
        {"ignore", required_argument, NULL, OPT_IGNORE},                                           \
        {"add", required_argument, NULL, OPT_ADD}, {"cache", required_argument, NULL, OPT_CACHE},  \
        {"connections", required_argument, NULL, OPT_CONNECTIONS},                                 \
        {"lock-timeout", required_argument, NULL, OPT_LOCK_TIMEOUT},                               \
    {                                                                                              \
        "skip-corrupt", no_argument, NULL, OPT_SKIP_CORRUPT                                        \
    }

/* What the environment says: release, DLSCHEME, MIRRORSRV, MIRRORPATH, CATEGORIES, EXTRACTGRS,
   IGNOREPKGS, ADDONPKGS, LXC_CACHE_PATH. For the lists, set but empty means none. -1 where memory
   is short. */
int options_from_environment(struct options *options);

/* getopt_long without its own messages: for an option that is unknown or lacks its argument it says
   so in one line and returns '?'. short_options begins with ":". */
int options_next(int argc, char **argv, const char *short_options,
                 const struct option *long_options);

/* Takes one option that options_next returned, if it is a shared one. 1: taken; 0: not a shared
   one; -1: its argument makes no sense, which has been said. */
int options_take(struct options *options, int option, const char *argument);

void options_end(struct options *options);

/* The help's lines on the shared options. */
extern const char options_help[];

#endif
