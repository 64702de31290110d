/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "event.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct pf_events {
    pf_event_fn fn;
    void *ctx;
    pthread_mutex_t one_at_a_time; /* serialises calls of fn; nothing else is held meanwhile */
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
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    pf_events_send(events, &(struct pf_event){.type = type, .subject = subject, .text = text});
}
