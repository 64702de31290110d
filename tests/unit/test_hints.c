/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hints.h"

#include "support.h"

#include <errno.h>

static void every_code_has_one(void **state)
{
    (void)state;
    for (int code = PF_E_CANCELLED; code < PF_OK; code++) {
        struct pf_error err = {.code = code, .text = "it failed"};
        if (code == PF_E_SYSTEM)
            continue;
        const char *hint = hints_find(&err);
        assert_non_null(hint);
        assert_null(strchr(hint, '\n'));
    }
}

static void knows_some_system_calls_reasons(void **state)
{
    (void)state;
    struct pf_error err = {.code = PF_E_SYSTEM, .sys_errno = EMFILE, .text = "opening x"};
    assert_contains(hints_find(&err), "ulimit");
    err.sys_errno = ELOOP;
    assert_null(hints_find(&err));
}

static void the_errors_own_comes_first(void **state)
{
    (void)state;
    struct pf_error err = {0};
    pf_error_advise(&err, PF_E_CONFLICT, "remove it", "%s is not a folder", "/c/x");
    assert_string_equal(err.text, "/c/x is not a folder");
    assert_string_equal(hints_find(&err), "remove it");
    /* Neither context nor another hint takes it away; another error does. */
    pf_error_context(&err, "the cache");
    pf_error_hint(&err, "clean it");
    assert_string_equal(hints_find(&err), "remove it");
    pf_error_set(&err, PF_E_ABSENT, "a text; with a semicolon (--and more)");
    assert_contains(hints_find(&err), "--mirror");
    pf_error_hint(&err, "did you mean %s?", "10_xfce");
    assert_string_equal(hints_find(&err), "did you mean 10_xfce?");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_code_has_one),
    cmocka_unit_test(knows_some_system_calls_reasons),
    cmocka_unit_test(the_errors_own_comes_first),
};
support_main(tests, false)
