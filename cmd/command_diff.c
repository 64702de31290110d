/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commands.h"
#include "jsontext.h"
#include "language.h"
#include "line.h"
#include "report.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

static const char help[] =
    "Usage: plamo-fast diff A B [OPTIONS]\n"
    "Compare two roots (types, modes, owners, sizes, contents, links, devices; not times), or two\n"
    "lockfiles. A line each: + only B has it, - only A has it, ! they differ; ? not compared, as\n"
    "a pseudo file system (/proc, tmpfs) is mounted there, which is no difference.\n"
    "Exit status, as diff(1) has it: 0 the same, 1 different, 2 a failure or wrong usage.\n"
    "Example: plamo-fast diff /srv/web1 /srv/web2 --json\n"
    "\n"
    "      --json          one JSON object\n";

/* As diff(1): 1 is taken. */
enum { EXIT_DIFFERENT = 1, EXIT_TROUBLE = 2 };

enum { OPT_JSON = OPT_OF_COMMAND };

static const struct option long_options[] = {
    OPTIONS_LONG,
    {"json", no_argument, NULL, OPT_JSON},
    {0},
};

/* Where differences go. */
struct output {
    json_t *list;    /* NULL: lines are printed */
    json_t *mounted; /* with `list`: paths that were not compared */
    bool any;
};

static const struct {
    unsigned what;
    const char *word;
} words[] = {
    {PF_DIFFERS_ADDED, N_("added")},     {PF_DIFFERS_REMOVED, N_("removed")},
    {PF_DIFFERS_TYPE, N_("type")},       {PF_DIFFERS_MODE, N_("mode")},
    {PF_DIFFERS_OWNER, N_("owner")},     {PF_DIFFERS_SIZE, N_("size")},
    {PF_DIFFERS_TARGET, N_("target")},   {PF_DIFFERS_DEVICE, N_("device")},
    {PF_DIFFERS_CONTENT, N_("content")},
};

/* Not translated: JSON has it too. */
static const char *type_word(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return N_("folder");
    case S_IFLNK:
        return N_("link");
    case S_IFCHR:
        return N_("character device");
    case S_IFBLK:
        return N_("block device");
    case S_IFIFO:
        return N_("fifo");
    case S_IFSOCK:
        return N_("socket");
    default:
        return N_("file");
    }
}

static void print_value(unsigned what, const struct pf_entry *entry)
{
    switch (what) {
    case PF_DIFFERS_TYPE:
        fputs(_(type_word(entry->mode)), stdout);
        break;
    case PF_DIFFERS_MODE:
        printf("%04o", (unsigned)entry->mode & 07777);
        break;
    case PF_DIFFERS_OWNER:
        printf("%u:%u", (unsigned)entry->uid, (unsigned)entry->gid);
        break;
    case PF_DIFFERS_SIZE:
        printf("%" PRId64, entry->size_bytes);
        break;
    case PF_DIFFERS_TARGET:
        line_escape(stdout, entry->target);
        break;
    case PF_DIFFERS_DEVICE:
        printf("%u:%u", major(entry->device), minor(entry->device));
        break;
    default:
        break;
    }
}

static void print_difference(const struct pf_difference *d)
{
    bool one = d->what & (PF_DIFFERS_ADDED | PF_DIFFERS_REMOVED);
    const struct pf_entry *only = d->what & PF_DIFFERS_ADDED ? &d->b : &d->a;
    putchar(!one ? '!' : only == &d->b ? '+' : '-');
    putchar(' ');
    line_escape(stdout, *d->path ? d->path : ".");
    if (one) {
        printf(": %s\n", _(type_word(only->mode)));
        return;
    }
    const char *before = ": ";
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!(d->what & words[i].what))
            continue;
        printf("%s%s", before, _(words[i].word));
        before = ", ";
        if (words[i].what == PF_DIFFERS_CONTENT)
            continue;
        putchar(' ');
        print_value(words[i].what, &d->a);
        fputs(" -> ", stdout);
        print_value(words[i].what, &d->b);
    }
    putchar('\n');
}

static void print_mounted(const struct pf_difference *d)
{
    fputs("? ", stdout);
    line_escape(stdout, d->path);
    printf(": %s\n", _("not compared: a pseudo file system is mounted there"));
}

static json_t *entry_json(const struct pf_entry *entry)
{
    char mode[8];
    snprintf(mode, sizeof mode, "%04o", (unsigned)entry->mode & 07777);
    json_t *object = json_pack("{s:s, s:s, s:I, s:I}", "type", type_word(entry->mode), "mode", mode,
                               "uid", (json_int_t)entry->uid, "gid", (json_int_t)entry->gid);
    if (S_ISREG(entry->mode))
        json_object_set_new(object, "size", json_integer(entry->size_bytes));
    if (entry->target)
        json_object_set_new(object, "target", json_text(entry->target));
    if (S_ISCHR(entry->mode) || S_ISBLK(entry->mode))
        json_object_set_new(object, "device",
                            json_sprintf("%u:%u", major(entry->device), minor(entry->device)));
    return object;
}

static json_t *difference_json(const struct pf_difference *d)
{
    json_t *what = json_array();
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (d->what & words[i].what)
            json_array_append_new(what, json_string(words[i].word));
    }
    json_t *a = d->what & PF_DIFFERS_ADDED ? json_null() : entry_json(&d->a);
    json_t *b = d->what & PF_DIFFERS_REMOVED ? json_null() : entry_json(&d->b);
    return json_pack("{s:o, s:o, s:o, s:o}", "path", json_text(d->path), "what", what, "a", a, "b",
                     b);
}

static int on_difference(void *ctx, const struct pf_difference *difference)
{
    struct output *output = ctx;
    bool mounted = difference->what == PF_DIFFERS_MOUNTED;
    output->any = output->any || !mounted;
    if (output->list && mounted)
        return json_array_append_new(output->mounted, json_text(difference->path)) < 0;
    if (output->list)
        return json_array_append_new(output->list, difference_json(difference)) < 0;
    if (mounted)
        print_mounted(difference);
    else
        print_difference(difference);
    return 0;
}

static void print_lock_difference(const struct pf_lock_difference *d)
{
    char sign = strcmp(d->what, "added") == 0 ? '+' : strcmp(d->what, "removed") == 0 ? '-' : '!';
    printf("%c ", sign);
    if (!d->old_file && !d->new_file) {
        puts(_("the order of the files"));
        return;
    }
    line_escape(stdout, d->old_file ? d->old_file : d->new_file);
    if (d->old_file && d->new_file && strcmp(d->old_file, d->new_file) != 0) {
        fputs(" -> ", stdout);
        line_escape(stdout, d->new_file);
    } else if (sign == '!') {
        printf(": %s", _("content"));
    }
    putchar('\n');
}

static int on_lock_difference(void *ctx, const struct pf_lock_difference *d)
{
    struct output *output = ctx;
    output->any = true;
    if (output->list)
        return json_array_append_new(output->list, json_pack("{s:s, s:o, s:o}", "what", d->what,
                                                             "a", json_text(d->old_file), "b",
                                                             json_text(d->new_file))) < 0;
    print_lock_difference(d);
    return 0;
}

static int compare(const char *a, const char *b, bool json)
{
    struct pf_error err = {0};
    struct output output = {.list = json ? json_array() : NULL,
                            .mounted = json ? json_array() : NULL};
    int result = pf_engine_diff(a, b, on_difference, on_lock_difference, &output, &err);
    if (result < 0) {
        report_failure(&err, 0);
    } else if (json) {
        json_t *whole = result ? NULL
                               : json_pack("{s:i, s:O, s:O}", "plamo-fast-diff", 1, "differences",
                                           output.list, "mounted", output.mounted);
        result = json_print(whole);
    }
    json_decref(output.list);
    json_decref(output.mounted);
    if (result || command_flush(EXIT_DONE))
        return EXIT_TROUBLE;
    return output.any ? EXIT_DIFFERENT : EXIT_DONE;
}

int command_diff(int argc, char **argv, struct options *options)
{
    bool json = false;
    int option;
    while ((option = options_next(argc, argv, OPTIONS_SHORT, long_options)) != -1) {
        if (command_answers(option, help, options, false))
            return EXIT_DONE;
        int taken = options_take(options, option, optarg);
        if (taken == 0 && option == OPT_JSON)
            json = true;
        else if (taken <= 0)
            return EXIT_USAGE;
    }
    if (argc - optind != 2) {
        report_error("diff compares two: plamo-fast diff A B [OPTIONS]");
        return EXIT_USAGE;
    }
    report_init("plamo-fast", options->verbosity);
    pf_engine_init_process();
    return compare(argv[optind], argv[optind + 1], json);
}
