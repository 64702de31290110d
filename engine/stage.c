/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stage.h"

#include "fs.h"
#include "resolve.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A control file larger than this is no script that anybody wrote. */
#define MAX_CONTROL_BYTES (16u << 20)

#define TAR_BLOCK 512

/* What one run of pf_stage_package works with. */
struct stage {
    struct pf_staged *out;
    const struct pf_stage_limits *limits;
    struct pf_decode *decode;
    struct archive *archive;
    struct pf_error *err;
    int decode_failed;        /* code of the decoder's own error, reported in err */
    const unsigned char *fed; /* the piece that libarchive got last; the decoder's */
    size_t fed_length;
    int64_t fed_total;
    /* The folder that the last member was put into: most members follow their neighbours. */
    int parent_fd;
    uint32_t parent;
    size_t list_capacity;
    uid_t uid; /* what new files get by themselves */
    gid_t gid;
};

static la_ssize_t feed(struct archive *archive, void *ctx, const void **data)
{
    (void)archive;
    struct stage *s = ctx;
    size_t length;
    if (s->limits->cancel && atomic_load(s->limits->cancel)) {
        s->decode_failed = pf_error_set(s->err, PF_E_CANCELLED, "stopped");
        return ARCHIVE_FATAL;
    }
    s->decode_failed = pf_decode_next(s->decode, data, &length, s->err);
    if (s->decode_failed)
        return ARCHIVE_FATAL;
    s->fed = *data;
    s->fed_length = length;
    s->fed_total += (int64_t)length;
    return (la_ssize_t)length;
}

static int archive_error(struct stage *s)
{
    if (s->decode_failed)
        return s->decode_failed;
    const char *why = archive_error_string(s->archive);
    return pf_error_set(s->err, PF_E_CORRUPT, "the tar inside is damaged: %s",
                        why ? why : "unknown error");
}

static int refuse(struct stage *s, const char *member, const char *why)
{
    return pf_error_set(s->err, PF_E_CORRUPT, "member %s: %s", member, why);
}

static int system_error(struct stage *s, const char *member)
{
    return pf_error_errno(s->err, "unpacking member %s", member);
}

static int open_archive(struct stage *s)
{
    s->archive = archive_read_new();
    if (!s->archive)
        return pf_error_set(s->err, PF_E_SYSTEM, "out of memory");
    if (archive_read_support_format_tar(s->archive) != ARCHIVE_OK ||
        archive_read_open(s->archive, s, NULL, feed, NULL) != ARCHIVE_OK)
        return archive_error(s);
    return 0;
}

/* One line of the record's file list. A newline in a name would forge a line: refused. */
static int list_member(struct stage *s, const char *stored)
{
    struct pf_staged *out = s->out;
    size_t length = strlen(stored);
    if (memchr(stored, '\n', length))
        return refuse(s, stored, "the name has a newline");
    if (out->file_list_length + length + 2 > s->list_capacity) {
        size_t capacity = s->list_capacity * 2 + length + 4096;
        char *grown = realloc(out->file_list, capacity);
        if (!grown)
            return pf_error_set(s->err, PF_E_SYSTEM, "out of memory");
        out->file_list = grown;
        s->list_capacity = capacity;
    }
    memcpy(out->file_list + out->file_list_length, stored, length);
    out->file_list_length += length;
    out->file_list[out->file_list_length++] = '\n';
    out->file_list[out->file_list_length] = '\0';
    if (out->file_list_length > s->limits->text_bytes)
        return pf_error_set(s->err, PF_E_LIMIT, "its member names take more than %llu bytes",
                            (unsigned long long)s->limits->text_bytes);
    return 0;
}

/* Opens the staged folder of a node, making it and the ones above where they are missing. Nothing
   but this run makes names here, and every step refuses links. */
static int open_folder(struct stage *s, uint32_t node, const char *member)
{
    if (s->parent_fd >= 0 && s->parent == node)
        return 0;
    char path[PATH_MAX];
    if (pf_members_path(&s->out->members, node, path, sizeof path) < 0)
        return refuse(s, member, "the path is too long");
    const char *name = *path ? path : ".";
    int fd = pf_resolve_beneath(s->out->dir_fd, name, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 && errno == ENOENT) {
        if (pf_fs_make_folders(s->out->dir_fd, path, 0755) < 0)
            return system_error(s, member);
        fd = pf_resolve_beneath(s->out->dir_fd, name, O_RDONLY | O_DIRECTORY, 0);
    }
    if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
        return refuse(s, member, "a member of the same package above it is not a folder");
    if (fd < 0)
        return system_error(s, member);
    pf_fs_close_at(&s->parent_fd);
    s->parent_fd = fd;
    s->parent = node;
    return 0;
}

static int set_owner_mode_time(struct stage *s, int fd, const struct pf_node *node,
                               const char *member)
{
    struct timespec times[2] = {node->mtime, node->mtime};
    /* Owner before mode: chown clears setuid and setgid. What open(2) gave already is not set
       again: these are the calls that are made for every file. */
    bool own = node->uid == s->uid && node->gid == s->gid;
    bool special = node->mode & 07000;
    if ((!own && fchown(fd, node->uid, node->gid) < 0) ||
        (special && fchmod(fd, node->mode & 07777) < 0) || futimens(fd, times) < 0)
        return system_error(s, member);
    return 0;
}

/* Reads the data of the current member, of `size` bytes, and hands each block to `sink`. */
typedef int (*sink_fn)(struct stage *s, void *ctx, const void *data, size_t length, off_t offset);

static int read_data(struct stage *s, const char *member, sink_fn sink, void *ctx, int64_t size)
{
    uint64_t stored = 0;
    for (;;) {
        const void *data;
        size_t length;
        la_int64_t offset;
        int status = archive_read_data_block(s->archive, &data, &length, &offset);
        if (status == ARCHIVE_EOF)
            return 0;
        if (status != ARCHIVE_OK)
            return archive_error(s);
        stored += length;
        if (offset < 0 || offset > size || (uint64_t)length > (uint64_t)(size - offset))
            return refuse(s, member, "its data and its size disagree");
        if ((uint64_t)offset > stored + s->limits->sparse_free)
            return refuse(s, member, "a sparse file of far more bytes than it stores");
        int failed = length ? sink(s, ctx, data, length, (off_t)offset) : 0;
        if (failed)
            return failed;
    }
}

struct file_sink {
    int fd;
    const char *member;
    off_t end; /* of what has been written */
};

static int write_block(struct stage *s, void *ctx, const void *data, size_t length, off_t offset)
{
    struct file_sink *sink = ctx;
    const char *p = data;
    while (length > 0) {
        ssize_t n = pwrite(sink->fd, p, length, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return system_error(s, sink->member);
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
    struct file_sink sink = {.fd = fd, .member = member};
    int failed = read_data(s, member, write_block, &sink, size);
    if (failed)
        return failed;
    /* A hole at the end is in the size only. */
    if (sink.end < size && ftruncate(fd, size) < 0)
        return system_error(s, member);
    failed = set_owner_mode_time(s, fd, node, member);
    if (!failed && close(pf_fs_steal(&fd)) < 0)
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

static int no_data(struct stage *s, void *ctx, const void *data, size_t length, off_t offset)
{
    (void)data, (void)length, (void)offset;
    return refuse(s, ctx, "a hard link that carries data");
}

/* A hard link: to a regular file, link or special file that the same archive gave before. */
static int stage_hardlink(struct stage *s, uint32_t index, const char *name, const char *member,
                          const char *target)
{
    pf_auto_free char *path = malloc(strlen(target) + 1);
    if (!path)
        return pf_error_set(s->err, PF_E_SYSTEM, "out of memory");
    int failed = pf_members_normalise(target, s->limits->depth, path, s->err);
    if (failed)
        return pf_error_context(s->err, "the hard link %s", member);
    failed = read_data(s, member, no_data, (void *)member, INT64_MAX);
    if (failed)
        return failed;
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

struct memory_sink {
    struct pf_control_file *file;
    const char *member;
};

static int keep_block(struct stage *s, void *ctx, const void *data, size_t length, off_t offset)
{
    (void)s;
    struct memory_sink *sink = ctx;
    memcpy(sink->file->data + offset, data, length);
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

static int keep_control(struct stage *s, const char *name, struct archive_entry *entry,
                        const char *member)
{
    struct pf_staged *out = s->out;
    int64_t size = archive_entry_size(entry);
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry))
        return refuse(s, member, "a file of the package system that is not a regular file");
    if (size < 0 || size > MAX_CONTROL_BYTES)
        return refuse(s, member, "a file of the package system that is too large");
    struct pf_control_file *file = (struct pf_control_file *)pf_staged_control(out, name);
    if (!file) {
        struct pf_control_file *grown =
            realloc(out->controls, (out->control_count + 1) * sizeof *grown);
        if (!grown)
            return pf_error_set(s->err, PF_E_SYSTEM, "out of memory");
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
    file->mtime = (struct timespec){archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
    if (!file->name || !file->data)
        return pf_error_set(s->err, PF_E_SYSTEM, "out of memory");
    struct memory_sink sink = {.file = file, .member = member};
    return read_data(s, member, keep_block, &sink, size);
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
    node->mtime = (struct timespec){archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
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
        return pf_error_set(s->err, PF_E_SYSTEM, "out of memory");
    int failed = pf_members_normalise(stored, s->limits->depth, path, s->err);
    if (!failed)
        failed = list_member(s, stored);
    if (failed)
        return failed;
    if (archive_entry_filetype(entry) == AE_IFDIR)
        return stage_folder(s, path, entry, stored);
    if (strcmp(path, "install") == 0)
        return refuse(s, stored, "the package system's folder is not a folder");
    if (is_control(path))
        return keep_control(s, strchr(path, '/') + 1, entry, stored);
    return stage_file(s, path, entry, stored);
}

static int check_zeros(struct stage *s, const unsigned char *data, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (data[i] != 0)
            return pf_error_set(s->err, PF_E_CORRUPT, "junk after the end of the tar inside");
    }
    return 0;
}

/* tar's end is two blocks of zeros; libarchive takes the mere end of the stream for it, so count.
   `end` is where the last member's data ended. What is behind them can only be more zeros. */
static int check_end(struct stage *s, int64_t end)
{
    int64_t padded = (end + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    int64_t consumed = archive_filter_bytes(s->archive, 0);
    int64_t left = s->fed_total - consumed; /* in the last piece */
    if (consumed < padded + 2 * TAR_BLOCK)
        return pf_error_set(s->err, PF_E_CORRUPT,
                            "the tar inside ends without its end-of-archive blocks");
    if (left < 0 || (uint64_t)left > s->fed_length)
        return pf_error_set(s->err, PF_E_CORRUPT, "the end of the tar inside is out of place");
    const unsigned char *data = s->fed + s->fed_length - left;
    size_t length = (size_t)left;
    int failed;
    do {
        failed = check_zeros(s, data, length);
        if (!failed)
            failed = pf_decode_next(s->decode, (const void **)&data, &length, s->err);
    } while (!failed && length);
    return failed;
}

static int stage_members(struct stage *s)
{
    struct archive_entry *entry;
    int64_t end = 0;
    for (;;) {
        int status = archive_read_next_header(s->archive, &entry);
        if (status == ARCHIVE_EOF)
            return check_end(s, end);
        if (status != ARCHIVE_OK)
            return archive_error(s);
        int failed = stage_member(s, entry);
        if (failed)
            return failed;
        end = archive_filter_bytes(s->archive, 0);
    }
}

/* Makes the folders that nothing went into, and gives every folder its owner and mode, children
   first, so that no mode of a folder is in the way. */
static int finish_folders(struct stage *s)
{
    struct pf_members *members = &s->out->members;
    for (uint32_t i = 1; i < members->count; i++) {
        const struct pf_node *node = &members->nodes[i];
        if (!S_ISDIR(node->mode))
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
        bool plain = !node->uid && !node->gid && (node->mode & 07777) == 0755;
        if (!S_ISDIR(node->mode) || !pf_members_is_explicit(members, i) || plain)
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

/* libarchive converts the UTF-8 of PAX names to the locale's charset. Names shall be the same
   whatever the user's locale is, so this thread has a UTF-8 one meanwhile. */
static locale_t enter_utf8_locale(locale_t *before)
{
    locale_t utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (utf8 != (locale_t)0)
        *before = uselocale(utf8);
    return utf8;
}

static void leave_locale(locale_t utf8, locale_t before)
{
    if (utf8 == (locale_t)0)
        return;
    uselocale(before);
    freelocale(utf8);
}

static int run_stage(struct stage *s, int fd)
{
    int failed = pf_members_init(&s->out->members, s->err);
    if (!failed)
        failed = pf_decode_new(fd, s->out->name.format, &s->limits->decode, &s->decode, s->err);
    if (!failed)
        failed = open_archive(s);
    if (!failed)
        failed = stage_members(s);
    if (!failed)
        failed = finish_folders(s);
    if (!failed) {
        s->out->unpacked_bytes = pf_decode_output_bytes(s->decode);
        pf_decode_digest(s->decode, s->out->digest);
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
        return pf_error_set(err, PF_E_SYSTEM, "out of memory");
    }
    staged->dir_fd = dir_fd;
    struct stage s = {.out = staged,
                      .limits = limits,
                      .err = err,
                      .parent_fd = -1,
                      .parent = PF_NODE_NONE,
                      .uid = geteuid(),
                      .gid = getegid()};
    int failed = 0;
    if (pf_pkgname_parse(file, &staged->name) < 0)
        failed = pf_error_set(err, PF_E_INVALID, "the name is not a package's");
    else if (fstat(fd, &st) < 0)
        failed = pf_error_errno(err, "reading it");
    if (!failed) {
        locale_t before = (locale_t)0;
        locale_t utf8 = enter_utf8_locale(&before);
        staged->packed_bytes = (uint64_t)st.st_size;
        failed = run_stage(&s, fd);
        leave_locale(utf8, before);
    }
    pf_fs_close_at(&s.parent_fd);
    archive_read_free(s.archive);
    pf_decode_free(s.decode);
    if (failed) {
        pf_staged_free(staged);
        return pf_error_context(err, "package %s", file);
    }
    *out = staged;
    return 0;
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
    pf_fs_close_at(&staged->dir_fd);
    pf_members_end(&staged->members);
    for (size_t i = 0; i < staged->control_count; i++) {
        free(staged->controls[i].name);
        free(staged->controls[i].data);
    }
    free(staged->controls);
    free(staged->file_list);
    free(staged);
}
