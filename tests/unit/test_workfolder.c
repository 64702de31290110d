/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workfolder.h"

#include "btrfs.h"
#include "cleanup.h"
#include "fs.h"
#include "subvolume.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct pf_error err;

/* A root that has folders of the names that are used on the way. */
static void fill(int dir_fd)
{
    put_file(dir_fd, "work/root/root/.profile", "x");
    put_file(dir_fd, "work/root/stage/f", "y");
    put_file(dir_fd, "work/root/.plamo-fast.root.0/f", "z");
    put_file(dir_fd, "work/stage/17/left", "over");
    put_link(dir_fd, "work/root/bin", "usr/bin");
    pf_auto_fd int fd = open_folder(dir_fd, "work/root");
    assert_int_equal(fsetxattr(fd, "trusted.t", "v", 1, 0), 0);
    assert_int_equal(fchown(fd, 3, 4), 0);
    assert_int_equal(fchmod(fd, 01751), 0);
    struct timespec times[2] = {{.tv_sec = 40}, {.tv_sec = 50}};
    assert_int_equal(futimens(fd, times), 0);
}

static void check_root(int dir_fd, const char *name)
{
    char value;
    pf_auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct stat st = stat_of(fd, ".");
    /* Whatever mode and owner a package gives its top: nobody else may enter. */
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(st.st_uid, 0);
    assert_int_equal(st.st_gid, 0);
    assert_int_equal(st.st_mtim.tv_sec, 50);
    assert_int_equal(fgetxattr(fd, "trusted.t", &value, 1), 1);
    assert_false(has_name(fd, "stage/17"));
    assert_false(has_name(fd, ".plamo-fast.root.1"));
    assert_file(fd, "stage/f", "y");
    assert_file(fd, ".plamo-fast.root.0/f", "z");
    assert_file(fd, "root/.profile", "x");
    assert_link(fd, "bin", "usr/bin");
}

/* From making to the root's name; then the work folder can be made anew. */
static void check_life(int dir_fd)
{
    const char *name;
    int from_fd;
    err = (struct pf_error){0};
    assert_ok(pf_workfolder_make(dir_fd, "work", &err), &err);
    assert_int_equal(stat_of(dir_fd, "work").st_mode & 07777, 0700);
    assert_int_equal(stat_of(dir_fd, "work/root").st_mode & 07777, 0755);
    assert_int_equal(stat_of(dir_fd, "work/stage").st_mode & 07777, 0700);
    assert_int_equal(stat_of(dir_fd, "work/root").st_dev, stat_of(dir_fd, "work/stage").st_dev);
    fill(dir_fd);
    assert_ok(pf_workfolder_settle(dir_fd, "work", &err), &err);
    assert_ok(pf_workfolder_root(dir_fd, "work", &from_fd, &name, &err), &err);
    assert_int_equal(pf_fs_rename(from_fd, name, dir_fd, "cached", 0), 0);
    close(from_fd);
    check_root(dir_fd, "cached");
    assert_ok(pf_fs_remove_tree(dir_fd, "work", &err), &err);
    assert_ok(pf_workfolder_make(dir_fd, "work", &err), &err);
    assert_ok(pf_fs_remove_tree(dir_fd, "work", &err), &err);
    assert_false(has_name(dir_fd, "work"));
}

static void gives_the_root_a_name(void **state)
{
    (void)state;
    struct temp temp;
    temp_begin(&temp);
    check_life(temp.fd);
    temp_end(&temp);
}

static void makes_a_subvolume_of_the_root(void **state)
{
    (void)state;
    struct btrfs btrfs;
    btrfs_begin(&btrfs);
    check_life(btrfs.fd);
    int root_fd = open_folder(btrfs.fd, "cached");
    assert_true(pf_subvolume_is(root_fd));
    assert_true(pf_subvolume_can_copy(root_fd, btrfs.fd));
    assert_false(pf_subvolume_can_copy(root_fd, btrfs.temp.fd));
    assert_false(pf_subvolume_can_copy(btrfs.temp.fd, btrfs.fd));
    close(root_fd);
    assert_ok(pf_fs_remove_tree(btrfs.fd, "cached", &err), &err);
    btrfs_end(&btrfs);
}

/* Killed half-way: whoever comes next takes it away. */
static void can_be_removed_half_way(void **state)
{
    (void)state;
    struct btrfs btrfs;
    btrfs_begin(&btrfs);
    assert_ok(pf_workfolder_make(btrfs.fd, "work", &err), &err);
    fill(btrfs.fd);
    assert_int_equal(renameat(btrfs.fd, "work/root/root", btrfs.fd, "work/moved"), 0);
    assert_ok(pf_fs_remove_tree(btrfs.fd, "work", &err), &err);
    assert_false(has_name(btrfs.fd, "work"));
    btrfs_end(&btrfs);
}

/* Whoever waits for the new subvolume, which anybody may write to for a moment: the linker sends
   the engine's fchmodat here (--wrap). */
int __real_fchmodat(int dir_fd, const char *name, mode_t mode, int flags);
int __wrap_fchmodat(int dir_fd, const char *name, mode_t mode, int flags);
static bool plants;

int __wrap_fchmodat(int dir_fd, const char *name, mode_t mode, int flags)
{
    if (plants && strcmp(name, "work") == 0) {
        put_file(dir_fd, "work/root/planted", "x");
        put_file(dir_fd, "work/planted", "x");
    }
    return __real_fchmodat(dir_fd, name, mode, flags);
}

static void takes_nothing_from_strangers(void **state)
{
    (void)state;
    struct btrfs btrfs;
    btrfs_begin(&btrfs);
    plants = true;
    assert_ok(pf_workfolder_make(btrfs.fd, "work", &err), &err);
    plants = false;
    assert_false(has_name(btrfs.fd, "work/planted"));
    assert_false(has_name(btrfs.fd, "work/root/planted"));
    assert_int_equal(stat_of(btrfs.fd, "work").st_mode & 07777, 0700);
    assert_ok(pf_fs_remove_tree(btrfs.fd, "work", &err), &err);
    btrfs_end(&btrfs);
}

/* What is in the way is neither replaced nor entered. */
static void replaces_nothing(void **state)
{
    (void)state;
    struct temp temp;
    temp_begin(&temp);
    put_file(temp.fd, "work", "x");
    assert_true(pf_workfolder_make(temp.fd, "work", &err) < 0);
    assert_contains(err.text, "work");
    assert_true(pf_workfolder_settle(temp.fd, "absent", &err) < 0);
    assert_contains(err.text, "absent");
    assert_file(temp.fd, "work", "x");
    temp_end(&temp);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(gives_the_root_a_name),   cmocka_unit_test(makes_a_subvolume_of_the_root),
    cmocka_unit_test(can_be_removed_half_way), cmocka_unit_test(takes_nothing_from_strangers),
    cmocka_unit_test(replaces_nothing),
};
support_main(tests, true)
