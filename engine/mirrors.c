/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mirrors.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#define FIRST_REST_MS 1000
#define MAX_DOUBLINGS 6

void pf_mirrors_init(struct pf_mirrors *mirrors, const char *const *urls)
{
    *mirrors = (struct pf_mirrors){0};
    for (; *urls; urls++) {
        assert(mirrors->count < PF_MIRRORS_MAX);
        bool https = strncasecmp(*urls, "https:", 6) == 0;
        mirrors->list[mirrors->count++] = (struct pf_mirror){
            .url = *urls,
            .https = https,
            .secure = https || strncasecmp(*urls, "file:", 5) == 0,
        };
    }
}

void pf_mirrors_worked(struct pf_mirrors *mirrors, size_t mirror)
{
    mirrors->list[mirror].failures = 0;
    mirrors->list[mirror].rest_until_ms = 0;
}

void pf_mirrors_failed(struct pf_mirrors *mirrors, size_t mirror, int64_t now_ms)
{
    struct pf_mirror *m = &mirrors->list[mirror];
    unsigned doublings = m->failures < MAX_DOUBLINGS ? m->failures : MAX_DOUBLINGS;
    m->failures++;
    m->rest_until_ms = now_ms + ((int64_t)FIRST_REST_MS << doublings);
}

size_t pf_mirrors_choose(const struct pf_mirrors *mirrors, size_t home, uint32_t without,
                         int64_t now_ms, int64_t *ready_ms)
{
    size_t best = mirrors->count;
    *ready_ms = 0;
    for (size_t i = 0; i <= mirrors->count; i++) {
        /* The home mirror first, then all in order. */
        size_t mirror = i == 0 ? home : i - 1;
        if (without & UINT32_C(1) << mirror)
            continue;
        const struct pf_mirror *m = &mirrors->list[mirror];
        if (m->rest_until_ms <= now_ms) {
            *ready_ms = 0;
            return mirror;
        }
        if (best == mirrors->count || m->rest_until_ms < *ready_ms) {
            best = mirror;
            *ready_ms = m->rest_until_ms;
        }
    }
    return best;
}

uint32_t pf_mirrors_below(const struct pf_mirrors *mirrors, size_t mirror)
{
    return mirrors->list[mirror].https ? pf_mirrors_insecure(mirrors) : 0;
}

uint32_t pf_mirrors_insecure(const struct pf_mirrors *mirrors)
{
    uint32_t bits = 0;
    for (size_t i = 0; i < mirrors->count; i++)
        bits |= (uint32_t)!mirrors->list[i].secure << i;
    return bits;
}
