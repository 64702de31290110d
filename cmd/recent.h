/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recent: how fast something grew lately, and what that says of the rest. Pure. */
#ifndef PF_CMD_RECENT_H
#define PF_CMD_RECENT_H

#include <stddef.h>
#include <stdint.h>

/* What came within so long counts. */
#define RECENT_WINDOW_MS 8000
#define RECENT_STEP_MS   250

/* Zero-initialise it. */
struct recent {
    struct recent_sample {
        int64_t ms;
        uint64_t amount;
    } samples[RECENT_WINDOW_MS / RECENT_STEP_MS]; /* a ring */
    size_t count, next;
    struct recent_sample last;
};

/* At that time there was so much in all. Times only grow. */
void recent_add(struct recent *recent, int64_t now_ms, uint64_t amount);

/* What was added in a second, lately. -1: not known yet. */
double recent_rate(const struct recent *recent, int64_t now_ms);

/* Seconds until `left` more have come at that rate. -1: nobody knows (no rate, or nothing comes, or
   it would be days). */
double recent_remaining_s(uint64_t left, double rate);

#endif
