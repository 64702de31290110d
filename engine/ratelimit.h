/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ratelimit: how many bytes all transfers together may take now. Pure: the caller says the time. */
#ifndef PF_RATELIMIT_H
#define PF_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* A token bucket. Embedded; one thread uses it. */
struct pf_ratelimit {
    uint64_t bytes_per_s; /* 0: no limit */
    int64_t burst_bytes;  /* the most that may gather: what 250 ms bring, at least 16 KiB */
    int64_t bytes;        /* what may be taken; below zero: taken beforehand */
    uint64_t thousandths; /* of a byte, that came besides */
    uint64_t last_ms;     /* when it was filled last */
    bool started;
};

/* A full bucket. A rate of more than 1 TiB/s is taken as that. */
void pf_ratelimit_init(struct pf_ratelimit *limit, uint64_t bytes_per_s);

/* The bytes that may be taken now; 0 or less: none; INT64_MAX without a limit. now_ms is any clock
   of milliseconds: where it goes backwards nothing comes meanwhile, and after a long pause there is
   a burst, not more. */
int64_t pf_ratelimit_allowed(struct pf_ratelimit *limit, uint64_t now_ms);

/* Says that bytes were taken. It may be more than was allowed (a piece comes as it comes); the next
   ones wait the longer. */
void pf_ratelimit_take(struct pf_ratelimit *limit, uint64_t bytes);

/* Milliseconds until something may be taken; 0: now. */
uint64_t pf_ratelimit_wait_ms(struct pf_ratelimit *limit, uint64_t now_ms);

#endif
