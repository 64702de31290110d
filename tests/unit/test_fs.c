/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs.h"

#include "cleanup.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct temp temp;
static int root;
static struct pf_error err;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    root = open_folder(temp.fd, "root");
    put_file(temp.fd, "outside/sentinel", "kept");
    err = (struct pf_error){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_file(temp.fd, "outside/sentinel", "kept");
    close(root);
    temp_end(&temp);
    return 0;
}

static void makes_folders(void **state)
{
    (void)state;
    assert_int_equal(pf_fs_make_folders(root, "a/b//c/", 0750), 0);
    assert_int_equal(stat_of(root, "a/b/c").st_mode, S_IFDIR | 0750);
    assert_int_equal(pf_fs_make_folders(root, "a/b/c", 0700), 0); /* there already: kept */
    assert_int_equal(stat_of(root, "a/b/c").st_mode, S_IFDIR | 0750);
    assert_int_equal(pf_fs_make_folders(root, ".", 0700), 0);
    char absolute[128];
    snprintf(absolute, sizeof absolute, "%s/x/y", temp.path);
    assert_int_equal(pf_fs_make_folders(AT_FDCWD, absolute, 0755), 0);
    assert_true(has_name(temp.fd, "x/y"));
    put_file(root, "file", "");
    assert_int_equal(pf_fs_make_folders(root, "file/d", 0755), -1);
    assert_int_equal(errno, ENOTDIR);
}

static void makes_folders_only_in_the_root(void **state)
{
    (void)state;
    char absolute[96];
    snprintf(absolute, sizeof absolute, "%s/outside", temp.path);
    put_link(root, "up", "../outside");
    put_link(root, "abs", absolute);
    put_link(root, "in", "/here");
    put_folder(root, "here", 0755);
    assert_int_equal(pf_fs_make_folders_in_root(root, "in/d/e", 0755), 0);
    assert_true(has_name(root, "here/d/e"));
    assert_int_equal(pf_fs_make_folders_in_root(root, "/var/log", 0755), 0);
    assert_true(has_name(root, "var/log"));
    pf_fs_make_folders_in_root(root, "up/d", 0755); /* whatever it says */
    pf_fs_make_folders_in_root(root, "abs/d", 0755);
    pf_fs_make_folders_in_root(root, "../outside/d", 0755);
    assert_false(has_name(temp.fd, "outside/d"));
}

static void reads_whole_files(void **state)
{
    (void)state;
    enum { LENGTH = 100000 };
    static char big[LENGTH];
    memset(big, 'x', LENGTH);
    put_bytes(root, "big", big, LENGTH, 0600);
    put_file(root, "empty", "");
    char *data;
    size_t length;
    int fd = openat(root, "big", O_RDONLY | O_CLOEXEC);
    assert_ok(pf_fs_read_fd(fd, LENGTH, &data, &length, &err), &err);
    assert_int_equal(length, LENGTH);
    assert_memory_equal(data, big, LENGTH);
    assert_int_equal(data[LENGTH], '\0');
    free(data);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_code(pf_fs_read_fd(fd, LENGTH - 1, &data, &length, &err), PF_E_LIMIT, &err);
    close(fd);
    fd = openat(root, "empty", O_RDONLY | O_CLOEXEC);
    assert_ok(pf_fs_read_fd(fd, 0, &data, &length, &err), &err);
    assert_int_equal(length, 0);
    assert_string_equal(data, "");
    free(data);
    close(fd);
    assert_code(pf_fs_read_fd(root, 10, &data, &length, &err), PF_E_SYSTEM, &err);
}

static void replaces_files_at_once(void **state)
{
    (void)state;
    put_file(root, "f", "old");
    assert_int_equal(linkat(root, "f", root, "other", 0), 0);
    assert_ok(pf_fs_replace_file(root, "f", "new", 3, 04751, &err), &err);
    assert_file(root, "f", "new");
    assert_int_equal(stat_of(root, "f").st_mode, S_IFREG | 04751);
    assert_file(root, "other", "old"); /* never written through */
    put_link(root, "l", "../outside/sentinel");
    assert_ok(pf_fs_replace_file(root, "l", "mine", 4, 0644, &err), &err);
    assert_true(S_ISREG(stat_of(root, "l").st_mode));
    put_folder(root, "d", 0755);
    assert_int_not_equal(pf_fs_replace_file(root, "d", "x", 1, 0644, &err), 0);
    assert_contains(err.text, "d");
    char *tree = tree_text(root, 0);
    assert_null(strstr(tree, "tmp")); /* nothing is left behind */
    free(tree);
}

static void removes_trees(void **state)
{
    (void)state;
    put_file(root, "t/a/b/f", "x");
    put_file(root, "t/closed/f", "x");
    put_folder(root, "t/closed", 0);
    put_link(root, "t/l", "../../outside");
    put_link(root, "t/a/abs", "/");
    put_file(root, "kept", "x");
    assert_ok(pf_fs_remove_tree(root, "t", &err), &err);
    assert_false(has_name(root, "t"));
    assert_ok(pf_fs_remove_tree(root, "t", &err), &err);
    assert_ok(pf_fs_remove_tree(root, "kept", &err), &err);
    put_link(root, "l", "../outside");
    assert_ok(pf_fs_remove_tree(root, "l", &err), &err);
    assert_false(has_name(root, "l"));
    put_file(root, "x/y", "");
    put_file(root, "z", "");
    assert_ok(pf_fs_empty_folder(root, &err), &err);
    char *tree = tree_text(root, 0);
    assert_string_equal(tree, "");
    free(tree);
}

/* Fewer descriptors than the tree is deep. */
static void remove_with_few_files(rlim_t limit)
{
    char path[32];
    for (int i = 0; i < 1500; i++) {
        snprintf(path, sizeof path, "w/%d", i);
        put_file(root, path, "");
    }
    int fd = open_folder(root, "w/deep");
    for (int i = 0; i < 300; i++) {
        int below = open_folder(fd, "d");
        close(fd);
        fd = below;
    }
    close(fd);
    struct rlimit before, few;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = limit;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    int status = pf_fs_remove_tree(root, "w", &err);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_ok(status, &err);
    assert_false(has_name(root, "w"));
}

static void removes_wide_and_deep_trees(void **state)
{
    (void)state;
    remove_with_few_files(180);
    int probe = dup(root);
    close(probe);
    remove_with_few_files((rlim_t)probe + 7);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* For less than half of the time that it is given, however slow the file system is. */
static void *write_on(void *arg)
{
    int fd = *(int *)arg;
    char name[16];
    int64_t end_ms = now_ms() + 200;
    for (int i = 0; i < 3000 && now_ms() < end_ms; i++) {
        snprintf(name, sizeof name, "%d", i);
        int made = openat(fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        if (made >= 0)
            close(made);
    }
    return NULL;
}

/* What another process removes in the middle of it is removed. */
static void removes_what_others_remove(void **state)
{
    (void)state;
    int fd = open_folder(root, "w/gone");
    assert_int_equal(unlinkat(root, "w/gone", AT_REMOVEDIR), 0);
    assert_ok(pf_fs_empty_folder(fd, &err), &err);
    put_file(root, "w/gone/not_it", "x");
    assert_ok(pf_fs_empty_folder(fd, &err), &err);
    assert_true(has_name(root, "w/gone/not_it"));
    close(fd);
}

static void *remove_too(void *arg)
{
    struct pf_error *why = arg;
    pf_fs_remove_tree(root, "w", why);
    return NULL;
}

/* Deep enough to be moved up by both. */
static void removes_beside_another(void **state)
{
    (void)state;
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 4; i++) {
            char path[16];
            snprintf(path, sizeof path, "w/%d", i);
            int fd = open_folder(root, path);
            for (int depth = 0; depth < 70; depth++) {
                int below = open_folder(fd, "d");
                close(fd);
                fd = below;
            }
            close(fd);
        }
        pthread_t other;
        struct pf_error why = {0};
        assert_int_equal(pthread_create(&other, NULL, remove_too, &why), 0);
        int status = pf_fs_remove_tree(root, "w", &err);
        assert_int_equal(pthread_join(other, NULL), 0);
        assert_ok(status, &err);
        assert_ok(why.code, &why);
        assert_false(has_name(root, "w"));
    }
}

/* As a script does that a killed run has left behind. */
static void removes_what_is_still_written_to(void **state)
{
    (void)state;
    pthread_t writer;
    for (int i = 0; i < 20; i++) {
        int fd = open_folder(root, "w/below");
        assert_int_equal(pthread_create(&writer, NULL, write_on, &fd), 0);
        for (int j = 0; j < 50; j++)
            put_file(root, "w/other/f", "");
        int status = pf_fs_remove_tree(root, "w", &err);
        pthread_join(writer, NULL);
        close(fd);
        assert_ok(status, &err);
        assert_false(has_name(root, "w"));
    }
}

/* What is mounted below is somebody else's. */
static void crosses_into_no_other_file_system(void **state)
{
    (void)state;
    put_file(root, "t/a", "");
    put_folder(root, "t/mnt", 0755);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        char path[96];
        snprintf(path, sizeof path, "%s/root/t/mnt", temp.path);
        if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("none", path, "tmpfs", 0, NULL) < 0)
            _exit(77);
        /* The descriptor is of the old namespace: open the folder anew. */
        int fd = open(temp.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        put_file(fd, "root/t/mnt/sentinel", "kept");
        int status = openat(fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        _exit(pf_fs_remove_tree(status, "t", NULL) != 0 && has_name(fd, "root/t/mnt/sentinel") ? 0
                                                                                               : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        print_message("skipped: this process may not mount\n");
        skip();
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

/* As <linux/fs.h> has them, which does not go with <sys/mount.h> in glibc 2.36. */
#define GET_FLAGS    _IOR('f', 1, long)
#define SET_FLAGS    _IOW('f', 2, long)
#define IS_IMMUTABLE 0x10

static void set_immutable(const char *path, bool on)
{
    pf_auto_fd int fd = openat(root, path, O_RDONLY | O_CLOEXEC);
    int flags = 0;
    if (ioctl(fd, GET_FLAGS, &flags) < 0)
        skip();
    flags = on ? flags | IS_IMMUTABLE : flags & ~IS_IMMUTABLE;
    if (ioctl(fd, SET_FLAGS, &flags) < 0)
        skip();
}

/* By its name and the reason; the rest is gone, and nobody waits. */
static void names_what_stays_and_goes_on(void **state)
{
    (void)state;
    put_file(root, "t/a/before", "x");
    put_file(root, "t/b/c/fixed", "x");
    put_file(root, "t/b/c/loose", "x");
    put_file(root, "t/z/after", "x");
    set_immutable("t/b/c/fixed", true);
    int64_t start_ms = now_ms();
    assert_code(pf_fs_remove_tree(root, "t", &err), PF_E_PERMISSION, &err);
    assert_contains(err.text, "t/b/c/fixed");
    assert_int_equal(err.sys_errno, EPERM);
    assert_true(now_ms() - start_ms < 400);
    char *tree = tree_text(root, 0);
    assert_null(strstr(tree, "before"));
    assert_null(strstr(tree, "loose"));
    assert_null(strstr(tree, "after"));
    free(tree);
    assert_code(pf_fs_empty_folder(root, &err), PF_E_PERMISSION, &err);
    assert_contains(err.text, "t/b/c/fixed");
    set_immutable("t/b/c/fixed", false);
    assert_ok(pf_fs_remove_tree(root, "t", &err), &err);
}

static int count_name(void *ctx, int fd, const char *name)
{
    int *count = ctx;
    assert_true(has_name(fd, name));
    return ++*count == 2 ? 42 : 0;
}

static void calls_for_each_name(void **state)
{
    (void)state;
    int count = 0;
    put_file(root, "a", "");
    assert_int_equal(pf_fs_each_name(root, count_name, &count), 0);
    assert_int_equal(count, 1);
    put_file(root, "b", "");
    put_file(root, ".c", "");
    count = 0;
    int path_fd = open(temp.path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int fd = openat(path_fd, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(pf_fs_each_name(fd, count_name, &count), 42);
    assert_int_equal(count, 2);
    close(fd);
    close(path_fd);
    fd = openat(root, "a", O_RDONLY | O_CLOEXEC);
    assert_int_equal(pf_fs_each_name(fd, count_name, &count), -1);
    assert_int_equal(errno, ENOTDIR);
    close(fd);
}

static void closes_texts(void **state)
{
    (void)state;
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);
    assert_non_null(stream);
    fputs("all of it", stream);
    assert_int_equal(pf_fs_close_text(stream, &text), 0);
    assert_string_equal(text, "all of it");
    assert_int_equal(length, strlen(text));
    free(text);
}

static void writes_all(void **state)
{
    (void)state;
    int fd = openat(root, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(pf_fs_write_all(fd, "0123456789", 10), 0);
    assert_int_equal(pf_fs_write_all(fd, "", 0), 0);
    close(fd);
    assert_file(root, "f", "0123456789");
    fd = openat(root, "f", O_RDONLY | O_CLOEXEC);
    assert_int_equal(pf_fs_write_all(fd, "x", 1), -1);
    assert_int_equal(errno, EBADF);
    close(fd);
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(makes_folders),
    test(makes_folders_only_in_the_root),
    test(reads_whole_files),
    test(replaces_files_at_once),
    test(removes_trees),
    test(removes_wide_and_deep_trees),
    test(crosses_into_no_other_file_system),
    test(names_what_stays_and_goes_on),
    test(calls_for_each_name),
    test(removes_what_others_remove),
    test(removes_beside_another),
    test(removes_what_is_still_written_to),
    test(closes_texts),
    test(writes_all),
};
support_main(tests, false)
