/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"
#include "jsontext.h"
#include "language.h"
#include "line.h"
#include "report.h"

#include <string.h>

static const char help[] =
    "Usage: plamo-fast doctor [OPTIONS]\n"
    "Say what this machine has of kernel features, tools, limits, permissions and libraries: ok,\n"
    "slower (or with less protection), or refused, and what to do. 1 where something is missing\n"
    "that every build needs. Nothing is changed.\n"
    "Example: plamo-fast doctor --cache /srv/cache --json\n"
    "\n"
    "      --lxc-path DIR  where containers are (/var/lib/lxc)   --json   one JSON object\n"
    "      --cache DIR     default /var/cache/lxc       --no-sandbox     scripts are to be "
    "trusted\n";

enum { OPT_JSON = OPT_OF_COMMAND, OPT_LXC_PATH };

static const struct option long_options[] = {
    OPTIONS_LONG,
    {"json", no_argument, NULL, OPT_JSON},
    {"lxc-path", required_argument, NULL, OPT_LXC_PATH},
    {0},
};

/* Where the checks go. */
struct output {
    json_t *list; /* NULL: lines are printed */
    char group[32];
    bool lacking;
};

static const char *state_word(enum pf_check_state state)
{
    switch (state) {
    case PF_CHECK_SLOWER:
        return "slower";
    case PF_CHECK_REFUSED:
        return "refused";
    default:
        return "ok";
    }
}

static int on_check(void *ctx, const struct pf_check *check)
{
    struct output *output = ctx;
    if (check->state == PF_CHECK_REFUSED && check->needed)
        output->lacking = true;
    if (output->list)
        return json_array_append_new(output->list,
                                     json_pack("{s:s, s:s, s:s, s:b, s:o, s:s?}", "group",
                                               check->group, "name", check->name, "state",
                                               state_word(check->state), "needed", check->needed,
                                               "found", json_text(check->found), "advice",
                                               check->advice)) < 0;
    if (strcmp(output->group, check->group) != 0) {
        snprintf(output->group, sizeof output->group, "%s", check->group);
        printf("%s\n", _(check->group));
    }
    printf("  %-8s%s: ", state_word(check->state), _(check->name));
    line_escape(stdout, check->found);
    if (check->advice)
        printf("; %s", check->advice);
    putchar('\n');
    return 0;
}

static int doctor(struct options *options, const char *lxc_path, bool json)
{
    int status;
    struct pf_engine *engine = command_engine(options, &status);
    if (!engine)
        return status;
    report_end(); /* the answers have the terminal to themselves */
    struct output output = {.list = json ? json_array() : NULL};
    int result = pf_engine_doctor(engine, lxc_path, on_check, &output);
    status = output.lacking ? EXIT_FAILED : EXIT_DONE;
    if (json) {
        json_t *whole =
            result ? NULL : json_pack("{s:i, s:O}", "plamo-fast-doctor", 1, "checks", output.list);
        if (json_print(whole) < 0)
            status = EXIT_FAILED;
    } else if (output.lacking && options->verbosity >= 0) {
        puts(_("something is missing that every build needs"));
    }
    json_decref(output.list);
    command_end(engine);
    return command_flush(status);
}

int command_doctor(int argc, char **argv, struct options *options)
{
    const char *lxc_path = NULL;
    bool json = false;
    int option;
    while ((option = options_next(argc, argv, OPTIONS_SHORT, long_options)) != -1) {
        if (command_answers(option, help, options, false))
            return EXIT_DONE;
        int taken = options_take(options, option, optarg);
        if (taken == 0 && option == OPT_JSON)
            json = true;
        else if (taken == 0 && option == OPT_LXC_PATH)
            lxc_path = optarg;
        else if (taken <= 0)
            return EXIT_USAGE;
    }
    if (argc != optind) {
        report_error("doctor takes no \"%s\"", argv[optind]);
        return EXIT_USAGE;
    }
    return doctor(options, lxc_path, json);
}
