/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plamo-fast: chooses the sub-command. */
#include "commands.h"
#include "language.h"
#include "report.h"
#include "signals.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv, struct options *options);
    const char *summary;
    unsigned uses; /* enum options_use */
} commands[] = {
    {"build", command_build, "make a root file system without LXC", OPTIONS_ALL},
    {"create", command_create, "make many LXC containers at once", OPTIONS_ALL},
    {"plan", command_plan, "show what would be installed, in order; download nothing",
     OPTIONS_RELEASE | OPTIONS_PACKAGES | OPTIONS_MIRROR | OPTIONS_LOCK | OPTIONS_OFFLINE |
         OPTIONS_STORE},
    {"lock", command_lock, "write down exactly which packages make a root", OPTIONS_ALL},
    {"owners", command_owners, "say which package put a file there, and what it replaced",
     OPTIONS_RELEASE | OPTIONS_STORE},
    {"overlaps", command_overlaps, "list the files that several packages have, with the winner",
     OPTIONS_RELEASE | OPTIONS_STORE},
    {"diff", command_diff, "compare two roots, or two lockfiles", 0},
    {"verify", command_verify, "check the cache, or a root against its records and packages",
     OPTIONS_RELEASE | OPTIONS_STORE | OPTIONS_LIMIT | OPTIONS_JOBS},
    {"doctor", command_doctor, "say what this machine lacks, and what is slower for it",
     OPTIONS_CACHE | OPTIONS_SANDBOX},
    {"digest", command_digest, "print one digest of all that is in a root", OPTIONS_JOBS},
    {"clean", command_clean, "remove the downloads and the cached root of a release",
     OPTIONS_RELEASE | OPTIONS_STORE},
    {"warm", command_warm, "bring the caches of a configuration file up to date",
     OPTIONS_ALL & ~(unsigned)(OPTIONS_LOCK | OPTIONS_OFFLINE)},
    {"gc", command_gc, "remove what is old or too much from a cache folder", OPTIONS_STORE},
};

static void usage(FILE *stream)
{
    fputs(_("Usage: plamo-fast COMMAND [OPTIONS]\n\nCommands:\n"), stream);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(stream, "  %-10s%s\n", commands[i].name, _(commands[i].summary));
    fputs(_("\nplamo-fast COMMAND --help tells more. For a container: lxc-create -t plamo-fast.\n"
            "Example: plamo-fast build /srv/plamo --release 8.x\n"),
          stream);
    fputs(_(options_environment_help), stream);
}

bool command_answers(int option, const char *help, const struct options *options, bool makes_root)
{
    if (option == 'h') {
        printf("%s%s", _(help), makes_root ? _(options_root_help) : "");
        options_print_help(options->uses);
    } else if (option == OPT_VERSION) {
        puts("plamo-fast " PF_VERSION);
    } else {
        return false;
    }
    return true;
}

struct pf_engine *command_engine(struct options *options, int *status)
{
    struct pf_engine *engine;
    struct pf_error err = {0};
    report_init("plamo-fast", options->verbosity);
    if (options_check(options) < 0) {
        *status = EXIT_USAGE;
        return NULL;
    }
    if (!options->settings.on_event)
        options->settings.on_event = report_event;
    pf_engine_init_process();
    if (pf_engine_new(&options->settings, &engine, &err)) {
        *status = report_failure(&err, 0);
        return NULL;
    }
    signals_watch(engine);
    report_begin();
    return engine;
}

void command_end(struct pf_engine *engine)
{
    report_end();
    signals_watch(NULL);
    pf_engine_free(engine);
}

int command_flush(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    return report_output_failed();
}

int main(int argc, char **argv)
{
    language_init();
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        usage(stdout);
        return EXIT_DONE;
    }
    if (command_answers(strcmp(argv[1], "--version") == 0 ? OPT_VERSION : 0, "", NULL, false))
        return EXIT_DONE;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        struct options options = {.uses = commands[i].uses};
        int status = EXIT_FAILED;
        if (options_from_environment(&options) < 0)
            report_error("out of memory");
        else
            status = commands[i].run(argc - 1, argv + 1, &options);
        report_end();
        options_end(&options);
        return status;
    }
    report_error("\"%s\" is not a command; plamo-fast --help lists them", argv[1]);
    return EXIT_USAGE;
}
