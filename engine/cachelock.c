/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cachelock.h"

#include "clock.h"
#include "fs.h"
#include "lockholder.h"
#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCK_FOLDER "/var/lock/subsys"
#define LOCK_NAME   "lxc-plamo"
#define LOCK_FILE   PF_CACHE_LOCK_FILE
#define OWN_LOCK    ".plamo-fast.lock"

/* Looked at often while it may be held for a moment, then now and then. */
#define FIRST_RETRY_MS 1
#define LAST_RETRY_MS  100

static bool is_out_of_reach(int error)
{
    return error == EACCES || error == EPERM || error == EROFS;
}

/* Only this user can open it, so nobody else can hold it. What is another's makes way. */
static int open_own(int dir_fd, const char *name)
{
    pf_auto_fd int fd = pf_fs_open_own(dir_fd, name, O_RDWR);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0 || ((st.st_mode & 077) && fchmod(fd, 0600) < 0))
        return -1;
    return pf_steal_fd(&fd);
}

static int open_in_cache(const struct pf_cache *cache, const char *name)
{
    pf_auto_fd int fd = open_own(cache->base_fd, name);
    if (fd >= 0 || !is_out_of_reach(errno))
        return pf_steal_fd(&fd);
    /* A lock can be had on what can only be read, too. */
    int refused = errno;
    struct stat st;
    fd = openat(cache->base_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && !pf_fs_is_owners(&st)) {
        errno = EACCES;
        return -1;
    }
    /* That it is not there is no news: that it cannot be made is. */
    if (fd < 0 && errno == ENOENT)
        errno = refused;
    return pf_steal_fd(&fd);
}

/* In a user namespace also the system's own is a stranger's, whom it may even have a map for: the
   lock there is out of reach, but nothing is wrong with it. */
static bool is_systems_root(void)
{
    unsigned inner = 1, outer = 1, count = 0;
    FILE *stream = geteuid() == 0 ? fopen("/proc/self/uid_map", "re") : NULL;
    if (!stream)
        return geteuid() == 0;
    int fields = fscanf(stream, "%u %u %u", &inner, &outer, &count);
    fclose(stream);
    return fields == 3 && inner == 0 && outer == 0 && count == UINT_MAX;
}

/* The folder of the template's lock: whoever may write to the one above could have made it. -1,
   with errno, where there is none for this user. */
static int open_lock_folder(struct pf_error *err)
{
    if (mkdir(LOCK_FOLDER, 0755) < 0 && errno != EEXIST)
        return -1;
    pf_auto_fd int fd = open(LOCK_FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || pf_fs_is_own_folder(fd))
        return pf_steal_fd(&fd);
    if (is_systems_root())
        pf_error_advise(err, PF_E_PERMISSION, N_("remove it"),
                        "%s belongs to another user, or others may write to it", LOCK_FOLDER);
    errno = EACCES;
    return -1;
}

/* Where this user cannot have the template's lock file, the template cannot run either. Any other
   failure is no reason to go on without it. */
static int open_shell_lock(struct pf_cache *cache, struct pf_error *err)
{
    struct pf_error why = {0};
    pf_auto_fd int dir_fd = open_lock_folder(&why);
    if (dir_fd >= 0)
        cache->shell_fd = open_own(dir_fd, LOCK_NAME);
    if (cache->shell_fd >= 0)
        return 0;
    if (why.code && err)
        *err = why;
    if (why.code || is_out_of_reach(errno) || errno == ENOENT || errno == ENOTDIR)
        return why.code;
    return pf_error_errno(err, "lock file %s", LOCK_FILE);
}

/* 1: there is none and none can be made, but then nobody can change anything either. */
static int open_lock(struct pf_cache *cache, enum pf_cache_lock mode, struct pf_error *err)
{
    if (!cache->lock_path && asprintf(&cache->lock_path, "%s/%s", cache->base, OWN_LOCK) < 0) {
        cache->lock_path = NULL;
        return pf_error_memory(err);
    }
    cache->lock_fd = open_in_cache(cache, OWN_LOCK);
    if (cache->lock_fd >= 0)
        return 0;
    return mode == PF_CACHE_SHARED && (is_out_of_reach(errno) || errno == ENOENT)
               ? 1
               : pf_error_errno(err, "lock file %s", cache->lock_path);
}

static int is_taken(int fd, const char *path, const struct pf_cache_wait *wait,
                    struct pf_error *err)
{
    char holder[PF_LOCKHOLDER_SIZE];
    pf_lockholder_name(fd, holder);
    if (wait->timeout_s == 0)
        return pf_error_set(err, PF_E_BUSY, "another build goes on: %s holds %s", holder, path);
    return pf_error_set(err, PF_E_BUSY, "another build goes on: %s has held %s for more than %u s",
                        holder, path, wait->timeout_s);
}

static void tell_of_waiting(int fd, const char *path, const struct pf_cache_wait *wait)
{
    char holder[PF_LOCKHOLDER_SIZE];
    pf_lockholder_name(fd, holder);
    pf_events_text(wait->events, PF_EVENT_LOCK_WAIT, NULL,
                   "waiting up to %u s for another build: %s holds %s", wait->timeout_s, holder,
                   path);
}

static int wait_for(int fd, enum pf_cache_lock mode, const char *path,
                    const struct pf_cache_wait *wait, struct pf_error *err)
{
    int operation = (mode == PF_CACHE_SHARED ? LOCK_SH : LOCK_EX) | LOCK_NB;
    int64_t limit_ms = pf_clock_ms() + wait->timeout_s * INT64_C(1000);
    long retry_ms = FIRST_RETRY_MS;
    bool told = false;
    while (flock(fd, operation) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return pf_error_errno(err, "locking %s", path);
        if (wait->cancel && atomic_load(wait->cancel))
            return pf_error_set(err, PF_E_CANCELLED, "stopped while waiting for %s", path);
        /* Not of what takes but a moment. */
        if (!told && retry_ms == LAST_RETRY_MS && wait->timeout_s > 0) {
            tell_of_waiting(fd, path, wait);
            told = true;
        }
        if (pf_clock_ms() >= limit_ms)
            return is_taken(fd, path, wait, err);
        nanosleep(&(struct timespec){.tv_nsec = retry_ms * 1000000L}, NULL);
        retry_ms = retry_ms * 2 < LAST_RETRY_MS ? retry_ms * 2 : LAST_RETRY_MS;
    }
    return 0;
}

/* Once: it is held until all is let go. */
static int share_shell_lock(struct pf_cache *cache, const struct pf_cache_wait *wait,
                            struct pf_error *err)
{
    int rc = cache->shell_fd < 0 ? open_shell_lock(cache, err) : 0;
    return rc || cache->shell_fd < 0
               ? rc
               : wait_for(cache->shell_fd, PF_CACHE_SHARED, LOCK_FILE, wait, err);
}

int pf_cache_lock(struct pf_cache *cache, enum pf_cache_lock mode, const struct pf_cache_wait *wait,
                  struct pf_error *err)
{
    int rc = cache->lock_fd < 0 ? open_lock(cache, mode, err) : 0;
    if (rc == 0)
        rc = wait_for(cache->lock_fd, mode, cache->lock_path, wait, err);
    if (rc < 0)
        return rc;
    rc = share_shell_lock(cache, wait, err);
    if (rc)
        pf_cache_unlock(cache);
    return rc;
}

static void unlock(int fd)
{
    if (fd >= 0)
        flock(fd, LOCK_UN);
}

void pf_cache_unlock(struct pf_cache *cache)
{
    unlock(cache->shell_fd);
    unlock(cache->lock_fd);
}

static int path_of(const struct pf_cache *cache, const char *name, char **path,
                   struct pf_error *err)
{
    if (asprintf(path, "%s/%s", cache->base, name) >= 0)
        return 0;
    *path = NULL;
    return pf_error_memory(err);
}

int pf_cache_lock_builder(struct pf_cache *cache, const struct pf_cache_wait *wait,
                          struct pf_error *err)
{
    pf_auto_free char *path = NULL;
    int failed = path_of(cache, cache->builder_lock, &path, err);
    if (!failed && cache->builder_fd < 0)
        cache->builder_fd = open_in_cache(cache, cache->builder_lock);
    if (!failed && cache->builder_fd < 0)
        failed = pf_error_errno(err, "lock file %s", path);
    return failed ? failed : wait_for(cache->builder_fd, PF_CACHE_EXCLUSIVE, path, wait, err);
}

int pf_cache_try_builder(struct pf_cache *cache)
{
    if (cache->builder_fd < 0)
        cache->builder_fd = open_in_cache(cache, cache->builder_lock);
    return cache->builder_fd >= 0 && flock(cache->builder_fd, LOCK_EX | LOCK_NB) == 0;
}

void pf_cache_unlock_builder(struct pf_cache *cache)
{
    unlock(cache->builder_fd);
}

void pf_cache_tidy(struct pf_cache *cache)
{
    if (!pf_cache_try_builder(cache))
        return;
    pf_cache_remove_work(cache, NULL);
    pf_cache_unlock_builder(cache);
}

int pf_cache_lock_names(struct pf_cache *cache, enum pf_cache_lock mode,
                        const struct pf_cache_wait *wait, struct pf_error *err)
{
    pf_auto_free char *path = NULL;
    int failed = path_of(cache, cache->names_lock, &path, err);
    if (failed)
        return failed;
    if (cache->names_fd < 0)
        cache->names_fd = open_in_cache(cache, cache->names_lock);
    if (cache->names_fd >= 0)
        return wait_for(cache->names_fd, mode, path, wait, err);
    return mode == PF_CACHE_SHARED && (is_out_of_reach(errno) || errno == ENOENT)
               ? 0
               : pf_error_errno(err, "lock file %s", path);
}

void pf_cache_unlock_names(struct pf_cache *cache)
{
    unlock(cache->names_fd);
}

void pf_cache_note_use(const struct pf_cache *cache)
{
    if (cache->names_fd >= 0 && pf_fs_is_own(cache->names_fd))
        futimens(cache->names_fd, NULL);
}

int pf_cache_hold(const struct pf_cache *cache, const char *name, struct pf_error *err)
{
    pf_auto_fd int fd = pf_cache_open_folder(cache, name, err);
    if (fd < 0)
        return fd;
    /* Refused only while somebody takes away what has this name; nobody does under the names' lock,
       but a file system may know no locks of folders. Then nobody else can have one either. */
    if (flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK)
        return pf_error_set(err, PF_E_BUSY, "%s/%s is being removed", cache->base, name);
    return pf_steal_fd(&fd);
}
