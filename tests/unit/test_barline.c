/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "barline.h"

#include "cells.h"
#include "support.h"

#include <locale.h>
#include <wchar.h>

/* How many columns a terminal takes for it. -1: it has what is not printable. */
static int width_of(const char *text)
{
    wchar_t wide[1024];
    size_t n = mbstowcs(wide, text, 1024);
    return n == (size_t)-1 ? -1 : wcswidth(wide, n);
}

static void check_fit(const char *text, unsigned columns, const char *wanted)
{
    char out[256];
    size_t length = cells_fit(out, sizeof out, text, columns);
    assert_string_equal(out, wanted);
    assert_int_equal(length, strlen(wanted));
    assert_int_equal(width_of(out), columns);
}

static void cuts_and_fills(void **state)
{
    (void)state;
    check_fit("bash", 6, "bash  ");
    check_fit("bash", 4, "bash");
    check_fit("bash", 3, "ba~");
    check_fit("bash", 1, "~");
    check_fit("bash", 0, "");
    check_fit("", 2, "  ");
}

static void minds_wide_characters(void **state)
{
    (void)state;
    check_fit("日本語", 6, "日本語");
    check_fit("日本語", 5, "日本~");
    check_fit("日本語", 4, "日~ ");
    check_fit("日本語", 2, "~ ");
    check_fit("e\xcc\x81t\xc3\xa9", 3, "e\xcc\x81t\xc3\xa9"); /* a combining accent takes none */
}

static void shows_nothing_that_is_not_printable(void **state)
{
    (void)state;
    check_fit("a\x1b[2J", 8, "a\\x1b[2J");
    check_fit("\xff\xfe", 9, "\\xff\\xfe ");
    check_fit("a\nb", 4, "a~  ");
    check_fit("\xc2\x9b", 8, "\\xc2\\x9b"); /* C1 */
}

static void says_amounts_shortly(void **state)
{
    (void)state;
    char text[32];
    cells_bytes(text, sizeof text, 12300000, 45600000);
    assert_string_equal(text, "12.3/45.6 MB");
    cells_bytes(text, sizeof text, 999, 0);
    assert_string_equal(text, "1.0 kB");
    cells_bytes(text, sizeof text, 999949999, 0);
    assert_string_equal(text, "999.9 MB");
    cells_bytes(text, sizeof text, 999950000, 0);
    assert_string_equal(text, "1.0 GB");
    cells_rate(text, sizeof text, 1.5e6);
    assert_string_equal(text, "1.5 MB/s");
    cells_rate(text, sizeof text, -1);
    assert_string_equal(text, "");
    static const struct {
        double seconds;
        const char *wanted;
    } times[] = {{0, "0:00"}, {0.2, "0:01"}, {59.5, "1:00"}, {3723, "1:02:03"}, {-1, "-:--"}};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        cells_time(text, sizeof text, times[i].seconds);
        assert_string_equal(text, times[i].wanted);
    }
}

static struct barline stage(void)
{
    return (struct barline){.label = "fetch",
                            .is_stage = true,
                            .fraction = 0.5,
                            .items = 30,
                            .count = 60,
                            .bytes = 50000000,
                            .total = 100000000,
                            .bytes_per_s = 2e6,
                            .has_remaining = true,
                            .remaining_s = 25};
}

static void leaves_out_what_has_no_room(void **state)
{
    (void)state;
    char out[BARLINE_SIZE];
    struct barline line = stage();
    barline_format(out, &line, 80, false);
    assert_string_equal(out, "fetch    [==========>          ]  50% 30/60  50.0/100.0 MB   2.0 MB/s"
                             "  0:25 left");
    barline_format(out, &line, 65, false);
    assert_string_equal(out, "fetch     50% 30/60  50.0/100.0 MB   2.0 MB/s  0:25 left");
    barline_format(out, &line, 40, false);
    assert_string_equal(out, "fetch    [===>   ]  50% 30/60  0:25 left");
    barline_format(out, &line, 39, false);
    assert_string_equal(out, "fetch     50% 30/60  0:25 left");
    barline_format(out, &line, 20, false);
    assert_string_equal(out, "fetch     50%");
    barline_format(out, &line, 3, false);
    assert_string_equal(out, "fe~");
}

static void never_takes_more_than_its_columns(void **state)
{
    (void)state;
    char out[BARLINE_SIZE];
    struct barline lines[] = {stage(), stage(), stage(), stage()};
    lines[1].label = "日本語のとても長い名前のパッケージ-1.2.3-x86_64-P1.tzst";
    lines[1].is_stage = false;
    lines[2].fraction = lines[2].bytes_per_s = lines[2].remaining_s = -1;
    lines[2].count = lines[2].total = 0;
    lines[2].bytes = UINT64_MAX;
    lines[3].items = lines[3].count = lines[3].bytes = lines[3].total = UINT64_MAX;
    lines[3].bytes_per_s = 1e20;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        for (unsigned columns = 0; columns <= BARLINE_MAX_COLUMNS + 20; columns++) {
            barline_format(out, &lines[i], columns, false);
            assert_in_range(width_of(out), 0, columns);
        }
    }
}

static void colours_the_bar_alone(void **state)
{
    (void)state;
    char out[BARLINE_SIZE];
    struct barline line = stage();
    barline_format(out, &line, 100, false);
    assert_null(strchr(out, '\x1b'));
    barline_format(out, &line, 100, true);
    assert_contains(out, "[\x1b[32m==");
    assert_contains(out, "\x1b[0m]");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(cuts_and_fills),
    cmocka_unit_test(minds_wide_characters),
    cmocka_unit_test(shows_nothing_that_is_not_printable),
    cmocka_unit_test(says_amounts_shortly),
    cmocka_unit_test(leaves_out_what_has_no_room),
    cmocka_unit_test(never_takes_more_than_its_columns),
    cmocka_unit_test(colours_the_bar_alone),
};

int main(void)
{
    setlocale(LC_ALL, "C.UTF-8");
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
