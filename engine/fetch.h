/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fetch: transfers from the mirror, several at once. The only user of libcurl's transfers. */
#ifndef PF_FETCH_H
#define PF_FETCH_H

#include "error.h"
#include "event.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pf_fetch_settings {
    unsigned connections; /* transfers at once */
    unsigned attempts;    /* how often one transfer is tried */
    unsigned connect_timeout_ms;
    unsigned stall_time_s; /* a transfer below stall_bytes_per_s for so long is broken off */
    unsigned stall_bytes_per_s;
    struct pf_events *events;  /* may be NULL */
    const atomic_bool *cancel; /* may be NULL; set: pf_fetch_run stops */
};

#define PF_FETCH_SETTINGS_DEFAULT                                                                  \
    {                                                                                              \
        .connections = 8, .attempts = 5, .connect_timeout_ms = 15000, .stall_time_s = 30,          \
        .stall_bytes_per_s = 1024                                                                  \
    }

/* How a transfer ended; valid during the done callback. */
struct pf_fetch_result {
    const char *url;           /* as asked for */
    const char *effective_url; /* after redirects */
    const char *data;          /* pages: the body, NUL-terminated */
    size_t length;
    int64_t size_bytes;      /* of the whole thing; -1 where the server did not say */
    uint64_t received_bytes; /* over the network, for this */
    struct pf_error error;   /* code 0: it went well */
};

/* Called on the thread that runs pf_fetch_run; may ask for more. Non-zero ends the run with that
   code. */
typedef int (*pf_fetch_done_fn)(void *ctx, const struct pf_fetch_result *result);

struct pf_fetch;

int pf_fetch_new(const struct pf_fetch_settings *settings, struct pf_fetch **out,
                 struct pf_error *err);
void pf_fetch_free(struct pf_fetch *fetch);

/* Asks for a page of at most max_bytes, into memory. Strings are copied. */
int pf_fetch_page(struct pf_fetch *fetch, const char *url, size_t max_bytes, pf_fetch_done_fn done,
                  void *ctx, struct pf_error *err);

/* Asks for a thing's size, without its body. */
int pf_fetch_size(struct pf_fetch *fetch, const char *url, pf_fetch_done_fn done, void *ctx,
                  struct pf_error *err);

/* Told as soon as a file's transfer from its beginning has a validator (ETag or Last-Modified),
   which is what resuming it later needs. */
typedef void (*pf_fetch_validator_fn)(void *ctx, const char *validator);

/* Told when all bytes of a file have come, before NAME.part gets its name. Non-zero, with err
   filled, fails the transfer. */
typedef int (*pf_fetch_whole_fn)(void *ctx, uint64_t size_bytes, struct pf_error *err);

/* Asks for a file into dir_fd (the caller's, open until done): NAME.part while it comes, renamed to
   NAME when whole. What NAME.part has already is not fetched again where the server allows it
   (RFC 9110, Range and If-Range with `validator`, which may be NULL: then the bytes are trusted and
   the package's own check values must tell). The file's time is the server's Last-Modified. */
int pf_fetch_file(struct pf_fetch *fetch, const char *url, int dir_fd, const char *name,
                  const char *validator, pf_fetch_validator_fn on_validator,
                  pf_fetch_whole_fn on_whole, pf_fetch_done_fn done, void *ctx,
                  struct pf_error *err);

/* Runs until nothing is left to do. tick (may be NULL) is called in between, every 100 ms at the
   least. Returns 0, the code of a done callback, or PF_E_CANCELLED; then what was not done is
   dropped, without a callback. One thread at a time. */
int pf_fetch_run(struct pf_fetch *fetch, void (*tick)(void *ctx), void *ctx, struct pf_error *err);

/* HTTP requests sent so far, and bytes of bodies received. */
uint64_t pf_fetch_requests(const struct pf_fetch *fetch);
uint64_t pf_fetch_bytes(const struct pf_fetch *fetch);

#endif
