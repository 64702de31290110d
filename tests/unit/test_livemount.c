/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "livemount.h"

#include "support.h"

#include <fcntl.h>
#include <unistd.h>

/* This machine's own root, which has /proc mounted. */
static void proc_is_live(void **state)
{
    (void)state;
    struct pf_livemount root;
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(pf_livemount_init(&root, fd), 0);
    /* By the mount, and as kernels without mount numbers tell it. */
    for (int i = 0; i < 2; i++, root.id = 0) {
        assert_true(pf_livemount_covers(&root, fd, "proc"));
        assert_false(pf_livemount_covers(&root, fd, "etc"));
        assert_false(pf_livemount_covers(&root, fd, ""));
        assert_false(pf_livemount_covers(&root, fd, "no such name"));
        assert_true(pf_livemount_covers_path(&root, fd, "proc/self/status"));
        assert_true(pf_livemount_covers_path(&root, fd, "proc/no such name/below"));
        assert_false(pf_livemount_covers_path(&root, fd, "etc/no such name/below"));
        assert_false(pf_livemount_covers_path(&root, fd, "no such name"));
        assert_false(pf_livemount_covers_path(&root, fd, ""));
    }
    close(fd);
}

static void a_root_may_be_live_itself(void **state)
{
    (void)state;
    struct pf_livemount root;
    int fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(pf_livemount_init(&root, fd), 0);
    assert_false(pf_livemount_covers(&root, fd, "self"));
    assert_false(pf_livemount_covers(&root, fd, "version"));
    close(fd);
}

static void paths_are_bounded(void **state)
{
    (void)state;
    struct pf_livemount root;
    char path[8192];
    memset(path, 'a', sizeof path);
    path[sizeof path - 1] = '\0';
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(pf_livemount_init(&root, fd), 0);
    assert_false(pf_livemount_covers_path(&root, fd, path));
    assert_int_equal(pf_livemount_init(&root, -1), -1);
    close(fd);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(proc_is_live),
    cmocka_unit_test(a_root_may_be_live_itself),
    cmocka_unit_test(paths_are_bounded),
};

support_main(tests, false)
