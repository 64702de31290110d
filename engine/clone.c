/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "clone.h"

#include "array.h"
#include "clock.h"
#include "copyfile.h"
#include "fs.h"
#include "mounts.h"
#include "resolve.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How much a worker copies before it looks at the clock. */
#define ENTRIES_A_TELL 64
#define BYTES_A_TELL   (4u << 20)

/* A folder that exists on both sides and is still to be filled. */
struct folder {
    struct folder *next;
    struct stat st;
    char path[]; /* below both roots; "." is the root itself */
};

/* A name of a file that has several. They are made when everything else is. */
struct linked {
    ino_t inode;
    char *path;
};

struct clone {
    int from_fd, to_fd;
    uint64_t mount; /* where from_fd is */
    const struct pf_clone_settings *settings;
    struct pf_copyfile copyfile; /* what the two file systems can do; its fields are atomic */
    atomic_uint_fast64_t entries, bytes; /* copied so far, but for what workers have not told yet */
    atomic_int_fast64_t told_ms;         /* when an event was last sent */
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* a folder was added, the last one is done, or stop */
    /* All below: under mutex. */
    struct folder *folders; /* last in, first out: keeps it short */
    size_t unfinished;      /* folders added and not yet filled */
    bool stop;
    struct linked *linked;
    size_t linked_count;
    struct pf_clone_result result;
    struct pf_error error; /* the first one */
};

/* One thread's own, so that nothing is locked per file. */
struct worker {
    struct clone *clone;
    struct pf_clone_result result;
    struct pf_clone_result told; /* what of it has been added to the clone's sums */
    struct pf_error error;
};

static int join(char path[PATH_MAX], const char *folder, const char *name)
{
    bool at_root = strcmp(folder, ".") == 0;
    int n = snprintf(path, PATH_MAX, "%s%s%s", at_root ? "" : folder, at_root ? "" : "/", name);
    if (n >= 0 && n < PATH_MAX)
        return 0;
    errno = ENAMETOOLONG;
    return -1;
}

static int fail(struct worker *w, const char *folder, const char *name)
{
    return pf_error_errno(&w->error, "copying %s/%s", folder, name);
}

static int add_folder(struct clone *clone, const char *path, const struct stat *st)
{
    size_t length = strlen(path);
    struct folder *folder = malloc(sizeof *folder + length + 1);
    if (!folder) {
        errno = ENOMEM;
        return -1;
    }
    folder->st = *st;
    memcpy(folder->path, path, length + 1);
    pthread_mutex_lock(&clone->mutex);
    folder->next = clone->folders;
    clone->folders = folder;
    clone->unfinished++;
    pthread_cond_signal(&clone->changed);
    pthread_mutex_unlock(&clone->mutex);
    return 0;
}

static int add_linked(struct clone *clone, const char *path, ino_t inode)
{
    char *own = strdup(path);
    pthread_mutex_lock(&clone->mutex);
    bool added =
        own && pf_array_room(&clone->linked, clone->linked_count, sizeof *clone->linked) == 0;
    if (added)
        clone->linked[clone->linked_count++] = (struct linked){.inode = inode, .path = own};
    pthread_mutex_unlock(&clone->mutex);
    if (added)
        return 0;
    free(own);
    errno = ENOMEM;
    return -1;
}

static int set_link_owner_and_times(const struct worker *w, int to_fd, const char *name,
                                    const struct stat *st)
{
    struct timespec times[2] = {st->st_atim, st->st_mtim};
    bool own = !w->clone->copyfile.inherits && st->st_uid == geteuid() && st->st_gid == getegid();
    if ((!own && fchownat(to_fd, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0) ||
        utimensat(to_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    return 0;
}

static int copy_symlink(const struct worker *w, int from_fd, int to_fd, const char *name,
                        const struct stat *st)
{
    char target[PATH_MAX];
    ssize_t length = readlinkat(from_fd, name, target, sizeof target);
    if (length < 0)
        return -1;
    if (length == sizeof target) {
        errno = ENAMETOOLONG;
        return -1;
    }
    target[length] = '\0';
    if (symlinkat(target, to_fd, name) < 0)
        return -1;
    return set_link_owner_and_times(w, to_fd, name, st);
}

static int copy_special(struct worker *w, int to_fd, const char *name, const struct stat *st)
{
    if (mknodat(to_fd, name, (st->st_mode & S_IFMT) | 0600, st->st_rdev) < 0) {
        if (errno != EPERM || !(S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)))
            return -1;
        w->result.skipped_devices++;
        return 0;
    }
    if (fchownat(to_fd, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(to_fd, name, st->st_mode & 07777, 0) < 0)
        return -1;
    struct timespec times[2] = {st->st_atim, st->st_mtim};
    return utimensat(to_fd, name, times, AT_SYMLINK_NOFOLLOW);
}

/* Anything that is no folder, at a name that is free. */
static int copy_leaf(struct worker *w, int from_fd, int to_fd, const char *name,
                     const struct stat *st)
{
    if (S_ISREG(st->st_mode)) {
        w->result.bytes += (uint64_t)st->st_size;
        return pf_copyfile_regular(&w->clone->copyfile, from_fd, to_fd, name, st);
    }
    if (S_ISLNK(st->st_mode))
        return copy_symlink(w, from_fd, to_fd, name, st);
    return copy_special(w, to_fd, name, st);
}

/* Now and then: adds what this worker has done to the sums; one of them tells. */
static void tell(struct worker *w)
{
    struct clone *clone = w->clone;
    if (w->result.entries - w->told.entries < ENTRIES_A_TELL &&
        w->result.bytes - w->told.bytes < BYTES_A_TELL)
        return;
    uint64_t entries = w->result.entries - w->told.entries;
    uint64_t bytes = w->result.bytes - w->told.bytes;
    w->told = w->result;
    entries += atomic_fetch_add_explicit(&clone->entries, entries, memory_order_relaxed);
    bytes += atomic_fetch_add_explicit(&clone->bytes, bytes, memory_order_relaxed);
    int64_t now = pf_clock_ms();
    int_fast64_t told = atomic_load_explicit(&clone->told_ms, memory_order_relaxed);
    if (now - told < PF_EVENT_INTERVAL_MS ||
        !atomic_compare_exchange_strong(&clone->told_ms, &told, now))
        return;
    pf_events_send(clone->settings->events, &(struct pf_event){.type = PF_EVENT_COPYING,
                                                               .subject = clone->settings->subject,
                                                               .index = entries,
                                                               .bytes = bytes});
}

static int copy_entry(struct worker *w, const struct folder *folder, int from_fd, int to_fd,
                      const char *name)
{
    struct stat st;
    char path[PATH_MAX];
    if (fstatat(from_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (S_ISDIR(st.st_mode)) {
        w->result.entries++;
        if (mkdirat(to_fd, name, 0700) < 0 || join(path, folder->path, name) < 0)
            return -1;
        return add_folder(w->clone, path, &st);
    }
    if (st.st_nlink > 1)
        return join(path, folder->path, name) < 0 ? -1 : add_linked(w->clone, path, st.st_ino);
    w->result.entries++;
    return copy_leaf(w, from_fd, to_fd, name, &st);
}

static bool is_of_root(const struct clone *clone, int fd)
{
    uint64_t mount;
    return pf_mounts_id(fd, &mount) < 0 || mount == clone->mount;
}

static int fill_folder(struct worker *w, const struct folder *folder)
{
    struct clone *clone = w->clone;
    const atomic_bool *cancel = clone->settings->cancel;
    bool is_root = strcmp(folder->path, ".") == 0;
    pf_auto_fd int to = pf_resolve_beneath(clone->to_fd, folder->path, O_RDONLY | O_DIRECTORY, 0);
    int from = pf_resolve_beneath(clone->from_fd, folder->path, O_RDONLY | O_DIRECTORY, 0);
    DIR *dir = from < 0 ? NULL : fdopendir(from);
    if (to < 0 || !dir) {
        int failed = fail(w, folder->path, "");
        if (dir)
            closedir(dir);
        else
            pf_close_at(&from);
        return failed;
    }
    int failed = 0;
    struct dirent *entry;
    errno = 0;
    /* What is still mounted there is none of the root. */
    while (!failed && is_of_root(clone, from) && (entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (cancel && atomic_load_explicit(cancel, memory_order_relaxed))
            failed = pf_error_set(&w->error, PF_E_CANCELLED, "stopped");
        else if (copy_entry(w, folder, from, to, entry->d_name) < 0)
            failed = fail(w, folder->path, entry->d_name);
        tell(w);
        errno = 0;
    }
    if (!failed && errno)
        failed = fail(w, folder->path, "");
    if (!failed && !is_root &&
        pf_copyfile_folder(clone->copyfile.inherits, from, to, &folder->st) < 0)
        failed = fail(w, folder->path, "");
    closedir(dir);
    return failed;
}

static void merge_results(struct clone *clone, struct worker *w, int failed)
{
    clone->result.entries += w->result.entries;
    clone->result.bytes += w->result.bytes;
    clone->result.skipped_devices += w->result.skipped_devices;
    if (failed && !clone->error.code)
        clone->error = w->error;
}

static void *worker_main(void *arg)
{
    struct worker w = {.clone = arg};
    struct clone *clone = w.clone;
    int failed = 0;
    pthread_mutex_lock(&clone->mutex);
    while (!failed && !clone->stop && clone->unfinished > 0) {
        struct folder *folder = clone->folders;
        if (!folder) {
            pthread_cond_wait(&clone->changed, &clone->mutex);
            continue;
        }
        clone->folders = folder->next;
        pthread_mutex_unlock(&clone->mutex);
        failed = fill_folder(&w, folder);
        free(folder);
        pthread_mutex_lock(&clone->mutex);
        clone->unfinished--;
        clone->stop = clone->stop || failed;
        if (clone->unfinished == 0 || clone->stop)
            pthread_cond_broadcast(&clone->changed);
    }
    merge_results(clone, &w, failed);
    pthread_mutex_unlock(&clone->mutex);
    return NULL;
}

static int by_inode_and_path(const void *a, const void *b)
{
    const struct linked *x = a, *y = b;
    if (x->inode != y->inode)
        return x->inode < y->inode ? -1 : 1;
    return strcmp(x->path, y->path);
}

/* Makes one name of a group: the first by copying, the others by linking to it. The folder's times,
   which were set before, are set again. */
static int make_linked(struct worker *w, const struct linked *linked, const struct linked *first)
{
    struct clone *clone = w->clone;
    const char *leaf, *first_leaf;
    struct stat folder, st;
    pf_auto_fd int to = pf_resolve_parent(clone->to_fd, linked->path, &leaf);
    pf_auto_fd int from = pf_resolve_parent(clone->from_fd, linked->path, &leaf);
    if (to < 0 || from < 0 || fstat(to, &folder) < 0)
        return -1;
    if (linked == first) {
        if (fstatat(from, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            copy_leaf(w, from, to, leaf, &st) < 0)
            return -1;
    } else {
        pf_auto_fd int there = pf_resolve_parent(clone->to_fd, first->path, &first_leaf);
        if (there < 0)
            return -1;
        if (linkat(there, first_leaf, to, leaf, 0) < 0 &&
            !(errno == ENOENT && w->result.skipped_devices))
            return -1;
    }
    w->result.entries++;
    struct timespec times[2] = {folder.st_atim, folder.st_mtim};
    char self[] = ".";
    return utimensat(to, self, times, 0);
}

static int make_all_linked(struct clone *clone)
{
    struct worker w = {.clone = clone};
    int failed = 0;
    if (clone->linked_count)
        qsort(clone->linked, clone->linked_count, sizeof *clone->linked, by_inode_and_path);
    const struct linked *first = clone->linked;
    for (size_t i = 0; i < clone->linked_count && !failed; i++) {
        const struct linked *linked = &clone->linked[i];
        if (linked->inode != first->inode)
            first = linked;
        if (make_linked(&w, linked, first) < 0)
            failed = pf_error_errno(&w.error, "copying %s", linked->path);
    }
    merge_results(clone, &w, failed);
    return failed;
}

static void run_workers(struct clone *clone, unsigned threads)
{
    unsigned extra = threads > 1 ? threads - 1 : 0;
    pthread_t *handles = calloc(extra ? extra : 1, sizeof *handles);
    unsigned started = 0;
    /* Fewer threads than wished for is slower, not wrong. */
    while (handles && started < extra &&
           pthread_create(&handles[started], NULL, worker_main, clone) == 0)
        started++;
    worker_main(clone);
    for (unsigned i = 0; i < started; i++)
        pthread_join(handles[i], NULL);
    free(handles);
}

int pf_clone_tree(int from_fd, int to_fd, const struct pf_clone_settings *settings,
                  struct pf_clone_result *result, struct pf_error *err)
{
    pf_auto_fd int bare_fd = pf_mounts_open_bare(from_fd);
    struct clone clone = {.from_fd = bare_fd, .to_fd = to_fd, .settings = settings};
    struct stat st;
    if (bare_fd < 0 || fstat(bare_fd, &st) < 0 || pf_mounts_id(bare_fd, &clone.mount) < 0)
        return pf_error_errno(err, "reading the root to copy");
    atomic_init(&clone.entries, 0);
    atomic_init(&clone.bytes, 0);
    atomic_init(&clone.told_ms, pf_clock_ms());
    pf_copyfile_init(&clone.copyfile);
    int inherits = pf_fs_inherits(to_fd);
    if (inherits < 0)
        return pf_error_errno(err, "trying the folder to copy to");
    clone.copyfile.inherits = inherits;
    pthread_mutex_init(&clone.mutex, NULL);
    pthread_cond_init(&clone.changed, NULL);
    if (add_folder(&clone, ".", &st) < 0)
        pf_error_errno(&clone.error, "copying");
    else
        run_workers(&clone, settings->threads);
    if (!clone.error.code)
        make_all_linked(&clone);
    while (clone.folders) {
        struct folder *next = clone.folders->next;
        free(clone.folders);
        clone.folders = next;
    }
    for (size_t i = 0; i < clone.linked_count; i++)
        free(clone.linked[i].path);
    free(clone.linked);
    pthread_cond_destroy(&clone.changed);
    pthread_mutex_destroy(&clone.mutex);
    clone.result.reflinked = pf_copyfile_reflinked(&clone.copyfile);
    *result = clone.result;
    if (clone.error.code && err)
        *err = clone.error;
    return clone.error.code;
}
