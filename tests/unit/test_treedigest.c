/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "treedigest.h"

#include "support.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct temp temp;
static int root;
static struct pf_error err;

/* One of everything. */
static void fill(int fd)
{
    put_file(fd, "etc/file", "content");
    put_file(fd, "etc/file.d/other", "");
    put_file(fd, "usr/a", "shared");
    put_file(fd, "usr/c", "alone");
    put_folder(fd, "usr/empty", 0750);
    put_link(fd, "usr/link", "a");
    put_file(fd, "var/log/install.log", "i Mon Jan  1 00:00:00 UTC 2024: a-1\n");
    put_file(fd, "var/log/packages/a",
             "PACKAGE NAME:     a\nPACKAGE LOCATION: /var/cache/x/a\nFILE LIST:\n./\n");
    assert_int_equal(linkat(fd, "usr/a", fd, "usr/b", 0), 0);
    assert_int_equal(mknodat(fd, "usr/null", S_IFCHR | 0666, makedev(1, 3)), 0);
    assert_int_equal(mknodat(fd, "usr/fifo", S_IFIFO | 0600, 0), 0);
}

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    root = open_folder(temp.fd, "root");
    fill(root);
    return 0;
}

static int end(void **state)
{
    (void)state;
    close(root);
    temp_end(&temp);
    return 0;
}

/* Valid until the next call but one. */
static const char *digest(unsigned threads)
{
    static char texts[2][PF_DIGEST_TEXT_SIZE];
    static unsigned turn;
    struct pf_treedigest_settings settings = {.threads = threads};
    char *text = texts[turn++ % 2];
    assert_ok(pf_treedigest(root, &settings, text, &err), &err);
    assert_int_equal(strlen(text), 64);
    return text;
}

static void is_what_the_header_says(void **state)
{
    (void)state;
    /* Made by hand, as the header has it. */
    static const char canonical[] =
        "plamo-fast-tree 1\0"
        "d 755 0 0\0d\0\0"
        "f 644 0 0\0d/f\0"
        "3\0"
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\0"
        "\0"
        "h\0d/g\0d/f\0\0"
        "l - 0 0\0l\0d/f\0\0"
        "c 600 0 0\0n\0"
        "1:3\0"
        "\0";
    char text[PF_DIGEST_TEXT_SIZE];
    close(root);
    root = open_folder(temp.fd, "other");
    put_file(root, "d/f", "abc");
    put_link(root, "l", "d/f");
    assert_int_equal(linkat(root, "d/f", root, "d/g", 0), 0);
    assert_int_equal(mknodat(root, "n", S_IFCHR | 0600, makedev(1, 3)), 0);
    struct pf_digest *wanted = pf_digest_new(PF_DIGEST_SHA256);
    pf_digest_add(wanted, canonical, sizeof canonical - 1);
    pf_digest_text(wanted, text);
    pf_digest_free(wanted);
    assert_string_equal(digest(2), text);
}

static void is_the_same_for_any_number_of_threads(void **state)
{
    (void)state;
    for (int i = 0; i < 500; i++) {
        char path[32], content[32];
        snprintf(path, sizeof path, "usr/many/%d", i);
        snprintf(content, sizeof content, "%d", i * i);
        put_file(root, path, content);
    }
    const char *alone = digest(0);
    assert_string_equal(digest(1), alone);
    alone = digest(0);
    assert_string_equal(digest(8), alone);
}

static void is_the_same_of_another_day_and_machine(void **state)
{
    (void)state;
    struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 2}};
    const char *before = digest(2);
    assert_int_equal(utimensat(root, "etc/file", times, 0), 0);
    assert_int_equal(utimensat(root, "usr", times, 0), 0);
    assert_int_equal(fchmod(root, 0700), 0);
    unlinkat(root, "var/log/install.log", 0);
    put_file(root, "var/log/install.log", "i Tue Feb  2 11:11:11 JST 2026: a-1\nother words\n");
    unlinkat(root, "var/log/packages/a", 0);
    put_file(root, "var/log/packages/a",
             "PACKAGE NAME:     a\nPACKAGE LOCATION: /somewhere/else/a\nFILE LIST:\n./\n");
    assert_string_equal(digest(2), before);
    /* Made in another order, in another folder. */
    before = digest(2);
    close(root);
    root = open_folder(temp.fd, "again");
    put_file(root, "usr/z", "");
    fill(root);
    unlinkat(root, "usr/z", 0);
    assert_string_equal(digest(2), before);
}

/* Each change makes another one, and back again the first. */
static void differs(const char *before, const char *what)
{
    if (strcmp(digest(2), before) == 0)
        fail_msg("%s changes nothing", what);
}

static void every_change_counts(void **state)
{
    (void)state;
    char before[PF_DIGEST_TEXT_SIZE];
    strcpy(before, digest(2));
    int fd = openat(root, "etc/file", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "k", 1, 0), 1);
    differs(before, "a byte");
    assert_int_equal(pwrite(fd, "c", 1, 0), 1);
    assert_int_equal(fchmod(fd, 04644), 0);
    differs(before, "a mode");
    assert_int_equal(fchmod(fd, 0644), 0);
    assert_int_equal(fchown(fd, 0, 5), 0);
    differs(before, "a group");
    assert_int_equal(fchown(fd, 6, 0), 0);
    differs(before, "an owner");
    assert_int_equal(fchown(fd, 0, 0), 0);
    assert_int_equal(fchmod(fd, 0644), 0);
    if (fsetxattr(fd, "user.x", "y", 1, 0) == 0)
        differs(before, "an attribute");
    fremovexattr(fd, "user.x");
    close(fd);
    assert_int_equal(fchmodat(root, "usr/empty", 0755, 0), 0);
    differs(before, "a folder's mode");
    assert_int_equal(fchmodat(root, "usr/empty", 0750, 0), 0);
    assert_int_equal(fchownat(root, "usr/link", 7, 0, AT_SYMLINK_NOFOLLOW), 0);
    differs(before, "a link's owner");
    unlinkat(root, "usr/link", 0);
    put_link(root, "usr/link", "b");
    differs(before, "where a link leads");
    unlinkat(root, "usr/link", 0);
    put_link(root, "usr/link", "a");
    unlinkat(root, "usr/b", 0);
    put_file(root, "usr/b", "shared");
    differs(before, "a file of its own instead of a second name");
    unlinkat(root, "usr/b", 0);
    differs(before, "a name that is gone");
    assert_int_equal(linkat(root, "usr/a", root, "usr/b", 0), 0);
    unlinkat(root, "usr/null", 0);
    assert_int_equal(mknodat(root, "usr/null", S_IFCHR | 0666, makedev(1, 5)), 0);
    differs(before, "a device's number");
    unlinkat(root, "usr/null", 0);
    assert_int_equal(mknodat(root, "usr/null", S_IFCHR | 0666, makedev(1, 3)), 0);
    unlinkat(root, "var/log/packages/a", 0);
    put_file(root, "var/log/packages/a",
             "PACKAGE NAME:     a\nPACKAGE LOCATION: /var/cache/x/a\nFILE LIST:\n./\nx\n");
    differs(before, "a record");
    unlinkat(root, "var/log/packages/a", 0);
    put_file(root, "var/log/packages/a",
             "PACKAGE NAME:     a\nPACKAGE LOCATION: /var/cache/x/a\nFILE LIST:\n./\n");
    assert_string_equal(digest(2), before);
}

static void can_be_cancelled(void **state)
{
    (void)state;
    atomic_bool cancel = true;
    char text[PF_DIGEST_TEXT_SIZE];
    struct pf_treedigest_settings settings = {.threads = 2, .cancel = &cancel};
    assert_int_equal(pf_treedigest(root, &settings, text, &err), PF_E_CANCELLED);
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(is_what_the_header_says),
    test(is_the_same_for_any_number_of_threads),
    test(is_the_same_of_another_day_and_machine),
    test(every_change_counts),
    test(can_be_cancelled),
};
support_main(tests, true)
