/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is bound into a root, of the same file system, is none of it: for all that walk one. */
#include "mounts.h"

#include "cache.h"
#include "cleanup.h"
#include "clone.h"
#include "fs.h"
#include "gc.h"
#include "treedigest.h"

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#define ROOT "rootfs-plamo-8.x-x86_64"

static struct temp temp;
static struct pf_error err;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    err = (struct pf_error){0};
    put_file(temp.fd, "host/thesis", "precious");
    put_file(temp.fd, ROOT "/etc/hosts", "its own");
    put_file(temp.fd, ROOT "/home/behind", "its own");
    put_folder(temp.fd, "cache-plamo-8.x-x86_64", 0755);
    return 0;
}

static void bind(const char *from, const char *to, bool on)
{
    char source[160], target[160];
    snprintf(source, sizeof source, "%s/%s", temp.path, from);
    snprintf(target, sizeof target, "%s/%s", temp.path, to);
    assert_int_equal(on ? mount(source, target, NULL, MS_BIND, NULL) : umount(target), 0);
}

static int end(void **state)
{
    (void)state;
    temp_end(&temp);
    return 0;
}

static void finds_what_is_mounted(void **state)
{
    (void)state;
    char point[PATH_MAX];
    uint64_t outer, inner;
    put_folder(temp.fd, ROOT "/a b\\c", 0755);
    put_folder(temp.fd, ROOT "-other", 0755);
    assert_int_equal(pf_mounts_find(temp.fd, ROOT, point), 0);
    bind("host", ROOT "-other", true);
    assert_int_equal(pf_mounts_find(temp.fd, ROOT, point), 0);
    assert_int_equal(pf_mounts_find(temp.fd, ROOT "-other", point), 1);
    assert_int_equal(pf_mounts_find(temp.fd, ".", point), 1);
    bind("host", ROOT "/a b\\c", true);
    assert_int_equal(pf_mounts_find(temp.fd, ROOT, point), 1);
    assert_contains(point, "/" ROOT "/a b\\c");
    int fd = open_folder(temp.fd, ROOT "/a b\\c");
    assert_int_equal(pf_mounts_id(fd, &inner), 0);
    assert_int_equal(pf_mounts_id(temp.fd, &outer), 0);
    assert_true(inner != outer);
    assert_int_equal(pf_mounts_find(fd, ".", point), 0);
    close(fd);
    bind("", ROOT "/a b\\c", false);
    bind("", ROOT "-other", false);
}

/* A directory and a file of the host, both on the root's own file system. */
static void bind_host(bool on)
{
    bind("host", ROOT "/home", on);
    bind("host/thesis", ROOT "/etc/hosts", on);
}

static void removal_goes_round_it(void **state)
{
    (void)state;
    bind_host(true);
    assert_code(pf_fs_remove_tree(temp.fd, ROOT, &err), PF_E_SYSTEM, &err);
    assert_int_equal(err.sys_errno, EBUSY);
    assert_file(temp.fd, "host/thesis", "precious");
    bind_host(false);
    assert_file(temp.fd, ROOT "/home/behind", "its own");
}

static void a_purge_refuses_before_it_removes(void **state)
{
    (void)state;
    struct pf_cache *cache;
    put_file(temp.fd, "cache-plamo-8.x-x86_64/a", "x");
    assert_ok(pf_cache_open(temp.path, "8.x", "x86_64", &cache, &err), &err);
    bind("host", ROOT "/home", true);
    assert_code(pf_cache_purge(cache, &err), PF_E_SYSTEM, &err);
    assert_contains(err.text, ROOT "/home");
    assert_file(temp.fd, "host/thesis", "precious");
    assert_file(temp.fd, ROOT "/etc/hosts", "its own");
    assert_file(temp.fd, "cache-plamo-8.x-x86_64/a", "x");
    bind("", ROOT "/home", false);
    assert_ok(pf_cache_purge(cache, &err), &err);
    assert_false(has_name(temp.fd, ROOT));
    pf_cache_close(cache);
}

/* An update moves the old root aside all the same; there it stays. */
static void what_is_aside_stays(void **state)
{
    (void)state;
    struct pf_cache *cache;
    struct event_log log;
    event_log_begin(&log);
    assert_ok(pf_cache_open(temp.path, "8.x", "x86_64", &cache, &err), &err);
    cache->events = log.events;
    bind("host", ROOT "/home", true);
    assert_int_equal(renameat(temp.fd, ROOT, temp.fd, ".plamo-fast-trash"), 0);
    put_file(temp.fd, ".plamo-fast-trash.1/f", "x");
    assert_ok(pf_cache_remove_work(cache, &err), &err);
    assert_int_equal(log.count, 1);
    assert_false(has_name(temp.fd, ".plamo-fast-trash.1"));
    assert_file(temp.fd, "host/thesis", "precious");
    assert_file(temp.fd, ".plamo-fast-trash/etc/hosts", "its own");
    bind("", ".plamo-fast-trash/home", false);
    assert_ok(pf_cache_remove_work(cache, &err), &err);
    assert_false(has_name(temp.fd, ".plamo-fast-trash"));
    pf_cache_close(cache);
    event_log_end(&log);
}

static void collecting_leaves_it(void **state)
{
    (void)state;
    struct pf_cache *cache;
    struct pf_gc gc = {.max_bytes = 1};
    struct pf_gc_result result = {0};
    atomic_bool stop = false;
    assert_ok(pf_cache_open(temp.path, "8.x", "x86_64", &cache, &err), &err);
    bind("host", ROOT "/home", true);
    assert_ok(pf_gc_collect(cache, &gc, NULL, &stop, &result, &err), &err);
    assert_int_equal(result.in_use, 1);
    assert_file(temp.fd, "host/thesis", "precious");
    assert_file(temp.fd, ROOT "/etc/hosts", "its own");
    bind("", ROOT "/home", false);
    pf_cache_close(cache);
}

/* As if nothing were mounted: what is behind it is the root's. */
static void readers_look_behind_it(void **state)
{
    (void)state;
    char before[PF_DIGEST_TEXT_SIZE], after[PF_DIGEST_TEXT_SIZE];
    struct pf_treedigest_settings digesting = {.threads = 0};
    struct pf_clone_settings cloning = {.threads = 2};
    struct pf_clone_result cloned;
    pf_auto_fd int root = open_folder(temp.fd, ROOT);
    pf_auto_fd int copy = open_folder(temp.fd, "copy");
    assert_ok(pf_treedigest(root, &digesting, before, &err), &err);
    bind_host(true);
    assert_ok(pf_treedigest(root, &digesting, after, &err), &err);
    assert_string_equal(after, before);
    assert_ok(pf_clone_tree(root, copy, &cloning, &cloned, &err), &err);
    assert_file(temp.fd, "copy/home/behind", "its own");
    assert_file(temp.fd, "copy/etc/hosts", "its own");
    assert_false(has_name(temp.fd, "copy/home/thesis"));
    bind_host(false);
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(finds_what_is_mounted),
    test(removal_goes_round_it),
    test(a_purge_refuses_before_it_removes),
    test(what_is_aside_stays),
    test(collecting_leaves_it),
    test(readers_look_behind_it),
};
support_main_of_mounts(tests)
