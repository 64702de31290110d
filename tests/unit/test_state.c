/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state.h"

#include "btrfs.h"
#include "cleanup.h"
#include "subvolume.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static struct pf_cache cache;
static struct pf_engine engine;

/* The engine holds the root that is in the cache, until another one gets its name. */
static void check_replaced(int dir_fd)
{
    cache = (struct pf_cache){.base_fd = dir_fd, .root = "rootfs"};
    engine = (struct pf_engine){.cache = &cache, .root_fd = open_folder(dir_fd, "rootfs")};
    assert_false(pf_state_root_replaced(&engine));
    assert_int_equal(renameat(dir_fd, "rootfs", dir_fd, ".plamo-fast-trash"), 0);
    assert_true(pf_state_root_replaced(&engine));
    assert_int_equal(renameat(dir_fd, "next", dir_fd, "rootfs"), 0);
    assert_true(pf_state_root_replaced(&engine));
    pf_state_drop_root(&engine);
    assert_int_equal(engine.root_fd, -1);
    assert_false(has_name(dir_fd, ".plamo-fast-trash"));
    assert_true(has_name(dir_fd, "rootfs"));
}

static void sees_another_root(void **state)
{
    (void)state;
    struct temp temp;
    temp_begin(&temp);
    put_folder(temp.fd, "rootfs", 0755);
    put_folder(temp.fd, "next", 0755);
    check_replaced(temp.fd);
    temp_end(&temp);
}

/* All subvolumes have the same inode. */
static void sees_another_subvolume(void **state)
{
    (void)state;
    struct btrfs btrfs;
    btrfs_begin(&btrfs);
    assert_int_equal(pf_subvolume_make(btrfs.fd, "rootfs"), 0);
    assert_int_equal(pf_subvolume_make(btrfs.fd, "next"), 0);
    check_replaced(btrfs.fd);
    btrfs_end(&btrfs);
}

static void closes_once(void **state)
{
    (void)state;
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    pf_close_at(&fd);
    assert_int_equal(fd, -1);
    pf_close_at(&fd);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(sees_another_root),
    cmocka_unit_test(sees_another_subvolume),
    cmocka_unit_test(closes_once),
};
support_main(tests, true)
