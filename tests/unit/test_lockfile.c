/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lockfile.h"

#include "mirrorpath.h"
#include "support.h"

#include <stdio.h>

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static char *const none[] = {NULL};
static char *const some[] = {(char[]){"00_base"}, (char[]){"02_devel"}, NULL};

static struct pf_error err;

static char *sample(void)
{
    struct pf_lockfile_entry entries[2] = {
        {.file = (char[]){"b-1-x-1.txz"}, .url = (char[]){"http://h/b"}, .size_bytes = 7},
        {.file = (char[]){"a-1-x-1.tzst"},
         .url = (char[]){"http://h/a%2B"},
         .size_bytes = INT64_C(1) << 40},
    };
    strcpy(entries[0].sha256, DIGEST);
    strcpy(entries[1].sha256, DIGEST);
    struct pf_lockfile lock = {.release = (char[]){"8.x"},
                               .arch = (char[]){"x86_64"},
                               .categories = (char **)some,
                               .contrib = (char **)none,
                               .addons = (char **)none,
                               .ignore = (char **)none,
                               .entries = entries,
                               .count = 2,
                               .tree = "sha256:" DIGEST};
    char *text;
    assert_ok(pf_lockfile_write(&lock, &text, &err), &err);
    return text;
}

static void comes_back_as_it_was_written(void **state)
{
    (void)state;
    char *text = sample();
    struct pf_lockfile lock;
    assert_ok(pf_lockfile_read(text, strlen(text), &lock, &err), &err);
    assert_string_equal(lock.release, "8.x");
    assert_string_equal(lock.arch, "x86_64");
    assert_string_equal(lock.categories[1], "02_devel");
    assert_null(lock.categories[2]);
    assert_null(lock.contrib[0]);
    assert_int_equal(lock.count, 2);
    assert_string_equal(lock.entries[0].file, "b-1-x-1.txz");
    assert_string_equal(lock.entries[1].url, "http://h/a%2B");
    assert_int_equal(lock.entries[1].size_bytes, INT64_C(1) << 40);
    assert_string_equal(lock.entries[1].sha256, DIGEST);
    assert_string_equal(lock.tree, "sha256:" DIGEST);
    char *again;
    assert_ok(pf_lockfile_write(&lock, &again, &err), &err);
    assert_string_equal(again, text);
    free(again);
    free(text);
    pf_lockfile_end(&lock);
}

/* A reader may stop at any byte. */
static void refuses_every_beginning_of_one(void **state)
{
    (void)state;
    char *text = sample();
    /* Without its last newline it is still whole. */
    for (size_t length = 0; length + 1 < strlen(text); length++) {
        struct pf_lockfile lock;
        if (pf_lockfile_read(text, length, &lock, &err) != PF_E_INVALID)
            fail_msg("%zu bytes of it were taken", length);
        pf_lockfile_end(&lock);
    }
    free(text);
}

static void refuses_what_is_not_exactly_one(void **state)
{
    (void)state;
    static const struct {
        const char *from, *to;
    } changes[] = {
        {"\"plamo-fast-lock\": 1", "\"plamo-fast-lock\": 2"},
        {"\"plamo-fast-lock\": 1", "\"plamo-fast-lock\": 1, \"more\": 1"},
        {"\"8.x\"", "8"},
        {"\"00_base\"", "7"},
        {"\"size\": 7", "\"size\": -7"},
        {"\"size\": 7", "\"size\": 7.5"},
        {"b-1-x-1.txz", "../b-1-x-1.txz"},
        {"b-1-x-1.txz", "a-1-x-1.tzst"},
        {"0123456789abcdef", "0123456789abcdeF"},
        {"0123456789abcdef", "0123456789abcde"},
        {"\"sha256\"", "\"md5\""},
        {"\"sha256\": \"0123", "\"sha256\": \"012"},
        {"sha256:0123", "md5:0123"},
        {"\"sha256:0123", "\"0123"},
        {"\"sha256:0123", "\"sha256:012"},
        {"\"tree\"", "\"wood\""},
    };
    char *text = sample();
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        struct pf_lockfile lock;
        char *at = strstr(text, changes[i].from);
        assert_non_null(at);
        char *changed;
        assert_true(asprintf(&changed, "%.*s%s%s", (int)(at - text), text, changes[i].to,
                             at + strlen(changes[i].from)) > 0);
        if (pf_lockfile_read(changed, strlen(changed), &lock, &err) != PF_E_INVALID)
            fail_msg("%s instead of %s was taken", changes[i].to, changes[i].from);
        pf_lockfile_end(&lock);
        free(changed);
    }
    free(text);
}

static void needs_no_tree(void **state)
{
    (void)state;
    struct pf_lockfile lock;
    char *text = sample();
    assert_ok(pf_lockfile_read(text, strlen(text), &lock, &err), &err);
    free(text);
    lock.tree[0] = '\0';
    assert_ok(pf_lockfile_write(&lock, &text, &err), &err);
    assert_null(strstr(text, "tree"));
    pf_lockfile_end(&lock);
    assert_ok(pf_lockfile_read(text, strlen(text), &lock, &err), &err);
    assert_string_equal(lock.tree, "");
    pf_lockfile_end(&lock);
    free(text);
}

static void refuses_names_that_json_cannot_hold(void **state)
{
    (void)state;
    struct pf_lockfile_entry entry = {.file = (char[]){"\xff"}, .url = (char[]){"http://h/"}};
    strcpy(entry.sha256, DIGEST);
    struct pf_lockfile lock = {.release = (char[]){"8.x"},
                               .arch = (char[]){"x86"},
                               .categories = (char **)none,
                               .contrib = (char **)none,
                               .addons = (char **)none,
                               .ignore = (char **)none,
                               .entries = &entry,
                               .count = 1};
    char *text;
    assert_int_equal(pf_lockfile_write(&lock, &text, &err), PF_E_INVALID);
}

static void check_place(const char *url, const char *wanted)
{
    char *place = pf_mirrorpath_place(url, "8.x", "x86_64");
    if (wanted ? !place || strcmp(place, wanted) != 0 : place != NULL)
        fail_msg("%s: %s", url, place ? place : "none");
    free(place);
}

static void finds_the_place_of_a_url(void **state)
{
    (void)state;
    check_place("http://h/m/Plamo-8.x/x86_64/plamo/00_base/a.txz", "plamo/00_base");
    check_place("http://h/m/Plamo-8.x/x86_64/plamo/a%2Bb/c/x.txz", "plamo/a+b/c");
    check_place("file:///Plamo-8.x/x86_64/Plamo-8.x/x86_64/p/a", "p");
    check_place("http://h/m/Plamo-7.x/x86_64/plamo/00_base/a.txz", NULL);
    check_place("http://h/xPlamo-8.x/x86_64/plamo/a.txz", NULL);
    check_place("http://h/Plamo-8.x/x86_64/a/../b/c.txz", NULL);
    check_place("http://h/Plamo-8.x/x86_64/a.txz", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_as_it_was_written),
        cmocka_unit_test(refuses_every_beginning_of_one),
        cmocka_unit_test(refuses_what_is_not_exactly_one),
        cmocka_unit_test(needs_no_tree),
        cmocka_unit_test(refuses_names_that_json_cannot_hold),
        cmocka_unit_test(finds_the_place_of_a_url),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
