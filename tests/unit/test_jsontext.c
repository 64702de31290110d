/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "jsontext.h"

#include "support.h"

static void escapes_what_is_not_plain(void **state)
{
    (void)state;
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"plain ~", "[\"plain ~\"]"},
        {"日本語 é – €", "[\"日本語 é – €\"]"},
        {"\033[31m", "[\"\\u001B[31m\"]"},
        {"a\177b", "[\"a\\u007Fb\"]"},
        {"\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", "[\"\\u0080\\u009B\\u009F\xc2\xa0\"]"},
        {"\xe2\x80\x8e\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xaf",
         "[\"\\u200E\\u2028\\u202E\xe2\x80\xaf\"]"},
        {"\xe2\x81\xa5\xe2\x81\xa6\xe2\x81\xa9\xe2\x81\xaa",
         "[\"\xe2\x81\xa5\\u2066\\u2069\xe2\x81\xaa\"]"},
        {"\xf0\x9f\x98\x80", "[\"\xf0\x9f\x98\x80\"]"},
        {"\xff\xc2\x9b", "[{\"hex\":\"ffc29b\"}]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *value = json_pack("[o]", json_text(cases[i].text)), *again;
        char *text = json_plain(value, JSON_COMPACT);
        assert_string_equal(text, cases[i].wanted);
        again = json_loads(text, 0, NULL);
        assert_true(json_equal(value, again));
        json_decref(again);
        json_decref(value);
        free(text);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(escapes_what_is_not_plain),
};
support_main(tests, false)
