/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nearest.h"

#include "support.h"

static const char *const categories[] = {"00_base",      "01_minimum",       "02_devel",
                                         "03_libs",      "04_x11",           "05_ext",
                                         "06_xapps",     "07_multimedia",    "08_daemons",
                                         "09_printings", "10_xfce",          "11_lxqt",
                                         "12_mate",      "13_tex",           "14_libreoffice",
                                         "15_kernelsrc", "16_virtualization"};

static void check_of(const char *word, const char *const *names, size_t count, size_t most,
                     const char *wanted)
{
    const char *out[64];
    char found[512] = "";
    size_t n = pf_nearest(word, names, count, most, out);
    assert_true(n <= most);
    for (size_t i = 0; i < n; i++)
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%s", i ? " " : "", out[i]);
    if (strcmp(found, wanted) != 0)
        fail_msg("\"%s\" gave \"%s\", not \"%s\"", word, found, wanted);
}

static void check(const char *word, const char *wanted)
{
    check_of(word, categories, sizeof categories / sizeof *categories, 3, wanted);
}

static void passes_over_numbers(void **state)
{
    (void)state;
    check("base", "00_base");
    check("xfce", "10_xfce");
    check("06_xfce", "10_xfce"); /* its number in an older release */
    check("01_base", "00_base");
    check("0_base", "00_base");
    check("x11", "04_x11");
    check("00_", "");
    check("_base", "00_base");
}

static void finds_typing_errors(void **state)
{
    (void)state;
    check("00_bsae", "00_base");
    check("00-base", "00_base");
    check("00_bas", "00_base");
    check("00_basse", "00_base");
    check("00_BASE", "00_base");
    check("bsae", "00_base");
    check("Xfec", "10_xfce");
    check("mutlimeida", "07_multimedia");
    check("daemon", "08_daemons");
    check("11_lxtq", "11_lxqt");
}

static void finds_what_goes_on(void **state)
{
    (void)state;
    check("libre", "14_libreoffice");
    check("14_Libre", "14_libreoffice");
    check("virtual", "16_virtualization");
    check("kernel", "15_kernelsrc");
}

static void leaves_out_what_is_far(void **state)
{
    (void)state;
    check("", "");
    check("x", "");
    check("qt", "");
    check("gnome", "");
    check("99_something", "");
    check("........", "");
    check("\xff\xfe\xfd\xfc", "");
}

static void gives_the_best_first_and_no_more_than_asked(void **state)
{
    (void)state;
    static const char *const names[] = {"caat", "bat", "Cat", "cart", "cat", "01_cat", "dog"};
    check_of("cat", names, 7, 7, "Cat cat 01_cat caat bat cart");
    check_of("cat", names, 7, 3, "Cat cat 01_cat");
    check_of("cat", names, 7, 1, "Cat");
    check_of("cat", names, 7, 0, "");
    check_of("cat", NULL, 0, 5, "");
    const char *many[40];
    const char *out[64];
    for (size_t i = 0; i < 40; i++)
        many[i] = i < 20 ? "bat" : "cat";
    assert_int_equal(pf_nearest("cat", many, 40, 64, out), PF_NEAREST_MOST);
    assert_string_equal(out[PF_NEAREST_MOST - 1], "cat"); /* the near ones push the others out */
}

/* Six letters: two edits are near. A swap is one of them; with a letter put in between it would be
   two if a piece could be edited twice, and is three as it cannot. */
static void counts_edits(void **state)
{
    (void)state;
    static const char *const names[] = {"xxxxbxa", "xyxxba", "yxxxxab", "yyyxab"};
    check_of("xxxxab", names, 4, 4, "yxxxxab xyxxba");
    static const char *const off[] = {"abcXYf", "abcXYZ"};
    check_of("abcdef", off, 2, 2, "abcXYf");
    static const char *const shorter[] = {"b", "ba"};
    check_of("ab", shorter, 2, 2, "b ba");
    check_of("a", shorter, 2, 2, "");
}

static void bounds_its_work(void **state)
{
    (void)state;
    enum { LONG = 1 << 20 };
    char *word = malloc(LONG + 1);
    const char *out[4];
    assert_non_null(word);
    memset(word, 'a', LONG);
    word[LONG] = '\0';
    const char *names[] = {word, "aaa", word + LONG - 64, word + LONG - 65};
    assert_int_equal(pf_nearest(word, names, 4, 4, out), 0);
    assert_int_equal(pf_nearest("aaa", names, 2, 4, out), 2); /* that one goes on */
    assert_int_equal(pf_nearest(word + LONG - 64, names, 4, 4, out), 3);
    assert_ptr_equal(out[0], names[2]);
    assert_int_equal(pf_nearest(word + LONG - 65, names, 4, 4, out), 0);
    memset(word, '0', LONG);
    assert_int_equal(pf_nearest("000", names, 1, 4, out), 1);
    free(word);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(passes_over_numbers),
    cmocka_unit_test(finds_typing_errors),
    cmocka_unit_test(finds_what_goes_on),
    cmocka_unit_test(leaves_out_what_is_far),
    cmocka_unit_test(gives_the_best_first_and_no_more_than_asked),
    cmocka_unit_test(counts_edits),
    cmocka_unit_test(bounds_its_work),
};
support_main(tests, false)
