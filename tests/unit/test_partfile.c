/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "partfile.h"
#include "support.h"

#include <unistd.h>

static struct temp temp;
static struct pf_partfile file;
static struct pf_error err;

static int set_up(void **state)
{
    (void)state;
    temp_begin(&temp);
    err = (struct pf_error){0};
    assert_ok(pf_partfile_init(&file, temp.fd, "f", &err), &err);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pf_partfile_end(&file);
    temp_end(&temp);
    return 0;
}

static void gets_its_name_when_whole(void **state)
{
    (void)state;
    assert_ok(pf_partfile_open(&file, &err), &err);
    assert_ok(pf_partfile_append(&file, "ab", 2, &err), &err);
    assert_false(has_name(temp.fd, "f"));
    assert_file(temp.fd, "f.part", "ab");
    assert_ok(pf_partfile_finish(&file, &(struct timespec){.tv_sec = 1000}, &err), &err);
    assert_file(temp.fd, "f", "ab");
    assert_false(has_name(temp.fd, "f.part"));
    assert_int_equal(stat_of(temp.fd, "f").st_mtime, 1000);
}

static void goes_on_behind_what_is_there(void **state)
{
    (void)state;
    put_file(temp.fd, "f.part", "abc");
    assert_ok(pf_partfile_open(&file, &err), &err);
    assert_int_equal(file.length, 3);
    assert_ok(pf_partfile_append(&file, "de", 2, &err), &err);
    assert_file(temp.fd, "f.part", "abcde");
}

static void begins_again(void **state)
{
    (void)state;
    put_file(temp.fd, "f.part", "abc");
    assert_ok(pf_partfile_open(&file, &err), &err);
    assert_ok(pf_partfile_restart(&file, &err), &err);
    assert_int_equal(file.length, 0);
    assert_ok(pf_partfile_append(&file, "x", 1, &err), &err);
    assert_ok(pf_partfile_finish(&file, NULL, &err), &err);
    assert_file(temp.fd, "f", "x");
    assert_true(stat_of(temp.fd, "f").st_mtime > 1000);
}

static void keeps_the_part_when_given_up(void **state)
{
    (void)state;
    assert_ok(pf_partfile_open(&file, &err), &err);
    assert_ok(pf_partfile_append(&file, "ab", 2, &err), &err);
    pf_partfile_end(&file);
    assert_file(temp.fd, "f.part", "ab");
}

/* Whoever may write in the cache folder could otherwise have any file of root's overwritten. */
static void writes_through_nothing_planted(void **state)
{
    (void)state;
    put_file(temp.fd, "victim", "whole");
    for (int hard = 0; hard < 2; hard++) {
        if (hard)
            assert_int_equal(linkat(temp.fd, "victim", temp.fd, "f.part", 0), 0);
        else
            put_link(temp.fd, "f.part", "victim");
        assert_ok(pf_partfile_open(&file, &err), &err);
        assert_int_equal(file.length, 0);
        assert_ok(pf_partfile_append(&file, "new", 3, &err), &err);
        assert_ok(pf_partfile_finish(&file, NULL, &err), &err);
        assert_file(temp.fd, "victim", "whole");
        assert_file(temp.fd, "f", "new");
    }
}

static void waits_at_no_fifo(void **state)
{
    (void)state;
    assert_int_equal(mknodat(temp.fd, "f.part", S_IFIFO | 0600, 0), 0);
    assert_ok(pf_partfile_open(&file, &err), &err);
    assert_ok(pf_partfile_append(&file, "x", 1, &err), &err);
    assert_file(temp.fd, "f.part", "x");
}

static void drops_what_has_come(void **state)
{
    (void)state;
    put_file(temp.fd, "f", "the old one");
    put_file(temp.fd, "f.part", "abc");
    assert_ok(pf_partfile_open(&file, &err), &err);
    assert_ok(pf_partfile_append(&file, "de", 2, &err), &err);
    assert_ok(pf_partfile_drop(&file, &err), &err);
    assert_int_equal(file.length, 0);
    assert_false(has_name(temp.fd, "f.part"));
    assert_file(temp.fd, "f", "the old one");
}

static void drops_what_is_not_there(void **state)
{
    (void)state;
    assert_ok(pf_partfile_drop(&file, &err), &err);
    assert_ok(pf_partfile_drop(&file, &err), &err);
}

/* Another try may follow. */
static void opens_anew_after_a_drop(void **state)
{
    (void)state;
    put_file(temp.fd, "f.part", "abc");
    assert_ok(pf_partfile_open(&file, &err), &err);
    assert_ok(pf_partfile_drop(&file, &err), &err);
    assert_ok(pf_partfile_open(&file, &err), &err);
    assert_int_equal(file.length, 0);
    assert_ok(pf_partfile_append(&file, "x", 1, &err), &err);
    assert_ok(pf_partfile_finish(&file, &(struct timespec){.tv_sec = 1000}, &err), &err);
    assert_file(temp.fd, "f", "x");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(gets_its_name_when_whole, set_up, tear_down),
    cmocka_unit_test_setup_teardown(goes_on_behind_what_is_there, set_up, tear_down),
    cmocka_unit_test_setup_teardown(begins_again, set_up, tear_down),
    cmocka_unit_test_setup_teardown(keeps_the_part_when_given_up, set_up, tear_down),
    cmocka_unit_test_setup_teardown(writes_through_nothing_planted, set_up, tear_down),
    cmocka_unit_test_setup_teardown(waits_at_no_fifo, set_up, tear_down),
    cmocka_unit_test_setup_teardown(drops_what_has_come, set_up, tear_down),
    cmocka_unit_test_setup_teardown(drops_what_is_not_there, set_up, tear_down),
    cmocka_unit_test_setup_teardown(opens_anew_after_a_drop, set_up, tear_down),
};
support_main(tests, false)
