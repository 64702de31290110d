/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ratelimit.h"

#include "support.h"

static struct pf_ratelimit limit_of(uint64_t bytes_per_s)
{
    struct pf_ratelimit limit;
    memset(&limit, 0xff, sizeof limit);
    pf_ratelimit_init(&limit, bytes_per_s);
    return limit;
}

static void limits_nothing_where_there_is_no_limit(void **state)
{
    (void)state;
    struct pf_ratelimit limit = limit_of(0);
    for (uint64_t now = 0; now < 10; now++) {
        assert_true(pf_ratelimit_allowed(&limit, now) == INT64_MAX);
        pf_ratelimit_take(&limit, UINT64_MAX);
        assert_int_equal(pf_ratelimit_wait_ms(&limit, now), 0);
    }
}

static void begins_with_a_burst(void **state)
{
    (void)state;
    struct pf_ratelimit limit = limit_of(1000000);
    assert_int_equal(pf_ratelimit_allowed(&limit, 123456789), 250000);
    limit = limit_of(1000);
    assert_int_equal(pf_ratelimit_allowed(&limit, 0), 16384);
    assert_int_equal(pf_ratelimit_allowed(&limit, 1000000), 16384); /* a pause brings no more */
}

static void brings_what_the_rate_says(void **state)
{
    (void)state;
    struct pf_ratelimit limit = limit_of(1000000);
    assert_int_equal(pf_ratelimit_wait_ms(&limit, 0), 0);
    pf_ratelimit_take(&limit, 250000);
    assert_int_equal(pf_ratelimit_allowed(&limit, 0), 0);
    assert_int_equal(pf_ratelimit_wait_ms(&limit, 0), 1);
    assert_int_equal(pf_ratelimit_allowed(&limit, 7), 7000);
    pf_ratelimit_take(&limit, 27000);
    assert_int_equal(pf_ratelimit_allowed(&limit, 7), -20000);
    assert_int_equal(pf_ratelimit_wait_ms(&limit, 7), 21);
    assert_true(pf_ratelimit_allowed(&limit, 7 + 20) <= 0);
    assert_true(pf_ratelimit_allowed(&limit, 7 + 21) > 0);
}

/* Who looks often gets as much as who looks seldom: parts of a byte are kept. */
static void loses_no_part_of_a_byte(void **state)
{
    (void)state;
    struct pf_ratelimit limit = limit_of(333);
    pf_ratelimit_allowed(&limit, 0);
    pf_ratelimit_take(&limit, 16384);
    for (uint64_t now = 0; now <= 10000; now++)
        pf_ratelimit_allowed(&limit, now);
    assert_int_equal(pf_ratelimit_allowed(&limit, 10000), 3330);
    limit = limit_of(1);
    pf_ratelimit_take(&limit, 16384);
    assert_int_equal(pf_ratelimit_wait_ms(&limit, 0), 1000);
    assert_int_equal(pf_ratelimit_wait_ms(&limit, 999), 1);
    assert_int_equal(pf_ratelimit_wait_ms(&limit, 1000), 0);
}

static void keeps_the_rate_over_time(void **state)
{
    (void)state;
    static const uint64_t rates[] = {700, 50000, 3000000, 123456789};
    for (size_t r = 0; r < 4; r++) {
        struct pf_ratelimit limit = limit_of(rates[r]);
        uint64_t now = 5, taken = 0, seed = 3;
        while (now < 100005) {
            uint64_t wait = pf_ratelimit_wait_ms(&limit, now);
            if (wait) {
                now += wait;
                continue;
            }
            uint64_t piece = 1 + random_below(&seed, 16384); /* may be more than is allowed */
            pf_ratelimit_take(&limit, piece);
            taken += piece;
        }
        uint64_t fair = rates[r] * 100;
        assert_true(taken >= fair && taken <= fair + (uint64_t)limit.burst_bytes + 32768);
    }
}

static void does_not_mind_strange_clocks(void **state)
{
    (void)state;
    struct pf_ratelimit limit = limit_of(100000);
    pf_ratelimit_allowed(&limit, 1000);
    pf_ratelimit_take(&limit, 25000);
    assert_int_equal(pf_ratelimit_allowed(&limit, 500), 0); /* backwards */
    assert_int_equal(pf_ratelimit_allowed(&limit, 510), 1000);
    assert_int_equal(pf_ratelimit_allowed(&limit, 0), 1000);
    assert_int_equal(pf_ratelimit_allowed(&limit, UINT64_MAX), 25000);
    assert_int_equal(pf_ratelimit_allowed(&limit, 0), 25000);
}

static void stays_in_range(void **state)
{
    (void)state;
    static const uint64_t rates[] = {1, 1000, UINT64_C(1) << 40, UINT64_MAX};
    for (size_t r = 0; r < 4; r++) {
        struct pf_ratelimit limit = limit_of(rates[r]);
        uint64_t now = 0;
        for (int i = 0; i < 4; i++) {
            pf_ratelimit_take(&limit, UINT64_MAX);
            assert_true(pf_ratelimit_allowed(&limit, now) < 0);
            now += pf_ratelimit_wait_ms(&limit, now);
            assert_true(pf_ratelimit_allowed(&limit, now) > 0);
        }
        assert_true(pf_ratelimit_allowed(&limit, UINT64_MAX) == limit.burst_bytes);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(limits_nothing_where_there_is_no_limit),
    cmocka_unit_test(begins_with_a_burst),
    cmocka_unit_test(brings_what_the_rate_says),
    cmocka_unit_test(loses_no_part_of_a_byte),
    cmocka_unit_test(keeps_the_rate_over_time),
    cmocka_unit_test(does_not_mind_strange_clocks),
    cmocka_unit_test(stays_in_range),
};
support_main(tests, false)
