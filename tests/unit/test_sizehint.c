/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sizehint.h"

#include "support.h"

static void reads_what_servers_write(void **state)
{
    (void)state;
    /* nginx, with exact sizes and without */
    assert_int_equal(pf_sizehint_read("           01-Jan-2024 10:00             12345\r\n"), 12345);
    assert_int_equal(pf_sizehint_read("  01-Jan-2024 10:00    12K\n"), 12 * 1024);
    /* Apache: fancy and table */
    assert_int_equal(pf_sizehint_read("   2024-01-01 10:00  1.5M  \n"), 1536 * 1024);
    assert_int_equal(pf_sizehint_read("2024-01-01 10:00  926   \xc2\xa0 "), 926);
    /* lighttpd, Caddy */
    assert_int_equal(pf_sizehint_read("2024-Jan-01 10:00:00 2.0K application/x-xz"), 2048);
    assert_int_equal(pf_sizehint_read("3.0 MiB 01/01/2024 10:00:00 AM +00:00"), 3 << 20);
    assert_int_equal(pf_sizehint_read("512 B"), 512);
}

static void finds_none_where_none_is(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",           " ",        "-",   "01-Jan-2024 10:00       -",
        "2024-01-01", "10:00:00", "..",  "1.",
        "1..2",       "1x",       "K",   "KiB",
        "x86_64",     "-5",       "1e5", "99999999999999999999999",
        "9999999T",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (pf_sizehint_read(texts[i]) != 0)
            fail_msg("\"%s\" is a size", texts[i]);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_what_servers_write),
    cmocka_unit_test(finds_none_where_none_is),
};
support_main(tests, false)
