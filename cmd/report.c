/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include "hints.h"
#include "language.h"
#include "line.h"
#include "report_json.h"
#include "report_plain.h"
#include "screen.h"
#include "signals.h"
#include "summary.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Set once, before any other thread runs. */
static const char *chosen_place;
static int chosen_verbosity;
static enum report_progress chosen;
static bool has_bars;

void report_init(const char *program, int verbosity)
{
    line_init(program);
    chosen_verbosity = verbosity;
}

int report_choose(const char *word)
{
    static const struct {
        const char *word;
        enum report_progress progress;
    } known[] = {
        {"auto", REPORT_AUTO}, {"bar", REPORT_BAR},   {"plain", REPORT_PLAIN},
        {"json", REPORT_JSON}, {"none", REPORT_NONE},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(known[i].word, word) == 0) {
            chosen = known[i].progress;
            return 0;
        }
    }
    return -1;
}

static bool was_interrupted(void)
{
    return signals_caught() != 0;
}

void report_begin(void)
{
    if (chosen == REPORT_JSON)
        report_json_clock();
    bool bars = chosen == REPORT_AUTO || chosen == REPORT_BAR;
    if (bars && chosen_verbosity >= 0 && line_has_terminal())
        has_bars = screen_begin(STDERR_FILENO, line_has_colour(), was_interrupted) == 0;
    /* Bars say it themselves; lines of JSON are for no person. */
    if (!has_bars && chosen != REPORT_JSON && chosen_verbosity >= 0) {
        char line[256];
        snprintf(line, sizeof line, "%s: %s", line_program(),
                 _("stopping; once more stops at once"));
        signals_answer(line);
    }
}

void report_end(void)
{
    screen_end();
    has_bars = false;
    signals_answer(NULL);
    if (chosen == REPORT_JSON)
        report_json_end();
}

/* One line: what is wrong, and what to do. */
static void print_error(const char *text, const char *hint)
{
    char whole[2048];
    snprintf(whole, sizeof whole, hint ? _("%s; %s") : "%s", text, hint);
    line_print(LINE_ERROR, _("error: "), NULL, whole);
}

void report_error(const char *fmt, ...)
{
    char text[2048];
    va_list args;
    int length = chosen_place ? snprintf(text, sizeof text, "%s: ", chosen_place) : 0;
    if (length < 0 || (size_t)length >= sizeof text)
        length = 0;
    va_start(args, fmt);
    vsnprintf(text + length, sizeof text - (size_t)length, _(fmt), args);
    va_end(args);
    if (chosen == REPORT_JSON)
        report_json_error(line_program(), text, NULL, NULL, -1);
    else
        print_error(text, NULL);
}

void report_place(const char *place)
{
    chosen_place = place;
}

/* An engine's code: the exit status, and the word for it. */
static int status_of(int code, int signal, const char **word)
{
    static const struct {
        int code, status;
        const char *word;
    } known[] = {
        {PF_E_INVALID, EXIT_USAGE, "invalid"},
        {PF_E_NETWORK, EXIT_MIRROR, "network"},
        {PF_E_ABSENT, EXIT_MIRROR, "absent"},
        {PF_E_CORRUPT, EXIT_PACKAGE, "corrupt"},
        {PF_E_CONFLICT, EXIT_PACKAGE, "conflict"},
        {PF_E_LIMIT, EXIT_PACKAGE, "limit"},
        {PF_E_BUSY, EXIT_BUSY, "busy"},
        {PF_E_PERMISSION, EXIT_PERMISSION, "permission"},
        {PF_E_NO_SPACE, EXIT_NO_SPACE, "space"},
        {PF_E_CANCELLED, EXIT_FAILED, "cancelled"},
    };
    *word = "system";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].code != code)
            continue;
        *word = known[i].word;
        return code == PF_E_CANCELLED && signal ? 128 + signal : known[i].status;
    }
    return EXIT_FAILED;
}

int report_failure(const struct pf_error *err, int signal)
{
    const char *word;
    int status = status_of(err->code, signal, &word);
    const char *hint = hints_find(err);
    if (chosen == REPORT_JSON)
        report_json_error(line_program(), err->text, hint, word, status);
    else
        print_error(err->text, hint);
    return status;
}

void report_container(const char *name, const struct pf_error *err)
{
    char text[sizeof err->text + 512];
    const char *word;
    snprintf(text, sizeof text, _("%s was not made: %s"), name, err->text);
    int status = status_of(err->code, 0, &word);
    if (chosen == REPORT_JSON)
        report_json_error(line_program(), text, hints_find(err), word, status);
    else
        print_error(text, hints_find(err));
}

int report_status(const struct pf_error *err, int signal)
{
    const char *word;
    return status_of(err->code, signal, &word);
}

void report_event(void *ctx, const struct pf_event *event)
{
    (void)ctx;
    if (chosen == REPORT_JSON) {
        report_json_event(line_program(), event, chosen_verbosity);
        return;
    }
    bool shows_progress = !has_bars && chosen != REPORT_NONE;
    screen_event(event);
    report_plain_event(event, chosen_verbosity, shows_progress);
}

void report_summary(const struct pf_engine *engine)
{
    struct pf_stats stats;
    if (chosen_verbosity < 0)
        return;
    pf_engine_stats(engine, &stats);
    if (chosen == REPORT_JSON)
        report_json_summary(line_program(), &stats);
    else
        summary_print(&stats);
}

void report_removed(const struct pf_gc_result *result, bool dry_run)
{
    char text[256];
    snprintf(text, sizeof text,
             dry_run ? _("would remove %u, %.1f of %.1f MB; %u in use")
                     : _("removed %u, %.1f of %.1f MB; %u in use"),
             result->removed, (double)result->bytes_removed / 1e6,
             (double)result->bytes_before / 1e6, result->in_use);
    report_event(NULL, &(struct pf_event){.type = PF_EVENT_NOTE, .text = text});
}

/* Nobody reads on, as with `| head`: that is no news to who did it. */
static bool is_read(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};
    return poll(&out, 1, 0) < 1 || !(out.revents & POLLERR);
}

int report_output_failed(void)
{
    int number = errno;
    if (!is_read())
        return 128 + SIGPIPE;
    errno = number;
    report_error("standard output cannot be written: %m");
    return EXIT_FAILED;
}

int report_tree(const char *digest)
{
    if (printf("tree: %s\n", digest) >= 0 && fflush(stdout) == 0)
        return EXIT_DONE;
    return report_output_failed();
}
