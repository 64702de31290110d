/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fetch: transfers from the mirrors, several at once: retry, failover, limits. */
#ifndef PF_FETCH_H
#define PF_FETCH_H

#include "error.h"
#include "request.h"

#include <stdbool.h>
#include <stdint.h>

struct pf_fetch;

int pf_fetch_new(const struct pf_fetch_settings *settings, struct pf_fetch **out,
                 struct pf_error *err);
void pf_fetch_free(struct pf_fetch *fetch);

/* A page is to be read into memory. */
int pf_fetch_page(struct pf_fetch *fetch, const struct pf_fetch_page *page, struct pf_error *err);

/* Asks for a thing's size, without its body. */
int pf_fetch_size(struct pf_fetch *fetch, const char *url, pf_fetch_done_fn done, void *ctx,
                  struct pf_error *err);

/* A file is to come into a folder. */
int pf_fetch_file(struct pf_fetch *fetch, const struct pf_fetch_file *file, struct pf_error *err);

/* Runs until nothing is left to do. tick (may be NULL) is called in between, every 100 ms at the
   least. Returns 0, the code of a done callback, PF_E_CANCELLED, or PF_E_NETWORK where the time for
   all of it is over; then what was not done is dropped, without a callback. One thread at a time.
 */
int pf_fetch_run(struct pf_fetch *fetch, void (*tick)(void *ctx), void *ctx, struct pf_error *err);

/* Is the time for all that is asked for over? Then no mirror is worth asking any more. */
bool pf_fetch_is_late(const struct pf_fetch *fetch);

/* Drops what has been asked for and not run. */
void pf_fetch_drop(struct pf_fetch *fetch);

/* A file whose transfer is running. */
struct pf_fetch_running {
    void *ctx;          /* of the file */
    uint64_t bytes;     /* there so far */
    int64_t size_bytes; /* of the whole; -1: the server has not said */
};

/* Calls fn for each of them; on the thread of pf_fetch_run, in its tick. */
void pf_fetch_each_running(const struct pf_fetch *fetch,
                           void (*fn)(void *ctx, const struct pf_fetch_running *running),
                           void *ctx);

/* Requests sent so far, and bytes of bodies received, of unfinished
   transfers too. */
uint64_t pf_fetch_requests(const struct pf_fetch *fetch);
uint64_t pf_fetch_bytes(const struct pf_fetch *fetch);

#endif
