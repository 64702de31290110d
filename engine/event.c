/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event.h"

#include "clock.h"
#include "message.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* More threads than this share the last number. */
#define MAX_THREADS 300

struct pf_events {
    pf_event_fn fn;
    void *ctx;
    bool spans;                    /* constant once other threads run */
    pthread_mutex_t one_at_a_time; /* serialises calls of fn; nothing else is held meanwhile */
    /* Under it: who has sent spans so far. */
    pthread_t threads[MAX_THREADS];
    unsigned thread_count;
};

struct pf_events *pf_events_new(pf_event_fn fn, void *ctx)
{
    struct pf_events *events = calloc(1, sizeof *events);
    if (!events)
        return NULL;
    events->fn = fn;
    events->ctx = ctx;
    pthread_mutex_init(&events->one_at_a_time, NULL);
    return events;
}

void pf_events_free(struct pf_events *events)
{
    if (!events)
        return;
    pthread_mutex_destroy(&events->one_at_a_time);
    free(events);
}

void pf_events_send_spans(struct pf_events *events)
{
    events->spans = events->fn != NULL;
}

void pf_events_send(struct pf_events *events, const struct pf_event *event)
{
    if (!events || !events->fn)
        return;
    pthread_mutex_lock(&events->one_at_a_time);
    events->fn(events->ctx, event);
    pthread_mutex_unlock(&events->one_at_a_time);
}

void pf_events_text(struct pf_events *events, enum pf_event_type type, const char *subject,
                    const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    if ((size_t)vsnprintf(text, sizeof text, pf_message(fmt), args) >= sizeof text)
        pf_message_trim(text);
    va_end(args);
    pf_events_send(events, &(struct pf_event){.type = type, .subject = subject, .text = text});
}

int64_t pf_span_begin(const struct pf_events *events)
{
    return events && events->spans ? pf_clock_ns() : 0;
}

static unsigned thread_number(struct pf_events *events)
{
    pthread_t self = pthread_self();
    unsigned i = 0;
    while (i < events->thread_count && !pthread_equal(events->threads[i], self))
        i++;
    if (i == events->thread_count && i < MAX_THREADS - 1)
        events->threads[events->thread_count++] = self;
    return i;
}

void pf_span_sum(struct pf_events *events, int64_t start_ns, int64_t duration_ns, const char *stage,
                 const char *subject)
{
    if (start_ns == 0)
        return;
    pthread_mutex_lock(&events->one_at_a_time);
    events->fn(events->ctx, &(struct pf_event){.type = PF_EVENT_SPAN,
                                               .subject = subject,
                                               .text = stage,
                                               .start_ns = start_ns,
                                               .duration_ns = duration_ns,
                                               .thread = thread_number(events)});
    pthread_mutex_unlock(&events->one_at_a_time);
}

void pf_span_end(struct pf_events *events, int64_t start_ns, const char *stage, const char *subject)
{
    if (start_ns)
        pf_span_sum(events, start_ns, pf_clock_ns() - start_ns, stage, subject);
}
