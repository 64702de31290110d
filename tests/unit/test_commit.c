/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commit.h"

#include "support.h"

#include <fcntl.h>
#include <unistd.h>

static struct temp temp;
static int root;
static struct pf_commit *commit;
static struct pf_error err;
static unsigned number;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    put_file(temp.fd, "outside/sentinel", "kept");
    root = open_folder(temp.fd, "root");
    commit = pf_commit_new(root, PF_RECORD_NAMES_PLAIN);
    assert_non_null(commit);
    number = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    int fd = open_folder(temp.fd, "outside");
    char *outside = tree_text(fd, 0);
    assert_string_equal(outside, "sentinel 100644 0:0 4:fb286a06\n");
    free(outside);
    close(fd);
    pf_commit_free(commit);
    close(root);
    temp_end(&temp);
    return 0;
}

static struct pf_staged *stage(const struct tar_member *members)
{
    struct buffer tar = {0};
    struct pf_staged *staged;
    char folder[32];
    snprintf(folder, sizeof folder, "stage/%u", number++);
    tar_of(&tar, members);
    assert_ok(stage_tar(temp.fd, "name-1-x86-1.tgz", folder, &tar, NULL, &staged, &err), &err);
    buffer_end(&tar);
    return staged;
}

static int try_install(const struct tar_member *members, bool with_controls)
{
    struct pf_staged *staged = stage(members);
    err = (struct pf_error){0};
    int status = pf_commit_package(commit, staged, with_controls, &err);
    pf_staged_free(staged);
    return status;
}

#define INSTALL(...) assert_ok(try_install((struct tar_member[]){__VA_ARGS__, {0}}, false), &err)
#define CONFLICT(path, ...)                                                                        \
    do {                                                                                           \
        assert_code(try_install((struct tar_member[]){__VA_ARGS__, {0}}, false), PF_E_CONFLICT,    \
                    &err);                                                                         \
        assert_contains(err.text, path);                                                           \
    } while (0)

static void folders_merge_and_take_the_last_owner_and_mode(void **state)
{
    (void)state;
    INSTALL({.name = "usr/", .type = '5', .mode = 0700, .uid = 3},
            {.name = "usr/bin/", .type = '5', .mode = 01777, .gid = 9},
            {.name = "usr/bin/a", .data = "1"});
    INSTALL({.name = "usr/", .type = '5', .mode = 02755, .uid = 4},
            {.name = "usr/bin/b", .data = "2"}, /* says nothing of usr/bin itself */
            {.name = "usr/lib/c", .data = "3"});
    char *tree = tree_text(root, 0);
    assert_string_equal(tree, "usr 42755 4:0\n"
                              "usr/bin 41777 0:9\n"
                              "usr/bin/a 100644 0:0 1:83dcefb7\n"
                              "usr/bin/b 100644 0:0 1:1ad5be0d\n"
                              "usr/lib 40755 0:0\n"
                              "usr/lib/c 100644 0:0 1:6dd28e9b\n");
    free(tree);
    INSTALL({.name = "./", .type = '5', .mode = 0711, .uid = 5});
    assert_int_equal(stat_of(temp.fd, "root").st_mode, S_IFDIR | 0711);
    assert_int_equal(stat_of(temp.fd, "root").st_uid, 5);
}

/* Moved, not copied: a sub-tree and a file keep their inodes. */
static void moves_by_rename(void **state)
{
    (void)state;
    struct pf_staged *staged = stage((struct tar_member[]){{.name = "usr/share/doc/x", .data = "1"},
                                                           {.name = "top", .data = "2"},
                                                           {0}});
    ino_t folder = stat_of(staged->dir_fd, "usr").st_ino;
    ino_t file = stat_of(staged->dir_fd, "usr/share/doc/x").st_ino;
    assert_ok(pf_commit_package(commit, staged, false, &err), &err);
    assert_int_equal(stat_of(root, "usr").st_ino, folder);
    assert_int_equal(stat_of(root, "usr/share/doc/x").st_ino, file);
    assert_false(has_name(staged->dir_fd, "top"));
    pf_staged_free(staged);
}

static void files_replace_files_and_links(void **state)
{
    (void)state;
    put_link(root, "l", "../outside/sentinel");
    put_link(root, "dangling", "nowhere");
    put_link(root, "dir-link", "d");
    put_folder(root, "d", 0755);
    INSTALL({.name = "f", .data = "old", .mode = 04755}, {.name = "h", .type = '1', .link = "f"});
    INSTALL({.name = "f", .data = "new"}, {.name = "l", .data = "mine"},
            {.name = "dangling", .data = "file"}, {.name = "dir-link", .data = "file too"});
    assert_file(root, "f", "new");
    assert_int_equal(stat_of(root, "f").st_mode, S_IFREG | 0644);
    assert_file(root, "h", "old"); /* the other name keeps the old file */
    assert_int_equal(stat_of(root, "h").st_nlink, 1);
    assert_true(S_ISREG(stat_of(root, "l").st_mode));
    assert_file(root, "dangling", "file");
    assert_file(root, "dir-link", "file too");
    assert_false(has_name(root, "nowhere"));
    INSTALL({.name = "f", .type = '2', .link = "h"}, {.name = "l", .type = '6'},
            {.name = "h", .type = '3', .device_major = 1, .device_minor = 3});
    assert_link(root, "f", "h");
    assert_true(S_ISFIFO(stat_of(root, "l").st_mode));
    assert_true(S_ISCHR(stat_of(root, "h").st_mode));
}

static void hard_links_stay_links(void **state)
{
    (void)state;
    INSTALL({.name = "a/f", .data = "x", .mode = 04711, .uid = 7},
            {.name = "b/g", .type = '1', .link = "a/f"}, {.name = "h", .type = '1', .link = "b/g"});
    assert_int_equal(stat_of(root, "a/f").st_nlink, 3);
    assert_int_equal(stat_of(root, "a/f").st_ino, stat_of(root, "h").st_ino);
    assert_int_equal(stat_of(root, "b/g").st_mode, S_IFREG | 04711);
    assert_int_equal(stat_of(root, "h").st_uid, 7);
}

static void folders_go_through_links(void **state)
{
    (void)state;
    put_folder(root, "lib", 0755);
    put_folder(root, "deep/er", 0755);
    put_link(root, "lib64", "lib");
    put_link(root, "abs", "/deep/er");
    put_link(root, "lib/up", "../deep");
    put_link(root, "two", "lib64");
    INSTALL({.name = "lib64/", .type = '5', .mode = 0751, .uid = 3},
            {.name = "lib64/x", .data = "1"}, {.name = "abs/", .type = '5', .mode = 0700},
            {.name = "abs/d/y", .data = "2"}, {.name = "lib/up/er/z", .data = "3"},
            {.name = "two/w", .data = "4"}, {.name = "lib64/sub/", .type = '5', .mode = 0711});
    assert_link(root, "lib64", "lib");
    assert_link(root, "abs", "/deep/er");
    assert_link(root, "lib/up", "../deep");
    assert_link(root, "two", "lib64");
    assert_file(root, "lib/x", "1");
    assert_file(root, "deep/er/d/y", "2");
    assert_file(root, "deep/er/z", "3");
    assert_file(root, "lib/w", "4");
    assert_int_equal(stat_of(root, "lib").st_mode, S_IFDIR | 0751);
    assert_int_equal(stat_of(root, "lib").st_uid, 3);
    assert_int_equal(stat_of(root, "deep/er").st_mode, S_IFDIR | 0700);
    assert_int_equal(stat_of(root, "lib/sub").st_mode, S_IFDIR | 0711);
}

/* A link of the root that leads out of it ends at the root's top instead. */
static void never_leaves_the_root(void **state)
{
    (void)state;
    char target[96];
    snprintf(target, sizeof target, "%s/outside", temp.path);
    put_link(root, "up", "../outside");
    put_link(root, "abs", target);
    put_link(root, "top", "../..");
    try_install((struct tar_member[]){{.name = "up/made", .data = "x"}, {0}}, false);
    try_install((struct tar_member[]){{.name = "up/", .type = '5'}, {0}}, false);
    try_install((struct tar_member[]){{.name = "abs/made", .data = "x"}, {0}}, false);
    try_install((struct tar_member[]){{.name = "abs/sentinel", .data = "x"}, {0}}, false);
    INSTALL({.name = "top/outside/sentinel", .data = "inside"});
    assert_file(root, "outside/sentinel", "inside");
}

static void a_dangling_link_is_no_folder(void **state)
{
    (void)state;
    put_link(root, "l", "nowhere");
    put_link(root, "m", "/no/where");
    CONFLICT("l", {.name = "l/", .type = '5'}, {.name = "l/x", .data = "x"});
    assert_int_not_equal(try_install((struct tar_member[]){{.name = "m/x", .data = "x"}, {0}},
                                     false),
                         0);
    assert_contains(err.text, "m");
    assert_link(root, "l", "nowhere");
    assert_link(root, "m", "/no/where");
}

static void refuses_a_file_over_a_folder_and_a_folder_over_a_file(void **state)
{
    (void)state;
    put_file(root, "usr/full/x", "");
    put_folder(root, "usr/empty", 0755);
    put_file(root, "usr/file", "kept");
    put_link(root, "usr/file-link", "file");
    CONFLICT("usr/full", {.name = "usr/full", .data = "x"});
    CONFLICT("usr/empty", {.name = "usr/empty", .data = "x"});
    CONFLICT("usr/empty", {.name = "usr/empty", .type = '2', .link = "x"});
    CONFLICT("usr/file", {.name = "usr/file/", .type = '5'});
    CONFLICT("usr/file", {.name = "usr/file/x", .data = "x"});
    CONFLICT("usr/file-link", {.name = "usr/file-link/", .type = '5'});
    CONFLICT("usr/file-link", {.name = "usr/file-link/x", .data = "x"});
    assert_file(root, "usr/file", "kept");
    assert_true(has_name(root, "usr/full/x"));
}

/* The same where some other member of the package goes through a link. */
/* A folder with records beside it tells whose the other one is. */
static void names_the_package_that_brought_the_other(void **state)
{
    (void)state;
    INSTALL({.name = "var/log/packages/other", .data = "FILE LIST:\nnone\n"},
            {.name = "var/log/packages/first",
             .data = "PACKAGE NAME:     first\nFILE LIST:\n./usr/\n./usr/file\nopt/full/x\n"});
    INSTALL({.name = "usr/file", .data = "x"}, {.name = "opt/full/x", .data = "x"});
    CONFLICT("(package first brought it)", {.name = "usr/file/", .type = '5'});
    CONFLICT("(package first brought it)", {.name = "opt/full", .data = "x"});
}

/* Its record has the name as the release's tar printed it. */
static void names_it_where_records_have_escapes(void **state)
{
    (void)state;
    pf_commit_free(commit);
    commit = pf_commit_new(root, PF_RECORD_NAMES_ESCAPED);
    INSTALL({.name = "var/log/packages/first",
             .data = "PACKAGE NAME:     first\nFILE LIST:\nusr/\\346\\227\\245\\\\\n"});
    INSTALL({.name = "usr/日\\", .data = "x"});
    CONFLICT("(package first brought it)", {.name = "usr/日\\/", .type = '5'});
}

static void refuses_loops_of_links(void **state)
{
    (void)state;
    INSTALL({.name = "a", .type = '2', .link = "b"}, {.name = "b", .type = '2', .link = "a"});
    CONFLICT("a", {.name = "a/", .type = '5'});
    CONFLICT("a/x", {.name = "a/x", .data = "x"});
    INSTALL({.name = "away", .type = '2', .link = "/nowhere"});
    CONFLICT("away/x", {.name = "away/x", .data = "x"});
}

static void refuses_them_also_beside_links(void **state)
{
    (void)state;
    put_folder(root, "lib", 0755);
    put_link(root, "lib64", "lib");
    put_file(root, "usr/full/x", "");
    put_file(root, "usr/file", "kept");
    CONFLICT("usr/full", {.name = "lib64/y", .data = "y"}, {.name = "usr/full", .data = "x"});
    CONFLICT("usr/file", {.name = "lib64/y", .data = "y"}, {.name = "usr/file/x", .data = "x"});
    CONFLICT("lib/d", {.name = "lib64/d/x", .data = "y"}, {.name = "lib/d", .data = "x"});
}

/* Two members of one package that meet in one place: the later one stays. */
static void keeps_the_order_where_members_meet(void **state)
{
    (void)state;
    put_folder(root, "lib", 0755);
    put_link(root, "lib64", "lib");
    INSTALL({.name = "lib64/x", .data = "1"}, {.name = "lib/x", .data = "2"},
            {.name = "lib/y", .data = "1"}, {.name = "lib64/y", .data = "2"},
            {.name = "lib64/", .type = '5', .mode = 0700},
            {.name = "lib/", .type = '5', .mode = 0711},
            {.name = "lib/s/", .type = '5', .mode = 0711},
            {.name = "lib64/s/", .type = '5', .mode = 0700});
    assert_file(root, "lib/x", "2");
    assert_file(root, "lib/y", "2");
    assert_int_equal(stat_of(root, "lib").st_mode, S_IFDIR | 0711);
    assert_int_equal(stat_of(root, "lib/s").st_mode, S_IFDIR | 0700);
    INSTALL({.name = "lib/h", .data = "one file"},
            {.name = "lib64/h", .type = '1', .link = "lib/h"},
            {.name = "lib64/k", .type = '1', .link = "lib/h"});
    assert_file(root, "lib/h", "one file");
    assert_int_equal(stat_of(root, "lib/k").st_ino, stat_of(root, "lib/h").st_ino);
}

/* The package itself brings the link; the folder members that follow are another package's. */
static void goes_through_the_link_of_an_earlier_package(void **state)
{
    (void)state;
    INSTALL({.name = "usr/lib/", .type = '5'}, {.name = "usr/lib64", .type = '2', .link = "lib"});
    INSTALL({.name = "usr/lib64/", .type = '5'}, {.name = "usr/lib64/ld.so", .data = "x"});
    assert_link(root, "usr/lib64", "lib");
    assert_file(root, "usr/lib/ld.so", "x");
}

static void folders_get_their_times_at_the_end(void **state)
{
    (void)state;
    put_link(root, "via", "a");
    INSTALL({.name = "./", .type = '5', .mtime = 50}, {.name = "a/", .type = '5', .mtime = 100},
            {.name = "b/", .type = '5', .mtime = 200}, {.name = "c/", .type = '5', .mtime = 300},
            {.name = "gone/", .type = '5', .mtime = 5}, {.name = "a/f", .data = "", .mtime = 7});
    INSTALL({.name = "a/g", .data = ""}, {.name = "b/", .type = '5', .mtime = 150},
            {.name = "via/", .type = '5', .mtime = 400}, {.name = "via/h", .data = ""});
    INSTALL({.name = "c/i", .data = ""});
    assert_int_equal(unlinkat(root, "gone", AT_REMOVEDIR), 0); /* a script took it away */
    put_link(root, "gone", "../outside");
    assert_int_equal(stat_of(temp.fd, "outside").st_nlink, 2);
    struct timespec before = stat_of(temp.fd, "outside").st_mtim;
    assert_ok(pf_commit_finish(commit, &err), &err);
    assert_int_equal(stat_of(root, "a").st_mtim.tv_sec, 400);
    assert_int_equal(stat_of(root, "b").st_mtim.tv_sec, 150);
    assert_int_equal(stat_of(root, "c").st_mtim.tv_sec, 300);
    assert_int_equal(stat_of(temp.fd, "root").st_mtim.tv_sec, 50);
    assert_int_equal(stat_of(root, "a/f").st_mtim.tv_sec, 7);
    assert_int_equal(stat_of(temp.fd, "outside").st_mtim.tv_nsec, before.tv_nsec);
}

static void puts_control_files_only_for_a_script(void **state)
{
    (void)state;
    struct tar_member members[] = {
        {.name = "install/", .type = '5'},
        {.name = "install/doinst.sh", .data = "s", .mode = 0750, .uid = 3},
        {.name = "install/slack-desc", .data = "d"},
        {.name = "f", .data = "x"},
        {0}};
    assert_ok(try_install(members, false), &err);
    assert_false(has_name(root, "install"));
    assert_file(root, "f", "x");
    assert_ok(try_install(members, true), &err);
    assert_file(root, "install/doinst.sh", "s");
    assert_file(root, "install/slack-desc", "d");
    assert_int_equal(stat_of(root, "install/doinst.sh").st_mode, S_IFREG | 0750);
    assert_int_equal(stat_of(root, "install/doinst.sh").st_uid, 3);
    assert_int_equal(stat_of(root, "install/doinst.sh").st_mtim.tv_sec, TAR_TIME);
    INSTALL({.name = "install/", .type = '5'}, {.name = "install/more", .data = "stays"});
    assert_file(root, "install/more", "stays");
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(folders_merge_and_take_the_last_owner_and_mode),
    test(moves_by_rename),
    test(files_replace_files_and_links),
    test(hard_links_stay_links),
    test(folders_go_through_links),
    test(never_leaves_the_root),
    test(a_dangling_link_is_no_folder),
    test(refuses_a_file_over_a_folder_and_a_folder_over_a_file),
    test(names_the_package_that_brought_the_other),
    test(names_it_where_records_have_escapes),
    test(refuses_loops_of_links),
    test(refuses_them_also_beside_links),
    test(keeps_the_order_where_members_meet),
    test(goes_through_the_link_of_an_earlier_package),
    test(folders_get_their_times_at_the_end),
    test(puts_control_files_only_for_a_script),
};
support_main(tests, true)
