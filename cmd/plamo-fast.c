/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plamo-fast: chooses the sub-command. */
#include "commands.h"
#include "report.h"
#include "signals.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv, struct options *options);
    const char *summary;
} commands[] = {
    {"build", command_build, "make a root file system without LXC"},
    {"plan", command_plan, "show what would be installed, in order; download nothing"},
    {"clean", command_clean, "remove the downloads and the cached root of a release"},
};

static void usage(FILE *stream)
{
    fputs("Usage: plamo-fast COMMAND [OPTIONS]\n\nCommands:\n", stream);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(stream, "  %-8s%s\n", commands[i].name, commands[i].summary);
    fputs("\nplamo-fast COMMAND --help tells more. For a container: lxc-create -t plamo-fast.\n"
          "Example: plamo-fast build /srv/plamo --release 8.x\n",
          stream);
}

bool command_answers(int option, const char *help)
{
    if (option == 'h')
        printf("%s\nOptions:\n%s", help, options_help);
    else if (option == OPT_VERSION)
        puts("plamo-fast " PF_VERSION);
    else
        return false;
    return true;
}

struct pf_engine *command_engine(struct options *options, int *status)
{
    struct pf_engine *engine;
    struct pf_error err = {0};
    report_init("plamo-fast", options->verbosity);
    options->settings.on_event = report_event;
    pf_engine_init_process();
    if (pf_engine_new(&options->settings, &engine, &err)) {
        *status = report_failure(&err, 0);
        return NULL;
    }
    signals_watch(engine);
    return engine;
}

void command_end(struct pf_engine *engine)
{
    signals_watch(NULL);
    pf_engine_free(engine);
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "");
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        usage(stdout);
        return EXIT_DONE;
    }
    if (command_answers(strcmp(argv[1], "--version") == 0 ? OPT_VERSION : 0, ""))
        return EXIT_DONE;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        struct options options = {0};
        int status = EXIT_FAILED;
        if (options_from_environment(&options) < 0)
            report_error("out of memory");
        else
            status = commands[i].run(argc - 1, argv + 1, &options);
        options_end(&options);
        return status;
    }
    report_error("\"%s\" is not a command; plamo-fast --help lists them", argv[1]);
    return EXIT_USAGE;
}
