/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "subvolume.h"

#include "btrfs.h"
#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static struct temp temp;
static int folder_fd = -1;

/* A tmpfs in a mount namespace of its own: whatever the machine's folders are on. */
static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    assert_int_equal(mount("tmpfs", temp.path, "tmpfs", 0, NULL), 0);
    folder_fd = open(temp.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder_fd >= 0);
    return 0;
}

static int end(void **state)
{
    (void)state;
    close(folder_fd);
    assert_int_equal(umount(temp.path), 0);
    temp_end(&temp);
    return 0;
}

static void says_where_there_are_none(void **state)
{
    (void)state;
    assert_int_equal(pf_subvolume_make(folder_fd, "s"), -1);
    assert_int_equal(errno, EOPNOTSUPP);
    assert_int_equal(pf_subvolume_snapshot(folder_fd, folder_fd, "s"), -1);
    assert_int_equal(errno, EOPNOTSUPP);
    assert_false(has_name(folder_fd, "s"));
}

/* Whatever it is: it stays. */
static void removes_nothing_else(void **state)
{
    (void)state;
    put_file(folder_fd, "d/f", "x");
    put_folder(folder_fd, "m", 0755);
    char mounted[128];
    snprintf(mounted, sizeof mounted, "%s/m", temp.path);
    assert_int_equal(mount("tmpfs", mounted, "tmpfs", 0, NULL), 0);
    static const char *const names[] = {"d", "d/f", "m"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(pf_subvolume_remove(folder_fd, names[i]), -1);
        assert_int_equal(errno, EXDEV);
    }
    assert_true(has_name(folder_fd, "d/f"));
    assert_int_equal(pf_subvolume_remove(folder_fd, "absent"), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(umount(mounted), 0);
}

static void makes_copies_and_removes(void **state)
{
    (void)state;
    struct btrfs btrfs;
    btrfs_begin(&btrfs);
    assert_true(pf_subvolume_can_come_and_go(btrfs.fd));
    assert_int_equal(pf_subvolume_make(btrfs.fd, "s"), 0);
    assert_int_equal(stat_of(btrfs.fd, "s").st_mode & 07777, 0755);
    put_file(btrfs.fd, "s/d/f", "x");
    int source = open_folder(btrfs.fd, "s"), inner = open_folder(btrfs.fd, "s/d");
    assert_int_equal(fchmod(source, 0711), 0);
    assert_true(pf_subvolume_is(source));
    assert_false(pf_subvolume_is(inner));
    assert_false(pf_subvolume_can_copy(inner, btrfs.fd));
    int copy = pf_snapshot_make(source, btrfs.fd, "copy");
    assert_true(copy >= 0);
    assert_int_equal(stat_of(copy, ".").st_mode & 07777, 0755);
    put_file(copy, "d/f", "changed");
    assert_file(source, "d/f", "x");
    assert_int_equal(pf_snapshot_make(source, btrfs.fd, "copy"), -1);
    assert_int_equal(errno, EEXIST);
    close(source), close(inner), close(copy);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pf_subvolume_remove(btrfs.fd, i ? "copy" : "s"), 0);
    char *tree = tree_text(btrfs.fd, 0);
    assert_string_equal(tree, "");
    free(tree);
    btrfs_end(&btrfs);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(makes_copies_and_removes),
    cmocka_unit_test_setup_teardown(says_where_there_are_none, begin, end),
    cmocka_unit_test_setup_teardown(removes_nothing_else, begin, end),
};
support_main_of_mounts(tests)
