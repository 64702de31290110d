/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mirrors.h"

#include "support.h"

static const char *const three[] = {"https://a", "http://b", "FILE:///c", NULL};
static struct pf_mirrors mirrors;

static int begin(void **state)
{
    (void)state;
    pf_mirrors_init(&mirrors, three);
    return 0;
}

/* Chooses at a moment; ready is checked too. */
static void expect_choice(size_t home, uint32_t without, int64_t now_ms, size_t wanted,
                          int64_t wanted_ready_ms)
{
    int64_t ready_ms = -7;
    size_t chosen = pf_mirrors_choose(&mirrors, home, without, now_ms, &ready_ms);
    if (chosen != wanted || ready_ms != wanted_ready_ms)
        fail_msg("home %zu, without %x, at %lld: mirror %zu, ready at %lld; wanted %zu, %lld", home,
                 without, (long long)now_ms, chosen, (long long)ready_ms, wanted,
                 (long long)wanted_ready_ms);
}

static void begins_well(void **state)
{
    (void)state;
    assert_int_equal(mirrors.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(mirrors.list[i].url, three[i]);
        assert_int_equal(mirrors.list[i].failures, 0);
        expect_choice(i, 0, 0, i, 0);
    }
}

static void tells_the_secure_from_the_others(void **state)
{
    (void)state;
    static const char *const urls[] = {"http://a",  "HTTPS://b", "ftp://c", "file:///d",
                                       "httpsx://", "https:",    NULL};
    assert_int_equal(pf_mirrors_insecure(&mirrors), 1u << 1);
    pf_mirrors_init(&mirrors, urls);
    assert_int_equal(pf_mirrors_insecure(&mirrors), 1u << 0 | 1u << 2 | 1u << 4);
}

static void prefers_home_and_then_the_users_order(void **state)
{
    (void)state;
    expect_choice(2, 0, 0, 2, 0);
    expect_choice(2, 1u << 2, 0, 0, 0);
    expect_choice(2, 1u << 2 | 1u << 0, 0, 1, 0);
    expect_choice(0, 1u << 0, 0, 1, 0);
    expect_choice(1, 1u << 1, 0, 0, 0);
}

static void knows_when_none_is_left(void **state)
{
    (void)state;
    expect_choice(0, 7, 0, 3, 0);
    pf_mirrors_failed(&mirrors, 0, 1000);
    expect_choice(0, 7, 1000, 3, 0);
}

/* A mirror that failed is left alone for its rest, not a millisecond longer. */
static void rests_after_a_failure(void **state)
{
    (void)state;
    pf_mirrors_failed(&mirrors, 0, 5000);
    expect_choice(0, 0, 5000, 1, 0);
    expect_choice(0, 0, 5999, 1, 0);
    expect_choice(0, 0, 6000, 0, 0);
    expect_choice(2, 0, 5000, 2, 0);
}

static void rests_twice_as_long_each_time(void **state)
{
    (void)state;
    static const int64_t rests_s[] = {1, 2, 4, 8, 16, 32, 64, 64, 64};
    int64_t now_ms = 100;
    for (size_t i = 0; i < sizeof rests_s / sizeof *rests_s; i++) {
        pf_mirrors_failed(&mirrors, 0, now_ms);
        expect_choice(0, 6, now_ms, 0, now_ms + rests_s[i] * 1000);
        now_ms += rests_s[i] * 1000;
        expect_choice(0, 6, now_ms, 0, 0);
    }
    for (int i = 0; i < 1000; i++)
        pf_mirrors_failed(&mirrors, 0, now_ms);
    expect_choice(0, 6, now_ms, 0, now_ms + 64000);
}

static void forgives_what_has_worked(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        pf_mirrors_failed(&mirrors, 0, 0);
    pf_mirrors_worked(&mirrors, 0);
    expect_choice(0, 0, 0, 0, 0);
    pf_mirrors_failed(&mirrors, 0, 0);
    expect_choice(0, 6, 0, 0, 1000);
}

/* Each has a health of its own. Where all rest, who is ready first is waited for, in the user's
   order where two are equal. */
static void waits_for_the_first_that_is_ready(void **state)
{
    (void)state;
    pf_mirrors_failed(&mirrors, 0, 0);
    pf_mirrors_failed(&mirrors, 0, 0);
    pf_mirrors_failed(&mirrors, 1, 500);
    pf_mirrors_failed(&mirrors, 2, 900);
    expect_choice(0, 0, 1000, 1, 1500);
    expect_choice(0, 1u << 1, 1000, 2, 1900);
    expect_choice(0, 1u << 1 | 1u << 2, 1000, 0, 2000);
    expect_choice(0, 0, 1500, 1, 0);
    pf_mirrors_init(&mirrors, three);
    for (size_t i = 0; i < 3; i++)
        pf_mirrors_failed(&mirrors, i, 0);
    expect_choice(2, 0, 0, 2, 1000);
    expect_choice(2, 1u << 2, 0, 0, 1000);
}

static void takes_as_many_as_it_says(void **state)
{
    (void)state;
    const char *many[PF_MIRRORS_MAX + 1] = {NULL};
    for (size_t i = 0; i < PF_MIRRORS_MAX; i++)
        many[i] = "http://h";
    pf_mirrors_init(&mirrors, many);
    assert_int_equal(mirrors.count, PF_MIRRORS_MAX);
    assert_int_equal(pf_mirrors_insecure(&mirrors), UINT32_MAX);
    expect_choice(PF_MIRRORS_MAX - 1, UINT32_MAX >> 1, 0, PF_MIRRORS_MAX - 1, 0);
    expect_choice(0, UINT32_MAX, 0, PF_MIRRORS_MAX, 0);
}

/* A failing https mirror may be somebody's doing: nobody shall gain http by it. */
static void asks_nobody_below_https(void **state)
{
    (void)state;
    static const char *const mixed[] = {"http://a", "HTTPS://b", "file:///c", "ftp://d", NULL};
    pf_mirrors_init(&mirrors, mixed);
    assert_int_equal(pf_mirrors_below(&mirrors, 0), 0);
    assert_int_equal(pf_mirrors_below(&mirrors, 1), 1u << 0 | 1u << 3);
    assert_int_equal(pf_mirrors_below(&mirrors, 2), 0);
    assert_int_equal(pf_mirrors_below(&mirrors, 3), 0);
}

#define test(f) cmocka_unit_test_setup(f, begin)
static const struct CMUnitTest tests[] = {
    test(begins_well),
    test(tells_the_secure_from_the_others),
    test(prefers_home_and_then_the_users_order),
    test(knows_when_none_is_left),
    test(rests_after_a_failure),
    test(rests_twice_as_long_each_time),
    test(forgives_what_has_worked),
    test(waits_for_the_first_that_is_ready),
    test(takes_as_many_as_it_says),
    test(asks_nobody_below_https),
};
support_main(tests, false)
