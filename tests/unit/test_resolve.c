/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resolve.h"

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static struct temp temp;
static int root; /* below temp, so that there is something outside */

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    put_file(temp.fd, "sentinel", "outside");
    put_file(temp.fd, "etc/passwd", "outside");
    root = open_folder(temp.fd, "root");
    put_file(root, "file", "f");
    put_file(root, "a/b/deep", "d");
    put_file(root, "etc/passwd", "inside");
    put_link(root, "to-file", "file");
    put_link(root, "to-a", "a");
    put_link(root, "abs-a", "/a");
    put_link(root, "abs-etc", "/etc/");
    put_link(root, "a/up", "..");
    put_link(root, "out", "../../../etc");
    put_link(root, "out-file", "../sentinel");
    put_link(root, "host", temp.path);
    put_link(root, "dangling", "a/new");
    put_link(root, "dangling-far", "no/such");
    put_link(root, "loop", "loop");
    put_link(root, "ping", "pong");
    put_link(root, "pong", "ping");
    put_link(root, "self", ".");
    put_link(root, "to-root", "/");
    put_link(root, "slashes", "//a//b//");
    put_link(root, "file-slash", "file/");
    for (int i = 0; i < 45; i++) { /* chainN goes through N + 1 links */
        char name[16], target[16];
        snprintf(name, sizeof name, "chain%d", i);
        snprintf(target, sizeof target, "chain%d", i - 1);
        put_link(root, name, i ? target : "file");
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_file(temp.fd, "sentinel", "outside");
    assert_file(temp.fd, "etc/passwd", "outside");
    close(root);
    temp_end(&temp);
    return 0;
}

typedef int (*resolve_fn)(int fd, const char *path, int flags, mode_t mode);

/* Inode of what was opened, or -errno. */
static long long open_inode(resolve_fn resolve, const char *path, int flags)
{
    struct stat st;
    int fd = resolve(root, path, flags, 0);
    if (fd < 0)
        return -errno;
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    return (long long)st.st_ino;
}

static const char *const paths[] = {
    "file",
    "./file",
    "/file",
    "//file",
    "file/",
    "file/.",
    "file/..",
    "file/x",
    "a",
    "a/",
    "a/.",
    "a/b/deep",
    "/a//b///deep",
    "a/../file",
    "a/b/../../file",
    "..",
    "../..",
    "../sentinel",
    "/../../file",
    "a/../../../file",
    ".",
    "/",
    "",
    "missing",
    "missing/x",
    "missing/..",
    "a/missing",
    "to-file",
    "to-file/",
    "to-a",
    "to-a/",
    "to-a/b/deep",
    "abs-a/b/deep",
    "abs-a/..",
    "abs-etc/passwd",
    "abs-etc",
    "a/up/file",
    "a/up/up",
    "a/up/a/up/file",
    "out",
    "out/passwd",
    "out-file",
    "host",
    "host/sentinel",
    "dangling",
    "dangling/",
    "dangling/x",
    "dangling-far",
    "loop",
    "loop/x",
    "ping",
    "ping/..",
    "self",
    "self/self/file",
    "self/",
    "to-root",
    "to-root/",
    "to-root/file",
    "slashes/deep",
    "slashes",
    "file-slash",
    "file-slash/x",
    "chain0",
    "chain38",
    "chain39",
    "chain40",
    "chain44",
    "self/chain38",
    "self/chain39",
    "self/chain40",
    "to-a/up/to-a",
    "a/up/../file",
    "etc/passwd/",
    "...",
    "a/.../x",
};

static const int reading[] = {
    O_RDONLY,
    O_PATH,
    O_RDONLY | O_DIRECTORY,
    O_PATH | O_DIRECTORY,
    O_PATH | O_NOFOLLOW,
    O_RDONLY | O_NOFOLLOW,
    O_RDONLY | O_DIRECTORY | O_NOFOLLOW,
};

static void walk_agrees_with_openat2(void **state)
{
    (void)state;
    unsigned wrong = 0;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        for (size_t f = 0; f < sizeof reading / sizeof *reading; f++) {
            long long kernel = open_inode(pf_resolve_in_root, paths[i], reading[f]);
            long long walk = open_inode(pf_resolve_in_root_walk, paths[i], reading[f]);
            wrong += kernel != walk;
            if (kernel != walk)
                print_error("\"%s\", flags %o: openat2 gives %lld, the walk %lld\n", paths[i],
                            (unsigned)reading[f], kernel, walk);
        }
    }
    assert_int_equal(wrong, 0);
}

static void stays_in_the_root(void **state)
{
    (void)state;
    long long passwd = (long long)stat_of(root, "etc/passwd").st_ino;
    long long top = (long long)stat_of(temp.fd, "root").st_ino;
    static const resolve_fn both[] = {pf_resolve_in_root, pf_resolve_in_root_walk};
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(open_inode(both[i], "out/passwd", O_RDONLY), passwd);
        assert_int_equal(open_inode(both[i], "abs-etc/passwd", O_RDONLY), passwd);
        assert_int_equal(open_inode(both[i], "/../../etc/passwd", O_RDONLY), passwd);
        assert_int_equal(open_inode(both[i], "../..", O_RDONLY), top);
        assert_int_equal(open_inode(both[i], "a/up/up", O_RDONLY), -ENOENT);
        assert_int_equal(open_inode(both[i], "a/up/..", O_RDONLY), top);
        assert_int_equal(open_inode(both[i], "to-root", O_RDONLY), top);
        assert_int_equal(open_inode(both[i], "out-file", O_RDONLY), -ENOENT);
        assert_int_equal(open_inode(both[i], "host/sentinel", O_RDONLY), -ENOENT);
        assert_int_equal(open_inode(both[i], "loop", O_RDONLY), -ELOOP);
        assert_true(open_inode(both[i], "chain39", O_RDONLY) > 0); /* 40 links */
        assert_int_equal(open_inode(both[i], "chain40", O_RDONLY), -ELOOP);
    }
}

static atomic_bool renaming;

/* Lets the kernel give its walks below the root up, and begin them anew. */
static void *rename_the_root(void *unused)
{
    (void)unused;
    while (renaming) {
        renameat(temp.fd, "root", temp.fd, "moved");
        renameat(temp.fd, "moved", temp.fd, "root");
    }
    return NULL;
}

static void counts_each_link_once(void **state)
{
    (void)state;
    long long wanted = (long long)stat_of(root, "file").st_ino;
    unsigned wrong = 0;
    pthread_t thread;
    renaming = true;
    assert_int_equal(pthread_create(&thread, NULL, rename_the_root, NULL), 0);
    for (int i = 0; i < 20000; i++)
        wrong += open_inode(pf_resolve_in_root, "chain39", O_PATH) != wanted;
    renaming = false;
    pthread_join(thread, NULL);
    assert_int_equal(wrong, 0);
}

/* Returns the number of differences. */
static unsigned check_creating(const char *path, int flags)
{
    char *before = tree_text(root, 0);
    int results[2];
    char *trees[2];
    static const resolve_fn both[] = {pf_resolve_in_root, pf_resolve_in_root_walk};
    for (int i = 0; i < 2; i++) {
        int fd = both[i](root, path, flags, 0640);
        results[i] = fd < 0 ? -errno : 0;
        if (fd >= 0)
            close(fd);
        trees[i] = tree_text(root, 0);
        unlinkat(root, "new", 0);
        unlinkat(root, "a/new", 0);
        unlinkat(root, "a/b/new", 0);
        unlinkat(root, "sentinel", 0);
        unlinkat(root, "etc/new", 0);
    }
    unsigned wrong = results[0] != results[1] || strcmp(trees[0], trees[1]) != 0;
    if (wrong)
        print_error("\"%s\", flags %o: openat2 gives %d, the walk %d\n", path, (unsigned)flags,
                    results[0], results[1]);
    char *after = tree_text(root, 0);
    assert_string_equal(before, after);
    free(before);
    free(after);
    free(trees[0]);
    free(trees[1]);
    return wrong;
}

static void walk_creates_as_openat2_does(void **state)
{
    (void)state;
    unsigned wrong = 0;
    static const char *const names[] = {
        "new",      "a/new",   "to-a/new",    "/a/b/new", "../new",  "dangling", "dangling-far",
        "out-file", "new/",    "file",        "a",        "to-file", "loop",     "missing/new",
        "file/new", "chain40", "slashes/new", "self",     "",        "/",        "out/new",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        wrong += check_creating(names[i], O_WRONLY | O_CREAT);
        wrong += check_creating(names[i], O_WRONLY | O_CREAT | O_EXCL);
        wrong += check_creating(names[i], O_WRONLY | O_CREAT | O_NOFOLLOW);
    }
    assert_int_equal(wrong, 0);
}

/* Links and folders at random; both ways find the same thing at every path. */
static void walk_agrees_on_random_trees(void **state)
{
    (void)state;
    static const char *const parts[] = {"a", "b", "c", "..", ".", "", "d"};
    uint64_t seed = 11;
    for (int round = 0; round < 60; round++) {
        char name[16], target[64], path[64];
        snprintf(name, sizeof name, "tree%d", round);
        int tree = open_folder(root, name), outer = root;
        for (int i = 0; i < 14; i++) {
            target[0] = path[0] = '\0';
            for (uint32_t n = 1 + random_below(&seed, 2); n > 0; n--)
                snprintf(path + strlen(path), 8, "%s%s", *path ? "/" : "",
                         parts[random_below(&seed, 3)]);
            for (uint32_t n = 1 + random_below(&seed, 3); n > 0; n--)
                snprintf(target + strlen(target), 8, "%s%s",
                         *target || random_below(&seed, 3) == 0 ? "/" : "",
                         parts[random_below(&seed, 7)]);
            if (random_below(&seed, 2))
                mkdirat(tree, path, 0755);
            else if (*target)
                symlinkat(target, tree, path);
        }
        root = tree;
        for (int i = 0; i < 60; i++) {
            path[0] = '\0';
            for (uint32_t n = 1 + random_below(&seed, 5); n > 0; n--)
                snprintf(path + strlen(path), 8, "%s%s", *path ? "/" : "",
                         parts[random_below(&seed, 7)]);
            int flags = reading[random_below(&seed, 7)];
            long long kernel = open_inode(pf_resolve_in_root, path, flags);
            long long walk = open_inode(pf_resolve_in_root_walk, path, flags);
            if (kernel != walk) {
                char *text = tree_text(tree, 0);
                fail_msg("\"%s\", flags %o: openat2 gives %lld, the walk %lld in\n%s", path, flags,
                         kernel, walk, text);
            }
        }
        root = outer;
        close(tree);
    }
}

static bool is_refusal(long long result)
{
    return result == -ELOOP || result == -EXDEV || result == -ENOTDIR;
}

/* Every link and every ".." is refused, by both. */
static void beneath_refuses_links_and_dots(void **state)
{
    (void)state;
    unsigned wrong = 0;
    static const char *const bad[] = {"to-file",   "to-a",      "to-a/",     "to-a/b",
                                      "abs-a/b",   "a/up",      "a/up/file", "..",
                                      "a/..",      "a/../file", "/",         "/file",
                                      "a/b/../..", "dangling",  "loop",      "../root/file"};
    static const char *const good[] = {"file", "./file", "a/b/deep", "a//b", "a/b/", ".", "a/."};
    static const resolve_fn both[] = {pf_resolve_beneath, pf_resolve_beneath_walk};
    for (size_t f = 0; f < 2; f++) {
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            int flags = f ? O_PATH : O_RDONLY;
            for (size_t w = 0; w < 2; w++) {
                long long result = open_inode(both[w], bad[i], flags);
                wrong += !is_refusal(result);
                if (!is_refusal(result))
                    print_error("\"%s\", %s, %s: %lld\n", bad[i], w ? "walk" : "openat2",
                                f ? "O_PATH" : "O_RDONLY", result);
            }
        }
        for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
            long long kernel = open_inode(both[0], good[i], f ? O_PATH : O_RDONLY);
            assert_true(kernel > 0);
            assert_int_equal(open_inode(both[1], good[i], f ? O_PATH : O_RDONLY), kernel);
        }
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(open_inode(pf_resolve_beneath, "missing", O_RDONLY), -ENOENT);
    assert_int_equal(open_inode(pf_resolve_beneath_walk, "missing", O_RDONLY), -ENOENT);
    assert_int_equal(open_inode(pf_resolve_beneath, "file/", O_RDONLY), -ENOTDIR);
    assert_int_equal(open_inode(pf_resolve_beneath_walk, "file/", O_RDONLY), -ENOTDIR);
}

static void opens_the_folder_of_the_last_component(void **state)
{
    (void)state;
    struct stat st, wanted = stat_of(root, "a");
    const char *leaf = NULL;
    int fd = pf_resolve_parent(root, "abs-a/up/a/x", &leaf);
    assert_true(fd >= 0);
    assert_string_equal(leaf, "x");
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_ino, wanted.st_ino);
    close(fd);
    fd = pf_resolve_parent(root, "/to-file", &leaf);
    assert_true(fd >= 0);
    assert_string_equal(leaf, "to-file");
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_ino, stat_of(temp.fd, "root").st_ino);
    close(fd);
    static const char *const bad[] = {"", "/", ".", "..", "a/", "a/.", "a/..", "//"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        errno = 0;
        assert_int_equal(pf_resolve_parent(root, bad[i], &leaf), -1);
        assert_int_equal(errno, EINVAL);
    }
    assert_int_equal(pf_resolve_parent(root, "missing/x", &leaf), -1);
    assert_int_equal(errno, ENOENT);
}

/* As openat(2) has it: without O_CREAT the mode says nothing. */
static void ignores_the_mode_where_nothing_is_made(void **state)
{
    (void)state;
    static const resolve_fn all[] = {pf_resolve_in_root, pf_resolve_in_root_walk,
                                     pf_resolve_beneath, pf_resolve_beneath_walk};
    for (size_t i = 0; i < 4; i++) {
        int fd = all[i](root, "a", O_RDONLY | O_DIRECTORY, 0640);
        if (fd < 0)
            fail_msg("way %zu: %s", i, strerror(errno));
        close(fd);
    }
}

static void bounds_paths(void **state)
{
    (void)state;
    static char path[8192];
    static const resolve_fn both[] = {pf_resolve_in_root, pf_resolve_in_root_walk,
                                      pf_resolve_beneath, pf_resolve_beneath_walk};
    memset(path, 'n', 300);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(open_inode(both[i], path, O_RDONLY), -ENAMETOOLONG);
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(walk_agrees_with_openat2),
    test(stays_in_the_root),
    test(counts_each_link_once),
    test(walk_creates_as_openat2_does),
    test(walk_agrees_on_random_trees),
    test(beneath_refuses_links_and_dots),
    test(opens_the_folder_of_the_last_component),
    test(ignores_the_mode_where_nothing_is_made),
    test(bounds_paths),
};
support_main(tests, false)
