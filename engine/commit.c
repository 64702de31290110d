/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "commit.h"

#include "array.h"
#include "fs.h"
#include "message.h"
#include "names.h"
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A record that is larger is not looked into. */
#define MAX_RECORD_BYTES (64u << 20)

/* A folder that packages brought, and what the last of them said. */
struct folder_time {
    char *path; /* as the packages name it; two paths may be one folder, through a link */
    struct timespec mtime;
    uint64_t when; /* rises with each thing that is remembered */
};

struct pf_commit {
    int root_fd;
    enum pf_record_names names; /* as records list them */
    struct pf_names paths;      /* numbered as folders are */
    struct folder_time *folders;
    uint64_t clock;
};

/* One package on its way into the root. */
struct merge {
    struct pf_commit *commit;
    const struct pf_staged *staged;
    const struct pf_members *members;
    struct pf_error *err;
};

struct pf_commit *pf_commit_new(int root_fd, enum pf_record_names names)
{
    struct pf_commit *commit = calloc(1, sizeof *commit);
    if (commit)
        *commit = (struct pf_commit){.root_fd = root_fd, .names = names};
    return commit;
}

void pf_commit_free(struct pf_commit *commit)
{
    if (!commit)
        return;
    for (size_t i = 0; i < commit->paths.count; i++)
        free(commit->folders[i].path);
    free(commit->folders);
    pf_names_end(&commit->paths);
    free(commit);
}

static const char *path_of(const struct merge *m, uint32_t node, char buffer[PATH_MAX])
{
    if (pf_members_path(m->members, node, buffer, PATH_MAX) < 0)
        return pf_members_name(m->members, node);
    return *buffer ? buffer : ".";
}

static int system_error(const struct merge *m, uint32_t node)
{
    char path[PATH_MAX];
    return pf_error_errno(m->err, "%s", path_of(m, node, path));
}

/* A record that is looked through for a path. */
struct owner_search {
    char listed[PATH_MAX * PF_RECORD_ESCAPE_MAX]; /* the path, as records have it */
    char owner[NAME_MAX + 1];
};

static bool lists(const char *record, const char *path)
{
    const char *line = strstr(record, "\nFILE LIST:\n");
    size_t length = strlen(path);
    while (line && (line = strchr(line, '\n'))) {
        line++;
        line += strncmp(line, "./", 2) == 0 ? 2 : 0;
        if (strncmp(line, path, length) == 0 && (line[length] == '\n' || line[length] == '/'))
            return true;
    }
    return false;
}

static int search_record(void *ctx, int fd, const char *name)
{
    struct owner_search *search = ctx;
    pf_auto_free char *text = NULL;
    size_t length;
    pf_auto_fd int file = pf_resolve_beneath(fd, name, O_RDONLY | O_NONBLOCK, 0);
    if (file < 0 || pf_fs_read_fd(file, MAX_RECORD_BYTES, &text, &length, NULL))
        return 0;
    if (lists(text, search->listed))
        snprintf(search->owner, sizeof search->owner, "%s", name);
    return search->owner[0] != '\0';
}

/* Names the other package too, where its record tells. */
static int conflict(const struct merge *m, uint32_t node, const char *why)
{
    char path[PATH_MAX];
    struct owner_search search = {0};
    const char *shown = path_of(m, node, path);
    search.listed[pf_record_write_name(m->commit->names, shown, search.listed)] = '\0';
    pf_auto_fd int fd =
        pf_resolve_in_root(m->commit->root_fd, "var/log/packages", O_RDONLY | O_DIRECTORY, 0);
    if (fd >= 0)
        pf_fs_each_name(fd, search_record, &search);
    return pf_error_set(m->err, PF_E_CONFLICT,
                        search.owner[0] ? N_("%s: %s (package %s brought it)") : "%s: %s%s", shown,
                        pf_message(why), search.owner);
}

static int rename_error(const struct merge *m, uint32_t node)
{
    if (errno == EISDIR || errno == ENOTEMPTY)
        return conflict(m, node, "the root has a folder there, and this package a file");
    if (errno == ENOTDIR)
        return conflict(m, node, "the root has a file there, and this package a folder");
    if (errno == ELOOP)
        return conflict(m, node, "the root has a loop of links there, or a chain that is too long");
    return system_error(m, node);
}

/* The package's tree has no install/ of its own to give where only control files were in it. */
static bool is_hollow_install(const struct merge *m, uint32_t node)
{
    const struct pf_node *n = &m->members->nodes[node];
    return n->parent == PF_NODE_ROOT && n->first_child == PF_NODE_NONE && S_ISDIR(n->mode) &&
           strcmp(pf_members_name(m->members, node), "install") == 0;
}

/* An existing folder takes the owner and mode of the package's member, if it has one. */
static int set_folder(const struct merge *m, uint32_t node, int fd)
{
    const struct pf_node *n = &m->members->nodes[node];
    if (!pf_members_is_explicit(m->members, node))
        return 0;
    struct stat st;
    if (fstat(fd, &st) < 0)
        return system_error(m, node);
    bool owner = st.st_uid != n->uid || st.st_gid != n->gid;
    if (owner && fchown(fd, n->uid, n->gid) < 0)
        return system_error(m, node);
    if ((owner || (st.st_mode & 07777) != (n->mode & 07777)) && fchmod(fd, n->mode & 07777) < 0)
        return system_error(m, node);
    return 0;
}

/* What the root has where the package has a folder. */
enum found { FOUND_NOTHING, FOUND_FOLDER, FOUND_LINK, FOUND_FAILURE };

static enum found look_for_folder(const struct merge *m, uint32_t node, int parent_fd, int *fd)
{
    const char *name = pf_members_name(m->members, node);
    *fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (*fd >= 0)
        return FOUND_FOLDER;
    if (errno == ENOENT)
        return FOUND_NOTHING;
    struct stat st;
    if ((errno == ENOTDIR || errno == ELOOP) &&
        fstatat(parent_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        if (S_ISLNK(st.st_mode))
            return FOUND_LINK;
        conflict(m, node, "the root has a file there, and this package a folder");
        return FOUND_FAILURE;
    }
    system_error(m, node);
    return FOUND_FAILURE;
}

/* Is there, at or below the folder `node` that the root has too, a link where the package has a
   folder? 1, 0, or a negative code. */
static int crosses_link(const struct merge *m, uint32_t node, int root_fd)
{
    const struct pf_node *nodes = m->members->nodes;
    for (uint32_t c = nodes[node].first_child; c != PF_NODE_NONE; c = nodes[c].next) {
        if (!S_ISDIR(nodes[c].mode))
            continue;
        pf_auto_fd int fd = -1;
        switch (look_for_folder(m, c, root_fd, &fd)) {
        case FOUND_LINK:
            return 1;
        case FOUND_FAILURE:
            return m->err->code;
        case FOUND_NOTHING:
            break;
        case FOUND_FOLDER:;
            int crosses = crosses_link(m, c, fd);
            if (crosses)
                return crosses;
        }
    }
    return 0;
}

/* No link is crossed, so no two members can meet in one place, and the order within the package
   does not matter: whole sub-trees go over by one rename where the root has nothing. */
static int merge_folder(const struct merge *m, uint32_t node, int staged_fd, int root_fd)
{
    const struct pf_node *nodes = m->members->nodes;
    for (uint32_t c = nodes[node].first_child; c != PF_NODE_NONE; c = nodes[c].next) {
        const char *name = pf_members_name(m->members, c);
        pf_auto_fd int there = -1, here = -1;
        if (S_ISDIR(nodes[c].mode)) {
            enum found found = look_for_folder(m, c, root_fd, &there);
            if (found == FOUND_FAILURE)
                return m->err->code;
            if (found == FOUND_FOLDER) {
                int failed = set_folder(m, c, there);
                if (failed)
                    return failed;
                if (nodes[c].first_child != PF_NODE_NONE) {
                    here = openat(staged_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
                    if (here < 0)
                        return system_error(m, c);
                    failed = merge_folder(m, c, here, there);
                }
                if (failed)
                    return failed;
                /* Mostly it is empty now. What is not, whoever unpacked it removes. */
                unlinkat(staged_fd, name, AT_REMOVEDIR);
                continue;
            }
            if (is_hollow_install(m, c))
                continue;
        }
        if (pf_fs_rename(staged_fd, name, root_fd, name, 0) < 0) {
            /* A device node that could not be made has no file behind it. */
            if (errno == ENOENT && m->staged->skipped_devices)
                continue;
            return rename_error(m, c);
        }
    }
    return 0;
}

static int by_sequence(const void *a, const void *b, void *ctx)
{
    const struct pf_node *nodes = ctx;
    uint32_t x = nodes[*(const uint32_t *)a].sequence, y = nodes[*(const uint32_t *)b].sequence;
    return (x > y) - (x < y);
}

/* Opens the root's folder for the parent of a node, through whatever links there are; missing ones
   are made as tar makes them. */
static int open_merged_parent(const struct merge *m, uint32_t node, int *fd)
{
    char path[PATH_MAX];
    const char *parent = path_of(m, m->members->nodes[node].parent, path);
    *fd = pf_resolve_in_root(m->commit->root_fd, parent, O_RDONLY | O_DIRECTORY, 0);
    if (*fd < 0 && errno == ENOENT &&
        pf_fs_make_folders_in_root(m->commit->root_fd, parent, 0755) == 0)
        *fd = pf_resolve_in_root(m->commit->root_fd, parent, O_RDONLY | O_DIRECTORY, 0);
    if (*fd < 0 && errno == ENOTDIR)
        return conflict(m, node, "the root has a file where this package has a folder above it");
    if (*fd < 0 && errno == ENOENT)
        return conflict(m, node, "the root has a link above it that leads nowhere");
    return *fd < 0 ? rename_error(m, node) : 0;
}

static int merge_member(const struct merge *m, uint32_t node)
{
    const char *name = pf_members_name(m->members, node);
    pf_auto_fd int root_parent = -1;
    int failed = open_merged_parent(m, node, &root_parent);
    if (failed)
        return failed;
    if (S_ISDIR(m->members->nodes[node].mode)) {
        char path[PATH_MAX];
        path_of(m, node, path);
        if (is_hollow_install(m, node) && faccessat(root_parent, name, F_OK, 0) < 0)
            return 0;
        if (mkdirat(root_parent, name, 0755) < 0 && errno != EEXIST)
            return system_error(m, node);
        pf_auto_fd int fd = pf_resolve_in_root(m->commit->root_fd, path, O_RDONLY | O_DIRECTORY, 0);
        if (fd < 0 && errno == ENOENT)
            return conflict(m, node, "the root has a link there that leads nowhere");
        if (fd < 0)
            return rename_error(m, node);
        return set_folder(m, node, fd);
    }
    char parent_path[PATH_MAX];
    pf_auto_fd int staged_parent =
        pf_resolve_beneath(m->staged->dir_fd,
                           path_of(m, m->members->nodes[node].parent, parent_path),
                           O_RDONLY | O_DIRECTORY, 0);
    if (staged_parent < 0)
        return system_error(m, node);
    if (pf_fs_rename(staged_parent, name, root_parent, name, 0) < 0 &&
        !(errno == ENOENT && m->staged->skipped_devices))
        return rename_error(m, node);
    return 0;
}

/* Where a link is crossed, two members of one package may meet in one place: keep archive order. */
static int merge_in_order(const struct merge *m)
{
    const struct pf_members *members = m->members;
    pf_auto_free uint32_t *order = malloc(members->count * sizeof *order);
    uint32_t count = 0;
    if (!order)
        return pf_error_memory(m->err);
    for (uint32_t i = 1; i < members->count; i++) {
        if (pf_members_is_explicit(members, i))
            order[count++] = i;
    }
    qsort_r(order, count, sizeof *order, by_sequence, members->nodes);
    for (uint32_t i = 0; i < count; i++) {
        int failed = merge_member(m, order[i]);
        if (failed)
            return failed;
    }
    return 0;
}

static int remember_time(struct pf_commit *commit, const char *path, struct timespec mtime)
{
    size_t count = commit->paths.count;
    if (pf_array_room(&commit->folders, count, sizeof *commit->folders) < 0)
        return -1;
    int64_t number = pf_names_find(&commit->paths, path);
    if (number < 0) {
        char *own = strdup(path);
        if (!own || pf_names_add(&commit->paths, path) != 1) {
            free(own);
            return -1;
        }
        number = (int64_t)count;
        commit->folders[number].path = own;
    }
    commit->folders[number].mtime = mtime;
    commit->folders[number].when = commit->clock++;
    return 0;
}

static int remember_times(const struct merge *m)
{
    for (uint32_t i = 0; i < m->members->count; i++) {
        const struct pf_node *node = &m->members->nodes[i];
        char path[PATH_MAX];
        if (S_ISDIR(node->mode) && pf_members_is_explicit(m->members, i) &&
            remember_time(m->commit, path_of(m, i, path), node->mtime) < 0)
            return pf_error_memory(m->err);
    }
    return 0;
}

static int put_controls(const struct merge *m)
{
    int root_fd = m->commit->root_fd;
    if (pf_fs_make_folders_in_root(root_fd, "install", 0755) < 0)
        return pf_error_errno(m->err, "install");
    pf_auto_fd int fd = pf_resolve_in_root(root_fd, "install", O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return pf_error_errno(m->err, "install");
    for (size_t i = 0; i < m->staged->control_count; i++) {
        const struct pf_control_file *file = &m->staged->controls[i];
        int failed = pf_fs_replace_file(fd, file->name, file->data, file->length,
                                        file->mode & 07777, m->err);
        struct timespec times[2] = {file->mtime, file->mtime};
        if (!failed && (fchownat(fd, file->name, file->uid, file->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
                        utimensat(fd, file->name, times, AT_SYMLINK_NOFOLLOW) < 0))
            failed = pf_error_errno(m->err, "install/%s", file->name);
        if (failed)
            return failed;
    }
    return 0;
}

int pf_commit_package(struct pf_commit *commit, const struct pf_staged *staged, bool with_controls,
                      struct pf_error *err)
{
    struct pf_error local = {0};
    struct merge m = {.commit = commit,
                      .staged = staged,
                      .members = &staged->members,
                      .err = err ? err : &local};
    int failed = set_folder(&m, PF_NODE_ROOT, commit->root_fd);
    int crosses = failed ? failed : crosses_link(&m, PF_NODE_ROOT, commit->root_fd);
    if (crosses < 0)
        failed = crosses;
    else if (crosses)
        failed = merge_in_order(&m);
    else
        failed = merge_folder(&m, PF_NODE_ROOT, staged->dir_fd, commit->root_fd);
    if (!failed)
        failed = remember_times(&m);
    if (!failed && with_controls)
        failed = put_controls(&m);
    return failed;
}

static int by_clock(const void *a, const void *b)
{
    uint64_t x = ((const struct folder_time *)a)->when, y = ((const struct folder_time *)b)->when;
    return (x > y) - (x < y);
}

int pf_commit_finish(struct pf_commit *commit, struct pf_error *err)
{
    size_t count = commit->paths.count;
    if (count)
        qsort(commit->folders, count, sizeof *commit->folders, by_clock);
    /* The numbers that the paths had are no more. */
    for (size_t i = 0; i < count; i++) {
        const struct folder_time *folder = &commit->folders[i];
        pf_auto_fd int fd =
            pf_resolve_in_root(commit->root_fd, folder->path, O_RDONLY | O_DIRECTORY, 0);
        /* A script may have taken the folder away, or put a link or file there. */
        if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
            continue;
        if (fd < 0 || futimens(fd, (struct timespec[2]){folder->mtime, folder->mtime}) < 0)
            return pf_error_errno(err, "setting the time of %s", folder->path);
    }
    return 0;
}
