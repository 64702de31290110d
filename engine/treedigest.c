/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "treedigest.h"

#include "array.h"
#include "cleanup.h"
#include "fs.h"
#include "mounts.h"
#include "names.h"
#include "resolve.h"
#include "workers.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Entries that have been read and wait for one before them. */
#define WINDOW 4096

/* A record lists its package's files. */
#define MAX_RECORD_BYTES (256u << 20)

static const char install_log[] = "var/log/install.log";
static const char *const record_folders[] = {"var/log/packages/", "var/log/removed_packages/"};
static const char location[] = "PACKAGE LOCATION:";

struct entry {
    char *path;
    char *target; /* of a link */
    struct stat st;
    const struct entry *first; /* of the same file's names; NULL: it is the first */
    /* Written by whoever reads it, before it is taken back: */
    char *text; /* its fields, NULs and all */
    size_t length;
    struct pf_error error;
};

struct tree {
    int root_fd;
    uint64_t mount; /* where root_fd is */
    struct entry *entries;
    size_t count;
    const struct pf_treedigest_settings *settings;
    _Atomic uint64_t hole_bytes; /* that may still come */
    size_t folder;               /* while it is walked: the entry whose names come */
    struct pf_error *err;
};

static bool is_cancelled(const struct tree *tree)
{
    return tree->settings->cancel && atomic_load(tree->settings->cancel);
}

/* Describes one name of a folder. -1 with errno. */
static int look_at(int dir_fd, const char *name, struct entry *entry)
{
    char target[PATH_MAX];
    if (fstatat(dir_fd, name, &entry->st, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (!S_ISLNK(entry->st.st_mode))
        return 0;
    ssize_t length = readlinkat(dir_fd, name, target, sizeof target);
    entry->target = length < 0 ? NULL : strndup(target, (size_t)length);
    return entry->target ? 0 : -1;
}

/* Appends one name of the folder that is read. 1: it failed, and why is known. */
static int add_name(void *ctx, int dir_fd, const char *name)
{
    struct tree *tree = ctx;
    const char *above = tree->folder == SIZE_MAX ? NULL : tree->entries[tree->folder].path;
    struct entry entry = {0};
    if (asprintf(&entry.path, "%s%s%s", above ? above : "", above ? "/" : "", name) < 0)
        entry.path = NULL;
    if (!entry.path || look_at(dir_fd, name, &entry) < 0 ||
        pf_array_room(&tree->entries, tree->count, sizeof *tree->entries) < 0) {
        pf_error_errno(tree->err, "%s", entry.path ? entry.path : name);
        free(entry.path);
        free(entry.target);
        return 1;
    }
    tree->entries[tree->count++] = entry;
    return 0;
}

static int read_folder(struct tree *tree, const char *path)
{
    pf_auto_fd int fd =
        pf_resolve_beneath(tree->root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    uint64_t mount;
    /* What is still mounted there is none of the root. */
    if (fd >= 0 && pf_mounts_id(fd, &mount) == 0 && mount != tree->mount)
        return 0;
    int status = fd < 0 ? -1 : pf_fs_each_name(fd, add_name, tree);
    if (status < 0)
        pf_error_errno(tree->err, "reading %s", path);
    return status ? tree->err->code : 0;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->path, ((const struct entry *)b)->path);
}

static int walk(struct tree *tree)
{
    tree->folder = SIZE_MAX;
    int failed = read_folder(tree, ".");
    for (size_t i = 0; !failed && i < tree->count; i++) {
        const struct entry *entry = &tree->entries[i];
        tree->folder = i;
        if (is_cancelled(tree))
            failed = pf_error_set(tree->err, PF_E_CANCELLED, "stopped");
        else if (S_ISDIR(entry->st.st_mode))
            failed = read_folder(tree, entry->path);
    }
    if (!failed && tree->count)
        qsort(tree->entries, tree->count, sizeof *tree->entries, by_path);
    return failed;
}

/* Finds the first names of files that have several. */
static int find_firsts(struct tree *tree)
{
    struct pf_names files = {0};
    pf_auto_free const struct entry **firsts = calloc(tree->count + 1, sizeof *firsts);
    int failed = firsts ? 0 : pf_error_memory(tree->err);
    for (size_t i = 0; !failed && i < tree->count; i++) {
        struct entry *entry = &tree->entries[i];
        char key[64];
        if (S_ISDIR(entry->st.st_mode) || entry->st.st_nlink < 2)
            continue;
        snprintf(key, sizeof key, "%ju %ju", (uintmax_t)entry->st.st_dev,
                 (uintmax_t)entry->st.st_ino);
        int added = pf_names_add(&files, key);
        if (added < 0)
            failed = pf_error_memory(tree->err);
        else if (added)
            firsts[files.count - 1] = entry;
        else
            entry->first = firsts[pf_names_find(&files, key)];
    }
    pf_names_end(&files);
    return failed;
}

static char letter_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return 'f';
    case S_IFDIR:
        return 'd';
    case S_IFLNK:
        return 'l';
    case S_IFBLK:
        return 'b';
    case S_IFCHR:
        return 'c';
    case S_IFIFO:
        return 'p';
    default:
        return 's';
    }
}

static bool is_record(const char *path)
{
    for (size_t i = 0; i < sizeof record_folders / sizeof *record_folders; i++) {
        if (strncmp(path, record_folders[i], strlen(record_folders[i])) == 0)
            return true;
    }
    return false;
}

/* A record's size and digest, without the line on this machine. */
static int write_record(int fd, FILE *out, struct pf_error *err)
{
    pf_auto_free char *data = NULL;
    size_t length, kept = 0;
    char text[PF_DIGEST_TEXT_SIZE];
    int failed = pf_fs_read_fd(fd, MAX_RECORD_BYTES, &data, &length, err);
    if (failed)
        return failed;
    struct pf_digest *digest = pf_digest_new(PF_DIGEST_SHA256);
    if (!digest)
        return pf_error_memory(err);
    for (size_t at = 0, n; at < length; at += n) {
        const char *newline = memchr(data + at, '\n', length - at);
        n = newline ? (size_t)(newline - (data + at)) + 1 : length - at;
        if (strncmp(data + at, location, sizeof location - 1) == 0)
            continue;
        pf_digest_add(digest, data + at, n);
        kept += n;
    }
    pf_digest_text(digest, text);
    pf_digest_free(digest);
    fprintf(out, "%zu%c%s%c", kept, 0, text, 0);
    return 0;
}

static int write_content(struct tree *tree, const struct entry *entry, int fd, FILE *out,
                         struct pf_error *err)
{
    char text[PF_DIGEST_TEXT_SIZE];
    if (strcmp(entry->path, install_log) == 0)
        return 0;
    if (is_record(entry->path))
        return write_record(fd, out, err);
    int failed = pf_digest_file_within(fd, PF_DIGEST_SHA256, &tree->hole_bytes, text, err);
    if (!failed)
        fprintf(out, "%ju%c%s%c", (uintmax_t)entry->st.st_size, 0, text, 0);
    return failed;
}

static bool belongs_to_tree(const char *name)
{
    return strcmp(name, "security.capability") == 0 || strncmp(name, "user.", 5) == 0;
}

static int write_attribute(int fd, const char *name, FILE *out, struct pf_error *err)
{
    ssize_t length = fgetxattr(fd, name, NULL, 0);
    pf_auto_free unsigned char *value = length < 0 ? NULL : malloc((size_t)length + 1);
    if (value)
        length = fgetxattr(fd, name, value, (size_t)length);
    if (!value || length < 0)
        return pf_error_errno(err, "its attribute %s", name);
    fprintf(out, "%s=", name);
    for (ssize_t i = 0; i < length; i++)
        fprintf(out, "%02x", value[i]);
    putc(0, out);
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int write_attributes(int fd, FILE *out, struct pf_error *err)
{
    ssize_t length = flistxattr(fd, NULL, 0);
    if (length <= 0)
        return length == 0 || errno == EOPNOTSUPP ? 0 : pf_error_errno(err, "its attributes");
    pf_auto_free char *list = malloc((size_t)length);
    pf_auto_free const char **names = calloc((size_t)length, sizeof *names);
    if (!list || !names)
        return pf_error_memory(err);
    length = flistxattr(fd, list, (size_t)length);
    if (length < 0)
        return pf_error_errno(err, "its attributes");
    size_t count = 0;
    for (ssize_t at = 0; at < length; at += (ssize_t)strlen(list + at) + 1) {
        if (belongs_to_tree(list + at))
            names[count++] = list + at;
    }
    qsort(names, count, sizeof *names, by_name);
    int failed = 0;
    for (size_t i = 0; !failed && i < count; i++)
        failed = write_attribute(fd, names[i], out, err);
    return failed;
}

/* A regular file or a folder. */
static int write_opened(struct tree *tree, const struct entry *entry, FILE *out,
                        struct pf_error *err)
{
    pf_auto_fd int fd =
        pf_resolve_beneath(tree->root_fd, entry->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, 0);
    if (fd < 0)
        return pf_error_errno(err, "opening it");
    int failed = S_ISREG(entry->st.st_mode) ? write_content(tree, entry, fd, out, err) : 0;
    return failed ? failed : write_attributes(fd, out, err);
}

static int write_entry(struct tree *tree, const struct entry *entry, FILE *out,
                       struct pf_error *err)
{
    const struct stat *st = &entry->st;
    int failed = 0;
    if (entry->first) {
        fprintf(out, "h%c%s%c%s%c%c", 0, entry->path, 0, entry->first->path, 0, 0);
        return 0;
    }
    char mode[16] = "-";
    if (!S_ISLNK(st->st_mode))
        snprintf(mode, sizeof mode, "%o", st->st_mode & 07777);
    fprintf(out, "%c %s %u %u%c%s%c", letter_of(st->st_mode), mode, st->st_uid, st->st_gid, 0,
            entry->path, 0);
    if (S_ISLNK(st->st_mode))
        fprintf(out, "%s%c", entry->target, 0);
    else if (S_ISREG(st->st_mode) || S_ISDIR(st->st_mode))
        failed = write_opened(tree, entry, out, err);
    else if (S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode))
        fprintf(out, "%u:%u%c", major(st->st_rdev), minor(st->st_rdev), 0);
    putc(0, out);
    return failed;
}

static uint64_t read_entry(void *ctx, void *item)
{
    struct tree *tree = ctx;
    struct entry *entry = item;
    if (is_cancelled(tree)) {
        pf_error_set(&entry->error, PF_E_CANCELLED, "stopped");
        return 0;
    }
    FILE *out = open_memstream(&entry->text, &entry->length);
    if (!out) {
        pf_error_memory(&entry->error);
        return 0;
    }
    if (write_entry(tree, entry, out, &entry->error))
        pf_error_context(&entry->error, "%s", entry->path);
    if (pf_fs_close_text(out, &entry->text) < 0 && !entry->error.code)
        pf_error_memory(&entry->error);
    return 0;
}

static int add_entries(struct tree *tree, struct pf_digest *digest)
{
    struct pf_workers *workers = pf_workers_new(&(struct pf_workers_settings){
        .threads = tree->settings->threads,
        .count = tree->count,
        .fn = read_entry,
        .ctx = tree,
        .window = WINDOW,
    });
    int failed = workers ? 0 : pf_error_errno(tree->err, "starting threads");
    for (size_t i = 0; workers && i < tree->count; i++)
        pf_workers_submit(workers, i, &tree->entries[i], 0);
    for (size_t i = 0; !failed && i < tree->count; i++) {
        struct entry *entry = pf_workers_take(workers);
        if (entry->error.code) {
            *tree->err = entry->error;
            failed = entry->error.code;
            break;
        }
        pf_digest_add(digest, entry->text, entry->length);
        free(entry->text);
        entry->text = NULL;
    }
    pf_workers_free(workers);
    return failed;
}

static int digest_tree(struct tree *tree, char text[PF_DIGEST_TEXT_SIZE])
{
    static const char format[] = "plamo-fast-tree 1";
    int failed = walk(tree);
    if (!failed)
        failed = find_firsts(tree);
    if (failed)
        return failed;
    struct pf_digest *digest = pf_digest_new(PF_DIGEST_SHA256);
    if (!digest)
        return pf_error_memory(tree->err);
    pf_digest_add(digest, format, sizeof format);
    failed = add_entries(tree, digest);
    pf_digest_text(digest, text);
    pf_digest_free(digest);
    return failed;
}

int pf_treedigest(int root_fd, const struct pf_treedigest_settings *settings,
                  char text[PF_DIGEST_TEXT_SIZE], struct pf_error *err)
{
    struct pf_error own = {0};
    pf_auto_fd int bare_fd = pf_mounts_open_bare(root_fd);
    struct tree tree = {.root_fd = bare_fd,
                        .hole_bytes = PF_DIGEST_HOLE_BYTES,
                        .settings = settings,
                        .err = err ? err : &own};
    if (bare_fd < 0 || pf_mounts_id(bare_fd, &tree.mount) < 0)
        return pf_error_errno(err, "the root");
    int failed = digest_tree(&tree, text);
    for (size_t i = 0; i < tree.count; i++) {
        free(tree.entries[i].path);
        free(tree.entries[i].target);
        free(tree.entries[i].text);
    }
    free(tree.entries);
    return failed;
}
