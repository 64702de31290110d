/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "message.h"

#include "error.h"
#include "support.h"

#include <errno.h>

static void is_itself_without_a_catalogue(void **state)
{
    (void)state;
    static const char text[] = "%s is %d";
    errno = EIO;
    assert_ptr_equal(pf_message(text), text);
    assert_string_equal(pf_message(""), "");
    assert_int_equal(errno, EIO);
}

static void cuts_between_characters(void **state)
{
    (void)state;
    static const struct {
        const char *before, *after;
    } cases[] = {
        {"", ""},
        {"a", "a"},
        {"a\xe3\x81\x82", "a\xe3\x81\x82"},
        {"a\xe3\x81", "a"},
        {"a\xe3", "a"},
        {"\xe3\x81", ""},
        {"a\xc3\xa9", "a\xc3\xa9"},
        {"a\xc3", "a"},
        {"a\xf0\x9f\x98", "a"},
        {"a\xf0\x9f\x98\x80", "a\xf0\x9f\x98\x80"},
        /* No UTF-8: as it is. */
        {"a\x81", "a\x81"},
        {"\x81\x81\x81\x81\x81", "\x81\x81\x81\x81\x81"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[16];
        strcpy(text, cases[i].before);
        pf_message_trim(text);
        assert_string_equal(text, cases[i].after);
    }
}

/* Long errors end in a whole character, wherever they are cut. */
static void errors_end_whole(void **state)
{
    (void)state;
    char longer[3000];
    for (size_t i = 0; i + 3 < sizeof longer; i += 3)
        memcpy(longer + i, "\xe3\x81\x82", 4);
    for (int shift = 0; shift < 3; shift++) {
        struct pf_error err = {0};
        pf_error_set(&err, PF_E_LIMIT, "%.*s%s", shift, "xx", longer);
        assert_int_equal((strlen(err.text) - (size_t)shift) % 3, 0);
        pf_error_context(&err, "%.*s", 1 + shift, "xxx");
        assert_int_equal((strlen(err.text) - 3 - (size_t)(2 * shift)) % 3, 0);
        assert_true(strlen(err.text) > sizeof err.text - 5);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(is_itself_without_a_catalogue),
    cmocka_unit_test(cuts_between_characters),
    cmocka_unit_test(errors_end_whole),
};
support_main(tests, false)
