/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "shift.h"

#include "support.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct pf_idmap map;
static struct pf_error err;

static int setup(void **state)
{
    struct temp *temp = malloc(sizeof *temp);
    err = (struct pf_error){0};
    temp_begin(temp);
    *state = temp;
    return pf_idmap_parse("u 0 100000 65536\ng 0 200000 65536", &map, &err);
}

static int teardown(void **state)
{
    temp_end(*state);
    free(*state);
    return 0;
}

static void assert_owned(int fd, const char *path, uid_t uid, gid_t gid, mode_t mode)
{
    struct stat st = stat_of(fd, path);
    if (st.st_uid != uid || st.st_gid != gid || (st.st_mode & 07777) != mode)
        fail_msg("%s: %u:%u %o", path, st.st_uid, st.st_gid, st.st_mode & 07777);
}

static void maps_each_name_once(void **state)
{
    const struct temp *t = *state;
    uint64_t devices;
    struct pf_shift shift = {.map = &map};
    put_folder(t->fd, "a/b", 0750);
    put_file(t->fd, "a/b/f", "text");
    put_bytes(t->fd, "a/su", "x", 1, 0);
    assert_int_equal(fchownat(t->fd, "a/su", 7, 8, 0), 0);
    assert_int_equal(fchmodat(t->fd, "a/su", 06755, 0), 0);
    assert_int_equal(linkat(t->fd, "a/su", t->fd, "a/b/other", 0), 0);
    put_link(t->fd, "a/l", "/etc/passwd");
    assert_int_equal(mknodat(t->fd, "a/null", S_IFCHR | 0666, makedev(1, 3)), 0);
    assert_ok(pf_shift_tree(t->fd, &shift, &devices, &err), &err);
    assert_int_equal(devices, 1);
    assert_false(has_name(t->fd, "a/null"));
    assert_owned(t->fd, ".", 100000, 200000, stat_of(t->fd, ".").st_mode & 07777);
    assert_owned(t->fd, "a/b", 100000, 200000, 0750);
    assert_owned(t->fd, "a/su", 100007, 200008, 06755);
    assert_owned(t->fd, "a/b/other", 100007, 200008, 06755);
    assert_owned(t->fd, "a/l", 100000, 200000, 0777);
    assert_link(t->fd, "a/l", "/etc/passwd");
}

static void refuses_owners_that_are_not_mapped(void **state)
{
    const struct temp *t = *state;
    uint64_t devices;
    struct pf_shift shift = {.map = &map};
    put_file(t->fd, "a/f", "text");
    assert_int_equal(fchownat(t->fd, "a/f", 0, 70000, 0), 0);
    assert_code(pf_shift_tree(t->fd, &shift, &devices, &err), PF_E_INVALID, &err);
    assert_contains(err.text, "/a/f belongs to 0:70000");
}

static void capabilities_become_the_containers(void **state)
{
    const struct temp *t = *state;
    struct vfs_ns_cap_data caps = {.magic_etc = htole32(VFS_CAP_REVISION_2),
                                   .data[0].permitted = htole32(1u << CAP_NET_RAW)};
    char file[128];
    uint64_t devices;
    struct pf_shift shift = {.map = &map};
    put_file(t->fd, "ping", "x");
    snprintf(file, sizeof file, "%s/ping", t->path);
    if (setxattr(file, "security.capability", &caps, XATTR_CAPS_SZ_2, 0) < 0)
        skip();
    assert_ok(pf_shift_tree(t->fd, &shift, &devices, &err), &err);
    assert_int_equal(getxattr(file, "security.capability", &caps, sizeof caps), XATTR_CAPS_SZ_3);
    assert_int_equal(le32toh(caps.rootid), 100000);
    assert_int_equal(le32toh(caps.data[0].permitted), 1u << CAP_NET_RAW);
}

static void access_lists_are_mapped(void **state)
{
    /* Owner, the user 33, group, mask, others: as linux/posix_acl_xattr.h has them. */
    static const unsigned char acl[] = {2,   0,   0,   0,   1,   0,   6,  0,   255, 255, 255,
                                        255, 2,   0,   4,   0,   33,  0,  0,   0,   4,   0,
                                        4,   0,   255, 255, 255, 255, 16, 0,   4,   0,   255,
                                        255, 255, 255, 32,  0,   4,   0,  255, 255, 255, 255};
    const struct temp *t = *state;
    unsigned char found[sizeof acl];
    char file[128];
    uint64_t devices;
    struct pf_shift shift = {.map = &map};
    uint32_t id;
    put_file(t->fd, "f", "x");
    snprintf(file, sizeof file, "%s/f", t->path);
    if (setxattr(file, "system.posix_acl_access", acl, sizeof acl, 0) < 0)
        skip(); /* a file system without */
    assert_ok(pf_shift_tree(t->fd, &shift, &devices, &err), &err);
    assert_int_equal(getxattr(file, "system.posix_acl_access", found, sizeof found), sizeof acl);
    memcpy(&id, found + 16, sizeof id);
    assert_int_equal(le32toh(id), 100033);
}

static void upper_layers_keep_their_marks(void **state)
{
    const struct temp *t = *state;
    char folder[128], mark[8];
    uint64_t devices;
    struct pf_shift shift = {.map = &map, .overlay = true};
    put_folder(t->fd, "new", 0755);
    snprintf(folder, sizeof folder, "%s/new", t->path);
    assert_int_equal(mknodat(t->fd, "gone", S_IFCHR, makedev(0, 0)), 0);
    if (setxattr(folder, "trusted.overlay.opaque", "y", 1, 0) < 0 ||
        (setxattr(folder, "user.probe", "y", 1, 0) < 0 && errno == EOPNOTSUPP))
        skip();
    assert_ok(pf_shift_tree(t->fd, &shift, &devices, &err), &err);
    assert_int_equal(devices, 0);
    assert_true(has_name(t->fd, "gone"));
    assert_int_equal(getxattr(folder, "user.overlay.opaque", mark, sizeof mark), 1);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(maps_each_name_once, setup, teardown),
    cmocka_unit_test_setup_teardown(refuses_owners_that_are_not_mapped, setup, teardown),
    cmocka_unit_test_setup_teardown(capabilities_become_the_containers, setup, teardown),
    cmocka_unit_test_setup_teardown(access_lists_are_mapped, setup, teardown),
    cmocka_unit_test_setup_teardown(upper_layers_keep_their_marks, setup, teardown),
};
support_main(tests, true)
