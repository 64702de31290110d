/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "devicenodes.h"

#include "array.h"
#include "fs.h"
#include "resolve.h"
#include "sandboxhelper.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The character devices 120 to 127 are for local use (the kernel's devices.txt): where this one
   cannot be opened for want of permission, no device can; else the kernel says that there is
   none. */
#define NOBODYS_MAJOR 120
#define NOBODYS_MINOR 251

struct node {
    char *path;     /* below the root */
    struct stat st; /* the node's */
    int file_fd;    /* the file in its place, opened by O_PATH; -1: not made yet */
};

struct pf_devicenodes {
    int root_fd; /* the caller's */
    struct node *nodes;
    size_t count;
    char path[PATH_MAX]; /* where the walk is */
    size_t length;
    struct pf_error *err; /* of the walk */
};

int pf_devicenodes_make(int dir_fd, const char *name, unsigned major_number, unsigned minor_number)
{
    if (mknodat(dir_fd, name, S_IFCHR | 0666, makedev(major_number, minor_number)) < 0)
        return errno == EPERM || errno == EACCES ? 0 : -1;
    pf_auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 || (errno != EPERM && errno != EACCES))
        return 1;
    return unlinkat(dir_fd, name, 0);
}

int pf_devicenodes_are_held(int dir_fd, bool *held, struct pf_error *err)
{
    static const char name[] = ".plamo-fast.node";
    struct stat st;
    if (fstat(dir_fd, &st) < 0)
        return pf_error_errno(err, "making a device node");
    int made = pf_devicenodes_make(dir_fd, name, NOBODYS_MAJOR, NOBODYS_MINOR);
    if (made < 0 || (made && unlinkat(dir_fd, name, 0) < 0))
        return pf_error_errno(err, "making a device node");
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    *held = !made;
    return futimens(dir_fd, times) < 0 ? pf_error_errno(err, "making a device node") : 0;
}

static void free_all(struct pf_devicenodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++) {
        pf_close_at(&nodes->nodes[i].file_fd);
        free(nodes->nodes[i].path);
    }
    free(nodes->nodes);
    free(nodes);
}

static bool may_stay(const struct stat *st)
{
    for (size_t i = 0; i < PF_SANDBOX_DEVICES; i++) {
        const struct pf_sandbox_device *device = &pf_sandbox_devices[i];
        if (S_ISCHR(st->st_mode) &&
            st->st_rdev == makedev(device->major_number, device->minor_number))
            return true;
    }
    return !S_ISCHR(st->st_mode) && !S_ISBLK(st->st_mode);
}

static int note(struct pf_devicenodes *nodes, const struct stat *st)
{
    if (pf_array_room(&nodes->nodes, nodes->count, sizeof *nodes->nodes) < 0)
        return pf_error_memory(nodes->err);
    struct node *node = &nodes->nodes[nodes->count++];
    *node = (struct node){.path = strdup(nodes->path), .st = *st, .file_fd = -1};
    return node->path ? 0 : pf_error_memory(nodes->err);
}

static int look_at(void *ctx, int dir_fd, const char *name)
{
    struct pf_devicenodes *nodes = ctx;
    struct stat st;
    size_t length = nodes->length;
    int n = snprintf(nodes->path + length, sizeof nodes->path - length, "%s%s", length ? "/" : "",
                     name);
    if (n < 0 || (size_t)n >= sizeof nodes->path - length)
        return pf_error_set(nodes->err, PF_E_LIMIT, "a path in the root is too long");
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return pf_error_errno(nodes->err, "%s", nodes->path);
    nodes->length += (size_t)n;
    int rc = may_stay(&st) ? 0 : note(nodes, &st);
    if (S_ISDIR(st.st_mode)) {
        pf_auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        rc = fd < 0 ? pf_error_errno(nodes->err, "%s", nodes->path)
                    : pf_fs_each_name(fd, look_at, nodes);
    }
    nodes->length = length;
    nodes->path[length] = '\0';
    return rc;
}

/* Its parent directory; *leaf is its name in it. */
static int open_parent(const struct pf_devicenodes *nodes, const struct node *node,
                       const char **leaf)
{
    return pf_resolve_parent(nodes->root_fd, node->path, leaf);
}

static int hide(const struct pf_devicenodes *nodes, struct node *node)
{
    const char *leaf;
    pf_auto_fd int parent_fd = open_parent(nodes, node, &leaf);
    if (parent_fd < 0 || unlinkat(parent_fd, leaf, 0) < 0)
        return pf_error_errno(nodes->err, "hiding %s", node->path);
    pf_auto_fd int fd = openat(parent_fd, leaf, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    node->file_fd = fd < 0 ? -1 : openat(parent_fd, leaf, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    const struct timespec times[2] = {node->st.st_atim, node->st.st_mtim};
    if (node->file_fd < 0 || fchown(fd, node->st.st_uid, node->st.st_gid) < 0 ||
        fchmod(fd, node->st.st_mode & 07777) < 0 || futimens(fd, times) < 0)
        return pf_error_errno(nodes->err, "hiding %s", node->path);
    return 0;
}

int pf_devicenodes_hide(int root_fd, struct pf_devicenodes **out, struct pf_error *err)
{
    struct pf_devicenodes *nodes = calloc(1, sizeof *nodes);
    if (!nodes)
        return pf_error_memory(err);
    nodes->root_fd = root_fd;
    nodes->err = err;
    int rc = pf_fs_each_name(root_fd, look_at, nodes);
    for (size_t i = 0; i < nodes->count && !rc; i++)
        rc = hide(nodes, &nodes->nodes[i]);
    *out = nodes;
    if (rc) {
        pf_devicenodes_show(nodes, NULL);
        *out = NULL;
    }
    return rc;
}

/* Of the same inode as another that was put back already? Then it is a second name of it. */
static const struct node *first_name(const struct pf_devicenodes *nodes, const struct node *node)
{
    for (const struct node *other = nodes->nodes; other < node; other++) {
        if (other->st.st_dev == node->st.st_dev && other->st.st_ino == node->st.st_ino &&
            other->file_fd < 0)
            return other;
    }
    return NULL;
}

static int make_node(const struct pf_devicenodes *nodes, const struct node *node, int parent_fd,
                     const char *leaf, const struct stat *st)
{
    const struct node *first = node->st.st_nlink > 1 ? first_name(nodes, node) : NULL;
    const char *first_leaf;
    pf_auto_fd int first_fd = first ? open_parent(nodes, first, &first_leaf) : -1;
    if (unlinkat(parent_fd, leaf, 0) < 0)
        return -1;
    if (first_fd >= 0 && linkat(first_fd, first_leaf, parent_fd, leaf, 0) == 0)
        return 0;
    const struct timespec times[2] = {st->st_atim, st->st_mtim};
    mode_t mode = (node->st.st_mode & S_IFMT) | (st->st_mode & 07777);
    if (mknodat(parent_fd, leaf, mode, node->st.st_rdev) < 0 ||
        fchownat(parent_fd, leaf, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(parent_fd, leaf, st->st_mode & 07777, 0) < 0 ||
        utimensat(parent_fd, leaf, times, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    return 0;
}

static int show(const struct pf_devicenodes *nodes, struct node *node, struct pf_error *err)
{
    const char *leaf;
    struct stat file, there;
    if (node->file_fd < 0)
        return 0;
    if (fstat(node->file_fd, &file) < 0)
        return pf_error_errno(err, "%s", node->path);
    pf_auto_fd int parent_fd = open_parent(nodes, node, &leaf);
    bool is_there = parent_fd >= 0 && fstatat(parent_fd, leaf, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
                    there.st_dev == file.st_dev && there.st_ino == file.st_ino;
    if (file.st_nlink > (is_there ? 1u : 0u) || file.st_size > 0)
        return pf_error_set(err, PF_E_LIMIT,
                            "its script moves, links or writes the device node %s, which the "
                            "sandbox that can be had here cannot allow",
                            node->path);
    pf_close_at(&node->file_fd);
    if (is_there && make_node(nodes, node, parent_fd, leaf, &file) < 0)
        return pf_error_errno(err, "making %s again", node->path);
    return 0;
}

int pf_devicenodes_show(struct pf_devicenodes *nodes, struct pf_error *err)
{
    int rc = 0;
    if (!nodes)
        return 0;
    for (size_t i = 0; i < nodes->count; i++) {
        int shown = show(nodes, &nodes->nodes[i], rc ? NULL : err);
        rc = rc ? rc : shown;
    }
    free_all(nodes);
    return rc;
}
