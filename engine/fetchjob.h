/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fetchjob: one request through all of its tries: which mirror is asked, whether again, and when.
   Which of them run, fetch decides. */
#ifndef PF_FETCHJOB_H
#define PF_FETCHJOB_H

#include "error.h"
#include "request.h"
#include "transfer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pf_fetchjob {
    struct pf_fetchjob *next; /* in one of fetch's lists */
    struct pf_transfer transfer;
    pf_fetch_done_fn done;
    void *ctx;
    unsigned attempts; /* how many without progress are too many */
    unsigned attempt;  /* 1: the first since the last progress */
    unsigned tries;    /* all of them */
    int64_t not_before_ms;
    uint64_t best; /* the most that was there after any try */

    char *path; /* below any mirror; NULL: bound to its URL */
    char *home_url;
    size_t home, mirror; /* whose home_url is; which one is asked now */
    uint32_t without;    /* bits of the mirrors that are out of the question */
};

/* A job whose transfer has its settings and a copy of the URL. Both structs must outlive it. NULL
   where memory is short. End it with pf_fetchjob_free. */
struct pf_fetchjob *pf_fetchjob_new(const struct pf_fetch_settings *settings,
                                    struct pf_ratelimit *limit, enum pf_transfer_kind kind,
                                    const char *url, pf_fetch_done_fn done, void *ctx);

/* The same for a file that may come from any mirror. */
int pf_fetchjob_new_file(const struct pf_fetch_settings *settings, struct pf_ratelimit *limit,
                         const struct pf_fetch_file *file, struct pf_fetchjob **out,
                         struct pf_error *err);

/* Its handle must be off the multi handle. */
void pf_fetchjob_free(struct pf_fetchjob *job);

/* Before a try: the first one goes to the mirror that has failed least meanwhile. */
void pf_fetchjob_begin_try(struct pf_fetchjob *job, int64_t now_ms);

/* After a try that did not end well: takes note of what came. */
void pf_fetchjob_note_progress(struct pf_fetchjob *job);

/* Whether to try again, for `why`. True: its URL and not_before_ms are set, and a PF_EVENT_RETRY
   has said so. False: it is to be finished with its error. */
bool pf_fetchjob_retry(struct pf_fetchjob *job, enum pf_transfer_end end,
                       const struct pf_error *why);

#endif
