/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ratelimit.h"

#define MAX_BYTES_PER_S (UINT64_C(1) << 40)
#define MAX_DEBT        (INT64_C(1) << 40) /* keeps the sums below in range */
#define BURST_MS        250
#define LEAST_BURST     (16 * 1024)

void pf_ratelimit_init(struct pf_ratelimit *limit, uint64_t bytes_per_s)
{
    if (bytes_per_s > MAX_BYTES_PER_S)
        bytes_per_s = MAX_BYTES_PER_S;
    uint64_t burst = bytes_per_s * BURST_MS / 1000;
    *limit = (struct pf_ratelimit){
        .bytes_per_s = bytes_per_s,
        .burst_bytes = burst > LEAST_BURST ? (int64_t)burst : LEAST_BURST,
    };
    limit->bytes = limit->burst_bytes;
}

static void fill(struct pf_ratelimit *limit, uint64_t now_ms)
{
    uint64_t elapsed_ms = limit->started && now_ms > limit->last_ms ? now_ms - limit->last_ms : 0;
    limit->started = true;
    limit->last_ms = now_ms;
    uint64_t missing = (uint64_t)(limit->burst_bytes - limit->bytes);
    if (elapsed_ms > missing * 1000 / limit->bytes_per_s) {
        limit->bytes = limit->burst_bytes;
        limit->thousandths = 0;
        return;
    }
    uint64_t come = elapsed_ms * limit->bytes_per_s + limit->thousandths;
    limit->bytes += (int64_t)(come / 1000);
    limit->thousandths = come % 1000;
}

int64_t pf_ratelimit_allowed(struct pf_ratelimit *limit, uint64_t now_ms)
{
    if (limit->bytes_per_s == 0)
        return INT64_MAX;
    fill(limit, now_ms);
    return limit->bytes;
}

void pf_ratelimit_take(struct pf_ratelimit *limit, uint64_t bytes)
{
    if (limit->bytes_per_s == 0)
        return;
    uint64_t most = (uint64_t)(limit->bytes + MAX_DEBT);
    limit->bytes -= (int64_t)(bytes < most ? bytes : most);
}

uint64_t pf_ratelimit_wait_ms(struct pf_ratelimit *limit, uint64_t now_ms)
{
    if (pf_ratelimit_allowed(limit, now_ms) > 0)
        return 0;
    uint64_t missing = (uint64_t)(1 - limit->bytes) * 1000 - limit->thousandths;
    return (missing + limit->bytes_per_s - 1) / limit->bytes_per_s;
}
