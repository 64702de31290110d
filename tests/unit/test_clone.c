/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "clone.h"

#include "support.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct temp temp;
static int from, to;
static struct pf_clone_result result;
static struct pf_error err;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    from = open_folder(temp.fd, "from");
    to = open_folder(temp.fd, "to");
    result = (struct pf_clone_result){0};
    err = (struct pf_error){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    close(from);
    close(to);
    temp_end(&temp);
    return 0;
}

#define EVERYTHING (TREE_TIMES | TREE_FOLDER_TIMES | TREE_XATTRS)

static void set_time(const char *path, long seconds, long nanoseconds)
{
    struct timespec times[2] = {{.tv_sec = seconds + 5}, {seconds, nanoseconds}};
    assert_int_equal(utimensat(from, path, times, AT_SYMLINK_NOFOLLOW), 0);
}

static void set_xattr(const char *path, const char *name, const char *value)
{
    int fd = openat(from, path, O_RDONLY | O_CLOEXEC);
    if (fsetxattr(fd, name, value, strlen(value), 0) < 0)
        print_message("no extended attributes here\n");
    close(fd);
}

/* One of everything. Returns the number of names. */
static unsigned fill(void)
{
    static char big[700000];
    uint64_t seed = 2;
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)random_below(&seed, 256);
    put_bytes(from, "big", big, sizeof big, 0640);
    put_file(from, "empty", "");
    put_file(from, "d/e/f/deep", "deep");
    put_bytes(from, "setuid", "s", 1, 0755);
    assert_int_equal(fchownat(from, "setuid", 12, 34, 0), 0);
    assert_int_equal(fchmodat(from, "setuid", 06755, 0), 0);
    put_bytes(from, "closed", "c", 1, 0);
    put_file(from, "no-entry/x", "x");
    put_folder(from, "no-entry", 0);
    put_folder(from, "sticky", 03777);
    assert_int_equal(fchownat(from, "sticky", 5, 6, 0), 0);
    assert_int_equal(fchmodat(from, "sticky", 03777, 0), 0);
    put_link(from, "link", "d/e");
    put_link(from, "dangling", "/no/where");
    assert_int_equal(fchownat(from, "dangling", 7, 8, AT_SYMLINK_NOFOLLOW), 0);
    assert_int_equal(mknodat(from, "fifo", S_IFIFO | 0620, 0), 0);
    assert_int_equal(mknodat(from, "null", S_IFCHR | 0666, makedev(1, 3)), 0);
    assert_int_equal(mknodat(from, "disk", S_IFBLK | 0660, makedev(7, 0)), 0);
    assert_int_equal(fchownat(from, "disk", 0, 6, 0), 0);
    assert_int_equal(linkat(from, "setuid", from, "d/hard", 0), 0);
    assert_int_equal(linkat(from, "setuid", from, "d/e/f/hard", 0), 0);
    assert_int_equal(linkat(from, "dangling", from, "sticky/hard-link", 0), 0);
    assert_int_equal(linkat(from, "fifo", from, "d/hard-fifo", 0), 0);
    put_file(from, "odd \n\xff name", "odd");
    set_xattr("big", "user.one", "value of one");
    set_xattr("d", "user.two", "value of two");
    set_xattr("setuid", "trusted.three", "value of three");
    static const char capability[] = "\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    int fd = openat(from, "empty", O_RDONLY | O_CLOEXEC);
    fsetxattr(fd, "security.capability", capability, 20, 0);
    close(fd);
    static const char *const names[] = {"big",      "empty",  "d/e/f/deep", "d/e/f",
                                        "d/e",      "setuid", "closed",     "no-entry/x",
                                        "no-entry", "sticky", "link",       "dangling",
                                        "fifo",     "null",   "disk",       "odd \n\xff name",
                                        "d"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        set_time(names[i], 1000 + (long)i * 1000000, (long)i * 1001);
    return 21;
}

static void clone(unsigned threads)
{
    struct pf_clone_settings settings = {.threads = threads};
    assert_ok(pf_clone_tree(from, to, &settings, &result, &err), &err);
}

static void keeps_everything(void **state)
{
    (void)state;
    unsigned count = fill();
    char *before = tree_text(from, EVERYTHING);
    clone(1);
    assert_same_tree(from, to, EVERYTHING);
    assert_int_equal(result.entries, count);
    assert_int_equal(result.skipped_devices, 0);
    assert_true(result.bytes >= 700000 && result.bytes < 700100);
    char *after = tree_text(from, EVERYTHING);
    assert_string_equal(before, after); /* the source is as it was */
    free(before);
    free(after);
    assert_int_not_equal(stat_of(from, "setuid").st_ino, stat_of(to, "setuid").st_ino);
}

static void gives_the_same_with_any_number_of_threads(void **state)
{
    (void)state;
    fill();
    char path[64];
    for (int i = 0; i < 400; i++) {
        snprintf(path, sizeof path, "many%d/f%d", i % 40, i);
        put_file(from, path, path);
        if (i % 3 == 0) {
            char other[64];
            snprintf(other, sizeof other, "many%d", (i * 7) % 40);
            put_folder(from, other, 0755);
            snprintf(other, sizeof other, "many%d/hard%d", (i * 7) % 40, i);
            assert_int_equal(linkat(from, path, from, other, 0), 0);
        }
    }
    for (int i = 0; i < 40; i++) {
        snprintf(path, sizeof path, "many%d", i);
        set_time(path, 5000 + i, 1);
    }
    static const unsigned threads[] = {0, 1, 2, 8};
    for (size_t i = 0; i < 4; i++) {
        char name[16];
        snprintf(name, sizeof name, "to%zu", i);
        close(to);
        to = open_folder(temp.fd, name);
        clone(threads[i]);
        assert_same_tree(from, to, EVERYTHING);
    }
}

static void holes_stay_holes(void **state)
{
    (void)state;
    int fd = openat(from, "sparse", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(pwrite(fd, "begin", 5, 0), 5);
    assert_int_equal(pwrite(fd, "middle", 6, 8 << 20), 6);
    assert_int_equal(ftruncate(fd, 16 << 20), 0);
    close(fd);
    fd = openat(from, "hole", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_int_equal(ftruncate(fd, 4 << 20), 0);
    close(fd);
    clone(2);
    assert_same_tree(from, to, TREE_TIMES);
    assert_true(stat_of(to, "sparse").st_blocks * 512 < 1 << 20);
    assert_true(stat_of(to, "hole").st_blocks * 512 < 1 << 20);
    fd = openat(to, "sparse", O_RDONLY | O_CLOEXEC);
    char text[7] = "";
    assert_int_equal(pread(fd, text, 6, 8 << 20), 6);
    assert_string_equal(text, "middle");
    close(fd);
}

static void leaves_the_two_folders_themselves(void **state)
{
    (void)state;
    put_file(from, "f", "x");
    assert_int_equal(fchmod(from, 0700), 0);
    assert_int_equal(fchown(from, 3, 3), 0);
    clone(1);
    assert_int_equal(stat_of(temp.fd, "to").st_mode, S_IFDIR | 0755);
    assert_int_equal(stat_of(temp.fd, "to").st_uid, 0);
    assert_file(to, "f", "x");
}

static void copies_an_empty_folder(void **state)
{
    (void)state;
    clone(4);
    assert_int_equal(result.entries, 0);
    char *tree = tree_text(to, 0);
    assert_string_equal(tree, "");
    free(tree);
}

static void copies_deep_trees(void **state)
{
    (void)state;
    int fd = dup(from);
    for (int i = 0; i < 120; i++) {
        int below = open_folder(fd, "dddddddddd");
        close(fd);
        fd = below;
    }
    put_file(fd, "bottom", "x");
    close(fd);
    clone(3);
    assert_same_tree(from, to, TREE_TIMES | TREE_FOLDER_TIMES);
}

/* Nothing that is there already is written over. */
static void wants_free_names(void **state)
{
    (void)state;
    put_file(from, "f", "new");
    put_file(to, "f", "old");
    struct pf_clone_settings settings = {.threads = 2};
    assert_code(pf_clone_tree(from, to, &settings, &result, &err), PF_E_SYSTEM, &err);
    assert_contains(err.text, "f");
    assert_file(to, "f", "old");
}

static void stops_when_cancelled(void **state)
{
    (void)state;
    fill();
    atomic_bool cancel = true;
    struct pf_clone_settings settings = {.threads = 2, .cancel = &cancel};
    assert_code(pf_clone_tree(from, to, &settings, &result, &err), PF_E_CANCELLED, &err);
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(keeps_everything),       test(gives_the_same_with_any_number_of_threads),
    test(holes_stay_holes),       test(leaves_the_two_folders_themselves),
    test(copies_an_empty_folder), test(copies_deep_trees),
    test(wants_free_names),       test(stops_when_cancelled),
};
support_main(tests, true)
