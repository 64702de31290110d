/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checksums.h"

#include "support.h"

#include <limits.h>

#define A   "0123456789abcdef0123456789abcdef"
#define B   "fedcba9876543210fedcba9876543210"
#define SHA A B

static void add(struct pf_checksums *sums, const char *text, enum pf_digest_kind kind,
                const char *folder)
{
    struct pf_error err = {0};
    assert_ok(pf_checksums_add(sums, text, strlen(text), kind, folder, NULL, &err), &err);
}

static void expect(const struct pf_checksums *sums, const char *path, enum pf_digest_kind kind,
                   const char *hex)
{
    const struct pf_checksum *sum = pf_checksums_find(sums, path);
    if (!sum)
        fail_msg("no sum of \"%s\"", path);
    assert_string_equal(sum->hex, hex);
    assert_int_equal(sum->kind, kind);
}

/* The one path that a list of one sum gives, in the folder "d"; NULL for none. */
static void gives(const char *text, enum pf_digest_kind kind, const char *path, const char *hex)
{
    struct pf_checksums sums = {0};
    add(&sums, text, kind, "d");
    if (sums.count != (path != NULL))
        fail_msg("\"%s\" gave %zu sums", text, sums.count);
    if (path)
        expect(&sums, path, strlen(hex) == 64 ? PF_DIGEST_SHA256 : PF_DIGEST_MD5, hex);
    pf_checksums_end(&sums);
}

static void reads_each_format(void **state)
{
    (void)state;
    gives(A "  a.txz\n", PF_DIGEST_MD5, "d/a.txz", A);
    gives(A " *a.txz\n", PF_DIGEST_MD5, "d/a.txz", A);
    gives(A " a.txz", PF_DIGEST_MD5, "d/a.txz", A);
    gives(A "\ta.txz\r\n", PF_DIGEST_MD5, "d/a.txz", A);
    gives(SHA "  a.txz\n", PF_DIGEST_SHA256, "d/a.txz", SHA);
    gives("0123456789ABCDEF0123456789abcdef  a\n", PF_DIGEST_MD5, "d/a", A);
    gives("MD5 (a.txz) = " A "\n", PF_DIGEST_MD5, "d/a.txz", A);
    gives("SHA256 (a.txz) = " SHA "\n", PF_DIGEST_SHA256, "d/a.txz", SHA);
    gives("SHA2-256(a.txz)= " SHA "\n", PF_DIGEST_SHA256, "d/a.txz", SHA);
    gives("SHA256 (a.txz) = " SHA "\n", PF_DIGEST_MD5, "d/a.txz", SHA); /* the tag decides */
    gives("MD5 (a (b) = c) = " A "  \n", PF_DIGEST_MD5, "d/a (b) = c", A);
    gives(A "  ./sub/a.txz\n", PF_DIGEST_MD5, "d/sub/a.txz", A);
    gives(A "  a b  c\n", PF_DIGEST_MD5, "d/a b  c", A);
    gives(A "  a \n", PF_DIGEST_MD5, "d/a ", A);
    gives(A "   a\n", PF_DIGEST_MD5, "d/ a", A);
    gives(A " **a\n", PF_DIGEST_MD5, "d/*a", A);
    gives("\\" A "  a\\\\b\n", PF_DIGEST_MD5, "d/a\\b", A);
    gives("\\MD5 (a\\\\b) = " A "\n", PF_DIGEST_MD5, "d/a\\b", A);
    gives(A "  a\\\\b\n", PF_DIGEST_MD5, "d/a\\\\b", A);
}

static void passes_over_what_is_no_sum(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "",
        "\n\n\r\n",
        "MD5 message digest                Filename",
        "A",
        "0123456789abcdef0123456789abcde  a",   /* a digit too few */
        "0123456789abcdef0123456789abcdef0  a", /* and too many */
        "0123456789abcdeg0123456789abcdef  a",
        A, /* of no file */
        A "  ",
        A "  *",
        A "  .",
        A "  ./",
        A "  ..",
        A "  ../a",
        A "  sub/../../a",
        A "  sub/../a",
        A "  /etc/passwd",
        A "  sub/",
        A "  a/.",
        A "  a\x01",
        A "  a\tb",
        "\\" A "  a\\nb", /* a newline in a name */
        "\\" A "  a\\b",  /* no such escape */
        "\\" A "  a\\",
        "\\",
        " " A "  a",
        A "-a",
        "MD5 (a) = " A "0",
        "MD5 (a) = 0" A,
        "MD5 (a) " A,
        "MD5 (a = " A,
        "MD5 () = " A,
        "MD5 (= " A,
        "MD5 ( " A,
        "MD5 (" A,
        "(a) = " A,
        "MD4 (a) = " A,
        "SHA256 (a) = " A,
        "MD5 (../a) = " A,
        "MD5 (a) =",
        SHA "  a",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        bool star = strcmp(lines[i], A "  *") == 0; /* that is a name */
        gives(lines[i], PF_DIGEST_MD5, star ? "d/*" : NULL, A);
    }
    gives(A "  a", PF_DIGEST_SHA256, NULL, NULL);
}

static void reads_slackwares_list(void **state)
{
    (void)state;
    struct pf_checksums sums = {0};
    add(&sums,
        "These are the MD5 message digests for the files in this directory.\n"
        "If you want to test your files, use 'md5sum' and compare the values to\n"
        "the ones listed here.\n\nTo test all these files, use this command:\n\n"
        "tail +13 CHECKSUMS.md5 | md5sum -c --quiet - | less\n\n"
        "'md5sum' can be found in the GNU coreutils package on ftp.gnu.org in\n"
        "/pub/gnu, or at any GNU mirror site.\n\n"
        "MD5 message digest                Filename\n" A "  ./ChangeLog.txt\n" B
        "  ./plamo/00_base/a-1-x86-1.txz\n",
        PF_DIGEST_MD5, "");
    assert_int_equal(sums.count, 2);
    expect(&sums, "ChangeLog.txt", PF_DIGEST_MD5, A);
    expect(&sums, "plamo/00_base/a-1-x86-1.txz", PF_DIGEST_MD5, B);
    assert_null(pf_checksums_find(&sums, "a-1-x86-1.txz"));
    assert_null(pf_checksums_find(&sums, "./ChangeLog.txt"));
    pf_checksums_end(&sums);
    assert_null(pf_checksums_find(&sums, "ChangeLog.txt"));
}

static void joins_folders(void **state)
{
    (void)state;
    static const struct {
        const char *folder, *path;
    } cases[] = {{"", "sub/a"},
                 {"plamo/00_base", "plamo/00_base/sub/a"},
                 {"plamo//", "plamo/sub/a"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pf_checksums sums = {0};
        add(&sums, A "  .//./sub//./a\n", PF_DIGEST_MD5, cases[i].folder);
        expect(&sums, cases[i].path, PF_DIGEST_MD5, A);
        pf_checksums_end(&sums);
    }
}

static void takes_a_lone_sum_for_its_file(void **state)
{
    (void)state;
    static const char *const texts[] = {SHA, SHA "\n", SHA "  \r\n"};
    struct pf_error err = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct pf_checksums sums = {0};
        assert_ok(pf_checksums_add(&sums, texts[i], strlen(texts[i]), PF_DIGEST_SHA256, "d",
                                   "a.txz", &err),
                  &err);
        expect(&sums, "d/a.txz", PF_DIGEST_SHA256, SHA);
        pf_checksums_end(&sums);
    }
    struct pf_checksums sums = {0};
    assert_ok(pf_checksums_add(&sums, A "  b", 35, PF_DIGEST_MD5, "d", "a", &err), &err);
    expect(&sums, "d/b", PF_DIGEST_MD5, A); /* a line with a name means that name */
    assert_int_equal(sums.count, 1);
    pf_checksums_end(&sums);
}

static void prefers_the_stronger_and_the_last(void **state)
{
    (void)state;
    struct pf_checksums sums = {0};
    add(&sums, A "  x\n" A "  y\n" A "  same\n", PF_DIGEST_MD5, "");
    assert_int_equal(sums.conflicts, 0);
    add(&sums, B "  ./x\n" A "  same\n", PF_DIGEST_MD5, "");
    assert_int_equal(sums.conflicts, 1);
    expect(&sums, "x", PF_DIGEST_MD5, B);
    add(&sums, SHA "  x\n" SHA "  y\n", PF_DIGEST_SHA256, "");
    add(&sums, A "  y\n", PF_DIGEST_MD5, "");
    assert_int_equal(sums.conflicts, 1);
    assert_int_equal(sums.count, 3);
    expect(&sums, "x", PF_DIGEST_SHA256, SHA);
    expect(&sums, "y", PF_DIGEST_SHA256, SHA);
    add(&sums, B A "  y\n", PF_DIGEST_SHA256, "");
    assert_int_equal(sums.conflicts, 2);
    expect(&sums, "y", PF_DIGEST_SHA256, B A);
    pf_checksums_end(&sums);
}

static void wants_a_kind_of_lists(void **state)
{
    (void)state;
    struct pf_checksums sums = {0};
    struct pf_error err = {0};
    assert_code(pf_checksums_add(&sums, "", 0, PF_DIGEST_XXH3, "", NULL, &err), PF_E_INVALID, &err);
    pf_checksums_end(&sums);
}

static void reads_every_cut(void **state)
{
    (void)state;
    static const char text[] = A "  a\n\\" A "  b\\\\\nMD5 (c) = " A "\nSHA256 (d)= " SHA "\n";
    for (size_t n = 0; n < sizeof text; n++) {
        struct pf_checksums sums = {0};
        struct pf_error err = {0};
        char *exact = malloc(n ? n : 1); /* so that a sanitizer sees a step too far */
        assert_non_null(exact);
        memcpy(exact, text, n);
        assert_ok(pf_checksums_add(&sums, exact, n, PF_DIGEST_MD5, "", "of", &err), &err);
        assert_true(sums.count <= 5);
        free(exact);
        pf_checksums_end(&sums);
    }
    static const char nul[] = A "  a\0b\n\0\n" A "  c\nMD5 (a\0) = " A;
    struct pf_checksums sums = {0};
    struct pf_error err = {0};
    assert_ok(pf_checksums_add(&sums, nul, sizeof nul - 1, PF_DIGEST_MD5, "", NULL, &err), &err);
    assert_int_equal(sums.count, 1);
    expect(&sums, "c", PF_DIGEST_MD5, A);
    pf_checksums_end(&sums);
}

static void take_any_bytes(void *arg, size_t size)
{
    (void)arg;
    static const char *const units[] = {"x",  A,      A "  ", "MD5 (", "MD5 (a) = ",
                                        "./", "\\\\", "\n",   "/",     " "};
    static const char *const starts[] = {"", A "  ", "\\" A "  ", "MD5 ("};
    for (size_t u = 0; u < 4 * sizeof units / sizeof *units; u++) {
        struct buffer text = {0};
        struct pf_checksums sums = {0};
        struct pf_error err = {0};
        buffer_add(&text, starts[u % 4], strlen(starts[u % 4]));
        while (text.length < size)
            buffer_add(&text, units[u / 4], strlen(units[u / 4]));
        buffer_add(&text, ") = " A, 36);
        assert_ok(pf_checksums_add(&sums, (char *)text.data, text.length, PF_DIGEST_MD5, "", NULL,
                                   &err),
                  &err);
        assert_int_equal(sums.count, 0);
        pf_checksums_end(&sums);
        buffer_end(&text);
    }
}

static void takes_any_bytes_in_linear_time(void **state)
{
    (void)state;
    assert_linear(take_any_bytes, NULL, 64 << 10);
}

static void bounds_paths_and_counts(void **state)
{
    (void)state;
    struct pf_checksums sums = {0};
    struct pf_error err = {0};
    struct buffer text = {0};
    buffer_add(&text, A "  ", 34);
    for (int i = 0; i < PATH_MAX / 2 - 1; i++)
        buffer_add(&text, "a/", 2);
    buffer_add(&text, "b", 1);
    assert_ok(pf_checksums_add(&sums, (char *)text.data, text.length, PF_DIGEST_MD5, "d", NULL,
                               &err),
              &err);
    assert_int_equal(sums.count, 0); /* "d/" makes it too long */
    assert_ok(pf_checksums_add(&sums, (char *)text.data, text.length, PF_DIGEST_MD5, "", NULL,
                               &err),
              &err);
    assert_int_equal(sums.count, 1);
    text.length = 0;
    char line[64];
    for (int i = 0; i < 500000; i++)
        buffer_add(&text, line, (size_t)snprintf(line, sizeof line, A "  %d\n", i));
    assert_code(pf_checksums_add(&sums, (char *)text.data, text.length, PF_DIGEST_MD5, "", NULL,
                                 &err),
                PF_E_LIMIT, &err);
    expect(&sums, "499998", PF_DIGEST_MD5, A);
    assert_null(pf_checksums_find(&sums, "499999"));
    pf_checksums_end(&sums);
    buffer_end(&text);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_each_format),
    cmocka_unit_test(passes_over_what_is_no_sum),
    cmocka_unit_test(reads_slackwares_list),
    cmocka_unit_test(joins_folders),
    cmocka_unit_test(takes_a_lone_sum_for_its_file),
    cmocka_unit_test(prefers_the_stronger_and_the_last),
    cmocka_unit_test(wants_a_kind_of_lists),
    cmocka_unit_test(reads_every_cut),
    cmocka_unit_test(takes_any_bytes_in_linear_time),
    cmocka_unit_test(bounds_paths_and_counts),
};
support_main(tests, false)
