/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mirrorpath.h"

#include "support.h"

#include <limits.h>

static void expect_path(const char *place, const char *file, const char *wanted)
{
    char *path = pf_mirrorpath("8.x", "x86_64", place, file);
    assert_non_null(path);
    assert_string_equal(path, wanted);
    free(path);
}

static void joins_what_it_is_given(void **state)
{
    (void)state;
    expect_path("plamo/00_base", "a-1-x-1.txz", "Plamo-8.x/x86_64/plamo/00_base/a-1-x-1.txz");
    expect_path("plamo/00_base/devel.txz", NULL, "Plamo-8.x/x86_64/plamo/00_base/devel.txz/");
    expect_path("", NULL, "Plamo-8.x/x86_64/");
    expect_path("", "CHECKSUMS.md5", "Plamo-8.x/x86_64/CHECKSUMS.md5");
    expect_path("plamo", NULL, "Plamo-8.x/x86_64/plamo/");
}

static void does_not_count_slashes_around_a_place(void **state)
{
    (void)state;
    expect_path("/plamo/00_base/", "a", "Plamo-8.x/x86_64/plamo/00_base/a");
    expect_path("//plamo///00_base//", NULL, "Plamo-8.x/x86_64/plamo/00_base/");
    expect_path("/", NULL, "Plamo-8.x/x86_64/");
    expect_path("///", "a", "Plamo-8.x/x86_64/a");
}

/* RFC 3986, 2.3: letters, digits and "-._~" stand for themselves. */
static void escapes_all_but_the_unreserved(void **state)
{
    (void)state;
    expect_path("contrib/a b", "libstdc++-1.txz",
                "Plamo-8.x/x86_64/contrib/a%20b/libstdc%2B%2B-1.txz");
    expect_path("a%41", "c#d?e", "Plamo-8.x/x86_64/a%2541/c%23d%3Fe");
    expect_path("x:y@z", "Az09-._~", "Plamo-8.x/x86_64/x%3Ay%40z/Az09-._~");
    expect_path("\xe3\x81\x82", "\xff\x01", "Plamo-8.x/x86_64/%E3%81%82/%FF%01");
    expect_path("p", "a/b", "Plamo-8.x/x86_64/p/a%2Fb");
    expect_path("p", "back\\slash", "Plamo-8.x/x86_64/p/back%5Cslash");
}

static void refuses_components_that_are_no_names(void **state)
{
    (void)state;
    char name[NAME_MAX + 2];
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_null(pf_mirrorpath("8.x", "x86_64", "plamo", name));
    assert_null(pf_mirrorpath("8.x", "x86_64", name, NULL));
    name[NAME_MAX] = '\0';
    char *path = pf_mirrorpath("8.x", "x86_64", name, name);
    assert_non_null(path);
    assert_int_equal(strlen(path), strlen("Plamo-8.x/x86_64//") + 2 * NAME_MAX);
    free(path);
}

static void finds_dots(void **state)
{
    (void)state;
    static const char *const with[] = {".",     "..",  "a/..",    "../a",  "a/../b",
                                       "a/./b", "/..", "a//../b", "a/../", "./a"};
    static const char *const without[] = {"",    "a",     "...",    "a..",    "..a",      ".a",
                                          "a/b", "a/...", "a./.b/", "/a//b/", "devel.txz"};
    for (size_t i = 0; i < sizeof with / sizeof *with; i++) {
        if (!pf_mirrorpath_has_dots(with[i]))
            fail_msg("\"%s\" has none", with[i]);
    }
    for (size_t i = 0; i < sizeof without / sizeof *without; i++) {
        if (pf_mirrorpath_has_dots(without[i]))
            fail_msg("\"%s\" has some", without[i]);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(joins_what_it_is_given),
    cmocka_unit_test(does_not_count_slashes_around_a_place),
    cmocka_unit_test(escapes_all_but_the_unreserved),
    cmocka_unit_test(refuses_components_that_are_no_names),
    cmocka_unit_test(finds_dots),
};
support_main(tests, false)
