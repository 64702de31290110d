/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "textedit.h"

#include "support.h"

static void check(enum pf_textedit_kind kind, const char *match, const char *insert,
                  const char *before, const char *after, size_t wanted)
{
    struct pf_textedit edit = {.kind = kind, .match = match, .text = insert};
    struct pf_error err = {0};
    char *out;
    size_t length, changed;
    assert_ok(pf_textedit_apply(&edit, before, strlen(before), &out, &length, &changed, &err),
              &err);
    if (length != strlen(after) || memcmp(out, after, length) != 0)
        fail_msg("\"%s\" became \"%.*s\", not \"%s\"", before, (int)length, out, after);
    assert_int_equal(changed, wanted);
    free(out);
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
    struct pf_textedit edit = {PF_TEXTEDIT_INSERT_AFTER, "b", "new"};
    struct pf_error err = {0};
    char *out;
    size_t length, changed;
    assert_ok(pf_textedit_apply(&edit, "a\nb", 3, &out, &length, &changed, &err), &err);
    assert_int_equal(strncmp(out, "a\nb\nnew", 7), 0);
    assert_true(length == 7 || (length == 8 && out[7] == '\n'));
    free(out);
}

static void keeps_every_byte(void **state)
{
    (void)state;
    static const char text[] = "a\0x\r\n\xa4\xa2\nx\n";
    static const char wanted[] = "a\0x\r\n\xa4\xa2\n";
    struct pf_textedit edit = {PF_TEXTEDIT_DELETE_PREFIX, "x", NULL};
    struct pf_error err = {0};
    char *out;
    size_t length, changed;
    assert_ok(pf_textedit_apply(&edit, text, sizeof text - 1, &out, &length, &changed, &err), &err);
    assert_int_equal(length, sizeof wanted - 1);
    assert_memory_equal(out, wanted, length);
    free(out);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(comments),         cmocka_unit_test(deletes),
    cmocka_unit_test(inserts),          cmocka_unit_test(keeps_a_missing_newline),
    cmocka_unit_test(keeps_every_byte),
};
support_main(tests, false)
