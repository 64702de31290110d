/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base.h"

#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

static struct temp temp;
static struct pf_cache *cache;
static struct event_log log_;
static struct pf_error err;
static char lxcpath[96];

static void make_root(const char *release, const char *package)
{
    char path[128];
    snprintf(path, sizeof path, "cache/rootfs-plamo-%s/var/log/packages/%s", release, package);
    put_file(temp.fd, path, "record");
    snprintf(path, sizeof path, "cache/rootfs-plamo-%s/etc/f", release);
    put_file(temp.fd, path, package);
}

static int begin(void **state)
{
    (void)state;
    char path[96];
    temp_begin(&temp);
    event_log_begin(&log_);
    err = (struct pf_error){0};
    snprintf(path, sizeof path, "%s/cache", temp.path);
    snprintf(lxcpath, sizeof lxcpath, "%s/lxc", temp.path);
    put_folder(temp.fd, "lxc", 0755);
    assert_ok(pf_cache_open(path, "8.x", "x86_64", &cache, &err), &err);
    make_root("8.x-x86_64", "a-1-x86_64-B1");
    return 0;
}

static int end(void **state)
{
    (void)state;
    pf_cache_close(cache);
    event_log_end(&log_);
    temp_end(&temp);
    return 0;
}

static struct pf_base hold(void)
{
    struct pf_base base;
    assert_ok(pf_base_hold(cache, &(struct pf_base_wish){.threads = 2, .events = log_.events},
                           &base, &err),
              &err);
    return base;
}

/* A container's configuration at a place below LXC's path. */
static void put_config(const char *place, const struct pf_base *base)
{
    char path[160], text[512];
    snprintf(path, sizeof path, "lxc/%s/config", place);
    snprintf(text, sizeof text, "lxc.rootfs.path = overlay:%s:/x/delta\n", base->root);
    put_file(temp.fd, path, text);
}

static void collect(unsigned removed, unsigned kept)
{
    struct pf_base_collection found;
    assert_ok(pf_base_collect(cache, PF_BASE_OF_ALL, log_.events, NULL, &found, &err), &err);
    if (found.removed != removed || found.kept != kept)
        fail_msg("%u removed and %u kept, not %u and %u", found.removed, found.kept, removed, kept);
    assert_int_equal(found.bytes_removed > 0, removed > 0);
    assert_int_equal(found.bytes_kept > 0, kept > 0);
}

static void is_the_cached_root(void **state)
{
    (void)state;
    struct pf_base base = hold();
    int root = open_folder(AT_FDCWD, base.root);
    int cached = open_folder(temp.fd, "cache/rootfs-plamo-8.x-x86_64");
    assert_same_tree(root, cached, TREE_TIMES | TREE_FOLDER_TIMES | TREE_XATTRS);
    /* The roots of containers that map their ids may pass there, but into their own bases alone. */
    assert_int_equal(stat_of(temp.fd, "cache/bases-plamo").st_mode & 07777, 0711);
    assert_int_equal(stat_of(root, "..").st_mode & 07777, 0700);
    assert_int_equal(stat_of(temp.fd, "cache/bases-plamo/.lock").st_mode & 07777, 0600);
    assert_int_equal(stat_of(root, "etc/f").st_nlink, 1);
    close(root);
    close(cached);
    /* The same packages: the same base, not copied again. */
    struct pf_base again = hold();
    assert_string_equal(base.root, again.root);
    assert_int_equal(log_.count, 1);
    pf_base_end(&again);
    pf_base_end(&base);
}

static void mapped_owners_have_another(void **state)
{
    (void)state;
    struct pf_idmap map;
    struct pf_base base, plain = hold();
    assert_ok(pf_idmap_parse("u 0 100000 65536\ng 0 200000 65536", &map, &err), &err);
    assert_ok(pf_base_hold(cache, &(struct pf_base_wish){.threads = 1, .map = &map}, &base, &err),
              &err);
    assert_string_not_equal(base.root, plain.root);
    int root = open_folder(AT_FDCWD, base.root);
    assert_int_equal(stat_of(root, "etc/f").st_uid, 100000);
    assert_int_equal(stat_of(root, "..").st_mode & 07777, 0710);
    assert_int_equal(stat_of(root, "..").st_uid, 0);
    assert_int_equal(stat_of(root, "..").st_gid, 200000);
    close(root);
    pf_base_end(&base);
    pf_base_end(&plain);
}

static void other_packages_have_another(void **state)
{
    (void)state;
    struct pf_base base = hold();
    make_root("8.x-x86_64", "b-1-x86_64-B1");
    struct pf_base other = hold();
    assert_string_not_equal(base.root, other.root);
    assert_file(AT_FDCWD, strcat(strcpy((char[256]){0}, base.root), "/etc/f"), "a-1-x86_64-B1");
    pf_base_end(&base);
    pf_base_end(&other);
    collect(2, 0);
}

static void stays_while_a_run_holds_it(void **state)
{
    (void)state;
    struct pf_base base = hold();
    collect(0, 1);
    pf_base_end(&base);
    collect(1, 0);
    collect(0, 0);
}

static void stays_where_one_only_looks(void **state)
{
    (void)state;
    struct pf_base base = hold();
    struct pf_base_collection found;
    pf_base_end(&base);
    assert_ok(pf_base_collect(cache, PF_BASE_OF_ALL | PF_BASE_LOOK_ONLY, log_.events, NULL, &found,
                              &err),
              &err);
    assert_int_equal(found.removed, 1);
    assert_contains(log_.text, "would be removed");
    collect(1, 0);
}

static void stays_while_a_container_names_it(void **state)
{
    (void)state;
    static const char *const places[] = {"c1", "c1/snaps/snap0"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct pf_base base = hold();
        assert_ok(pf_base_note(&base, lxcpath, &err), &err);
        put_file(temp.fd, "lxc/c1/config", "lxc.rootfs.path = dir:/x\n");
        put_config(places[i], &base);
        pf_base_end(&base);
        collect(0, 1);
        put_file(temp.fd, "lxc/c1/config", "lxc.rootfs.path = dir:/x\n");
        collect(i == 0, i != 0);
    }
}

/* A half-made container of a killed run is passed over, as LXC does. */
static void hidden_containers_do_not_count(void **state)
{
    (void)state;
    struct pf_base base = hold();
    assert_ok(pf_base_note(&base, lxcpath, &err), &err);
    put_config(".c1.plamo-fast", &base);
    pf_base_end(&base);
    collect(1, 0);
}

static void stays_where_the_path_is_not_there(void **state)
{
    (void)state;
    struct pf_base base = hold();
    assert_ok(pf_base_note(&base, lxcpath, &err), &err);
    pf_base_end(&base);
    assert_int_equal(renameat(temp.fd, "lxc", temp.fd, "away"), 0);
    collect(0, 1);
    assert_contains(log_.text, "is not the folder it was");
    put_folder(temp.fd, "lxc", 0755);
    collect(0, 1);
    assert_int_equal(unlinkat(temp.fd, "lxc", AT_REMOVEDIR), 0);
    assert_int_equal(renameat(temp.fd, "away", temp.fd, "lxc"), 0);
    collect(1, 0);
}

static void notes_of_killed_runs_do_not_count(void **state)
{
    (void)state;
    struct pf_base base = hold();
    char path[512];
    snprintf(path, sizeof path, "%.*s/used-in/0123", (int)(strlen(base.root) - strlen("/root")),
             base.root);
    put_file(AT_FDCWD, path, "12345 /not/whole");
    pf_base_end(&base);
    collect(1, 0);
}

static void removes_what_killed_runs_have_left(void **state)
{
    (void)state;
    put_file(temp.fd, "cache/bases-plamo/.new/root/etc/f", "half");
    put_file(temp.fd, "cache/bases-plamo/.plamo-fast-trash/root/etc/f", "half");
    struct pf_base base = hold();
    assert_false(has_name(temp.fd, "cache/bases-plamo/.new"));
    assert_false(has_name(temp.fd, "cache/bases-plamo/.plamo-fast-trash"));
    pf_base_end(&base);
}

static void collects_one_release(void **state)
{
    (void)state;
    struct pf_base_collection found;
    struct pf_cache *other;
    char path[96];
    struct pf_base base = hold();
    pf_base_end(&base);
    snprintf(path, sizeof path, "%s/cache", temp.path);
    assert_ok(pf_cache_open(path, "8.x", "x86", &other, &err), &err);
    assert_ok(pf_base_collect(other, false, NULL, NULL, &found, &err), &err);
    assert_int_equal(found.removed + found.kept, 0);
    assert_ok(pf_base_collect(other, true, NULL, NULL, &found, &err), &err);
    assert_int_equal(found.removed, 1);
    pf_cache_close(other);
}

static void waiting_can_be_stopped(void **state)
{
    (void)state;
    struct pf_base base = hold();
    struct pf_base_collection found;
    atomic_bool stop = true;
    int fd = openat(temp.fd, "cache/bases-plamo/.lock", O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0 && flock(fd, LOCK_EX) == 0);
    assert_code(pf_base_collect(cache, true, NULL, &stop, &found, &err), PF_E_CANCELLED, &err);
    close(fd);
    pf_base_end(&base);
}

static void needs_a_cached_root(void **state)
{
    (void)state;
    struct pf_base base;
    assert_int_equal(renameat(temp.fd, "cache/rootfs-plamo-8.x-x86_64", temp.fd, "away"), 0);
    assert_true(pf_base_hold(cache, &(struct pf_base_wish){.threads = 1}, &base, &err) < 0);
    assert_contains(err.text, "rootfs-plamo-8.x-x86_64");
    pf_base_end(&base);
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(is_the_cached_root),
    test(mapped_owners_have_another),
    test(other_packages_have_another),
    test(stays_while_a_run_holds_it),
    test(stays_where_one_only_looks),
    test(stays_while_a_container_names_it),
    test(hidden_containers_do_not_count),
    test(stays_where_the_path_is_not_there),
    test(notes_of_killed_runs_do_not_count),
    test(removes_what_killed_runs_have_left),
    test(collects_one_release),
    test(waiting_can_be_stopped),
    test(needs_a_cached_root),
};
support_main(tests, false)
