/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The lock that cache shares with the shell template. */
#include "cachelock.h"

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#define LOCK_FILE "/var/lock/subsys/lxc-plamo"

static struct temp temp;
static struct pf_cache *one, *two;
static struct event_log log_;
static struct pf_error err;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    event_log_begin(&log_);
    err = (struct pf_error){0};
    assert_ok(pf_cache_open(temp.path, "8.x", "x86_64", &one, &err), &err);
    assert_ok(pf_cache_open(temp.path, "7.x", "x86", &two, &err), &err);
    return 0;
}

static int end(void **state)
{
    (void)state;
    pf_cache_close(one);
    pf_cache_close(two);
    event_log_end(&log_);
    temp_end(&temp);
    return 0;
}

static int lock(struct pf_cache *cache, enum pf_cache_lock mode, unsigned timeout_s)
{
    err = (struct pf_error){0};
    struct pf_cache_wait wait = {.timeout_s = timeout_s, .events = log_.events};
    return pf_cache_lock(cache, mode, &wait, &err);
}

static void excludes_others(void **state)
{
    (void)state;
    assert_ok(lock(one, PF_CACHE_EXCLUSIVE, 0), &err);
    assert_ok(lock(one, PF_CACHE_EXCLUSIVE, 0), &err); /* had already */
    assert_code(lock(two, PF_CACHE_EXCLUSIVE, 0), PF_E_BUSY, &err);
    assert_contains(err.text, temp.path);
    assert_code(lock(two, PF_CACHE_SHARED, 0), PF_E_BUSY, &err);
    pf_cache_close(one); /* lets it go */
    one = NULL;
    assert_ok(lock(two, PF_CACHE_EXCLUSIVE, 0), &err);
}

static void is_shared_and_converted(void **state)
{
    (void)state;
    assert_ok(lock(one, PF_CACHE_SHARED, 0), &err);
    assert_ok(lock(two, PF_CACHE_SHARED, 0), &err);
    assert_code(lock(one, PF_CACHE_EXCLUSIVE, 0), PF_E_BUSY, &err);
    pf_cache_close(two);
    two = NULL;
    assert_ok(lock(one, PF_CACHE_EXCLUSIVE, 0), &err);
    assert_ok(pf_cache_open(temp.path, "7.x", "x86", &two, &err), &err);
    assert_code(lock(two, PF_CACHE_SHARED, 0), PF_E_BUSY, &err);
    assert_ok(lock(one, PF_CACHE_SHARED, 0), &err); /* down again */
    assert_ok(lock(two, PF_CACHE_SHARED, 0), &err);
}

/* `flock LOCK_FILE` in the shell template. */
static void is_the_templates(void **state)
{
    (void)state;
    assert_ok(lock(one, PF_CACHE_EXCLUSIVE, 0), &err);
    int fd = open(LOCK_FILE, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    assert_int_equal(errno, EWOULDBLOCK);
    pf_cache_close(one);
    one = NULL;
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    assert_code(lock(two, PF_CACHE_SHARED, 0), PF_E_BUSY, &err);
    assert_contains(err.text, LOCK_FILE);
    close(fd);
    assert_ok(lock(two, PF_CACHE_SHARED, 0), &err);
}

/* Nobody waits for a build in another cache folder; the template still does for each of them. */
static void is_a_cache_folders_own(void **state)
{
    (void)state;
    struct pf_cache *elsewhere;
    char path[96];
    snprintf(path, sizeof path, "%s/elsewhere", temp.path);
    assert_ok(pf_cache_open(path, "8.x", "x86_64", &elsewhere, &err), &err);
    assert_ok(lock(one, PF_CACHE_EXCLUSIVE, 0), &err);
    assert_ok(lock(elsewhere, PF_CACHE_EXCLUSIVE, 0), &err);
    int fd = open(LOCK_FILE, O_RDWR | O_CLOEXEC);
    pf_cache_unlock(one);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), -1);
    pf_cache_unlock(elsewhere);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    close(fd);
    pf_cache_close(elsewhere);
}

static void take_all(struct pf_cache *cache)
{
    struct pf_cache_wait wait = {.events = log_.events};
    assert_ok(pf_cache_lock_builder(cache, &wait, &err), &err);
    assert_ok(lock(cache, PF_CACHE_SHARED, 0), &err);
    assert_ok(pf_cache_lock_names(cache, PF_CACHE_SHARED, &wait, &err), &err);
}

/* Whoever can open a lock file can hold us up: those that were made wide, and another's. */
static void nobody_else_can_hold_a_lock(void **state)
{
    (void)state;
    for (int foreign = 0; foreign < 2; foreign++) {
        /* Those of the cache as it is open now. */
        const char *const names[] = {".plamo-fast.lock", one->builder_lock, one->names_lock};
        int held[3];
        unlink(LOCK_FILE);
        put_bytes(AT_FDCWD, LOCK_FILE, "", 0, 0644);
        for (size_t i = 0; i < 3; i++) {
            put_bytes(temp.fd, names[i], "", 0, 0666);
            if (foreign)
                assert_int_equal(fchownat(temp.fd, names[i], 4242, 4242, 0), 0);
            held[i] = openat(temp.fd, names[i], O_RDONLY | O_CLOEXEC);
            if (foreign)
                assert_int_equal(flock(held[i], LOCK_EX | LOCK_NB), 0);
        }
        take_all(one);
        assert_int_equal(stat_of(AT_FDCWD, LOCK_FILE).st_mode & 07777, 0600);
        for (size_t i = 0; i < 3; i++) {
            assert_int_equal(stat_of(temp.fd, names[i]).st_mode & 07777, 0600);
            assert_int_equal(stat_of(temp.fd, names[i]).st_uid, 0);
            close(held[i]);
        }
        pf_cache_close(one);
        assert_ok(pf_cache_open(temp.path, "8.x", "x86_64", &one, &err), &err);
    }
}

/* The folder above is everybody's to write to. */
static void refuses_another_users_lock_folder(void **state)
{
    (void)state;
    for (int open_to_all = 0; open_to_all < 2; open_to_all++) {
        assert_int_equal(rename("/var/lock/subsys", "/var/lock/aside"), 0);
        put_folder(AT_FDCWD, "/var/lock/subsys", open_to_all ? 0777 : 0755);
        if (!open_to_all)
            assert_int_equal(chown("/var/lock/subsys", 4242, 4242), 0);
        int status = lock(one, PF_CACHE_SHARED, 0);
        rmdir("/var/lock/subsys");
        assert_int_equal(rename("/var/lock/aside", "/var/lock/subsys"), 0);
        assert_int_equal(status, PF_E_PERMISSION);
        assert_contains(err.text, "/var/lock/subsys");
    }
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void waits_as_long_as_it_may(void **state)
{
    (void)state;
    char part[64];
    assert_ok(lock(one, PF_CACHE_EXCLUSIVE, 0), &err);
    double start = seconds();
    assert_code(lock(two, PF_CACHE_EXCLUSIVE, 1), PF_E_BUSY, &err);
    double waited = seconds() - start;
    assert_true(waited > 0.9);
    assert_int_equal(log_.count, 1); /* said once */
    snprintf(part, sizeof part, "%d|", PF_EVENT_LOCK_WAIT);
    assert_int_equal(strncmp(log_.text, part, strlen(part)), 0);
    snprintf(part, sizeof part, "process %d (test_cache_lock)", getpid());
    assert_non_null(strstr(log_.text, part)); /* who it is that holds it */
    assert_non_null(strstr(err.text, part));
}

static void *let_go_soon(void *arg)
{
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    pf_cache_close(arg);
    return NULL;
}

static void gets_it_when_it_is_let_go(void **state)
{
    (void)state;
    pthread_t thread;
    assert_ok(lock(one, PF_CACHE_EXCLUSIVE, 0), &err);
    assert_int_equal(pthread_create(&thread, NULL, let_go_soon, one), 0);
    assert_ok(lock(two, PF_CACHE_EXCLUSIVE, 20), &err);
    pthread_join(thread, NULL);
    one = NULL;
    assert_int_equal(log_.count, 1);
}

static void *set_soon(void *flag)
{
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    atomic_store((atomic_bool *)flag, true);
    return NULL;
}

static void stops_waiting_when_cancelled(void **state)
{
    (void)state;
    pthread_t thread;
    atomic_bool cancel = false;
    assert_ok(lock(one, PF_CACHE_EXCLUSIVE, 0), &err);
    assert_int_equal(pthread_create(&thread, NULL, set_soon, &cancel), 0);
    struct pf_cache_wait wait = {.timeout_s = 86400, .events = log_.events, .cancel = &cancel};
    assert_code(pf_cache_lock(two, PF_CACHE_SHARED, &wait, &err), PF_E_CANCELLED, &err);
    pthread_join(thread, NULL);
}

/* Where the system's lock folder cannot be used, a file in the cache folder is the lock. */
static void falls_back_to_the_cache_folder(void **state)
{
    (void)state;
    assert_int_equal(rename("/var/lock/subsys", "/var/lock/aside"), 0);
    put_file(AT_FDCWD, "/var/lock/subsys", "no folder");
    int status = lock(one, PF_CACHE_EXCLUSIVE, 0);
    int second = lock(two, PF_CACHE_EXCLUSIVE, 0);
    unlink("/var/lock/subsys");
    assert_int_equal(rename("/var/lock/aside", "/var/lock/subsys"), 0);
    assert_int_equal(status, 0);
    assert_int_equal(second, PF_E_BUSY);
    assert_contains(one->lock_path, temp.path);
}

/* Of one release and architecture, by whoever came first. */
static void builders_exclude_each_other(void **state)
{
    (void)state;
    struct pf_cache *rival;
    struct pf_cache_wait wait = {.events = log_.events};
    assert_ok(pf_cache_open(temp.path, "8.x", "x86_64", &rival, &err), &err);
    assert_ok(pf_cache_lock_builder(one, &wait, &err), &err);
    assert_int_equal(pf_cache_try_builder(one), 1); /* has it already */
    assert_int_equal(pf_cache_try_builder(rival), 0);
    assert_code(pf_cache_lock_builder(rival, &wait, &err), PF_E_BUSY, &err);
    assert_contains(err.text, ".plamo-fast-8.x-x86_64.builder.lock");
    assert_int_equal(pf_cache_try_builder(two), 1); /* another release */
    put_file(temp.fd, ".plamo-fast-work-8.x-x86_64/root/f", "being made");
    pf_cache_tidy(rival);
    assert_file(temp.fd, ".plamo-fast-work-8.x-x86_64/root/f", "being made");
    pf_cache_unlock_builder(one);
    pf_cache_tidy(rival);
    assert_false(has_name(temp.fd, ".plamo-fast-work-8.x-x86_64"));
    assert_int_equal(pf_cache_try_builder(one), 1); /* tidying let it go */
    pf_cache_close(rival);
}

/* Who looks at root and packages keeps an update from exchanging them, and the other way. */
static void names_are_exchanged_when_nobody_looks(void **state)
{
    (void)state;
    struct pf_cache *other;
    struct pf_cache_wait wait = {.events = log_.events};
    assert_ok(pf_cache_open(temp.path, "8.x", "x86_64", &other, &err), &err);
    assert_ok(pf_cache_lock_names(one, PF_CACHE_SHARED, &wait, &err), &err);
    assert_ok(pf_cache_lock_names(other, PF_CACHE_SHARED, &wait, &err), &err);
    pf_cache_unlock_names(other);
    assert_code(pf_cache_lock_names(other, PF_CACHE_EXCLUSIVE, &wait, &err), PF_E_BUSY, &err);
    pf_cache_unlock_names(one);
    assert_ok(pf_cache_lock_names(other, PF_CACHE_EXCLUSIVE, &wait, &err), &err);
    assert_code(pf_cache_lock_names(one, PF_CACHE_SHARED, &wait, &err), PF_E_BUSY, &err);
    pf_cache_close(other);
    assert_ok(pf_cache_lock_names(one, PF_CACHE_SHARED, &wait, &err), &err);
}

/* A root that somebody reads is there until it is let go, under whatever name. */
static void held_folders_stay(void **state)
{
    (void)state;
    put_file(temp.fd, "rootfs-plamo-8.x-x86_64/f", "x");
    int fd = pf_cache_hold(one, one->root, &err);
    assert_true(fd >= 0);
    assert_ok(pf_cache_purge(one, &err), &err);
    assert_false(has_name(temp.fd, one->root));
    assert_file(fd, "f", "x");
    close(fd);
    pf_cache_tidy(one);
    assert_false(has_name(temp.fd, ".plamo-fast-trash"));
    assert_true(pf_cache_hold(one, one->root, &err) < 0);
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(excludes_others),
    test(is_shared_and_converted),
    test(is_the_templates),
    test(is_a_cache_folders_own),
    test(nobody_else_can_hold_a_lock),
    test(refuses_another_users_lock_folder),
    test(waits_as_long_as_it_may),
    test(gets_it_when_it_is_let_go),
    test(stops_waiting_when_cancelled),
    test(falls_back_to_the_cache_folder),
    test(builders_exclude_each_other),
    test(names_are_exchanged_when_nobody_looks),
    test(held_folders_stay),
};

/* In a namespace with a /var/lock of its own: a build on this machine must not be held up, nor hold
   us up. */
int main(void)
{
    int skipped = support_begin(true);
    if (skipped)
        return skipped;
    if (!support_own_mounts() || mount("none", "/var/lock", "tmpfs", 0, NULL) < 0) {
        puts("skipped: no mount namespace to be had");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
