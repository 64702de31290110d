/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "resolve.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As the kernel's MAXSYMLINKS. */
#define MAX_LINKS 40

/* Folders nested deeper than this are not walked; PATH_MAX / 2 could never be reached by a path. */
#define MAX_DEPTH (PATH_MAX / 2)

static int call_openat2(int dir_fd, const char *path, int flags, mode_t mode, uint64_t resolve)
{
    struct open_how how = {
        .flags = (uint64_t)flags | O_CLOEXEC,
        .mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0,
        .resolve = resolve,
    };
    long fd;
    do {
        /* EAGAIN: a rename somewhere raced with "..": the kernel asks us to try again. */
        fd = syscall(SYS_openat2, dir_fd, path, &how, sizeof how);
    } while (fd < 0 && (errno == EAGAIN || errno == EINTR));
    return (int)fd;
}

static bool lacks_openat2(int fd)
{
    return fd < 0 && (errno == ENOSYS || errno == EPERM);
}

int pf_resolve_in_root(int root_fd, const char *path, int flags, mode_t mode)
{
    int fd = call_openat2(root_fd, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
    /* Where something was renamed or mounted meanwhile the kernel begins its walk anew, up to
       twice, and goes on counting: a path of 14 links may be one too many. Only our walk counts
       right. */
    if (lacks_openat2(fd) || (fd < 0 && errno == ELOOP))
        return pf_resolve_in_root_walk(root_fd, path, flags, mode);
    return fd;
}

int pf_resolve_regular(int root_fd, const char *path, int flags, mode_t mode)
{
    /* Looked at before it is opened: opening a device or a fifo may do or wait for something. */
    pf_auto_fd int there = pf_resolve_in_root(root_fd, path, O_PATH, 0);
    struct stat st;
    if (there < 0 && errno != ENOENT)
        return -1;
    if (there >= 0 && fstat(there, &st) < 0)
        return -1;
    if (there >= 0 && !S_ISREG(st.st_mode)) {
        errno = ENXIO;
        return -1;
    }
    return pf_resolve_in_root(root_fd, path, flags | O_NONBLOCK, mode);
}

static bool has_dot_dot(const char *path)
{
    for (const char *p = path; *p; p += strspn(p, "/")) {
        size_t length = strcspn(p, "/");
        if (length == 2 && p[0] == '.' && p[1] == '.')
            return true;
        p += length;
    }
    return false;
}

int pf_resolve_beneath(int dir_fd, const char *path, int flags, mode_t mode)
{
    if (has_dot_dot(path)) {
        errno = EXDEV;
        return -1;
    }
    int fd = call_openat2(dir_fd, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
    if (lacks_openat2(fd))
        return pf_resolve_beneath_walk(dir_fd, path, flags, mode);
    return fd;
}

/* Takes the next component off *rest into name. Returns its length, 0 at the end, -1 if over-long.
 */
static int next_component(const char **rest, char name[NAME_MAX + 1])
{
    const char *p = *rest;
    while (*p == '/')
        p++;
    size_t length = strcspn(p, "/");
    if (length > NAME_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name, p, length);
    name[length] = '\0';
    *rest = p + length;
    return (int)length;
}

static bool is_last(const char *rest)
{
    return rest[strspn(rest, "/")] == '\0';
}

/* O_PATH with O_NOFOLLOW would open the link itself. */
static int open_no_link(int at, const char *name, int flags, mode_t mode)
{
    pf_auto_fd int fd = openat(at, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
    struct stat st;
    if (fd < 0 || !(flags & O_PATH))
        return pf_steal_fd(&fd);
    if (fstat(fd, &st) < 0)
        return -1;
    if (S_ISLNK(st.st_mode)) {
        errno = ELOOP;
        return -1;
    }
    return pf_steal_fd(&fd);
}

int pf_resolve_beneath_walk(int dir_fd, const char *path, int flags, mode_t mode)
{
    pf_auto_fd int at = fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
    if (at < 0)
        return -1;
    if (*path == '/') {
        errno = EXDEV;
        return -1;
    }
    char name[NAME_MAX + 1];
    const char *rest = path;
    for (;;) {
        int length = next_component(&rest, name);
        if (length < 0)
            return -1;
        if (length == 0 || (is_last(rest) && strcmp(name, ".") == 0))
            return openat(at, ".", flags | O_CLOEXEC | O_NOFOLLOW, mode);
        if (strcmp(name, "..") == 0) {
            errno = EXDEV;
            return -1;
        }
        if (is_last(rest))
            return open_no_link(at, name, flags | (*rest == '/' ? O_DIRECTORY : 0), mode);
        int down = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (down < 0) {
            /* A link where a folder is wanted says ENOTDIR here and ELOOP with openat2. */
            struct stat st;
            if (errno == ENOTDIR && fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
                errno = S_ISLNK(st.st_mode) ? ELOOP : ENOTDIR;
            return -1;
        }
        close(at);
        at = down;
    }
}

/* The folders from the root to where the walk stands; stack[0] is the root. */
struct walk {
    int *stack;
    size_t depth;
    unsigned links;
    char *pending; /* what is still to be resolved; owned */
};

static void walk_end(struct walk *walk)
{
    int saved = errno;
    for (size_t i = 0; i < walk->depth; i++)
        close(walk->stack[i]);
    free(walk->stack);
    free(walk->pending);
    errno = saved;
}

static int walk_push(struct walk *walk, int fd)
{
    if (walk->depth == MAX_DEPTH) {
        close(fd);
        errno = ENAMETOOLONG;
        return -1;
    }
    int *grown = realloc(walk->stack, (walk->depth + 1) * sizeof *grown);
    if (!grown) {
        close(fd);
        errno = ENOMEM;
        return -1;
    }
    walk->stack = grown;
    walk->stack[walk->depth++] = fd;
    return 0;
}

static void walk_to_root(struct walk *walk)
{
    while (walk->depth > 1)
        close(walk->stack[--walk->depth]);
}

/* Puts the target of the link `name` in front of rest. */
static int walk_follow(struct walk *walk, const char *name, const char *rest)
{
    if (++walk->links > MAX_LINKS) {
        errno = ELOOP;
        return -1;
    }
    char target[PATH_MAX];
    ssize_t length = readlinkat(walk->stack[walk->depth - 1], name, target, sizeof target - 1);
    if (length < 0)
        return -1;
    target[length] = '\0';
    size_t rest_length = strlen(rest);
    char *joined = malloc((size_t)length + rest_length + 2);
    if (!joined) {
        errno = ENOMEM;
        return -1;
    }
    memcpy(joined, target, (size_t)length);
    joined[length] = '/';
    memcpy(joined + length + 1, rest, rest_length + 1);
    /* "link" and "link/" differ only where the link is the last component. */
    if (rest_length == 0)
        joined[length] = '\0';
    free(walk->pending);
    walk->pending = joined;
    if (target[0] == '/')
        walk_to_root(walk);
    return 0;
}

/* One component. Returns 1 with *fd set when the walk is over, 0 to go on, -1 on failure. */
static int walk_step(struct walk *walk, const char **rest, int flags, mode_t mode, int *fd)
{
    char name[NAME_MAX + 1];
    int length = next_component(rest, name);
    int at = walk->stack[walk->depth - 1];
    if (length < 0)
        return -1;
    if (length == 0) {
        *fd = openat(at, ".", flags | O_CLOEXEC, mode);
        return 1;
    }
    if (strcmp(name, ".") == 0)
        return 0;
    if (strcmp(name, "..") == 0) {
        if (walk->depth > 1)
            close(walk->stack[--walk->depth]);
        return 0;
    }
    struct stat st;
    bool exists = fstatat(at, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!exists && (errno != ENOENT || !is_last(*rest)))
        return -1;
    /* O_CREAT with O_EXCL takes a link for something that is there, wherever it leads. */
    bool no_follow = (flags & O_NOFOLLOW) || (flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL);
    bool keep_link = is_last(*rest) && **rest == '\0' && no_follow;
    if (exists && S_ISLNK(st.st_mode) && !keep_link) {
        if (walk_follow(walk, name, *rest) < 0)
            return -1;
        *rest = walk->pending;
        return 0;
    }
    if (is_last(*rest) && (**rest == '\0' || !exists || !S_ISDIR(st.st_mode))) {
        if (**rest == '/') {
            errno = exists ? ENOTDIR : (flags & O_CREAT) ? EISDIR : ENOENT;
            return -1;
        }
        *fd = openat(at, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
        return 1;
    }
    int down = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (down < 0)
        return -1;
    return walk_push(walk, down);
}

int pf_resolve_in_root_walk(int root_fd, const char *path, int flags, mode_t mode)
{
    struct walk walk = {0};
    int start = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
    if (start < 0 || walk_push(&walk, start) < 0)
        return -1;
    int fd = -1;
    const char *rest = path;
    int state = *path ? 0 : -1;
    if (state < 0)
        errno = ENOENT;
    while (state == 0)
        state = walk_step(&walk, &rest, flags, mode, &fd);
    walk_end(&walk);
    return state == 1 ? fd : -1;
}

int pf_resolve_parent(int root_fd, const char *path, const char **leaf)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    if (*name == '\0' || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        errno = EINVAL;
        return -1;
    }
    *leaf = name;
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (length >= PATH_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    char parent[PATH_MAX];
    memcpy(parent, path, length);
    parent[length] = '\0';
    return pf_resolve_in_root(root_fd, length ? parent : ".", O_PATH | O_DIRECTORY, 0);
}
