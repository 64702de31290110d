/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxc-plamo-fast: the LXC template. lxc-create runs it with --path, --name and --rootfs. */
#include "options.h"
#include "report.h"
#include "signals.h"

#include <locale.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char help[] =
    "Usage: lxc-create -n NAME -t plamo-fast [-- OPTIONS]\n"
    "Make a Plamo Linux container. lxc-create itself passes --path, --name and --rootfs.\n"
    "Example: lxc-create -n web1 -t plamo-fast -- -r 8.x\n"
    "\n"
    "  -p, --path=DIR       the container's folder, with its config\n"
    "  -n, --name=NAME      the container's name\n"
    "      --rootfs=DIR     its root (default: lxc.rootfs.path of the config, or DIR/rootfs)\n"
    "  -r, --release=R      release, like 7.x or 8.x (default 7.x)\n"
    "  -a, --arch=A         x86_64 or x86 (default: this machine's)\n"
    "  -b, --bindhome=USER  bind USER's home into the container\n"
    "  -c, --clean          remove the cache: alone without --path, else when done\n"
    "  -h, --help           this help;  --version  the version\n"
    "\n"
    "Environment: DLSCHEME MIRRORSRV MIRRORPATH name the mirror; CATEGORIES EXTRACTGRS\n"
    "ADDONPKGS IGNOREPKGS choose packages; LXC_CACHE_PATH is the cache; release as -r.\n"
    "Exit status: 0 done, 1 failed, 2 usage, 3 mirror, 4 package, 5 busy, 6 permission,\n"
    "7 no space, 130 and 143 on SIGINT and SIGTERM.\n";

enum { OPT_ROOTFS = OPT_OF_COMMAND, OPT_MAPPED_UID, OPT_MAPPED_GID };

static const struct option long_options[] = {
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, OPT_VERSION},
    {"path", required_argument, NULL, 'p'},
    {"name", required_argument, NULL, 'n'},
    {"rootfs", required_argument, NULL, OPT_ROOTFS},
    {"clean", no_argument, NULL, 'c'},
    {"release", required_argument, NULL, 'r'},
    {"arch", required_argument, NULL, 'a'},
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

/* -1: go on; else the exit status. */
static int read_options(int argc, char **argv, struct template *t)
{
    int option;
    while ((option = options_next(argc, argv, ":hp:n:cr:a:b:", long_options)) != -1) {
        switch (option) {
        case 'h':
            fputs(help, stdout);
            return EXIT_DONE;
        case OPT_VERSION:
            puts("lxc-plamo-fast " PF_VERSION);
            return EXIT_DONE;
        case 'p':
            t->path = optarg;
            break;
        case 'n':
            t->name = optarg;
            break;
        case OPT_ROOTFS:
            t->rootfs = optarg;
            break;
        case 'c':
            t->clean = true;
            break;
        case 'b':
            t->bindhome = optarg;
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

static int check_options(const struct template *t)
{
    if (t->clean && !t->path)
        return -1;
    if (!t->path || !*t->path) {
        report_error("--path is missing: this template is run by lxc-create");
        return EXIT_USAGE;
    }
    if (!t->name || !*t->name) {
        report_error("--name is missing: this template is run by lxc-create");
        return EXIT_USAGE;
    }
    if (geteuid() != 0 && !t->mapped) {
        report_error("making a container needs root's privileges, or lxc-create's user mapping");
        return EXIT_PERMISSION;
    }
    if (t->bindhome && !getpwnam(t->bindhome)) {
        report_error("--bindhome: this host has no user \"%s\"", t->bindhome);
        return EXIT_USAGE;
    }
    return -1;
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
                               .in_place = true};
    if (!failed)
        failed = pf_engine_create_root(engine, &target, err);
    if (!failed)
        failed = pf_engine_lxc_config(engine, t->path, t->name, t->mapped, err);
    if (!failed && t->bindhome)
        failed = pf_engine_lxc_bindhome(t->path, target.root, t->bindhome, err);
    free(from_config);
    return failed;
}

static int run(struct template *t)
{
    struct pf_engine *engine;
    struct pf_error err = {0};
    char *cache = NULL;
    pf_engine_init_process();
    t->options.settings.on_event = report_event;
    if (t->mapped && !t->options.settings.cache_folder)
        t->options.settings.cache_folder = cache = mapped_cache();
    int failed = pf_engine_new(&t->options.settings, &engine, &err);
    free(cache);
    if (failed)
        return report_failure(&err, 0);
    signals_watch(engine);
    if (t->path)
        failed = make_container(t, engine, &err);
    if (!failed && t->path)
        report_summary(engine);
    if (!failed && t->clean)
        failed = pf_engine_clean(engine, &err);
    int status = failed ? report_failure(&err, signals_caught()) : EXIT_DONE;
    signals_watch(NULL);
    pf_engine_free(engine);
    return status;
}

int main(int argc, char **argv)
{
    struct template t = {0};
    setlocale(LC_ALL, "");
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
    options_end(&t.options);
    return status;
}
