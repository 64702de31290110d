/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "folderstack.h"

#include "support.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

static struct temp temp;
static struct pf_members members;
static struct pf_folderstack stack;
static struct pf_error err;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    err = (struct pf_error){0};
    stack = (struct pf_folderstack){.top_fd = temp.fd};
    assert_ok(pf_members_init(&members, &err), &err);
    return 0;
}

static int end(void **state)
{
    (void)state;
    pf_folderstack_end(&stack);
    pf_members_end(&members);
    temp_end(&temp);
    return 0;
}

static uint32_t node_of(const char *path)
{
    uint32_t node;
    assert_ok(pf_members_add_path(&members, path, &node, &err), &err);
    return node;
}

/* Opened it is the folder of that path, and nothing else is. */
static void check_open(const char *path)
{
    struct stat opened, there;
    int fd = pf_folderstack_open(&stack, &members, node_of(path));
    if (fd < 0)
        fail_msg("%s: %s", path, strerror(errno));
    assert_return_code(fstat(fd, &opened), errno);
    there = stat_of(temp.fd, *path ? path : ".");
    assert_int_equal(opened.st_ino, there.st_ino);
    assert_true(stack.count <= PF_FOLDERSTACK_DEPTH);
}

static void makes_and_opens(void **state)
{
    (void)state;
    static const char *const paths[] = {"",    "a/b/c", "a/b/c", "a/b/d", "a/b", "x",
                                        "a/e", "",      "a/b/c", "x/y/z", "a"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        check_open(paths[i]);
    assert_int_equal(stat_of(temp.fd, "x/y").st_mode, S_IFDIR | 0755);
    assert_true(pf_folderstack_has(&stack, node_of("x/y")));
    assert_false(pf_folderstack_has(&stack, node_of("x/new")));
    assert_true(pf_folderstack_has(&stack, PF_NODE_ROOT));
}

/* Paths deeper than what stays open, in every order. */
static void goes_anywhere(void **state)
{
    (void)state;
    enum { DEEP = 3 * PF_FOLDERSTACK_DEPTH, TRIES = 2000 };
    unsigned random = 1;
    for (unsigned i = 0; i < TRIES; i++) {
        char path[2 * DEEP + 1] = "";
        random = random * 1103515245 + 12345;
        unsigned depth = (random >> 16) % (DEEP + 1), bend = (random >> 8) % (DEEP + 1);
        for (unsigned level = 0; level < depth; level++)
            strcat(path, level == 0 ? "d" : level == bend ? "/e" : "/d");
        check_open(path);
    }
}

static unsigned count_open(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    assert_non_null(folder);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

static void keeps_few_open(void **state)
{
    (void)state;
    char path[PATH_MAX] = "d";
    unsigned before = count_open();
    for (unsigned level = 1; level < 1000; level++)
        strcat(path, "/d");
    check_open(path);
    assert_int_equal(count_open(), before + PF_FOLDERSTACK_DEPTH);
    check_open("d");
}

static void refused(const char *path)
{
    errno = 0;
    assert_int_equal(pf_folderstack_open(&stack, &members, node_of(path)), -1);
    assert_true(errno == ENOTDIR || errno == ELOOP);
}

static void follows_no_link(void **state)
{
    (void)state;
    put_folder(temp.fd, "out", 0755);
    put_link(temp.fd, "out-link", "out");
    put_file(temp.fd, "file", "");
    check_open("a");
    put_link(temp.fd, "a/up", "..");
    refused("out-link");
    refused("out-link/x");
    refused("a/up/out");
    refused("file/x");
    assert_false(has_name(temp.fd, "out/x"));
    check_open("a/b");
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(makes_and_opens),
    test(goes_anywhere),
    test(keeps_few_open),
    test(follows_no_link),
};

support_main(tests, false)
