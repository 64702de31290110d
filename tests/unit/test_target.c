/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "target.h"

#include "btrfs.h"
#include "cleanup.h"
#include "fs.h"
#include "subvolume.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <unistd.h>

static struct temp temp;
static char path[96];
static struct pf_error err;
static struct pf_target_folder target;

/* The linker sends the engine's flock here (--wrap): a moment that tests can get between. */
int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
static void (*before_flock)(void);
static int flock_fails; /* once, with this errno */

int __wrap_flock(int fd, int operation)
{
    void (*now)(void) = before_flock;
    before_flock = NULL;
    if (now)
        now();
    if (flock_fails) {
        errno = flock_fails;
        flock_fails = 0;
        return -1;
    }
    return __real_flock(fd, operation);
}

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    snprintf(path, sizeof path, "%s/new", temp.path);
    before_flock = NULL;
    flock_fails = 0;
    err = (struct pf_error){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    temp_end(&temp);
    return 0;
}

static void check_names(const char *wanted)
{
    char *tree = tree_text(temp.fd, 0);
    if (strcmp(tree, wanted) != 0)
        fail_msg("there is\n%s, not\n%s", tree, wanted);
    free(tree);
}

/* Leaves things as a kill would: the kernel closes what is open, and nothing else happens. */
static void die(void)
{
    int *fds[] = {&target.fd,
                  &target.parent_fd,
                  &target.place_fd,
                  &target.scratch.fd,
                  &target.scratch.above_fd,
                  &target.placed.fd,
                  &target.placed.above_fd};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
        pf_close_at(fds[i]);
    free(target.scratch.name);
    free(target.placed.name);
    free(target.name);
    target = (struct pf_target_folder)PF_TARGET_CLOSED;
}

static void appears_whole_or_not_at_all(void **state)
{
    (void)state;
    assert_ok(pf_target_open(path, false, &target, &err), &err);
    put_file(target.fd, "etc/f", "x");
    assert_false(has_name(temp.fd, "new"));
    assert_ok(pf_target_finish(&target, &err), &err);
    assert_file(temp.fd, "new/etc/f", "x");
    pf_target_end(&target);
    check_names("new 40755 0:0\nnew/etc 40755 0:0\nnew/etc/f 100644 0:0 1:8cdc1683\n");
}

static void takes_an_empty_folder_and_odd_paths(void **state)
{
    (void)state;
    put_folder(temp.fd, "new", 0700);
    snprintf(path, sizeof path, "%s/./new//", temp.path);
    assert_ok(pf_target_open(path, false, &target, &err), &err);
    put_file(target.fd, "f", "x");
    char *before = get_file(temp.fd, "new/f");
    assert_null(before);
    assert_ok(pf_target_finish(&target, &err), &err);
    pf_target_end(&target);
    assert_file(temp.fd, "new/f", "x");
}

static void leaves_nothing_after_a_failure(void **state)
{
    (void)state;
    assert_ok(pf_target_open(path, false, &target, &err), &err);
    put_file(target.fd, "etc/f", "x");
    pf_target_end(&target);
    check_names("");
    pf_target_end(&target); /* twice is harmless */
    put_folder(temp.fd, "new", 0711);
    assert_ok(pf_target_open(path, false, &target, &err), &err);
    put_file(target.fd, "etc/f", "x");
    pf_target_end(&target);
    check_names("new 40711 0:0\n");
}

static void refuses_a_folder_with_content(void **state)
{
    (void)state;
    put_file(temp.fd, "new/mine", "kept");
    for (int in_place = 0; in_place < 2; in_place++) {
        assert_code(pf_target_open(path, in_place, &target, &err), PF_E_INVALID, &err);
        assert_contains(err.text, "not empty");
        pf_target_end(&target);
        assert_file(temp.fd, "new/mine", "kept");
    }
    /* A file, and a link to a folder with content, are none either. */
    put_file(temp.fd, "file", "kept");
    snprintf(path, sizeof path, "%s/file", temp.path);
    assert_int_not_equal(pf_target_open(path, false, &target, &err), 0);
    pf_target_end(&target);
    assert_file(temp.fd, "file", "kept");
    put_link(temp.fd, "link", "new");
    snprintf(path, sizeof path, "%s/link", temp.path);
    assert_int_not_equal(pf_target_open(path, false, &target, &err), 0);
    pf_target_end(&target);
    assert_file(temp.fd, "new/mine", "kept");
}

static void fills_in_place(void **state)
{
    (void)state;
    put_folder(temp.fd, "new/lost+found", 0700);
    ino_t before = stat_of(temp.fd, "new").st_ino;
    assert_ok(pf_target_open(path, true, &target, &err), &err);
    put_file(target.fd, "f", "x");
    pf_target_end(&target); /* a failure: the folder stays, and what is not ours */
    check_names("new 40755 0:0\nnew/lost+found 40700 0:0\n");
    assert_ok(pf_target_open(path, true, &target, &err), &err);
    put_file(target.fd, "f", "x");
    assert_ok(pf_target_finish(&target, &err), &err);
    pf_target_end(&target);
    assert_file(temp.fd, "new/f", "x");
    assert_int_equal(stat_of(temp.fd, "new").st_ino, before);
}

/* It may be a mount point, with a root of its own there already: nothing of it is removed. */
static void never_removes_what_others_put_there(void **state)
{
    (void)state;
    for (int made = 0; made < 2; made++) {
        if (!made)
            put_folder(temp.fd, "new", 0755);
        assert_ok(pf_target_open(path, true, &target, &err), &err);
        assert_ok(pf_target_check(&target, &err), &err);
        put_file(target.fd, "etc/f", "x");
        put_file(target.fd, "photos/2.jpg", "y");
        put_file(temp.fd, "new/photos/1.jpg", "precious");
        assert_code(pf_target_check(&target, &err), PF_E_CONFLICT, &err);
        assert_contains(err.text, "photos");
        err = (struct pf_error){0};
        assert_code(pf_target_finish(&target, &err), PF_E_CONFLICT, &err);
        pf_target_end(&target);
        check_names("new 40755 0:0\nnew/photos 40755 0:0\n"
                    "new/photos/1.jpg 100644 0:0 8:aacf852e\n");
        assert_code(pf_target_open(path, true, &target, &err), PF_E_INVALID, &err);
        pf_target_end(&target);
        assert_ok(pf_fs_remove_tree(temp.fd, "new", &err), &err);
    }
}

static void is_one_runs_in_place(void **state)
{
    (void)state;
    struct pf_target_folder other;
    assert_ok(pf_target_open(path, true, &target, &err), &err);
    assert_code(pf_target_open(path, true, &other, &err), PF_E_BUSY, &err);
    pf_target_end(&other);
    put_file(target.fd, "f", "x");
    assert_ok(pf_target_finish(&target, &err), &err);
    pf_target_end(&target);
    check_names("new 40755 0:0\nnew/f 100644 0:0 1:8cdc1683\n");
}

/* While it was made, all is in the scratch directory; while its names were put in place, some of
   the root is beside it: nobody can tell by then what else is. */
static void knows_a_half_built_root_in_place(void **state)
{
    (void)state;
    put_folder(temp.fd, "new", 0755);
    assert_ok(pf_target_open(path, true, &target, &err), &err);
    put_file(target.fd, "etc/half", "x");
    die();
    assert_ok(pf_target_open(path, false, &target, &err), &err);
    assert_false(has_name(target.fd, "etc"));
    put_file(target.fd, "etc/f", "x");
    put_file(temp.fd, "new/usr", "put in place");
    die();
    assert_code(pf_target_open(path, true, &target, &err), PF_E_INVALID, &err);
    assert_contains(err.text, "half of a root");
    pf_target_end(&target);
    assert_file(temp.fd, "new/usr", "put in place");
    assert_ok(pf_fs_remove_tree(temp.fd, "new/usr", &err), &err);
    assert_ok(pf_target_open(path, true, &target, &err), &err);
    put_file(target.fd, "f", "x");
    assert_ok(pf_target_finish(&target, &err), &err);
    pf_target_end(&target);
    check_names("new 40755 0:0\nnew/f 100644 0:0 1:8cdc1683\n");
}

/* Whose it is decides, and what it has in it: it is emptied after that, never before. */
static void takes_nothing_of_anothers(void **state)
{
    (void)state;
    static const char *const places[] = {".new.plamo-fast", "new/.plamo-fast.unfinished"};
    for (int in_place = 0; in_place < 2; in_place++) {
        char file[64];
        put_folder(temp.fd, "new", 0755);
        snprintf(file, sizeof file, "%s/kept", places[in_place]);
        put_file(temp.fd, file, "x");
        for (int foreign = 0; foreign < 2; foreign++) {
            if (foreign)
                assert_int_equal(fchownat(temp.fd, places[in_place], 4242, 4242, 0), 0);
            err = (struct pf_error){0};
            assert_code(pf_target_open(path, in_place, &target, &err), PF_E_CONFLICT, &err);
            pf_target_end(&target);
            assert_ok(pf_target_sweep(temp.fd, &err), &err);
            assert_file(temp.fd, file, "x");
        }
        assert_int_equal(stat_of(temp.fd, places[in_place]).st_uid, 4242);
        assert_ok(pf_fs_remove_tree(temp.fd, places[in_place], &err), &err);
    }
}

static void makes_the_folder_in_place(void **state)
{
    (void)state;
    assert_ok(pf_target_open(path, true, &target, &err), &err);
    assert_int_equal(stat_of(temp.fd, "new").st_mode, S_IFDIR | 0755);
    put_file(target.fd, "a/b", "x");
    pf_target_end(&target);
    check_names("");
    assert_ok(pf_target_open(path, true, &target, &err), &err);
    put_file(target.fd, "f", "x");
    assert_ok(pf_target_finish(&target, &err), &err);
    pf_target_end(&target);
    assert_file(temp.fd, "new/f", "x");
}

/* What a killed run left is taken away; nobody holds its lock. */
static void takes_away_what_a_killed_run_left(void **state)
{
    (void)state;
    assert_ok(pf_target_open(path, false, &target, &err), &err);
    put_file(target.fd, "etc/half", "x");
    die();
    assert_ok(pf_target_open(path, false, &target, &err), &err);
    put_file(target.fd, "whole", "y");
    assert_ok(pf_target_finish(&target, &err), &err);
    pf_target_end(&target);
    check_names("new 40755 0:0\nnew/whole 100644 0:0 1:fbdb2615\n");
}

static void leaves_what_another_run_is_making(void **state)
{
    (void)state;
    struct pf_target_folder other;
    assert_ok(pf_target_open(path, false, &target, &err), &err);
    put_file(target.fd, "f", "x");
    assert_code(pf_target_open(path, false, &other, &err), PF_E_BUSY, &err);
    pf_target_end(&other);
    assert_ok(pf_target_finish(&target, &err), &err);
    pf_target_end(&target);
    assert_file(temp.fd, "new/f", "x");
}

static void finish_first(void)
{
    struct pf_error own = {0};
    put_file(target.fd, "f", "x");
    assert_ok(pf_target_finish(&target, &own), &own);
}

/* The other run finishes between our look at the temporary folder and our lock on it: the lock is
   had then, but on what has become the other's finished root. */
static void never_empties_a_root_that_was_just_finished(void **state)
{
    (void)state;
    struct pf_target_folder late;
    assert_ok(pf_target_open(path, false, &target, &err), &err);
    before_flock = finish_first;
    int status = pf_target_open(path, false, &late, &err);
    assert_null(before_flock); /* the moment came */
    char *after_open = get_file(temp.fd, "new/f");
    if (status == 0)
        put_file(late.fd, "g", "y");
    pf_target_end(&late);
    char *after_end = get_file(temp.fd, "new/f");
    pf_target_end(&target);
    if (!after_open || !after_end)
        fail_msg("the finished root lost its files (late run: %d)", status);
    free(after_open);
    free(after_end);
}

/* Only a lock that another holds means that another is at it. */
static void tells_a_taken_lock_from_one_that_cannot_be_had(void **state)
{
    (void)state;
    flock_fails = ENOLCK;
    assert_code(pf_target_open(path, false, &target, &err), PF_E_SYSTEM, &err);
    pf_target_end(&target);
    check_names("");
    flock_fails = EINTR;
    assert_ok(pf_target_open(path, false, &target, &err), &err);
    pf_target_end(&target);
    check_names("");
    flock_fails = EWOULDBLOCK; /* by what a killed run has just left */
    assert_ok(pf_target_open(path, false, &target, &err), &err);
    pf_target_end(&target);
    check_names("");
}

static void refuses_paths_without_a_name(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "/", ".", "..", "/tmp/.."};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err = (struct pf_error){0};
        assert_code(pf_target_open(bad[i], false, &target, &err), PF_E_INVALID, &err);
        pf_target_end(&target);
    }
    snprintf(path, sizeof path, "%s/no/such", temp.path);
    assert_code(pf_target_open(path, false, &target, &err), PF_E_SYSTEM, &err);
    pf_target_end(&target);
    check_names("");
}

/* Folders in use, others' folders and files of such a name stay. */
static void sweeps_what_killed_runs_left(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/old", temp.path);
    assert_ok(pf_target_open(path, false, &target, &err), &err);
    put_file(target.fd, "rootfs/etc/f", "x");
    die();
    snprintf(path, sizeof path, "%s/new", temp.path);
    put_file(temp.fd, ".mine.plamo-fast/thesis", "x");
    put_file(temp.fd, ".file.plamo-fast", "x");
    put_folder(temp.fd, ".plamo-fast", 0755);
    put_folder(temp.fd, "old.plamo-fast", 0755);
    assert_ok(pf_target_open(path, false, &target, &err), &err);
    assert_ok(pf_target_sweep(temp.fd, &err), &err);
    assert_false(has_name(temp.fd, ".old.plamo-fast"));
    assert_true(has_name(temp.fd, ".new.plamo-fast"));
    assert_file(temp.fd, ".mine.plamo-fast/thesis", "x");
    assert_true(has_name(temp.fd, ".file.plamo-fast"));
    assert_true(has_name(temp.fd, ".plamo-fast"));
    assert_true(has_name(temp.fd, "old.plamo-fast"));
    assert_ok(pf_target_put(&target, &err), &err);
    pf_target_end(&target);
    assert_true(has_name(temp.fd, "new"));
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
/* A cached root on a fresh btrfs, and the path of a new root beside it. */
static int begin_btrfs(struct btrfs *btrfs, char new_path[128])
{
    btrfs_begin(btrfs);
    snprintf(new_path, 128, "%s/new", btrfs->path);
    assert_int_equal(pf_subvolume_make(btrfs->fd, "cached"), 0);
    put_file(btrfs->fd, "cached/d/f", "x");
    return open_folder(btrfs->fd, "cached");
}

static int count_name(void *ctx, int dir_fd, const char *name)
{
    (void)dir_fd, (void)name;
    ++*(unsigned *)ctx;
    return 0;
}

/* What there is on the top: no temporary folder. */
static void end_btrfs(struct btrfs *btrfs, int cached_fd, bool has_new)
{
    unsigned count = 0;
    assert_file(cached_fd, "d/f", "x");
    assert_false(has_name(cached_fd, "d/g"));
    close(cached_fd);
    assert_true(has_name(btrfs->fd, "new") == has_new);
    assert_int_equal(pf_fs_each_name(btrfs->fd, count_name, &count), 0);
    assert_int_equal(count, has_new ? 2 : 1);
    btrfs_end(btrfs);
}

static void becomes_a_snapshot(void **state)
{
    (void)state;
    struct btrfs btrfs;
    char new_path[128];
    int cached = begin_btrfs(&btrfs, new_path);
    put_folder(btrfs.fd, "new", 0700);
    assert_ok(pf_target_open(new_path, false, &target, &err), &err);
    assert_int_equal(pf_target_snapshot(&target, cached, &err), 1);
    assert_false(has_name(btrfs.fd, "new/d"));
    put_file(target.fd, "d/g", "y");
    assert_ok(pf_target_finish(&target, &err), &err);
    assert_int_equal(target.fd, -1);
    pf_target_end(&target);
    assert_file(btrfs.fd, "new/d/f", "x");
    assert_file(btrfs.fd, "new/d/g", "y");
    assert_int_equal(stat_of(btrfs.fd, "new").st_mode & 07777, 0755);
    end_btrfs(&btrfs, cached, true);
}

static void takes_a_snapshot_away(void **state)
{
    (void)state;
    struct btrfs btrfs;
    char new_path[128];
    int cached = begin_btrfs(&btrfs, new_path);
    assert_ok(pf_target_open(new_path, false, &target, &err), &err);
    assert_int_equal(pf_target_snapshot(&target, cached, &err), 1);
    pf_target_end(&target);
    end_btrfs(&btrfs, cached, false);
}

/* As lxc-create makes one, -B btrfs a subvolume. Owner and mode are its affair. */
static void takes_the_place_of_an_empty_folder(void **state)
{
    (void)state;
    struct btrfs btrfs;
    char new_path[128];
    int cached = begin_btrfs(&btrfs, new_path);
    for (int is_subvolume = 0; is_subvolume < 2; is_subvolume++) {
        if (is_subvolume)
            assert_int_equal(pf_subvolume_make(btrfs.fd, "new"), 0);
        else
            put_folder(btrfs.fd, "new", 0755);
        assert_int_equal(chown(new_path, 3, 4), 0);
        assert_int_equal(chmod(new_path, 0770), 0);
        assert_ok(pf_target_open(new_path, !is_subvolume, &target, &err), &err);
        assert_int_not_equal(target.place_fd, -1);
        assert_int_equal(pf_target_snapshot(&target, cached, &err), 1);
        assert_ok(pf_target_finish(&target, &err), &err);
        pf_target_end(&target);
        assert_file(btrfs.fd, "new/d/f", "x");
        struct stat st = stat_of(btrfs.fd, "new");
        assert_int_equal(st.st_mode & 07777, 0770);
        assert_int_equal(st.st_uid, 3);
        assert_int_equal(st.st_gid, 4);
        assert_int_equal(pf_subvolume_remove(btrfs.fd, "new"), 0);
    }
    end_btrfs(&btrfs, cached, false);
}

static void fills_a_mount_point(void **state)
{
    (void)state;
    struct btrfs btrfs;
    char new_path[128];
    int cached = begin_btrfs(&btrfs, new_path);
    put_folder(btrfs.fd, "new", 0755);
    for (int in_place = 0; in_place < 2; in_place++) {
        assert_int_equal(mount(new_path, new_path, NULL, MS_BIND, NULL), 0);
        assert_ok(pf_target_open(new_path, in_place, &target, &err), &err);
        assert_int_equal(pf_target_snapshot(&target, cached, &err), 0);
        pf_target_end(&target);
        assert_int_equal(umount(new_path), 0);
    }
    end_btrfs(&btrfs, cached, true);
}

static void fills_what_cannot_be_a_snapshot(void **state)
{
    (void)state;
    put_folder(temp.fd, "cached", 0755);
    int cached = open_folder(temp.fd, "cached");
    assert_ok(pf_target_open(path, false, &target, &err), &err);
    assert_int_equal(pf_target_snapshot(&target, cached, &err), 0);
    close(cached);
    put_file(target.fd, "f", "x");
    assert_ok(pf_target_finish(&target, &err), &err);
    pf_target_end(&target);
    assert_file(temp.fd, "new/f", "x");
}

static const struct CMUnitTest tests[] = {
    test(appears_whole_or_not_at_all),
    test(takes_an_empty_folder_and_odd_paths),
    test(leaves_nothing_after_a_failure),
    test(refuses_a_folder_with_content),
    test(fills_in_place),
    test(never_removes_what_others_put_there),
    test(is_one_runs_in_place),
    test(knows_a_half_built_root_in_place),
    test(takes_nothing_of_anothers),
    test(makes_the_folder_in_place),
    test(takes_away_what_a_killed_run_left),
    test(leaves_what_another_run_is_making),
    test(never_empties_a_root_that_was_just_finished),
    test(tells_a_taken_lock_from_one_that_cannot_be_had),
    test(refuses_paths_without_a_name),
    test(sweeps_what_killed_runs_left),
    cmocka_unit_test_setup_teardown(becomes_a_snapshot, begin, end),
    cmocka_unit_test_setup_teardown(takes_a_snapshot_away, begin, end),
    cmocka_unit_test_setup_teardown(takes_the_place_of_an_empty_folder, begin, end),
    cmocka_unit_test_setup_teardown(fills_a_mount_point, begin, end),
    cmocka_unit_test_setup_teardown(fills_what_cannot_be_a_snapshot, begin, end),
};
support_main(tests, true)
