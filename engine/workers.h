/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* workers: a pool that runs items as they become ready and gives them back in sequence order. */
#ifndef PF_WORKERS_H
#define PF_WORKERS_H

#include <stddef.h>
#include <stdint.h>

struct pf_workers;

/* Runs one item. Called on a worker thread, without locks; errors live in the item. Returns what
   the item weighs until it is taken, in any unit; 0 where that is of no concern. Or PF_WORK_AGAIN,
   where it was begun before it was whole, and in vain: it runs once more when it has been
   submitted. (An item that was whole has run, whatever is said.) */
typedef uint64_t (*pf_work_fn)(void *ctx, void *item);

#define PF_WORK_AGAIN UINT64_MAX

struct pf_workers_settings {
    unsigned threads; /* 0: the serial twin, where pf_workers_take runs the item itself */
    size_t count;     /* items, numbered 0…count-1 */
    pf_work_fn fn;
    void *ctx;

    /* What waits is bounded: an item runs only while those that have run and wait weigh less than
       max_weight together, or while it is fewer than `window` numbers ahead of the next one to be
       taken. That one itself may always run, so nothing can stand still. */
    size_t window;

    /* 0: only the window counts, and all threads run the lowest item that is ready. Else all
       threads but one run the largest: a long item that begins late would hold up everybody, while
       that one keeps whoever takes the items busy. When it is time for the last long ones it runs
       them, too, and leaves the lowest to the next thread that is free. */
    uint64_t max_weight;
};

/* Starts the threads. Returns NULL with errno. */
struct pf_workers *pf_workers_new(const struct pf_workers_settings *settings);

/* Hands item number `sequence` over: it may run from now on. size: what tells the largest. Any
   thread, any order, once each. */
void pf_workers_submit(struct pf_workers *workers, size_t sequence, void *item, uint64_t size);

/* Of an item that is still coming, `there` bytes can be worked on, of about `size`; fewer than
   before: what there was is not its any more. A thread with nothing else to do may begin with it.
   Any thread, one for each item, until it is submitted. */
void pf_workers_feed(struct pf_workers *workers, size_t sequence, void *item, uint64_t there,
                     uint64_t size);

/* Called while item `sequence` runs, by its fn: so much of its size is done. By this, threads end
   at about the same time. */
void pf_workers_progress(struct pf_workers *workers, size_t sequence, uint64_t done);

/* Called while item `sequence` runs, by its fn: waits until more than `offset` bytes of it are
   there and returns how many; INT64_MAX: it is whole (at once for an item that was so when it
   began); -1: what has been worked on is of no use any more, or stop. Meanwhile, and before,
   further items run on this thread as they become ready: who waits for bytes holds up nobody. */
int64_t pf_workers_await(struct pf_workers *workers, size_t sequence, uint64_t offset);

/* Takes the items back, 0 first: waits until the next one has run. Returns NULL after
   pf_workers_stop, or when all have been taken. One thread only. */
void *pf_workers_take(struct pf_workers *workers);

/* Wakes everybody; no further item is started. Any thread; may be called more than once. */
void pf_workers_stop(struct pf_workers *workers);

/* Stops, joins the threads and frees. Items that were not taken stay the caller's. NULL is fine. */
void pf_workers_free(struct pf_workers *workers);

#endif
