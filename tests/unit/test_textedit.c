/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "textedit.h"

#include "support.h"

/* Applies the edit and compares; what it gave but the text is returned. */
static struct pf_textedit_result apply(const struct pf_textedit *edit, size_t from,
                                       const char *before, const char *after)
{
    struct pf_textedit_result result;
    struct pf_error err = {0};
    assert_ok(pf_textedit_apply(edit, before, strlen(before), from, &result, &err), &err);
    if (result.length != strlen(after) || memcmp(result.text, after, result.length) != 0)
        fail_msg("\"%s\" became \"%.*s\", not \"%s\"", before, (int)result.length, result.text,
                 after);
    free(result.text);
    result.text = NULL;
    return result;
}

static void check(enum pf_textedit_kind kind, const char *match, const char *text,
                  const char *before, const char *after, size_t wanted)
{
    struct pf_textedit edit = {.kind = kind, .match = match, .text = text};
    struct pf_textedit_result result = apply(&edit, 0, before, after);
    assert_int_equal(result.changed, wanted);
    if (wanted)
        assert_null(result.missing);
    else
        assert_string_equal(result.missing, match);
}

static void comments(void **state)
{
    (void)state;
    const enum pf_textedit_kind kind = PF_TEXTEDIT_COMMENT;
    check(kind, "loginuid", NULL, "a\nsession x loginuid.so\nb\n", "a\n#session x loginuid.so\nb\n",
          1);
    check(kind, "x", NULL, "x\nax\n#x\n", "#x\n#ax\n##x\n", 3);
    check(kind, "x", NULL, "a x", "#a x", 1);
    check(kind, "x", NULL, "", "", 0);
    check(kind, "x", NULL, "\n\n", "\n\n", 0);
}

static void deletes(void **state)
{
    (void)state;
    check(PF_TEXTEDIT_DELETE, "wait", NULL, "a\n  wait_for\nb\nwait", "a\nb\n", 2);
    check(PF_TEXTEDIT_DELETE, "a\nb", NULL, "a\nb\n", "a\nb\n", 0); /* never over two lines */
    check(PF_TEXTEDIT_DELETE_PREFIX, "4:", NULL, "14:\n4:2345\n 4:\n4:\n", "14:\n 4:\n", 2);
    check(PF_TEXTEDIT_DELETE_PREFIX, "4:", NULL, "4:\n4:\n", "", 2);
    check(PF_TEXTEDIT_DELETE_PREFIX, "4.", NULL, "4:\n", "4:\n", 0); /* a text, no pattern */
    check(PF_TEXTEDIT_DELETE, "[4]*", NULL, "4\n", "4\n", 0);
}

static void inserts(void **state)
{
    (void)state;
    check(PF_TEXTEDIT_INSERT_BEFORE, "1:", "c:", "a\n1:x\n b1:\n", "a\nc:\n1:x\n b1:\n", 1);
    check(PF_TEXTEDIT_INSERT_BEFORE, "1:", "c:", "1:a\n1:b\n", "c:\n1:a\nc:\n1:b\n", 2);
    check(PF_TEXTEDIT_INSERT_BEFORE, "1:", "c:", "1:a", "c:\n1:a", 1);
    check(PF_TEXTEDIT_INSERT_AFTER, "ca:", "pf", "a\nca:x\nb\n", "a\nca:x\npf\nb\n", 1);
    check(PF_TEXTEDIT_INSERT_AFTER, "ca:", "pf", "xca:\n", "xca:\n", 0);
    check(PF_TEXTEDIT_INSERT_AFTER, "a", "%s", "a\n", "a\n%s\n", 1);
}

/* A last line without a newline stays without one, unless a line is put behind it. */
static void keeps_a_missing_newline(void **state)
{
    (void)state;
    check(PF_TEXTEDIT_DELETE, "zzz", NULL, "a\nb", "a\nb", 0);
    check(PF_TEXTEDIT_COMMENT, "b", NULL, "a\nb", "a\n#b", 1);
    check(PF_TEXTEDIT_INSERT_AFTER, "b", "new", "a\nb", "a\nb\nnew", 1);
    check(PF_TEXTEDIT_REPLACE_PREFIX, "b", "new", "a\nbc", "a\nnew", 1);
    check(PF_TEXTEDIT_SUBSTITUTE, "b", "new", "a\nabc", "a\nanewc", 1);
}

static void keeps_every_byte(void **state)
{
    (void)state;
    static const char text[] = "a\0x\r\n\xa4\xa2\nx\n";
    static const char wanted[] = "a\0x\r\n\xa4\xa2\n";
    struct pf_textedit edit = {.kind = PF_TEXTEDIT_DELETE_PREFIX, .match = "x"};
    struct pf_textedit_result result;
    struct pf_error err = {0};
    assert_ok(pf_textedit_apply(&edit, text, sizeof text - 1, 0, &result, &err), &err);
    assert_int_equal(result.length, sizeof wanted - 1);
    assert_memory_equal(result.text, wanted, result.length);
    free(result.text);
}

static void substitutes(void **state)
{
    (void)state;
    const enum pf_textedit_kind kind = PF_TEXTEDIT_SUBSTITUTE;
    check(kind, "=\"err\"", "=0", "log=\"err\" b=\"err\"\nx\n", "log=0 b=\"err\"\nx\n", 1);
    check(kind, "a", "aa", "a\nba\n", "aa\nbaa\n", 2);
    check(kind, "a.c", "x", "abc\n", "abc\n", 0); /* a text, no pattern */
    check(kind, "b", "", "abc\n", "ac\n", 1);
    check(kind, "b", "&", "abc\n", "a&c\n", 1);
    struct pf_textedit edit = {.kind = kind,
                               .match = "if",
                               .text = "if false &&",
                               .where = "cmdline"};
    struct pf_textedit_result result = apply(&edit, 0, "if x\nif cmdline; if y\ncmdline\n",
                                             "if x\nif false && cmdline; if y\ncmdline\n");
    assert_int_equal(result.changed, 1);
    result = apply(&edit, 0, "if x\n", "if x\n");
    assert_int_equal(result.changed, 0);
    assert_string_equal(result.missing, "cmdline");
    result = apply(&edit, 0, "cmdline\nif x\n", "cmdline\nif x\n");
    assert_string_equal(result.missing, "if");
}

static void replaces_lines(void **state)
{
    (void)state;
    const enum pf_textedit_kind kind = PF_TEXTEDIT_REPLACE_PREFIX;
    check(kind, "pf:", "new", "a\npf:x\n pf:\npf:\n", "a\nnew\n pf:\nnew\n", 2);
    check(kind, "pf:", "new", "a\n", "a\n", 0);
}

static void check_range(unsigned keep, const char *before, const char *after, size_t changed,
                        const char *missing)
{
    struct pf_textedit edit = {.kind = PF_TEXTEDIT_DELETE_RANGE,
                               .match = "A",
                               .until = "B",
                               .keep = keep};
    struct pf_textedit_result result = apply(&edit, 0, before, after);
    assert_int_equal(result.changed, changed);
    if (missing)
        assert_string_equal(result.missing, missing);
    else
        assert_null(result.missing);
}

static void deletes_ranges(void **state)
{
    (void)state;
    check_range(0, "x\nA\ny\nB\nz\n", "x\nB\nz\n", 2, NULL);
    check_range(0, "A\nB", "B", 1, NULL);
    check_range(0, "A1\nA2\nB1\nB2\nA3\nB3\n", "B1\nB2\nA3\nB3\n", 2, NULL); /* once */
    check_range(0, "B\n A\nA\n B\nB\n", "B\n A\nB\n", 2, NULL); /* only at a line's beginning */
    check_range(1, "x\nA\ny\n\nB\n", "x\n\nB\n", 2, NULL);
    check_range(2, "A\n1\n2\nB\n", "1\n2\nB\n", 1, NULL);
    check_range(0, "x\nB\n", "x\nB\n", 0, "A");
    check_range(0, "x\nA\n", "x\nA\n", 0, "B");
    check_range(0, "B\nA\nx\n", "B\nA\nx\n", 0, "B"); /* behind it */
    check_range(0, "A", "A", 0, "B");
    check_range(0, "", "", 0, "A");
    /* Nothing between them but what is to stay. */
    check_range(1, "x\nA\nB\n", "x\nA\nB\n", 0, NULL);
    check_range(9, "x\ny\nA\n1\nB\n", "x\ny\nA\n1\nB\n", 0, NULL);
}

/* ed's search goes on behind the last deletion, and round. */
static void looks_for_a_range_from_where_the_last_one_was(void **state)
{
    (void)state;
    struct pf_textedit edit = {.kind = PF_TEXTEDIT_DELETE_RANGE, .match = "A", .until = "B"};
    static const char text[] = "A0\nB0\nx\nA1\nB1\ny\n";
    struct pf_textedit_result result = apply(&edit, 0, text, "B0\nx\nA1\nB1\ny\n");
    assert_int_equal(result.next, 3);
    result = apply(&edit, 3, text, "A0\nB0\nx\nB1\ny\n");
    assert_int_equal(result.next, 11);
    apply(&edit, 14, text, "B0\nx\nA1\nB1\ny\n"); /* round */
    apply(&edit, 99, text, "B0\nx\nA1\nB1\ny\n");
    result = apply(&edit, 0, "A\nB", "B");
    assert_int_equal(result.next, 1);
}

static void tells_what_is_worth_a_warning(void **state)
{
    (void)state;
    static const enum pf_textedit_kind expected[] = {PF_TEXTEDIT_INSERT_BEFORE,
                                                     PF_TEXTEDIT_INSERT_AFTER,
                                                     PF_TEXTEDIT_SUBSTITUTE,
                                                     PF_TEXTEDIT_REPLACE_PREFIX,
                                                     PF_TEXTEDIT_DELETE_RANGE};
    static const enum pf_textedit_kind others[] = {PF_TEXTEDIT_COMMENT, PF_TEXTEDIT_DELETE,
                                                   PF_TEXTEDIT_DELETE_PREFIX};
    for (size_t i = 0; i < 5; i++) {
        struct pf_textedit edit = {.kind = expected[i], .match = "x"};
        assert_true(pf_textedit_expects_match(&edit));
        edit.optional = true;
        assert_false(pf_textedit_expects_match(&edit));
    }
    for (size_t i = 0; i < 3; i++)
        assert_false(pf_textedit_expects_match(&(struct pf_textedit){.kind = others[i]}));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(comments),
    cmocka_unit_test(deletes),
    cmocka_unit_test(inserts),
    cmocka_unit_test(keeps_a_missing_newline),
    cmocka_unit_test(keeps_every_byte),
    cmocka_unit_test(substitutes),
    cmocka_unit_test(replaces_lines),
    cmocka_unit_test(deletes_ranges),
    cmocka_unit_test(looks_for_a_range_from_where_the_last_one_was),
    cmocka_unit_test(tells_what_is_worth_a_warning),
};
support_main(tests, false)
