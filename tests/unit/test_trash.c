/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is aside, and the package sets that are kept. */
#include "trash.h"

#include "generation.h"

#include "support.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#define PREFIX "kept-plamo-8.x-x86_64"

static struct temp temp;
static struct pf_error err;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    err = (struct pf_error){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    temp_end(&temp);
    return 0;
}

static void moves_aside_and_empties(void **state)
{
    (void)state;
    assert_int_equal(pf_trash_put(temp.fd, "missing", &err), 0);
    for (int i = 0; i < 3; i++) {
        put_file(temp.fd, "root/a/f", "x");
        assert_int_equal(pf_trash_put(temp.fd, "root", &err), 1);
        assert_false(has_name(temp.fd, "root"));
    }
    assert_file(temp.fd, ".plamo-fast-trash.2/a/f", "x");
    put_file(temp.fd, ".plamo-fast-trashy", "another's");
    assert_ok(pf_trash_empty(temp.fd, &err), &err);
    for (int i = 0; i < 3; i++)
        assert_false(has_name(temp.fd, i ? i == 1 ? ".plamo-fast-trash.1" : ".plamo-fast-trash.2"
                                         : ".plamo-fast-trash"));
    assert_true(has_name(temp.fd, ".plamo-fast-trashy"));
}

/* Whatever somebody planted under its name. */
static void goes_round_what_is_in_the_way(void **state)
{
    (void)state;
    put_file(temp.fd, "elsewhere/f", "x");
    put_link(temp.fd, ".plamo-fast-trash", "elsewhere");
    put_file(temp.fd, ".plamo-fast-trash.1", "x");
    put_file(temp.fd, "root/f", "x");
    assert_int_equal(pf_trash_put(temp.fd, "root", &err), 1);
    assert_file(temp.fd, ".plamo-fast-trash.2/f", "x");
    assert_ok(pf_trash_empty(temp.fd, &err), &err);
    assert_false(has_name(temp.fd, ".plamo-fast-trash"));
    assert_false(has_name(temp.fd, ".plamo-fast-trash.1"));
    assert_file(temp.fd, "elsewhere/f", "x");
}

static void leaves_what_is_held(void **state)
{
    (void)state;
    put_file(temp.fd, "root/f", "x");
    int fd = open_folder(temp.fd, "root");
    assert_int_equal(flock(fd, LOCK_SH), 0);
    assert_int_equal(pf_trash_put(temp.fd, "root", &err), 1);
    put_file(temp.fd, "root/f", "y");
    assert_int_equal(pf_trash_put(temp.fd, "root", &err), 1);
    assert_ok(pf_trash_empty(temp.fd, &err), &err);
    assert_file(temp.fd, ".plamo-fast-trash/f", "x");
    assert_false(has_name(temp.fd, ".plamo-fast-trash.1"));
    close(fd);
    assert_ok(pf_trash_empty(temp.fd, &err), &err);
    assert_false(has_name(temp.fd, ".plamo-fast-trash"));
}

static void keeps_the_newest(void **state)
{
    (void)state;
    put_file(temp.fd, PREFIX "-20200101T000000Z/f", "oldest");
    put_file(temp.fd, PREFIX "-20210101T000000Z/f", "old");
    put_file(temp.fd, "kept-plamo-8.x-x86-20190101T000000Z/f", "another's");
    for (int i = 0; i < 2; i++) {
        put_file(temp.fd, "partial/f", "new");
        assert_ok(pf_generation_keep(temp.fd, "partial", PREFIX, 3, &err), &err);
        assert_false(has_name(temp.fd, "partial"));
    }
    assert_false(has_name(temp.fd, PREFIX "-20200101T000000Z"));
    assert_true(has_name(temp.fd, PREFIX "-20210101T000000Z"));
    assert_true(has_name(temp.fd, "kept-plamo-8.x-x86-20190101T000000Z"));
}

static void knows_its_names(void **state)
{
    (void)state;
    assert_true(pf_generation_is(PREFIX "-20200101T000000Z", PREFIX));
    assert_false(pf_generation_is(PREFIX "-20200101T000000", PREFIX));
    assert_false(pf_generation_is(PREFIX "-20200101T000000Zx", PREFIX));
    assert_false(pf_generation_is(PREFIX "-2020010xT000000Z", PREFIX));
    assert_false(pf_generation_is(PREFIX, PREFIX));
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(moves_aside_and_empties), test(goes_round_what_is_in_the_way),
    test(leaves_what_is_held),     test(keeps_the_newest),
    test(knows_its_names),
};
support_main(tests, false)
