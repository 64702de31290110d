/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "recent.h"

#include "support.h"

#define MEGA 1000000u

/* Adds `rate` bytes a second for so long, ten times a second. */
static void grow(struct recent *recent, int64_t *now_ms, uint64_t *amount, uint64_t rate,
                 int64_t for_ms)
{
    for (int64_t end_ms = *now_ms + for_ms; *now_ms < end_ms; *now_ms += 100) {
        recent_add(recent, *now_ms, *amount);
        *amount += rate / 10;
    }
    recent_add(recent, *now_ms, *amount);
}

static void knows_nothing_at_first(void **state)
{
    (void)state;
    struct recent recent = {0};
    int64_t now_ms = 5000;
    uint64_t amount = 70 * MEGA; /* was there before */
    assert_true(recent_rate(&recent, now_ms) < 0);
    grow(&recent, &now_ms, &amount, MEGA, 900);
    assert_true(recent_rate(&recent, now_ms) < 0);
    grow(&recent, &now_ms, &amount, MEGA, 200);
    assert_in_range((uint64_t)recent_rate(&recent, now_ms), MEGA * 99 / 100, MEGA * 101 / 100);
}

static void follows_what_happens_lately(void **state)
{
    (void)state;
    struct recent recent = {0};
    int64_t now_ms = 0;
    uint64_t amount = 0;
    grow(&recent, &now_ms, &amount, 100 * MEGA, 60000);
    grow(&recent, &now_ms, &amount, MEGA, RECENT_WINDOW_MS);
    assert_in_range((uint64_t)recent_rate(&recent, now_ms), MEGA * 9 / 10, 5 * MEGA);
    grow(&recent, &now_ms, &amount, 0, RECENT_WINDOW_MS + RECENT_STEP_MS);
    assert_true(recent_rate(&recent, now_ms) == 0);
    /* Nobody has looked for long. */
    now_ms += 60000;
    assert_true(recent_rate(&recent, now_ms) == 0);
}

static void says_that_it_does_not_know(void **state)
{
    (void)state;
    assert_true(recent_remaining_s(10 * MEGA, MEGA) == 10);
    assert_true(recent_remaining_s(0, -1) == 0);
    assert_true(recent_remaining_s(1, -1) < 0);
    assert_true(recent_remaining_s(1, 0) < 0);
    assert_true(recent_remaining_s(UINT64_MAX, 1) < 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(knows_nothing_at_first),
    cmocka_unit_test(follows_what_happens_lately),
    cmocka_unit_test(says_that_it_does_not_know),
};
support_main(tests, false)
