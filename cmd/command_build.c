/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"
#include "report.h"
#include "signals.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: plamo-fast build ROOT [OPTIONS]\n"
    "Make the folder ROOT a root file system: fetch, verify and install the packages\n"
    "(or take what the cache has), copy, and configure for a container.\n"
    "Example: plamo-fast build /srv/plamo --release 8.x --name web1\n"
    "\n"
    "      --name NAME         the container's name (default: ROOT's last component)\n"
    "      --no-configure      leave the root as installed\n";

enum { OPT_NAME = OPT_OF_COMMAND, OPT_NO_CONFIGURE };

static const struct option long_options[] = {
    OPTIONS_LONG,
    {"name", required_argument, NULL, OPT_NAME},
    {"no-configure", no_argument, NULL, OPT_NO_CONFIGURE},
    {0},
};

/* The last component of a path, slashes at its end not counted. The caller frees it. */
static char *last_component(const char *path)
{
    size_t end = strlen(path);
    while (end > 0 && path[end - 1] == '/')
        end--;
    size_t start = end;
    while (start > 0 && path[start - 1] != '/')
        start--;
    return strndup(path + start, end - start);
}

static int build(struct options *options, const char *root, const char *name, bool configure)
{
    struct pf_error err = {0};
    int status;
    if (geteuid() != 0) {
        report_error("building a root needs root's privileges (or those of root in a user "
                     "namespace, as unshare -r gives them)");
        return EXIT_PERMISSION;
    }
    struct pf_engine *engine = command_engine(options, &status);
    if (!engine)
        return status;
    char *own_name = last_component(root);
    struct pf_target target = {.root = root, .name = name ? name : own_name};
    if (!configure)
        target.name = NULL;
    status = EXIT_DONE;
    if (pf_engine_create_root(engine, &target, &err))
        status = report_failure(&err, signals_caught());
    else
        report_summary(engine);
    free(own_name);
    command_end(engine);
    return status;
}

int command_build(int argc, char **argv, struct options *options)
{
    const char *name = NULL;
    bool configure = true;
    int option;
    while ((option = options_next(argc, argv, OPTIONS_SHORT, long_options)) != -1) {
        if (command_answers(option, help))
            return EXIT_DONE;
        int taken = options_take(options, option, optarg);
        if (taken == 0 && option == OPT_NAME)
            name = optarg;
        else if (taken == 0 && option == OPT_NO_CONFIGURE)
            configure = false;
        else if (taken <= 0)
            return EXIT_USAGE;
    }
    if (argc - optind != 1) {
        report_error("build takes one folder: plamo-fast build ROOT [OPTIONS]");
        return EXIT_USAGE;
    }
    return build(options, argv[optind], name, configure);
}
