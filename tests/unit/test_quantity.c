/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "quantity.h"

#include "support.h"

static void reads_rates(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t bytes;
    } good[] = {
        {"0", 0},
        {"0k", 0},
        {"0.0M", 0},
        {"1", 1},
        {"1000", 1000},
        {"500k", 512000},
        {"500K", 512000},
        {"2M", 2097152},
        {"1.5m", 1572864},
        {"20.5k", 20992},
        {"1g", 1073741824},
        {"3T", UINT64_C(3298534883328)},
        {"1.5", 1},
        {"0.5k", 512},
        {"1.0000000000000000000000000000000001k", 1024},
        {"007k", 7168},
        {"18446744073709551615", UINT64_MAX},
        {"16777215T", UINT64_C(16777215) << 40},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t bytes = 99;
        if (quantity_parse_rate(good[i].text, &bytes) != 0 || bytes != good[i].bytes)
            fail_msg("\"%s\" gave %llu", good[i].text, (unsigned long long)bytes);
    }
}

static void refuses_anything_else(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      " ",
                                      "k",
                                      ".",
                                      ".5k",
                                      "1.",
                                      "1.k",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1 k",
                                      "1kk",
                                      "1kB",
                                      "1x",
                                      "1.5.5",
                                      "1,5k",
                                      "0x10",
                                      "1e3",
                                      "inf",
                                      "nan",
                                      "0.5",
                                      "0.0000001k",
                                      "18446744073709551616",
                                      "16777216T",
                                      "16777217T",
                                      "99999999999999999999999999k",
                                      "18014398509481984k"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t bytes = 99;
        if (quantity_parse_rate(bad[i], &bytes) != -1 || bytes != 99)
            fail_msg("\"%s\" gave %llu", bad[i], (unsigned long long)bytes);
    }
}

static void reads_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t seconds;
    } good[] = {{"1", 1},    {"0", 0},      {"0s", 0},      {"90s", 90},
                {"2m", 120}, {"6h", 21600}, {"2d", 172800}, {"1w", 604800}};
    static const char *const bad[] = {
        "", "h", "-1h", "1.5h", "1hh", "1y", " 1", "18446744073709551616", "18446744073709551615w"};
    uint64_t seconds;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(quantity_parse_duration(good[i].text, &seconds), 0);
        assert_int_equal(seconds, good[i].seconds);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(quantity_parse_duration(bad[i], &seconds), -1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_durations),
    cmocka_unit_test(reads_rates),
    cmocka_unit_test(refuses_anything_else),
};
support_main(tests, false)
