/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxc-plamo-fast: the LXC template. lxc-create runs it with --path, --name and --rootfs. */
#include "language.h"
#include "options.h"
#include "report.h"
#include "signals.h"

#include <libgen.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char help[] =
    "Usage: lxc-create -n NAME -t plamo-fast [-- OPTIONS]\n"
    "Make a Plamo Linux container. lxc-create itself passes --path, --name and --rootfs.\n"
    "Example: lxc-create -n web1 -t plamo-fast -- -r 8.x\n"
    "\n"
    "  -p, --path DIR      the container's folder, with its config   -n, --name NAME  its name\n"
    "      --rootfs DIR    its root (default: the config's, or DIR/rootfs)\n"
    "  -b, --bindhome USER bind USER's home into the container\n"
    "  -c, --clean         remove the cache: alone without --path, else when done\n";

enum { OPT_ROOTFS = OPT_OF_COMMAND, OPT_MAPPED_UID, OPT_MAPPED_GID };

static const struct option long_options[] = {
    OPTIONS_LONG,
    OPTIONS_LONG_ROOT,
    {"path", required_argument, NULL, 'p'},
    {"name", required_argument, NULL, 'n'},
    {"rootfs", required_argument, NULL, OPT_ROOTFS},
    {"clean", no_argument, NULL, 'c'},
    {"bindhome", required_argument, NULL, 'b'},
    {"mapped-uid", required_argument, NULL, OPT_MAPPED_UID},
    {"mapped-gid", required_argument, NULL, OPT_MAPPED_GID},
    {0},
};

struct template
{
    struct options options;
    const char *path, *name, *rootfs, *bindhome;
    bool clean, mapped;
};

/* As in lxc-plamo an empty argument is as good as none. */
static const char *given(const char *argument)
{
    return *argument ? argument : NULL;
}

/* -1: go on; else the exit status. */
static int read_options(int argc, char **argv, struct template *t)
{
    int option;
    while ((option = options_next(argc, argv, OPTIONS_SHORT "p:n:cb:", long_options)) != -1) {
        switch (option) {
        case 'h':
            printf("%s%s", _(help), _(options_root_help));
            options_print_help(t->options.uses);
            fputs(_(options_environment_help), stdout);
            /* lxc-create keeps the container where its template says that it was made. */
            return t->path ? EXIT_USAGE : EXIT_DONE;
        case OPT_VERSION:
            puts("lxc-plamo-fast " PF_VERSION);
            return EXIT_DONE;
        case 'p':
            t->path = given(optarg);
            break;
        case 'n':
            t->name = given(optarg);
            break;
        case OPT_ROOTFS:
            t->rootfs = given(optarg);
            break;
        case 'c':
            t->clean = true;
            break;
        case 'b':
            t->bindhome = given(optarg);
            break;
        case OPT_MAPPED_UID:
        case OPT_MAPPED_GID:
            t->mapped = true;
            break;
        default:
            if (options_take(&t->options, option, optarg) <= 0)
                return EXIT_USAGE;
        }
    }
    if (optind < argc) {
        report_error("\"%s\" is not an option of this template", argv[optind]);
        return EXIT_USAGE;
    }
    return -1;
}

static int check_bindhome(const char *user)
{
    const struct passwd *pw = getpwnam(user);
    if (!pw) {
        report_error("--bindhome: this host has no user \"%s\"", user);
        return EXIT_USAGE;
    }
    if (*pw->pw_dir != '/' || pw->pw_dir[strspn(pw->pw_dir, "/.")] == '\0') {
        report_error("--bindhome: the home of \"%s\", \"%s\", cannot be bound", user, pw->pw_dir);
        return EXIT_USAGE;
    }
    return -1;
}

static int check_container(const struct template *t)
{
    struct stat st;
    if (!t->path) {
        report_error("--path is missing: this template is run by lxc-create");
        return EXIT_USAGE;
    }
    if (!t->name) {
        report_error("--name is missing: this template is run by lxc-create");
        return EXIT_USAGE;
    }
    if (*t->name == '-' || *t->name == '.') {
        report_error("\"%s\" is no name for a container: it begins with \"%c\" (lxc-create -t "
                     "plamo-fast -h lists the options)",
                     t->name, *t->name);
        return EXIT_USAGE;
    }
    if (strlen(t->name) > HOST_NAME_MAX) {
        report_error("the name \"%s\" is longer than a host's name may be, %d bytes", t->name,
                     HOST_NAME_MAX);
        return EXIT_USAGE;
    }
    if (stat(t->path, &st) < 0 || !S_ISDIR(st.st_mode)) {
        report_error("--path: there is no folder %s", t->path);
        return EXIT_USAGE;
    }
    return -1;
}

static int check_options(const struct template *t)
{
    if (t->clean && !t->path)
        return -1;
    int status = check_container(t);
    if (status >= 0)
        return status;
    if (geteuid() != 0 && !t->mapped) {
        report_error("making a container needs root's privileges, or lxc-create's user mapping");
        return EXIT_PERMISSION;
    }
    return t->bindhome ? check_bindhome(t->bindhome) : -1;
}

/* A user's own cache where the system's is not theirs: as LXC's download template has it. */
static char *mapped_cache(void)
{
    const char *home = getenv("HOME");
    char *path = NULL;
    if (!home || !*home || asprintf(&path, "%s/.cache/lxc", home) < 0)
        return NULL;
    return path;
}

static int make_container(const struct template *t, struct pf_engine *engine, struct pf_error *err)
{
    char *from_config = NULL;
    int failed = t->rootfs ? 0 : pf_engine_lxc_rootfs(t->path, &from_config, err);
    struct pf_target target = {.root = t->rootfs ? t->rootfs : from_config,
                               .name = t->name,
                               .in_place = true,
                               .of_container = true,
                               .timezone = t->options.timezone,
                               .network = t->options.network,
                               .root_password = t->options.root_password};
    if (!failed)
        failed = pf_engine_create_root(engine, &target, err);
    if (!failed)
        failed = pf_engine_lxc_config(engine, t->path, t->name, t->mapped, err);
    if (!failed && t->bindhome)
        failed = pf_engine_lxc_bindhome(t->path, target.root, t->bindhome, err);
    free(from_config);
    return failed;
}

/* Ctrl-C ends lxc-create, too, before it has removed what there is of the container. */
static void hint_at_destroying(const struct template *t, struct pf_error *err)
{
    char *path = strdup(t->path);
    err->hint[0] = '\0';
    if (path)
        pf_error_hint(err, "lxc-destroy -n %s -P %s, then run it again: what was fetched is kept",
                      t->name, dirname(path));
    free(path);
}

static int clean(struct pf_engine *engine, struct pf_error *err)
{
    struct pf_gc_result result;
    int failed = pf_engine_clean(engine, &result, err);
    if (!failed)
        report_removed(&result, false);
    return failed;
}

static int run(struct template *t)
{
    struct pf_engine *engine;
    struct pf_error err = {0};
    char *cache = NULL;
    report_init("lxc-plamo-fast", t->options.verbosity);
    if (options_check(&t->options) < 0)
        return EXIT_USAGE;
    pf_engine_init_process();
    t->options.settings.on_event = report_event;
    bool own = t->options.settings.cache_folder && !t->options.cache_of_system;
    if (t->mapped && !own)
        t->options.settings.cache_folder = cache = mapped_cache();
    int failed = pf_engine_new(&t->options.settings, &engine, &err);
    free(cache);
    if (failed)
        return report_failure(&err, 0);
    signals_watch(engine);
    report_begin();
    if (t->path)
        failed = make_container(t, engine, &err);
    if (!failed && t->path)
        report_summary(engine);
    if (!failed && t->clean)
        failed = clean(engine, &err);
    if (failed == PF_E_CANCELLED && t->path)
        hint_at_destroying(t, &err);
    int status = failed ? report_failure(&err, signals_caught()) : EXIT_DONE;
    report_end();
    signals_watch(NULL);
    pf_engine_free(engine);
    return status;
}

int main(int argc, char **argv)
{
    struct template t = {.options.uses = OPTIONS_ALL};
    language_init();
    report_init("lxc-plamo-fast", 0);
    int status = EXIT_FAILED;
    if (options_from_environment(&t.options) < 0) {
        report_error("out of memory");
    } else {
        status = read_options(argc, argv, &t);
        if (status < 0)
            status = check_options(&t);
        if (status < 0)
            status = run(&t);
    }
    report_end();
    options_end(&t.options);
    return status;
}
