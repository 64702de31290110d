/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest.h"

#include "support.h"

static void goes_round(void **state)
{
    (void)state;
    struct pf_manifest one, two;
    struct pf_error err = {0};
    char *text;
    assert_ok(pf_manifest_init(&one, 3, &err), &err);
    one.entries[0] = (struct pf_manifest_entry){.file = strdup("libstdc++-1-x86-1.txz"),
                                                .url = strdup("http://h/%2B?\"\\"),
                                                .size_bytes = UINT64_C(5000000000),
                                                .xxh3 = "99aa06d3014798d86001c324468d497f"};
    one.entries[1] = (struct pf_manifest_entry){.file = strdup("a b\ttext\xe3\x81\x82.txt")};
    one.entries[2] = (struct pf_manifest_entry){.file = strdup("a-1-x-1.tgz"), .url = strdup("")};
    assert_ok(pf_manifest_write(&one, &text, &err), &err);
    assert_contains(text, "\"plamo-fast-manifest\": 1");
    assert_ok(pf_manifest_read(text, strlen(text), &two, &err), &err);
    assert_int_equal(two.count, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(two.entries[i].file, one.entries[i].file);
        assert_int_equal(two.entries[i].size_bytes, one.entries[i].size_bytes);
        assert_string_equal(two.entries[i].xxh3, one.entries[i].xxh3);
    }
    assert_string_equal(two.entries[0].url, one.entries[0].url);
    assert_null(two.entries[1].url);
    free(text);
    pf_manifest_end(&one);
    pf_manifest_end(&two);
}

static void keeps_tags(void **state)
{
    (void)state;
    static const char *const tags[] = {"\"5f3-1a\"", "\"a\\b\"", NULL, "\"\"", "\"\xe3\x81\x82\""};
    enum { COUNT = sizeof tags / sizeof *tags };
    struct pf_manifest one, two;
    struct pf_error err = {0};
    char *text, name[] = "a";
    assert_ok(pf_manifest_init(&one, COUNT, &err), &err);
    for (size_t i = 0; i < COUNT; i++, name[0]++)
        one.entries[i] = (struct pf_manifest_entry){.file = strdup(name),
                                                    .url = strdup("u"),
                                                    .etag = tags[i] ? strdup(tags[i]) : NULL};
    assert_ok(pf_manifest_write(&one, &text, &err), &err);
    assert_ok(pf_manifest_read(text, strlen(text), &two, &err), &err);
    assert_int_equal(two.count, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        if (tags[i])
            assert_string_equal(two.entries[i].etag, tags[i]);
        else
            assert_null(two.entries[i].etag);
    }
    free(text);
    pf_manifest_end(&one);
    pf_manifest_end(&two);
}

/* Servers may put bytes of any kind into a tag. A tag is no reason to lose the manifest. */
static void does_without_a_tag_that_is_no_text(void **state)
{
    (void)state;
    struct pf_manifest one, two;
    struct pf_error err = {0};
    char *text = NULL;
    assert_ok(pf_manifest_init(&one, 1, &err), &err);
    one.entries[0] = (struct pf_manifest_entry){.file = strdup("a"),
                                                .url = strdup("u"),
                                                .etag = strdup("\"\xa4\xa2\"")};
    assert_ok(pf_manifest_write(&one, &text, &err), &err);
    assert_ok(pf_manifest_read(text, strlen(text), &two, &err), &err);
    assert_int_equal(two.count, 1);
    assert_string_equal(two.entries[0].file, "a");
    free(text);
    pf_manifest_end(&one);
    pf_manifest_end(&two);
}

static void may_be_empty(void **state)
{
    (void)state;
    struct pf_manifest one, two;
    struct pf_error err = {0};
    char *text;
    assert_ok(pf_manifest_init(&one, 0, &err), &err);
    assert_ok(pf_manifest_write(&one, &text, &err), &err);
    assert_ok(pf_manifest_read(text, strlen(text), &two, &err), &err);
    assert_int_equal(two.count, 0);
    free(text);
    pf_manifest_end(&one);
    pf_manifest_end(&two);
}

/* A file name that JSON cannot hold is said, not written wrongly. */
static void refuses_to_write_bytes_that_are_no_text(void **state)
{
    (void)state;
    struct pf_manifest one;
    struct pf_error err = {0};
    char *text = NULL;
    assert_ok(pf_manifest_init(&one, 1, &err), &err);
    one.entries[0].file = strdup("\xa4\xa2-1-x-1.tgz");
    assert_code(pf_manifest_write(&one, &text, &err), PF_E_INVALID, &err);
    assert_null(text);
    pf_manifest_end(&one);
}

#define HEAD   "{\"plamo-fast-manifest\": 1, \"files\": ["
#define A_FILE "{\"file\": \"a\", \"url\": \"u\", \"size\": 1, \"xxh3\": \"\"}"

static void refuses_malformed_ones(void **state)
{
    (void)state;
    struct pf_manifest out;
    struct pf_error err = {0};
    static const char good[] = HEAD A_FILE "]}";
    assert_ok(pf_manifest_read(good, sizeof good - 1, &out, &err), &err);
    assert_int_equal(out.count, 1);
    pf_manifest_end(&out);
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "null",
        "{\"files\": []}",
        "{\"plamo-fast-manifest\": 2, \"files\": []}",
        "{\"plamo-fast-manifest\": \"1\", \"files\": []}",
        "{\"plamo-fast-manifest\": 1}",
        "{\"plamo-fast-manifest\": 1, \"files\": {}}",
        HEAD A_FILE ", " A_FILE "]}",
        HEAD A_FILE "]} x",
        HEAD "1]}",
        HEAD "{}]}",
        HEAD "{\"file\": \"a\", \"size\": 1}]}",
        HEAD "{\"file\": \"a\", \"size\": -1, \"xxh3\": \"\"}]}",
        HEAD "{\"file\": \"a\", \"size\": \"1\", \"xxh3\": \"\"}]}",
        HEAD "{\"file\": \"a\", \"size\": 1.5, \"xxh3\": \"\"}]}",
        HEAD "{\"file\": \"a\", \"size\": 1e30, \"xxh3\": \"\"}]}",
        HEAD "{\"file\": \"\", \"size\": 1, \"xxh3\": \"\"}]}",
        HEAD "{\"file\": \".\", \"size\": 1, \"xxh3\": \"\"}]}",
        HEAD "{\"file\": \"..\", \"size\": 1, \"xxh3\": \"\"}]}",
        HEAD "{\"file\": \"../a\", \"size\": 1, \"xxh3\": \"\"}]}",
        HEAD "{\"file\": \"/a\", \"size\": 1, \"xxh3\": \"\"}]}",
        HEAD "{\"file\": \"a\\u0000b\", \"size\": 1, \"xxh3\": \"\"}]}",
        HEAD "{\"file\": \"a\", \"size\": 1, \"xxh3\": \"99aa06d3014798d86001c324468d497f0\"}]}",
        HEAD "{\"file\": \"a\", \"file\": \"b\", \"size\": 1, \"xxh3\": \"\"}]}",
        HEAD "{\"file\": \"a\", \"size\": 1, \"xxh3\": \"\", \"etag\": 1}]}",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err = (struct pf_error){0};
        int status = pf_manifest_read(bad[i], strlen(bad[i]), &out, &err);
        if (status != PF_E_CORRUPT || err.code != PF_E_CORRUPT)
            fail_msg("%s: %d", bad[i], status);
    }
}

/* Written whole or not at all: no beginning of a manifest is one. */
static void refuses_every_cut(void **state)
{
    (void)state;
    static const char whole[] = HEAD A_FILE "]}";
    struct pf_manifest out;
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        struct pf_error err = {0};
        assert_code(pf_manifest_read(whole, n, &out, &err), PF_E_CORRUPT, &err);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(goes_round),
    cmocka_unit_test(keeps_tags),
    cmocka_unit_test(does_without_a_tag_that_is_no_text),
    cmocka_unit_test(may_be_empty),
    cmocka_unit_test(refuses_to_write_bytes_that_are_no_text),
    cmocka_unit_test(refuses_malformed_ones),
    cmocka_unit_test(refuses_every_cut),
};
support_main(tests, false)
