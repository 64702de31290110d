/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report_plain.h"

#include "language.h"
#include "line.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* How often a progress line comes, at the most. */
#define PROGRESS_INTERVAL_S 2.0
/* There can be no more mirrors. */
#define MAX_HOSTS 32

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void say(const char *subject, const char *text)
{
    line_print(LINE_PLAIN, "", subject, text);
}

/* "fetched 12 of 60" and "installed 9 of 60": each now and then, and at its end. Events come one at
   a time, so the two clocks need no lock. */
static void count_up(const struct pf_event *event, int verbosity, const char *fmt, double *last)
{
    double now = now_s();
    if (verbosity < 1 && event->index < event->count && now - *last < PROGRESS_INTERVAL_S)
        return;
    *last = now;
    char text[128];
    int n = snprintf(text, sizeof text, _(fmt), (unsigned long long)event->index,
                     (unsigned long long)event->count);
    if (verbosity > 1)
        snprintf(text + n, sizeof text - (size_t)n, ", %.1f MB", (double)event->bytes / 1e6);
    say(verbosity > 0 ? event->subject : NULL, text);
}

/* What only the very verbose hear. */
static void tell_decoding(const struct pf_event *event)
{
    char text[128];
    if (event->type == PF_EVENT_DECODED)
        snprintf(text, sizeof text, _("%.1f MB became %.1f MB"), (double)event->total / 1e6,
                 (double)event->bytes / 1e6);
    else
        snprintf(text, sizeof text, "%.1f MB", (double)event->total / 1e6);
    if (event->type == PF_EVENT_DECODED || event->bytes == 0)
        line_print(LINE_PLAIN, event->type == PF_EVENT_DECODED ? _("decoded ") : _("decoding "),
                   event->subject, text);
}

static void tell_progress(const struct pf_event *event, int verbosity)
{
    static double last_fetched, last_installed;
    static uint64_t containers;
    char text[128];
    switch (event->type) {
    case PF_EVENT_PHASE:
        say(NULL, event->text);
        break;
    case PF_EVENT_PLANNED:
        snprintf(text, sizeof text, P_("%llu file planned", "%llu files planned", event->count),
                 (unsigned long long)event->count);
        say(NULL, text);
        break;
    case PF_EVENT_FETCHED:
        count_up(event, verbosity, N_("fetched %llu of %llu"), &last_fetched);
        break;
    case PF_EVENT_INSTALLED:
        count_up(event, verbosity, N_("installed %llu of %llu"), &last_installed);
        break;
    case PF_EVENT_CLONED:
        snprintf(text, sizeof text, _("%llu entries, %.1f MB"), (unsigned long long)event->count,
                 (double)event->bytes / 1e6);
        line_print(LINE_PLAIN, _("copied to "), event->subject, text);
        break;
    case PF_EVENT_SNAPSHOT:
        say(event->subject, _("a snapshot of the cached root"));
        break;
    case PF_EVENT_CONTAINER:
        snprintf(text, sizeof text, _("%s (%llu of %llu)"), event->text,
                 (unsigned long long)++containers, (unsigned long long)event->count);
        say(event->subject, text);
        break;
    case PF_EVENT_DECODING:
    case PF_EVENT_DECODED:
        if (verbosity > 1)
            tell_decoding(event);
        break;
    default:
        break;
    }
}

/* The server of a URL: "https://example.org:8080". */
static size_t host_length(const char *url)
{
    const char *slashes = strstr(url, "://");
    return slashes ? (size_t)(slashes - url) + 3 + strcspn(slashes + 3, "/") : strlen(url);
}

/* Each file is tried again several times where a server is ill: of that one hears once. Events come
   one at a time. */
static void tell_retry(const struct pf_event *event, int verbosity)
{
    static char told[MAX_HOSTS][256];
    char host[256], text[1536];
    const char *url = event->subject ? event->subject : "";
    if (verbosity > 0) {
        say(NULL, event->text);
        return;
    }
    snprintf(host, sizeof host, "%.*s", (int)host_length(url), url);
    size_t i = 0;
    while (i < MAX_HOSTS && *told[i] && strcmp(told[i], host) != 0)
        i++;
    if (i == MAX_HOSTS || *told[i])
        return;
    snprintf(told[i], sizeof told[i], "%s", *host ? host : "?");
    snprintf(text, sizeof text, _("%s (more of %s is shown with -v)"), event->text, host);
    say(NULL, text);
}

void report_plain_event(const struct pf_event *event, int verbosity, bool progress)
{
    switch (event->type) {
    case PF_EVENT_WARNING:
    case PF_EVENT_SKIPPED:
        line_print(LINE_WARNING, event->type == PF_EVENT_SKIPPED ? _("skipped: ") : _("warning: "),
                   event->subject, event->text);
        break;
    case PF_EVENT_LOCK_WAIT:
        if (verbosity >= 0)
            say(NULL, event->text);
        break;
    case PF_EVENT_RETRY:
        if (verbosity >= 0)
            tell_retry(event, verbosity);
        break;
    case PF_EVENT_NOTE:
    case PF_EVENT_CHANGED:
        if (verbosity >= 0)
            say(event->subject, event->text);
        break;
    case PF_EVENT_SCRIPT:
        if (verbosity > 0)
            line_print(LINE_PLAIN, _("script of "), event->subject, event->text);
        break;
    default:
        if (verbosity > 0 || (progress && verbosity == 0))
            tell_progress(event, verbosity);
        break;
    }
}
