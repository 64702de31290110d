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

static void adds_nothing_to_a_text_that_has_one(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "/c/x is not a folder; remove it",
        "the mirror has no folder \"xcfe\"; did you mean 10_xfce?",
        "nobody noted where it came from (--update asks the mirror)",
        "with --no-sandbox they run without one",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct pf_error err = {.code = PF_E_ABSENT};
        snprintf(err.text, sizeof err.text, "%s", texts[i]);
        assert_null(hints_find(&err));
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(every_code_has_one),
    cmocka_unit_test(knows_some_system_calls_reasons),
    cmocka_unit_test(adds_nothing_to_a_text_that_has_one),
};
support_main(tests, false)
