/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "names.h"

#include "support.h"

static void numbers_in_order(void **state)
{
    (void)state;
    struct pf_names names = {0};
    assert_int_equal(pf_names_find(&names, "a"), -1);
    assert_int_equal(pf_names_add(&names, "a"), 1);
    assert_int_equal(pf_names_add(&names, ""), 1);
    assert_int_equal(pf_names_add(&names, "a"), 0);
    assert_int_equal(names.count, 2);
    assert_int_equal(pf_names_find(&names, "a"), 0);
    assert_int_equal(pf_names_find(&names, ""), 1);
    assert_int_equal(pf_names_find(&names, "A"), -1);
    pf_names_end(&names);
    assert_int_equal(pf_names_find(&names, "a"), -1);
}

static void copies_the_string(void **state)
{
    (void)state;
    struct pf_names names = {0};
    char text[] = "one";
    assert_int_equal(pf_names_add(&names, text), 1);
    text[0] = 'X';
    assert_int_equal(pf_names_find(&names, "one"), 0);
    assert_int_equal(pf_names_find(&names, "Xne"), -1);
    pf_names_end(&names);
}

static void keeps_numbers_while_it_grows(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct pf_names names = {0};
    char text[32];
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "%d", i);
        assert_int_equal(pf_names_add(&names, text), 1);
    }
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "%d", i);
        assert_int_equal(pf_names_find(&names, text), i);
        assert_int_equal(pf_names_add(&names, text), 0);
    }
    assert_int_equal(names.count, COUNT);
    assert_int_equal(pf_names_find(&names, "20000"), -1);
    pf_names_end(&names);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(numbers_in_order),
    cmocka_unit_test(copies_the_string),
    cmocka_unit_test(keeps_numbers_while_it_grows),
};
support_main(tests, false)
