/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "namelist.h"

#include "support.h"

#include <unistd.h>

/* The names that a word stands for, with blanks between them. The caller frees them. */
static char *expanded(const char *word)
{
    struct namelist names = {0};
    char why[256] = "";
    char *text = calloc(1, 1 << 16);
    assert_non_null(text);
    if (namelist_add(&names, word, why) < 0) {
        assert_true(*why);
        free(text);
        text = NULL;
    }
    for (size_t i = 0; text && i < names.count; i++)
        sprintf(text + strlen(text), "%s%s", i ? " " : "", names.names[i]);
    namelist_end(&names);
    return text;
}

static void expands_ranges(void **state)
{
    (void)state;
    static const struct {
        const char *word, *names;
    } good[] = {
        {"web", "web"},
        {"web{1..3}", "web1 web2 web3"},
        {"web{08..11}", "web08 web09 web10 web11"},
        {"web{8..011}", "web008 web009 web010 web011"},
        {"web{3..1}", "web3 web2 web1"},
        {"{5..5}", "5"},
        {"{0..2}", "0 1 2"},
        {"web{1,3,5..7}", "web1 web3 web5 web6 web7"},
        {"db-{a,bc}.x", "db-a.x db-bc.x"},
        {"r{1..2}n{a,b}", "r1na r1nb r2na r2nb"},
        {"{a}", "a"},
        {"{1,01..02}", "1 01 02"},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char *found = expanded(good[i].word);
        if (!found || strcmp(found, good[i].names) != 0)
            fail_msg("\"%s\" gave \"%s\"", good[i].word, found ? found : "nothing");
        free(found);
    }
}

static void refuses_what_is_no_range(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "web{",
        "web}",
        "{}",
        "{,}",
        "{a,}",
        "{,a}",
        "{1..}",
        "{..1}",
        "{1..b}",
        "{1...3}",
        "{-1..3}",
        "{a{b}",
        "{a}}",
        "{1..1000000000}",
        "{1..20000}",
        "{1..200}{1..200}",
        "{1..9999999999}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char *found = expanded(bad[i]);
        if (found)
            fail_msg("\"%s\" gave \"%s\"", bad[i], found);
    }
}

static void refuses_long_names(void **state)
{
    (void)state;
    char word[400];
    memset(word, 'x', sizeof word);
    word[300] = '\0';
    assert_null(expanded(word));
    memcpy(word + 250, "{1..2}{100000..100001}", 23);
    assert_null(expanded(word));
}

static void numbers_names(void **state)
{
    (void)state;
    struct namelist names = {0};
    char why[256], prefix[300];
    assert_int_equal(namelist_add_numbered(&names, "web", 11, why), 0);
    assert_int_equal(names.count, 11);
    assert_string_equal(names.names[0], "web1");
    assert_string_equal(names.names[10], "web11");
    memset(prefix, 'x', sizeof prefix);
    prefix[sizeof prefix - 1] = '\0';
    assert_int_equal(namelist_add_numbered(&names, prefix, 1, why), -1);
    namelist_end(&names);
}

static void reads_files(void **state)
{
    (void)state;
    struct namelist names = {0};
    char why[256], file[] = "/tmp/plamo-names-XXXXXX";
    static const char text[] = "# all\n a b{1..2} # two\n\n\tc\nd{";
    int fd = mkstemp(file);
    assert_true(fd >= 0 && write(fd, text, sizeof text - 1) == sizeof text - 1);
    assert_int_equal(namelist_add_file(&names, file, why), -1);
    assert_non_null(strstr(why, ":5: its braces do not match"));
    assert_int_equal(names.count, 4);
    assert_string_equal(names.names[2], "b2");
    assert_string_equal(names.names[3], "c");
    namelist_end(&names);
    close(fd);
    unlink(file);
    assert_int_equal(namelist_add_file(&names, file, why), -1);
    assert_non_null(strstr(why, "No such file"));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(expands_ranges),     cmocka_unit_test(refuses_what_is_no_range),
    cmocka_unit_test(refuses_long_names), cmocka_unit_test(numbers_names),
    cmocka_unit_test(reads_files),
};
support_main(tests, false)
