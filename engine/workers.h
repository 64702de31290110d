/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* workers: a pool that runs items as they become ready and gives them back in sequence order. */
#ifndef PF_WORKERS_H
#define PF_WORKERS_H

#include <stddef.h>

struct pf_workers;

/* Runs one item. Called on a worker thread, without locks; errors live in the item. */
typedef void (*pf_work_fn)(void *ctx, void *item);

/* Starts threads for `count` items numbered 0…count-1. An item runs only while it is fewer than
   `window` numbers ahead of the next one to be taken, so that what waits is bounded; the next one
   is always allowed to run, so nothing can stand still. threads == 0 gives the serial twin: no
   thread is started and pf_workers_take runs the item itself. Returns NULL with errno. */
struct pf_workers *pf_workers_new(unsigned threads, size_t count, size_t window, pf_work_fn fn,
                                  void *ctx);

/* Hands item number `sequence` over: it may run from now on. Any thread, any order, once each. */
void pf_workers_submit(struct pf_workers *workers, size_t sequence, void *item);

/* Takes the items back, 0 first: waits until the next one has run. Returns NULL after
   pf_workers_stop, or when all have been taken. One thread only. */
void *pf_workers_take(struct pf_workers *workers);

/* Wakes everybody; no further item is started. Any thread; may be called more than once. */
void pf_workers_stop(struct pf_workers *workers);

/* Stops, joins the threads and frees. Items that were not taken stay the caller's. NULL is fine. */
void pf_workers_free(struct pf_workers *workers);

#endif
