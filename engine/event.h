/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* event: typed progress and log events, from the engine to the caller's callback. */
#ifndef PF_EVENT_H
#define PF_EVENT_H

#include <stddef.h>
#include <stdint.h>

enum pf_event_type {
    PF_EVENT_PHASE,     /* text: what begins now */
    PF_EVENT_LOCK_WAIT, /* text: the lock file; waiting began */
    PF_EVENT_PLANNED,   /* count: packages and files in the plan */
    PF_EVENT_FETCHED,   /* subject: file; index/count; bytes: received now (0: was there) */
    PF_EVENT_RETRY,     /* subject: URL; text: why the transfer is tried again */
    PF_EVENT_INSTALLED, /* subject: package stem; index/count; bytes: of the unpacked tar */
    PF_EVENT_SKIPPED,   /* subject: package; text: why it was not installed */
    PF_EVENT_SCRIPT,    /* subject: package; text: one line that its script printed */
    PF_EVENT_NOTE,      /* subject: thing or NULL; text: something the user may want to know */
    PF_EVENT_WARNING,   /* subject: thing or NULL; text: something the user should know */
    PF_EVENT_CLONED,    /* subject: the new root; count: entries; bytes: of file content */
    PF_EVENT_DONE,      /* a whole run ended well */
};

struct pf_event {
    enum pf_event_type type;
    const char *subject; /* valid during the call; may hold bytes from outside */
    const char *text;    /* likewise */
    uint64_t index;      /* 1-based position where count says so */
    uint64_t count;
    uint64_t bytes;
};

/* Called from the engine's threads, one call at a time, without any of the engine's locks. */
typedef void (*pf_event_fn)(void *ctx, const struct pf_event *event);

/* Where events go. Shared by all threads of a run. */
struct pf_events;

/* Makes a sink; fn may be NULL (events are dropped). Returns NULL where memory is short. */
struct pf_events *pf_events_new(pf_event_fn fn, void *ctx);
void pf_events_free(struct pf_events *events);

/* Hands one event to the callback. events may be NULL. */
void pf_events_send(struct pf_events *events, const struct pf_event *event);

/* Shorthands for the events that are a text about a subject (which may be NULL). */
void pf_events_text(struct pf_events *events, enum pf_event_type type, const char *subject,
                    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
