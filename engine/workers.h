/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* workers: a pool that runs items as they become ready and gives them back in sequence order. */
#ifndef PF_WORKERS_H
#define PF_WORKERS_H

#include <stddef.h>
#include <stdint.h>

struct pf_workers;

/* Runs one item. Called on a worker thread, without locks; errors live in the item. Returns what
   the item weighs until it is taken, in any unit; 0 where that is of no concern. */
typedef uint64_t (*pf_work_fn)(void *ctx, void *item);

struct pf_workers_settings {
    unsigned threads; /* 0: the serial twin, where pf_workers_take runs the item itself */
    size_t count;     /* items, numbered 0…count-1 */
    pf_work_fn fn;
    void *ctx;

    /* An item runs only while it is fewer than so many numbers ahead of the next one to be taken,
       so that what waits is bounded; the next one itself may always run, so nothing can stand
       still. */
    size_t window;

    /* All threads but the first run the largest of all items that are ready, wherever it stands, as
       long as those that have run and wait weigh less than this; then the lowest in the window like
       the first. A long item that begins late would hold up everybody, while the first thread keeps
       whoever takes the items busy. 0: all of them run the lowest. */
    uint64_t max_weight;
};

/* Starts the threads. Returns NULL with errno. */
struct pf_workers *pf_workers_new(const struct pf_workers_settings *settings);

/* Hands item number `sequence` over: it may run from now on. size: what tells the largest. Any
   thread, any order, once each. */
void pf_workers_submit(struct pf_workers *workers, size_t sequence, void *item, uint64_t size);

/* Takes the items back, 0 first: waits until the next one has run. Returns NULL after
   pf_workers_stop, or when all have been taken. One thread only. */
void *pf_workers_take(struct pf_workers *workers);

/* Wakes everybody; no further item is started. Any thread; may be called more than once. */
void pf_workers_stop(struct pf_workers *workers);

/* Stops, joins the threads and frees. Items that were not taken stay the caller's. NULL is fine. */
void pf_workers_free(struct pf_workers *workers);

#endif
