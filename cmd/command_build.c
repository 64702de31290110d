/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"
#include "language.h"
#include "report.h"
#include "signals.h"
#include "trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char help[] =
    "Usage: plamo-fast build ROOT [OPTIONS]\n"
    "Make the folder ROOT a root file system: fetch, verify and install the packages\n"
    "(or take what the cache has), copy, and configure for a container.\n"
    "Example: plamo-fast build /srv/plamo --release 8.x --name web1\n"
    "\n"
    "      --name NAME     the container's name (default: ROOT's last component)\n"
    "      --no-configure  leave the root as installed      --digest     print ROOT's digest\n"
    "      --trace FILE    where the time went, for Perfetto\n";

enum { OPT_NAME = OPT_OF_COMMAND, OPT_NO_CONFIGURE, OPT_DIGEST, OPT_TRACE };

static const struct option long_options[] = {
    OPTIONS_LONG,
    OPTIONS_LONG_ROOT,
    {"name", required_argument, NULL, OPT_NAME},
    {"no-configure", no_argument, NULL, OPT_NO_CONFIGURE},
    {"digest", no_argument, NULL, OPT_DIGEST},
    {"trace", required_argument, NULL, OPT_TRACE},
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

/* What the command line says beside what all commands take. */
struct wish {
    const char *name; /* NULL: the root's last component */
    const char *trace;
    bool as_installed, digest;
};

static void say(const char *subject, const char *fmt, const char *text)
{
    char whole[512];
    snprintf(whole, sizeof whole, fmt, text);
    report_event(NULL,
                 &(struct pf_event){.type = PF_EVENT_NOTE, .subject = subject, .text = whole});
}

/* The root is there. Its digest is not the cached root's, but for one that stays as installed. */
static int report_done(struct pf_engine *engine, const struct pf_target *target, bool digest)
{
    const char *cached = pf_engine_tree(engine), *tree;
    struct pf_error err = {0};
    report_summary(engine);
    if (cached)
        say(NULL, _("the cached root is the lockfile's tree, %s"), cached);
    if (!digest)
        return EXIT_DONE;
    if (pf_engine_digest(engine, target->root, &tree, &err))
        return report_failure(&err, signals_caught());
    if (target->name)
        say(target->root, _("its digest is that of the root as configured for %s"), target->name);
    return report_tree(tree);
}

/* The events go to the trace as well, where one is wanted. */
static int begin_trace(struct options *options, const char *path, struct trace **trace)
{
    *trace = NULL;
    if (!path)
        return 0;
    *trace = trace_open(path);
    if (!*trace)
        return -1;
    options->settings.spans = true;
    options->settings.on_event = trace_event;
    options->settings.event_ctx = *trace;
    return 0;
}

static int build(struct options *options, const char *root, const struct wish *wish)
{
    struct pf_error err = {0};
    struct trace *trace;
    int status;
    if (geteuid() != 0) {
        report_error("building a root needs root's privileges (or those of root in a user "
                     "namespace, as unshare -r gives them)");
        return EXIT_PERMISSION;
    }
    if (begin_trace(options, wish->trace, &trace) < 0)
        return EXIT_FAILED;
    struct pf_engine *engine = command_engine(options, &status);
    if (!engine) {
        trace_close(trace);
        return status;
    }
    char *own_name = last_component(root);
    struct pf_target target = {.root = root,
                               .name = wish->name ? wish->name : own_name,
                               .timezone = options->timezone,
                               .network = options->network,
                               .root_password = options->root_password};
    if (wish->as_installed)
        target.name = NULL;
    if (pf_engine_create_root(engine, &target, &err))
        status = report_failure(&err, signals_caught());
    else
        status = report_done(engine, &target, wish->digest);
    free(own_name);
    command_end(engine);
    if (trace_close(trace) < 0 && status == EXIT_DONE)
        status = EXIT_FAILED;
    return status;
}

int command_build(int argc, char **argv, struct options *options)
{
    struct wish wish = {0};
    int option;
    while ((option = options_next(argc, argv, OPTIONS_SHORT, long_options)) != -1) {
        if (command_answers(option, help, options, true))
            return EXIT_DONE;
        int taken = options_take(options, option, optarg);
        if (taken == 0 && option == OPT_NAME)
            wish.name = optarg;
        else if (taken == 0 && option == OPT_NO_CONFIGURE)
            wish.as_installed = true;
        else if (taken == 0 && option == OPT_DIGEST)
            wish.digest = true;
        else if (taken == 0 && option == OPT_TRACE)
            wish.trace = optarg;
        else if (taken <= 0)
            return EXIT_USAGE;
    }
    if (argc - optind != 1) {
        report_error("build takes one folder: plamo-fast build ROOT [OPTIONS]");
        return EXIT_USAGE;
    }
    if (wish.name && wish.as_installed) {
        report_error("--name is of no use with --no-configure: no name is written anywhere");
        return EXIT_USAGE;
    }
    return build(options, argv[optind], &wish);
}
