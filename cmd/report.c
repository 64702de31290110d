/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report.h"

#include <stdarg.h>
#include <time.h>

/* How often a progress line comes, at the most. */
#define PROGRESS_INTERVAL_S 2.0

/* Set once, before any other thread runs. */
static const char *program_name = "plamo-fast";
static int chosen_verbosity;

void report_init(const char *program, int verbosity)
{
    program_name = program;
    chosen_verbosity = verbosity;
}

void report_escaped(FILE *stream, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        /* C0, DEL, and C1 as UTF-8 has it. */
        if (*p < 0x20 || *p == 0x7f) {
            fprintf(stream, "\\x%02x", *p);
        } else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) {
            fprintf(stream, "\\x%02x\\x%02x", p[0], p[1]);
            p++;
        } else {
            putc(*p, stream);
        }
    }
}

/* One line, in one piece, whoever else writes. */
static void line(const char *kind, const char *subject, const char *text)
{
    flockfile(stderr);
    fprintf(stderr, "%s: %s", program_name, kind);
    if (subject) {
        report_escaped(stderr, subject);
        fputs(": ", stderr);
    }
    report_escaped(stderr, text);
    putc('\n', stderr);
    funlockfile(stderr);
}

void report_error(const char *fmt, ...)
{
    char text[2048];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    line("error: ", NULL, text);
}

int report_failure(const struct pf_error *err, int signal)
{
    report_error("%s", err->text);
    switch (err->code) {
    case PF_E_INVALID:
        return EXIT_USAGE;
    case PF_E_NETWORK:
    case PF_E_ABSENT:
        return EXIT_MIRROR;
    case PF_E_CORRUPT:
    case PF_E_CONFLICT:
    case PF_E_LIMIT:
        return EXIT_PACKAGE;
    case PF_E_BUSY:
        return EXIT_BUSY;
    case PF_E_PERMISSION:
        return EXIT_PERMISSION;
    case PF_E_NO_SPACE:
        return EXIT_NO_SPACE;
    case PF_E_CANCELLED:
        return signal ? 128 + signal : EXIT_FAILED;
    default:
        return EXIT_FAILED;
    }
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* "fetched 12 of 60" and "installed 9 of 60": each now and then, and at its end. Events come one at
   a time, so the two clocks need no lock. */
static void progress(const struct pf_event *event, const char *verb, double *last)
{
    double now = now_s();
    if (chosen_verbosity < 1 && event->index < event->count && now - *last < PROGRESS_INTERVAL_S)
        return;
    *last = now;
    char text[128];
    snprintf(text, sizeof text, "%s %llu of %llu", verb, (unsigned long long)event->index,
             (unsigned long long)event->count);
    line("", chosen_verbosity > 0 ? event->subject : NULL, text);
}

static void cloned(const struct pf_event *event)
{
    char text[128];
    snprintf(text, sizeof text, "%llu entries, %.1f MB", (unsigned long long)event->count,
             (double)event->bytes / 1e6);
    line("copied to ", event->subject, text);
}

void report_event(void *ctx, const struct pf_event *event)
{
    static double last_fetched, last_installed;
    (void)ctx;
    char text[128];
    if (event->type == PF_EVENT_WARNING || event->type == PF_EVENT_SKIPPED) {
        line(event->type == PF_EVENT_SKIPPED ? "skipped: " : "warning: ", event->subject,
             event->text);
        return;
    }
    if (chosen_verbosity < 0)
        return;
    switch (event->type) {
    case PF_EVENT_PHASE:
    case PF_EVENT_LOCK_WAIT:
        line("", NULL, event->text);
        break;
    case PF_EVENT_PLANNED:
        snprintf(text, sizeof text, "%llu files planned", (unsigned long long)event->count);
        line("", NULL, text);
        break;
    case PF_EVENT_FETCHED:
        progress(event, "fetched", &last_fetched);
        break;
    case PF_EVENT_INSTALLED:
        progress(event, "installed", &last_installed);
        break;
    case PF_EVENT_RETRY:
        line("", NULL, event->text);
        break;
    case PF_EVENT_NOTE:
        line("", event->subject, event->text);
        break;
    case PF_EVENT_SCRIPT:
        if (chosen_verbosity > 0)
            line("script of ", event->subject, event->text);
        break;
    case PF_EVENT_CLONED:
        cloned(event);
        break;
    default:
        break;
    }
}

void report_summary(const struct pf_engine *engine)
{
    struct pf_stats stats;
    if (chosen_verbosity < 0)
        return;
    pf_engine_stats(engine, &stats);
    char text[512];
    snprintf(text, sizeof text,
             "%llu requests, %llu bytes received, %llu packages decoded, %llu installed, %llu "
             "scripts by sh (%.2f s); %llu entries %s (%.2f s)",
             (unsigned long long)stats.requests, (unsigned long long)stats.received_bytes,
             (unsigned long long)stats.decoded, (unsigned long long)stats.installed,
             (unsigned long long)stats.shells, stats.fetch_install_s,
             (unsigned long long)stats.cloned_entries, stats.reflinked ? "reflinked" : "copied",
             stats.clone_s);
    line("done: ", NULL, text);
}
