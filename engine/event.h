/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* event: typed progress and log events, from the engine to the caller's callback. */
#ifndef PF_EVENT_H
#define PF_EVENT_H

#include <stddef.h>
#include <stdint.h>

enum pf_event_type {
    PF_EVENT_PHASE,     /* text: what begins now */
    PF_EVENT_LOCK_WAIT, /* text: the lock file; waiting began */
    PF_EVENT_PLANNED,   /* count: packages and files in the plan; total: their bytes */
    PF_EVENT_FETCHED,   /* subject: file; index/count; bytes: received now (0: was there) */
    PF_EVENT_RETRY,     /* subject: URL; text: why the transfer is tried again */
    PF_EVENT_INSTALLED, /* subject: package stem; index/count; bytes: of the unpacked tar */
    PF_EVENT_SKIPPED,   /* subject: package; text: why it was not installed */
    PF_EVENT_SCRIPT,    /* subject: package; text: one line that its script printed */
    PF_EVENT_NOTE,      /* subject: thing or NULL; text: something the user may want to know */
    PF_EVENT_WARNING,   /* subject: thing or NULL; text: something the user should know */
    PF_EVENT_CHANGED,   /* subject: file; text: how an update found it to differ from the cache */
    PF_EVENT_CLONED,    /* subject: the new root; count: entries; bytes: of file content */
    PF_EVENT_SNAPSHOT,  /* subject: the new root, which is a snapshot of the cached one */
    PF_EVENT_CONTAINER, /* subject: its name; text: "made", or that it was there; index/count */
    PF_EVENT_DONE,      /* a whole run ended well */
    /* Progress. What goes on for long is told ten times a second at the most. */
    PF_EVENT_FETCHING,   /* index/count: files that are there; bytes/total: of all; received: now */
    PF_EVENT_TRANSFER,   /* subject: file on its way; bytes/total: of it */
    PF_EVENT_INSTALLING, /* count: packages; total: of their files; unpacking begins */
    PF_EVENT_DECODING,   /* subject: package's file; bytes/total: read of it; bytes 0: begun */
    PF_EVENT_DECODED,    /* subject: package's file, done with; bytes: unpacked, 0: it failed;
                            total: of the file */
    PF_EVENT_COPYING,    /* subject: the new root; index: entries; bytes: of file content */
    PF_EVENT_SPAN, /* text: a stage that has ended; subject: package or NULL; only when asked */
};

struct pf_event {
    enum pf_event_type type;
    const char *subject; /* valid during the call; may hold bytes from outside */
    const char *text;    /* likewise */
    uint64_t index;      /* 1-based position where count says so */
    uint64_t count;
    uint64_t bytes;
    uint64_t total;    /* bytes that will be; 0: not known */
    uint64_t received; /* bytes from the mirror in this run */
    /* Of a span, on CLOCK_MONOTONIC; and which of the engine's threads it was, counted from 0. */
    int64_t start_ns, duration_ns;
    unsigned thread;
};

/* Time between two events on the progress of one thing. */
#define PF_EVENT_INTERVAL_MS 100

/* Called from the engine's threads, one call at a time, without any of the engine's locks. */
typedef void (*pf_event_fn)(void *ctx, const struct pf_event *event);

/* Where events go. Shared by all threads of a run. */
struct pf_events;

/* Makes a sink; fn may be NULL (events are dropped). Returns NULL where memory is short. */
struct pf_events *pf_events_new(pf_event_fn fn, void *ctx);
void pf_events_free(struct pf_events *events);

/* From now on spans are sent; before any other thread knows the sink. */
void pf_events_send_spans(struct pf_events *events);

/* Hands one event to the callback. events may be NULL. */
void pf_events_send(struct pf_events *events, const struct pf_event *event);

/* Shorthands for the events that are a text about a subject (which may be NULL); fmt is
   translated. */
void pf_events_text(struct pf_events *events, enum pf_event_type type, const char *subject,
                    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* A stage begins: the time, or 0 where nobody wants spans. events may be NULL. */
int64_t pf_span_begin(const struct pf_events *events);

/* It has ended, on the same thread. Sends nothing where start_ns is 0. subject may be NULL. */
void pf_span_end(struct pf_events *events, int64_t start_ns, const char *stage,
                 const char *subject);

/* The same for what a stage did in many pieces: duration_ns is their sum, drawn at its start. */
void pf_span_sum(struct pf_events *events, int64_t start_ns, int64_t duration_ns, const char *stage,
                 const char *subject);

#endif
