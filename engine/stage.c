/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stage.h"

#include "folderstack.h"
#include "fs.h"
#include "message.h"
#include "resolve.h"
#include "tarread.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* More, or larger, control files than this are none that anybody wrote. All of them together. */
#define MAX_CONTROL_BYTES (16u << 20)
#define MAX_CONTROLS      64

/* What one run of pf_stage_package works with. */
struct stage {
    struct pf_staged *out;
    const struct pf_stage_limits *limits;
    struct pf_tarread *tar;
    struct pf_error *err;
    struct pf_folderstack folders;
    int parent_fd; /* the folder that the last member was put into, of the stack */
    size_t list_capacity;
    uint64_t control_bytes;
    uid_t uid; /* what new files get by themselves */
    gid_t gid;
};

static int refuse(struct stage *s, const char *member, const char *why)
{
    return pf_error_set(s->err, PF_E_CORRUPT, "member %s: %s", member, pf_message(why));
}

static int system_error(struct stage *s, const char *member)
{
    return pf_error_errno(s->err, "unpacking member %s", member);
}

/* Where changing the owner failed, the most likely reason deserves its own words. */
static int owner_error(struct stage *s, const struct pf_node *node, const char *member)
{
    if (errno == EINVAL)
        return pf_error_advise(s->err, PF_E_PERMISSION, N_("map more ids"),
                               "member %s: this user namespace has no owner %u:%u", member,
                               node->uid, node->gid);
    return system_error(s, member);
}

/* One line of the record's file list. */
static int list_member(struct stage *s, const char *stored)
{
    struct pf_staged *out = s->out;
    size_t most = PF_RECORD_ESCAPE_MAX * strlen(stored) + 2;
    if (out->file_list_length + most > s->list_capacity) {
        size_t capacity = s->list_capacity * 2 + most + 4096;
        char *grown = realloc(out->file_list, capacity);
        if (!grown)
            return pf_error_memory(s->err);
        out->file_list = grown;
        s->list_capacity = capacity;
    }
    char *end = out->file_list + out->file_list_length;
    end += pf_record_write_name(s->limits->listed, stored, end);
    *end++ = '\n';
    *end = '\0';
    out->file_list_length = (size_t)(end - out->file_list);
    if (out->file_list_length > s->limits->text_bytes)
        return pf_error_set(s->err, PF_E_LIMIT, "its member names take more than %llu bytes",
                            (unsigned long long)s->limits->text_bytes);
    return 0;
}

/* Opens the staged folder of a node, made where it is missing, as the one to work in. */
static int open_folder(struct stage *s, uint32_t node, const char *member)
{
    s->parent_fd = pf_folderstack_open(&s->folders, &s->out->members, node);
    if (s->parent_fd >= 0)
        return 0;
    if (errno == ELOOP || errno == ENOTDIR)
        return refuse(s, member, "a member of the same package above it is not a folder");
    return system_error(s, member);
}

static int set_owner_mode_time(struct stage *s, int fd, const struct pf_node *node,
                               const char *member)
{
    struct timespec times[2] = {node->mtime, node->mtime};
    /* Owner before mode: chown clears setuid and setgid. What open(2) gave already is not set
       again: these are the calls that are made for every file. */
    bool own = node->uid == s->uid && node->gid == s->gid && !s->limits->inherits;
    bool special = (node->mode & 07000) || s->limits->inherits;
    if (!own && fchown(fd, node->uid, node->gid) < 0)
        return owner_error(s, node, member);
    if ((special && fchmod(fd, node->mode & 07777) < 0) || futimens(fd, times) < 0)
        return system_error(s, member);
    return 0;
}

/* Reads the data of the current member, of `size` bytes (-1: any number), and hands each block to
   `sink`. */
static int read_data(struct stage *s, const char *member, pf_tarread_sink_fn sink, void *ctx,
                     int64_t size)
{
    struct pf_error inner = {0};
    int failed = pf_tarread_data(s->tar, size, s->limits->sparse_free, sink, ctx, &inner);
    if (!failed)
        return 0;
    /* A sink has filled s->err itself. */
    if (inner.code) {
        *s->err = inner;
        pf_error_context(s->err, "member %s", member);
    }
    return failed;
}

struct file_sink {
    struct stage *stage;
    int fd;
    const char *member;
    off_t end; /* of what has been written */
};

static int write_block(void *ctx, const void *data, size_t length, off_t offset)
{
    struct file_sink *sink = ctx;
    const char *p = data;
    while (length > 0) {
        ssize_t n = pwrite(sink->fd, p, length, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return system_error(sink->stage, sink->member);
        p += n;
        offset += n;
        length -= (size_t)n;
    }
    sink->end = offset;
    return 0;
}

/* Makes way for a member whose name an earlier one of the same archive had. */
static int remove_earlier(struct stage *s, const char *name, const char *member)
{
    if (unlinkat(s->parent_fd, name, 0) < 0 && errno != ENOENT) {
        if (errno == EISDIR)
            return refuse(s, member, "a folder of the same package has that name");
        return system_error(s, member);
    }
    return 0;
}

static int stage_regular(struct stage *s, const struct pf_node *node, const char *name,
                         const char *member, int64_t size)
{
    pf_auto_fd int fd =
        openat(s->parent_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
               node->mode & 0777);
    if (fd < 0)
        return system_error(s, member);
    struct file_sink sink = {.stage = s, .fd = fd, .member = member};
    int failed = read_data(s, member, write_block, &sink, size);
    if (failed)
        return failed;
    /* A hole at the end is in the size only. */
    if (sink.end < size && pf_fs_set_length(fd, size) < 0)
        return system_error(s, member);
    failed = set_owner_mode_time(s, fd, node, member);
    if (!failed && pf_fs_close(&fd) < 0)
        failed = system_error(s, member);
    return failed;
}

static int stage_symlink(struct stage *s, const struct pf_node *node, const char *name,
                         const char *member, const char *target)
{
    if (!target || *target == '\0')
        return refuse(s, member, "a link without a target");
    if (strlen(target) >= PATH_MAX)
        return refuse(s, member, "a link's target is too long");
    struct timespec times[2] = {node->mtime, node->mtime};
    if (symlinkat(target, s->parent_fd, name) < 0 ||
        fchownat(s->parent_fd, name, node->uid, node->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        utimensat(s->parent_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return system_error(s, member);
    return 0;
}

static int stage_special(struct stage *s, const struct pf_node *node, const char *name,
                         const char *member, dev_t device)
{
    if (mknodat(s->parent_fd, name, (node->mode & S_IFMT) | 0600, device) < 0) {
        bool is_device = S_ISCHR(node->mode) || S_ISBLK(node->mode);
        if (errno != EPERM || !is_device)
            return system_error(s, member);
        s->out->skipped_devices++;
        return 0;
    }
    struct timespec times[2] = {node->mtime, node->mtime};
    /* The name is ours alone, and mknod made it: it cannot be a link. */
    if (fchownat(s->parent_fd, name, node->uid, node->gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(s->parent_fd, name, node->mode & 07777, 0) < 0 ||
        utimensat(s->parent_fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
        return system_error(s, member);
    return 0;
}

static int count_data(void *ctx, const void *data, size_t length, off_t offset)
{
    (void)data, (void)offset;
    *(size_t *)ctx += length;
    return 0;
}

/* install/doinst.sh and install/slack-* are reserved for the package system: they go to memory. */
static bool is_control(const char *path)
{
    static const char folder[] = "install/";
    if (strncmp(path, folder, sizeof folder - 1) != 0)
        return false;
    const char *name = path + sizeof folder - 1;
    return strcmp(name, "doinst.sh") == 0 ||
           (strncmp(name, "slack-", 6) == 0 && !strchr(name, '/'));
}

/* 1: the member is a hard link to its own name, which the package brought before, so that all is
   there already. GNU tar writes such where it is given a folder and then what is in it, and readers
   take it for nothing. Else 0, or a code. */
static int is_there_already(struct stage *s, struct archive_entry *entry, const char *path,
                            const char *member)
{
    const char *target = archive_entry_hardlink(entry);
    struct pf_members *members = &s->out->members;
    uint32_t node = PF_NODE_ROOT;
    if (!target)
        return 0;
    pf_auto_free char *own = malloc(strlen(target) + 1);
    if (!own)
        return pf_error_memory(s->err);
    if (pf_members_normalise(target, s->limits->depth, own, NULL) || strcmp(own, path) != 0)
        return 0;
    for (const char *p = path; *p && node != PF_NODE_NONE; p += *p == '/') {
        size_t length = strcspn(p, "/");
        node = pf_members_child(members, node, p, length);
        p += length;
    }
    bool file = node != PF_NODE_NONE && !S_ISDIR(members->nodes[node].mode);
    if (!file && !(is_control(path) && pf_staged_control(s->out, strchr(path, '/') + 1)))
        return 0;
    size_t carried = 0;
    int failed = read_data(s, member, count_data, &carried, -1);
    if (failed)
        return failed;
    return carried ? refuse(s, member, "a hard link that carries data") : 1;
}

/* A hard link: to a regular file, link or special file that the same archive gave before. */
static int stage_hardlink(struct stage *s, uint32_t index, const char *name, const char *member,
                          const char *target)
{
    pf_auto_free char *path = malloc(strlen(target) + 1);
    if (!path)
        return pf_error_memory(s->err);
    int failed = pf_members_normalise(target, s->limits->depth, path, s->err);
    if (failed)
        return pf_error_context(s->err, "the hard link %s", member);
    size_t carried = 0;
    failed = read_data(s, member, count_data, &carried, -1);
    if (failed)
        return failed;
    if (carried)
        return refuse(s, member, "a hard link that carries data");
    const char *slash = strrchr(path, '/');
    const char *leaf = slash ? slash + 1 : path;
    char parent[PATH_MAX];
    size_t length = slash ? (size_t)(slash - path) : 0;
    memcpy(parent, path, length);
    parent[length] = '\0';
    pf_auto_fd int fd =
        pf_resolve_beneath(s->out->dir_fd, length ? parent : ".", O_PATH | O_DIRECTORY, 0);
    struct stat st;
    if (fd < 0 || fstatat(fd, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISDIR(st.st_mode))
        return refuse(s, member, "a hard link to something that the package did not bring before");
    if (linkat(fd, leaf, s->parent_fd, name, 0) < 0)
        return system_error(s, member);
    s->out->members.nodes[index].mode = st.st_mode;
    return 0;
}

static int keep_block(void *ctx, const void *data, size_t length, off_t offset)
{
    memcpy((char *)ctx + offset, data, length);
    return 0;
}

static int keep_control(struct stage *s, const char *name, struct archive_entry *entry,
                        const char *member)
{
    struct pf_staged *out = s->out;
    int64_t size = archive_entry_size(entry);
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry))
        return refuse(s, member, "a file of the package system that is not a regular file");
    s->control_bytes += size < 0 ? MAX_CONTROL_BYTES + 1 : (uint64_t)size;
    if (s->control_bytes > MAX_CONTROL_BYTES || out->control_count == MAX_CONTROLS)
        return refuse(s, member, "files of the package system that are too large or too many");
    struct pf_control_file *file = (struct pf_control_file *)pf_staged_control(out, name);
    if (!file) {
        struct pf_control_file *grown =
            realloc(out->controls, (out->control_count + 1) * sizeof *grown);
        if (!grown)
            return pf_error_memory(s->err);
        out->controls = grown;
        file = &grown[out->control_count++];
        *file = (struct pf_control_file){.name = strdup(name)};
    }
    free(file->data);
    file->data = calloc(1, (size_t)size + 1);
    file->length = (size_t)size;
    file->mode = archive_entry_perm(entry);
    file->uid = (uid_t)archive_entry_uid(entry);
    file->gid = (gid_t)archive_entry_gid(entry);
    file->mtime = pf_tarread_mtime(entry);
    if (!file->name || !file->data)
        return pf_error_memory(s->err);
    return read_data(s, member, keep_block, file->data, size);
}

static int fill_node(struct stage *s, struct pf_node *node, struct archive_entry *entry,
                     const char *member)
{
    la_int64_t uid = archive_entry_uid(entry), gid = archive_entry_gid(entry);
    if (uid < 0 || gid < 0 || uid >= UINT32_MAX || gid >= UINT32_MAX)
        return refuse(s, member, "an owner that no system has");
    node->mode = archive_entry_mode(entry);
    node->uid = (uid_t)uid;
    node->gid = (gid_t)gid;
    node->mtime = pf_tarread_mtime(entry);
    node->sequence = s->out->members.sequence;
    return 0;
}

static int stage_by_type(struct stage *s, uint32_t index, struct archive_entry *entry,
                         const char *member)
{
    const struct pf_node *node = &s->out->members.nodes[index];
    const char *name = pf_members_name(&s->out->members, index);
    int64_t size = archive_entry_size(entry);
    switch (archive_entry_filetype(entry)) {
    case AE_IFREG:
        if (size < 0)
            return refuse(s, member, "a negative size");
        return stage_regular(s, node, name, member, size);
    case AE_IFLNK:
        return stage_symlink(s, node, name, member, archive_entry_symlink(entry));
    case AE_IFCHR:
    case AE_IFBLK:
    case AE_IFIFO:
        return stage_special(s, node, name, member,
                             makedev(archive_entry_rdevmajor(entry),
                                     archive_entry_rdevminor(entry)));
    default:
        return refuse(s, member, "a kind of file that no root has");
    }
}

/* Folders are made when something goes into them, and at the end; here they are only noted. */
static int stage_folder(struct stage *s, const char *path, struct archive_entry *entry,
                        const char *member)
{
    uint32_t index;
    int failed = pf_members_add_path(&s->out->members, path, &index, s->err);
    if (failed)
        return failed;
    struct pf_node *node = &s->out->members.nodes[index];
    if (!S_ISDIR(node->mode))
        return refuse(s, member, "a folder where the same package has a file");
    return fill_node(s, node, entry, member);
}

static int stage_file(struct stage *s, char *path, struct archive_entry *entry, const char *member)
{
    struct pf_members *members = &s->out->members;
    char *slash = strrchr(path, '/');
    const char *leaf = slash ? slash + 1 : path;
    uint32_t parent, index;
    if (*path == '\0')
        return refuse(s, member, "the root itself can only be a folder");
    if (slash)
        *slash = '\0';
    int failed = pf_members_add_path(members, slash ? path : "", &parent, s->err);
    if (failed)
        return failed;
    if (!S_ISDIR(members->nodes[parent].mode))
        return refuse(s, member, "a member of the same package above it is not a folder");
    bool again = pf_members_child(members, parent, leaf, strlen(leaf)) != PF_NODE_NONE;
    failed = pf_members_add_child(members, parent, leaf, strlen(leaf), &index, s->err);
    if (!failed && again && S_ISDIR(members->nodes[index].mode))
        return refuse(s, member, "a folder of the same package has that name");
    if (!failed)
        failed = open_folder(s, parent, member);
    if (!failed && again)
        failed = remove_earlier(s, leaf, member);
    if (!failed)
        failed = fill_node(s, &members->nodes[index], entry, member);
    if (failed)
        return failed;
    const char *target = archive_entry_hardlink(entry);
    if (target)
        return stage_hardlink(s, index, pf_members_name(members, index), member, target);
    return stage_by_type(s, index, entry, member);
}

static int stage_member(struct stage *s, struct archive_entry *entry)
{
    const char *stored = archive_entry_pathname(entry);
    if (!stored)
        return pf_error_set(s->err, PF_E_CORRUPT, "a member's name cannot be read");
    if (s->out->members.sequence >= s->limits->members)
        return pf_error_set(s->err, PF_E_LIMIT, "it has more than %u members", s->limits->members);
    s->out->members.sequence++;
    pf_auto_free char *path = malloc(strlen(stored) + 1);
    if (!path)
        return pf_error_memory(s->err);
    int failed = pf_members_normalise(stored, s->limits->depth, path, s->err);
    if (!failed)
        failed = list_member(s, stored);
    if (failed)
        return failed;
    if (archive_entry_filetype(entry) == AE_IFDIR)
        return stage_folder(s, path, entry, stored);
    if (strcmp(path, "install") == 0)
        return refuse(s, stored, "the package system's folder is not a folder");
    int there = is_there_already(s, entry, path, stored);
    if (there)
        return there > 0 ? 0 : there;
    if (is_control(path))
        return keep_control(s, strchr(path, '/') + 1, entry, stored);
    return stage_file(s, path, entry, stored);
}

/* Names imply folders. In real packages few of them are not members themselves. */
static int check_names(struct stage *s)
{
    if (s->out->members.count > s->out->members.sequence + s->limits->implied + 1)
        return pf_error_set(s->err, PF_E_LIMIT, "its names imply more than %u folders",
                            s->limits->implied);
    return 0;
}

static int stage_members(struct stage *s)
{
    struct archive_entry *entry;
    int more;
    while ((more = pf_tarread_next(s->tar, &entry, s->err)) == 1) {
        int failed = stage_member(s, entry);
        if (!failed)
            failed = check_names(s);
        if (failed)
            return failed;
    }
    return more;
}

/* Makes the folders that nothing went into, and gives every folder its owner and mode, children
   first, so that no mode of a folder is in the way. */
static int finish_folders(struct stage *s)
{
    struct pf_members *members = &s->out->members;
    for (uint32_t i = 1; i < members->count; i++) {
        const struct pf_node *node = &members->nodes[i];
        if (!S_ISDIR(node->mode) || pf_folderstack_has(&s->folders, i))
            continue;
        char path[PATH_MAX];
        if (pf_members_path(members, i, path, sizeof path) < 0)
            return refuse(s, pf_members_name(members, i), "the path is too long");
        int failed = open_folder(s, i, path);
        if (failed)
            return failed;
    }
    for (uint32_t i = members->count - 1; i > 0 && i < members->count; i--) {
        const struct pf_node *node = &members->nodes[i];
        bool plain =
            !s->limits->inherits && !node->uid && !node->gid && (node->mode & 07777) == 0755;
        if (!S_ISDIR(node->mode) || plain ||
            !(pf_members_is_explicit(members, i) || s->limits->inherits))
            continue;
        char path[PATH_MAX];
        pf_members_path(members, i, path, sizeof path);
        int failed = open_folder(s, i, path);
        if (failed)
            return failed;
        if (fchown(s->parent_fd, node->uid, node->gid) < 0 ||
            fchmod(s->parent_fd, node->mode & 07777) < 0)
            return system_error(s, path);
    }
    return 0;
}

static int run_stage(struct stage *s, int fd)
{
    int failed = pf_members_init(&s->out->members, s->err);
    if (!failed)
        failed = pf_tarread_new(fd, s->out->name.format, &s->limits->decode, s->limits->cancel,
                                &s->tar, s->err);
    if (!failed)
        failed = stage_members(s);
    if (!failed)
        failed = finish_folders(s);
    if (!failed) {
        s->out->unpacked_bytes = pf_tarread_bytes(s->tar);
        s->out->short_end = pf_tarread_short_end(s->tar);
        s->out->decode_ns = pf_tarread_decode_ns(s->tar);
        pf_tarread_digest(s->tar, s->out->digest);
    }
    return failed;
}

int pf_stage_package(int fd, const char *file, int dir_fd, const struct pf_stage_limits *limits,
                     struct pf_staged **out, struct pf_error *err)
{
    struct pf_staged *staged = calloc(1, sizeof *staged);
    struct stat st;
    if (!staged) {
        close(dir_fd);
        return pf_error_memory(err);
    }
    staged->dir_fd = dir_fd;
    struct pf_error local = {0};
    struct stage s = {.out = staged,
                      .limits = limits,
                      .err = err ? err : &local,
                      .folders = {.top_fd = dir_fd},
                      .uid = geteuid(),
                      .gid = getegid()};
    int failed = 0;
    if (pf_pkgname_parse(file, &staged->name) < 0)
        failed = pf_error_set(err, PF_E_CORRUPT, "the name is not a package's");
    if (!failed)
        failed = run_stage(&s, fd);
    /* It may have grown until it was read to its end. */
    if (!failed && fstat(fd, &st) < 0)
        failed = pf_error_errno(err, "reading it");
    pf_folderstack_end(&s.folders);
    pf_tarread_free(s.tar);
    if (failed) {
        pf_staged_free(staged);
        pf_error_context(err, "package %s", file);
        return failed;
    }
    staged->packed_bytes = (uint64_t)st.st_size;
    *out = staged;
    return 0;
}

uint64_t pf_staged_memory(const struct pf_staged *staged)
{
    const struct pf_members *m = &staged->members;
    uint64_t bytes = sizeof *staged + m->node_capacity * sizeof *m->nodes + m->text_capacity +
                     m->index_capacity * sizeof *m->index + staged->file_list_length;
    for (size_t i = 0; i < staged->control_count; i++)
        bytes += sizeof staged->controls[i] + staged->controls[i].length;
    return bytes;
}

const struct pf_control_file *pf_staged_control(const struct pf_staged *staged, const char *name)
{
    for (size_t i = 0; i < staged->control_count; i++) {
        if (staged->controls[i].name && strcmp(staged->controls[i].name, name) == 0)
            return &staged->controls[i];
    }
    return NULL;
}

void pf_staged_free(struct pf_staged *staged)
{
    if (!staged)
        return;
    pf_close_at(&staged->dir_fd);
    pf_members_end(&staged->members);
    for (size_t i = 0; i < staged->control_count; i++) {
        free(staged->controls[i].name);
        free(staged->controls[i].data);
    }
    free(staged->controls);
    free(staged->file_list);
    free(staged);
}
