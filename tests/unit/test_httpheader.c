/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "httpheader.h"
#include "support.h"

#include <stdlib.h>
#include <string.h>

static void check_value(const char *line, const char *name, const char *wanted)
{
    char *value = pf_httpheader_value(line, strlen(line), name);
    if (!wanted)
        assert_null(value);
    else
        assert_string_equal(value, wanted);
    free(value);
}

static void gives_the_value_of_the_named_header(void **state)
{
    (void)state;
    check_value("ETag: \"a b\"\r\n", "ETag", "\"a b\"");
    check_value("etag:x\n", "ETag", "x");
    check_value("ETag:\t  x \t\r\n", "ETag", "x");
    check_value("ETag:", "ETag", "");
    check_value("ETag", "ETag", NULL);
    check_value("ETags: x\r\n", "ETag", NULL);
    check_value("X-ETag: x\r\n", "ETag", NULL);
    check_value("\r\n", "ETag", NULL);
}

/* They would go into a request, or into the journal, whose fields end with a tab. */
static void takes_no_value_with_control_characters(void **state)
{
    (void)state;
    static const char nul[] = "ETag: \"a\0b\"\r\n";
    check_value("ETag: \"a\rX-Other: b\"\r\n", "ETag", NULL);
    check_value("Last-Modified: a\tb\r\n", "Last-Modified", NULL);
    check_value("ETag: \x7f\r\n", "ETag", NULL);
    check_value("ETag: \"\xe3\x81\x82\"\r\n", "ETag", "\"\xe3\x81\x82\"");
    assert_null(pf_httpheader_value(nul, sizeof nul - 1, "ETag"));
}

static void check_range(const char *value, int64_t start, int64_t total)
{
    struct pf_httpheader_range range = pf_httpheader_read_range(value);
    assert_int_equal(range.start, start);
    assert_int_equal(range.total, total);
}

static void reads_content_ranges(void **state)
{
    (void)state;
    check_range("bytes 5-9/10", 5, 10);
    check_range("bytes 0-0/1", 0, 1);
    check_range("bytes 5-9/*", 5, -1);
    check_range("bytes */10", -1, 10);
    check_range("bytes */*", -1, -1);
    check_range("lines 5-9/10", -1, -1);
    check_range("bytes 5", -1, -1);
    check_range("", -1, -1);
    check_range("BYTES 5-9/10", 5, 10);
}

static void refuses_ranges_that_cannot_be(void **state)
{
    (void)state;
    check_range("bytes -5-9/10", -1, -1);
    check_range("bytes 5--9/10", -1, -1);
    check_range("bytes 5-9/-10", -1, -1);
    check_range("bytes */-1", -1, -1);
    check_range("bytes 9-5/10", -1, -1);
    check_range("bytes 5-10/10", -1, -1);
    check_range("bytes 0-0/0", -1, -1);
    check_range("bytes 5-9/", -1, -1);
    check_range("bytes 5-9/x", -1, -1);
    check_range("bytes 5-9/10x", -1, -1);
    check_range("bytes 5- 9/10", -1, -1);
    check_range("bytes 99999999999999999999-99999999999999999999/*", -1, -1);
    check_range("bytes */99999999999999999999", -1, -1);
    check_range("bytes 0-9223372036854775806/9223372036854775807", 0, INT64_MAX);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(gives_the_value_of_the_named_header),
    cmocka_unit_test(takes_no_value_with_control_characters),
    cmocka_unit_test(reads_content_ranges),
    cmocka_unit_test(refuses_ranges_that_cannot_be),
};
support_main(tests, false)
