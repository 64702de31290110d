/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"

#include "support.h"

#include <errno.h>

static void fills_and_returns(void **state)
{
    (void)state;
    struct pf_error err = {.sys_errno = 5};
    assert_int_equal(pf_error_set(&err, PF_E_CORRUPT, "%s is %d", "it", 3), PF_E_CORRUPT);
    assert_int_equal(err.code, PF_E_CORRUPT);
    assert_int_equal(err.sys_errno, 0);
    assert_string_equal(err.text, "it is 3");
    assert_int_equal(pf_error_set(NULL, PF_E_BUSY, "x"), PF_E_BUSY);
}

static void takes_errno(void **state)
{
    (void)state;
    static const struct {
        int number, code;
    } cases[] = {{EIO, PF_E_SYSTEM},      {ENOENT, PF_E_SYSTEM},    {ENOSPC, PF_E_NO_SPACE},
                 {EDQUOT, PF_E_NO_SPACE}, {EPERM, PF_E_PERMISSION}, {EACCES, PF_E_PERMISSION}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pf_error err = {0};
        char expected[256];
        errno = cases[i].number;
        assert_int_equal(pf_error_errno(&err, "opening %s", "f"), cases[i].code);
        assert_int_equal(err.code, cases[i].code);
        assert_int_equal(err.sys_errno, cases[i].number);
        snprintf(expected, sizeof expected, "opening f: %s", strerror(cases[i].number));
        assert_string_equal(err.text, expected);
        errno = cases[i].number;
        assert_int_equal(pf_error_errno(NULL, "x"), cases[i].code);
    }
}

static void puts_context_in_front(void **state)
{
    (void)state;
    struct pf_error err = {0};
    errno = EIO;
    pf_error_errno(&err, "member %s", "x");
    assert_int_equal(pf_error_context(&err, "package %s", "p"), PF_E_SYSTEM);
    assert_int_equal(pf_error_context(&err, "installing"), PF_E_SYSTEM);
    assert_int_equal(strncmp(err.text, "installing: package p: member x: ", 33), 0);
    assert_int_equal(err.sys_errno, EIO);
}

/* A caller who wants no text wants to know what kind of error it was all the same. */
static void keeps_the_code_without_a_text(void **state)
{
    (void)state;
    errno = ENOSPC;
    pf_error_errno(NULL, "member %s", "x");
    assert_int_equal(pf_error_context(NULL, "package %s", "p"), PF_E_NO_SPACE);
    pf_error_set(NULL, PF_E_CORRUPT, "x");
    assert_int_equal(pf_error_context(NULL, "package %s", "p"), PF_E_CORRUPT);
    pf_error_advise(NULL, PF_E_CONFLICT, "do it", "x");
    assert_int_equal(pf_error_context(NULL, "package %s", "p"), PF_E_CONFLICT);
}

static void cuts_long_texts(void **state)
{
    (void)state;
    struct pf_error err = {0};
    char longer[3000];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    pf_error_set(&err, PF_E_LIMIT, "%s", longer);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_int_equal(pf_error_context(&err, "front"), PF_E_LIMIT);
    assert_int_equal(strlen(err.text), sizeof err.text - 1);
    assert_int_equal(strncmp(err.text, "front: xxx", 10), 0);
    assert_int_equal(pf_error_context(&err, "%s", longer), PF_E_LIMIT);
    assert_true(strlen(err.text) < sizeof err.text);
    errno = EIO;
    assert_int_equal(pf_error_errno(&err, "%s", longer), PF_E_SYSTEM);
    assert_true(strlen(err.text) < sizeof err.text);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(fills_and_returns),     cmocka_unit_test(takes_errno),
    cmocka_unit_test(puts_context_in_front), cmocka_unit_test(keeps_the_code_without_a_text),
    cmocka_unit_test(cuts_long_texts),
};
support_main(tests, false)
