/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fs.h"

#include "mounts.h"
#include "resolve.h"
#include "subvolume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

bool pf_fs_is_own(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_uid == geteuid();
}

int pf_fs_open_own(int dir_fd, const char *name, int flags)
{
    pf_auto_fd int fd = openat(dir_fd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0 && pf_fs_is_own(fd))
        return pf_steal_fd(&fd);
    if (fd < 0 && errno != ENOENT && errno != ELOOP && errno != ENXIO && errno != EACCES)
        return -1;
    if (unlinkat(dir_fd, name, 0) < 0 && errno != ENOENT)
        return -1;
    return openat(dir_fd, name, flags | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
}

int pf_fs_write_all(int fd, const void *data, size_t length)
{
    const char *p = data;
    while (length > 0) {
        ssize_t n = write(fd, p, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        p += n;
        length -= (size_t)n;
    }
    return 0;
}

int pf_fs_close(int *fd)
{
    return close(pf_steal_fd(fd)) < 0 && errno != EINTR ? -1 : 0;
}

int pf_fs_close_text(FILE *stream, char **text)
{
    bool whole = fflush(stream) == 0 && !ferror(stream);
    if (fclose(stream) == 0 && whole && *text)
        return 0;
    free(*text);
    *text = NULL;
    return -1;
}

int pf_fs_sync(int fd)
{
    int status;
    do
        status = syncfs(fd);
    while (status < 0 && errno == EINTR);
    return status;
}

int pf_fs_set_length(int fd, off_t length)
{
    int status;
    do
        status = ftruncate(fd, length);
    while (status < 0 && errno == EINTR);
    return status;
}

int pf_fs_rename(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    int status;
    do
        status =
            flags ? renameat2(from_fd, from, to_fd, to, flags) : renameat(from_fd, from, to_fd, to);
    while (status < 0 && errno == EINTR);
    return status;
}

int pf_fs_rename_new(int from_fd, const char *from, int to_fd, const char *to)
{
    if (pf_fs_rename(from_fd, from, to_fd, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (faccessat(to_fd, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
        errno = EEXIST;
        return -1;
    }
    return errno == ENOENT ? pf_fs_rename(from_fd, from, to_fd, to, 0) : -1;
}

typedef int (*open_fn)(int dir_fd, const char *path, int flags, mode_t mode);

static int open_plain(int dir_fd, const char *path, int flags, mode_t mode)
{
    return openat(dir_fd, path, flags | O_CLOEXEC, mode);
}

static int make_folders(int dir_fd, const char *path, mode_t mode, open_fn open_at)
{
    char prefix[PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof prefix) {
        errno = ENAMETOOLONG;
        return -1;
    }
    for (size_t end = 1; end <= length; end++) {
        if (path[end] != '/' && path[end] != '\0')
            continue;
        if (path[end - 1] == '/')
            continue;
        memcpy(prefix, path, end);
        prefix[end] = '\0';
        pf_auto_fd int there = open_at(dir_fd, prefix, O_PATH | O_DIRECTORY, 0);
        if (there >= 0)
            continue;
        if (errno != ENOENT)
            return -1;
        char *slash = strrchr(prefix, '/');
        const char *parent = !slash ? "." : slash == prefix ? "/" : prefix;
        const char *name = slash ? slash + 1 : prefix;
        if (slash && slash != prefix)
            *slash = '\0';
        char leaf[NAME_MAX + 1];
        if (strlen(name) > NAME_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        memcpy(leaf, name, strlen(name) + 1);
        if (slash == prefix)
            prefix[1] = '\0';
        pf_auto_fd int above = open_at(dir_fd, parent, O_PATH | O_DIRECTORY, 0);
        if (above < 0 || (mkdirat(above, leaf, mode) < 0 && errno != EEXIST))
            return -1;
    }
    return 0;
}

int pf_fs_make_folders(int dir_fd, const char *path, mode_t mode)
{
    return make_folders(dir_fd, path, mode, open_plain);
}

int pf_fs_make_folders_in_root(int root_fd, const char *path, mode_t mode)
{
    return make_folders(root_fd, path, mode, pf_resolve_in_root);
}

int pf_fs_read_fd(int fd, size_t max_bytes, char **data, size_t *length, struct pf_error *err)
{
    size_t capacity = 4096;
    size_t used = 0;
    pf_auto_free char *buffer = malloc(capacity + 1);
    for (;;) {
        if (!buffer)
            return pf_error_memory(err);
        ssize_t n = read(fd, buffer + used, capacity - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pf_error_errno(err, "reading");
        if (n == 0)
            break;
        used += (size_t)n;
        if (used > max_bytes)
            return pf_error_set(err, PF_E_LIMIT, "larger than %zu bytes", max_bytes);
        if (used == capacity) {
            char *grown = realloc(buffer, capacity * 2 + 1);
            if (!grown)
                return pf_error_memory(err);
            buffer = grown;
            capacity *= 2;
        }
    }
    buffer[used] = '\0';
    *data = buffer;
    *length = used;
    buffer = NULL;
    return 0;
}

int pf_fs_replace_file(int dir_fd, const char *name, const void *data, size_t length, mode_t mode,
                       struct pf_error *err)
{
    static const char temporary[] = ".plamo-fast.tmp";
    unlinkat(dir_fd, temporary, 0);
    pf_auto_fd int fd =
        openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return pf_error_errno(err, "writing %s", name);
    if (pf_fs_write_all(fd, data, length) < 0 || fchmod(fd, mode) < 0 || pf_fs_close(&fd) < 0 ||
        pf_fs_rename(dir_fd, temporary, dir_fd, name, 0) < 0) {
        int rc = pf_error_errno(err, "writing %s", name);
        unlinkat(dir_fd, temporary, 0);
        return rc;
    }
    return 0;
}

/* In a folder in the folder: a default ACL reaches only so far as it is inherited. */
static int probe_inherits(int dir_fd, const char *folder)
{
    static const char file[] = "file";
    struct stat st;
    bool inherits = true;
    pf_auto_fd int fd = openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return 1;
    pf_auto_fd int made =
        openat(fd, file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0777);
    if (made >= 0 && fstat(made, &st) == 0)
        inherits = st.st_uid != geteuid() || st.st_gid != getegid() || (st.st_mode & 07777) != 0777;
    return made >= 0 && unlinkat(fd, file, 0) < 0 ? -1 : inherits;
}

int pf_fs_inherits(int dir_fd)
{
    static const char folder[] = ".plamo-fast.probe";
    if (mkdirat(dir_fd, folder, 0777) < 0)
        return 1;
    int inherits = probe_inherits(dir_fd, folder);
    return unlinkat(dir_fd, folder, AT_REMOVEDIR) < 0 ? -1 : inherits;
}

bool pf_fs_is_own_folder(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) && pf_fs_is_owners(&st);
}

bool pf_fs_is_owners(const struct stat *st)
{
    return (st->st_uid == geteuid() || st->st_uid == 0) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

bool pf_fs_belongs_to_us(int dir_fd, const char *name)
{
    struct stat st;
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid == geteuid();
}

int pf_fs_own_folder(int fd, mode_t mode)
{
    if (fremovexattr(fd, "system.posix_acl_default") < 0 && errno != ENODATA && errno != EOPNOTSUPP)
        return -1;
    if (fchown(fd, geteuid(), getegid()) < 0)
        return -1;
    return fchmod(fd, mode);
}

/* Calls fn for the names that one reading of the folder gave, "." and ".." aside. */
static int each_of(const char *entries, size_t length, int dir_fd,
                   int (*fn)(void *ctx, int dir_fd, const char *name), void *ctx)
{
    int result = 0;
    for (size_t at = 0; result == 0 && at < length;) {
        const struct dirent64 *entry = (const void *)(entries + at);
        at += entry->d_reclen;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = fn(ctx, dir_fd, entry->d_name);
    }
    return result;
}

/* Not by readdir(3), which needs memory: a folder can be taken away also where there is none. */
int pf_fs_each_name(int dir_fd, int (*fn)(void *ctx, int dir_fd, const char *name), void *ctx)
{
    alignas(struct dirent64) char entries[8192];
    pf_auto_fd int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t length;
    while ((length = getdents64(fd, entries, sizeof entries)) > 0) {
        int result = each_of(entries, (size_t)length, dir_fd, fn, ctx);
        if (result)
            return result;
    }
    return length < 0 ? -1 : 0;
}

/* Folders within each other that are walked with a descriptor each; deeper ones are moved up first.
 */
#define MAX_DEPTH 64

/* A script that a killed run has left behind may still be writing into its folder. It is given half
   a second. */
#define EMPTYING_TRIES   50
#define EMPTYING_WAIT_NS 10000000L

/* The removal of everything inside one folder. What cannot be removed stays, with its folders, and
   the rest goes. */
struct removal {
    int top_fd;
    dev_t device;
    uint64_t mount;
    unsigned depth;
    unsigned moved; /* folders moved up into the top one, to be removed from there */
    char path[PATH_MAX];
    size_t length; /* of path: where the walk is, below the top */
    uint64_t stay; /* how many names stay; of the first: */
    int number;    /* why */
    char staying[PATH_MAX];
};

static void push(struct removal *r, const char *name)
{
    int n = snprintf(r->path + r->length, sizeof r->path - r->length, "/%s", name);
    r->length += n < 0 ? 0 : (size_t)n;
    if (r->length >= sizeof r->path)
        r->length = sizeof r->path - 1;
}

static void pop(struct removal *r, size_t length)
{
    r->length = length;
    r->path[length] = '\0';
}

/* By errno. */
static void note_staying(struct removal *r, const char *name)
{
    if (r->stay++)
        return;
    r->number = errno;
    size_t before = r->length;
    push(r, name);
    memcpy(r->staying, r->path, sizeof r->staying);
    pop(r, before);
}

/* Not into another mount, also of the same file system; not into another device, for which there
   are other means: it may be a subvolume. */
static int open_for_removal(const struct removal *r, int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == EACCES && fchmodat(dir_fd, name, 0700, 0) == 0)
        fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    uint64_t mount;
    if (fd < 0)
        return -1;
    if (pf_mounts_id(fd, &mount) == 0 && mount != r->mount)
        errno = EBUSY;
    else if (fstat(fd, &st) == 0 && st.st_dev == r->device)
        return fd;
    else
        errno = EXDEV;
    pf_close_at(&fd);
    return -1;
}

/* Somebody else who removes the same tree takes the same names, and may be first with this one. */
static int move_up(struct removal *r, int dir_fd, const char *name)
{
    char up[48];
    do {
        snprintf(up, sizeof up, ".plamo-fast.deep.%u", r->moved++);
        if (pf_fs_rename(dir_fd, name, r->top_fd, up, 0) == 0 || errno == ENOENT)
            return 0;
    } while (errno == ENOTEMPTY || errno == EEXIST);
    return -1;
}

static int remove_folder(struct removal *r, int dir_fd, const char *name);

/* EPERM may mean a folder, or what this user, or nobody, may remove. */
static bool is_folder(int number, int dir_fd, const char *name)
{
    struct stat st;
    bool is = number == EISDIR ||
              (number == EPERM && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
               S_ISDIR(st.st_mode));
    errno = number;
    return is;
}

/* A folder without the right to write is the owner's to change. */
static int remove_leaf(int dir_fd, const char *name)
{
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    return errno == EACCES && fchmod(dir_fd, 0700) == 0 ? unlinkat(dir_fd, name, 0) : -1;
}

static int remove_one(struct removal *r, int dir_fd, const char *name)
{
    if (remove_leaf(dir_fd, name) == 0)
        return 0;
    if (!is_folder(errno, dir_fd, name))
        return -1;
    /* An empty folder needs no descriptor. */
    if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
        return 0;
    if (r->depth == MAX_DEPTH)
        return move_up(r, dir_fd, name);
    if (remove_folder(r, dir_fd, name) == 0)
        return 0;
    /* With few descriptors left the walk cannot go as deep. */
    return r->depth > 0 && (errno == EMFILE || errno == ENFILE) ? move_up(r, dir_fd, name) : -1;
}

static int remove_entry(void *ctx, int dir_fd, const char *name)
{
    if (remove_one(ctx, dir_fd, name) < 0)
        note_staying(ctx, name);
    return 0;
}

/* That it is gone is as good. */
static int remove_empty(int dir_fd, const char *name)
{
    return unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == ENOENT ? 0 : -1;
}

/* After so many tries to remove a folder that should have been empty, errno saying why not. */
static bool is_worth_emptying(unsigned tries)
{
    if (errno != ENOTEMPTY || tries == EMPTYING_TRIES)
        return false;
    if (tries > 1)
        nanosleep(&(struct timespec){.tv_nsec = EMPTYING_WAIT_NS}, NULL);
    return true;
}

/* 1: the folder itself is gone, since somebody else is removing the same; what has its name by now
   is not it. */
static int remove_entries(struct removal *r, int fd)
{
    int status = pf_fs_each_name(fd, remove_entry, r);
    return status < 0 && errno == ENOENT ? 1 : status;
}

/* Empties a folder and removes it. 0; or -1 with errno, ENOTEMPTY where something in it stays. */
static int remove_emptied(struct removal *r, int fd, int dir_fd, const char *name)
{
    uint64_t before = r->stay;
    int status = remove_entries(r, fd);
    for (unsigned tries = 1; status == 0 && r->stay == before; tries++) {
        status = remove_empty(dir_fd, name);
        if (status == 0 || !is_worth_emptying(tries))
            break;
        status = remove_entries(r, fd);
    }
    if (status == 0 && r->stay != before) {
        errno = ENOTEMPTY;
        status = -1;
    }
    return status < 0 ? -1 : 0;
}

static int remove_folder(struct removal *r, int dir_fd, const char *name)
{
    pf_auto_fd int fd = open_for_removal(r, dir_fd, name);
    /* Gone: somebody else is removing the same. */
    if (fd < 0 && (errno != EXDEV || pf_subvolume_remove(dir_fd, name) < 0))
        return errno == ENOENT ? 0 : -1;
    if (fd < 0)
        return 0;
    size_t before = r->length;
    push(r, name);
    r->depth++;
    int status = remove_emptied(r, fd, dir_fd, name);
    r->depth--;
    pop(r, before);
    return status;
}

static int begin_removal(struct removal *r, int fd)
{
    struct stat st;
    *r = (struct removal){.top_fd = fd};
    if (fstat(fd, &st) < 0)
        return -1;
    r->device = st.st_dev;
    return pf_mounts_id(fd, &r->mount);
}

/* What was moved up comes to be the folder's own. 1: as for remove_entries. */
static int remove_content(struct removal *r)
{
    unsigned before;
    do {
        before = r->moved;
        int status = remove_entries(r, r->top_fd);
        if (status)
            return status;
    } while (r->moved != before);
    return 0;
}

/* Of a removal of the folder that messages call `name`. By errno where nothing of it was noted. */
static int why_not(const struct removal *r, const char *name, struct pf_error *err)
{
    if (r->stay == 0)
        return pf_error_errno(err, "removing %s", name);
    errno = r->number;
    return pf_error_errno(err, "removing %s%s", name, r->staying);
}

static int remove_opened(int fd, int dir_fd, const char *name, struct pf_error *err)
{
    struct removal r;
    int status = begin_removal(&r, fd);
    if (status == 0)
        status = remove_content(&r);
    for (unsigned tries = 1; status == 0 && r.stay == 0; tries++) {
        status = remove_empty(dir_fd, name);
        if (status == 0 || !is_worth_emptying(tries))
            break;
        status = remove_content(&r);
    }
    return status < 0 || r.stay ? why_not(&r, name, err) : 0;
}

int pf_fs_lock(int fd, unsigned most_tries, unsigned retry_ms)
{
    for (unsigned tries = 1; flock(fd, LOCK_EX | LOCK_NB) < 0; tries++) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK || tries >= most_tries)
            return -1;
        nanosleep(&(struct timespec){.tv_nsec = retry_ms * 1000000L}, NULL);
    }
    return 0;
}

/* In the directory that it is in: what is mounted below that is another mount than its. */
static int remove_by_path(int dir_fd, const char *path, const char *leaf, struct pf_error *err)
{
    char above[PATH_MAX];
    size_t length = (size_t)(leaf - path);
    if (length >= sizeof above)
        return pf_error_set(err, PF_E_LIMIT, "%s: the path is too long", path);
    memcpy(above, path, length);
    above[length] = '\0';
    pf_auto_fd int fd = openat(dir_fd, above, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : pf_error_errno(err, "removing %s", path);
    int failed = pf_fs_remove_tree(fd, leaf, err);
    return failed ? pf_error_context(err, "in %s", above) : 0;
}

int pf_fs_remove_tree(int dir_fd, const char *name, struct pf_error *err)
{
    const char *slash = strrchr(name, '/');
    if (slash && slash[1])
        return remove_by_path(dir_fd, name, slash + 1, err);
    if (unlinkat(dir_fd, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (!is_folder(errno, dir_fd, name))
        return pf_error_errno(err, "removing %s", name);
    if (remove_empty(dir_fd, name) == 0 || pf_subvolume_remove(dir_fd, name) == 0)
        return 0;
    struct stat st;
    struct removal top = {.top_fd = -1};
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : pf_error_errno(err, "removing %s", name);
    top.device = st.st_dev;
    if (pf_mounts_id(dir_fd, &top.mount) < 0)
        return pf_error_errno(err, "removing %s", name);
    pf_auto_fd int fd = open_for_removal(&top, dir_fd, name);
    if (fd < 0)
        return errno == ENOENT ? 0 : pf_error_errno(err, "removing %s", name);
    return remove_opened(fd, dir_fd, name, err);
}

int pf_fs_empty_folder(int dir_fd, struct pf_error *err)
{
    struct removal r;
    if (begin_removal(&r, dir_fd) < 0)
        return pf_error_errno(err, "emptying a folder");
    int status = remove_content(&r);
    return status < 0 || r.stay ? why_not(&r, ".", err) : 0;
}
