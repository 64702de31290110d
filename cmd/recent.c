/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recent.h"

/* What came within less says nothing. */
#define LEAST_MS 1000

/* More is no forecast. */
#define MOST_REMAINING_S (100.0 * 3600)

#define SAMPLES (sizeof((struct recent *)0)->samples / sizeof(struct recent_sample))

void recent_add(struct recent *recent, int64_t now_ms, uint64_t amount)
{
    const struct recent_sample *newest = &recent->samples[(recent->next + SAMPLES - 1) % SAMPLES];
    recent->last = (struct recent_sample){.ms = now_ms, .amount = amount};
    if (recent->count && now_ms - newest->ms < RECENT_STEP_MS)
        return;
    recent->samples[recent->next] = recent->last;
    recent->next = (recent->next + 1) % SAMPLES;
    if (recent->count < SAMPLES)
        recent->count++;
}

double recent_rate(const struct recent *recent, int64_t now_ms)
{
    /* The oldest first. */
    for (size_t i = 0; i < recent->count; i++) {
        size_t at = (recent->next + SAMPLES - recent->count + i) % SAMPLES;
        const struct recent_sample *first = &recent->samples[at];
        if (now_ms - first->ms > RECENT_WINDOW_MS)
            continue;
        if (now_ms - first->ms < LEAST_MS)
            return -1;
        if (recent->last.amount <= first->amount)
            return 0;
        return (double)(recent->last.amount - first->amount) * 1000 / (double)(now_ms - first->ms);
    }
    return recent->count ? 0 : -1;
}

double recent_remaining_s(uint64_t left, double rate)
{
    if (left == 0)
        return 0;
    if (rate <= 0 || (double)left / rate > MOST_REMAINING_S)
        return -1;
    return (double)left / rate;
}
