/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "packagecheck.h"

#include "array.h"
#include "fs.h"
#include "message.h"
#include "pkgname.h"
#include "resolve.h"
#include "tarread.h"
#include "treediff.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* More of one package say no more. */
#define MAX_FINDINGS 10000

#define PIECE_BYTES (64 << 10)

/* One package being read. */
struct reading {
    const struct pf_packagecheck *check;
    struct pf_tarread *tar;
    struct pf_packagecheck_result *out;
    const char *stem;
    uint32_t members;
    char *piece; /* PIECE_BYTES, of the root's file */
    struct pf_error *err;
};

static int skip_block(void *ctx, const void *data, size_t length, off_t offset)
{
    (void)ctx;
    (void)data;
    (void)length;
    (void)offset;
    return 0;
}

/* The root's file beside the member's data. */
struct comparison {
    int fd;
    char *piece;
    off_t end; /* of what was compared */
    bool differs;
    struct pf_error *err;
};

/* data NULL: zeros, as a hole has them. */
static int compare_piece(struct comparison *c, const char *data, size_t length, off_t offset)
{
    while (length > 0 && !c->differs) {
        size_t wanted = length < PIECE_BYTES ? length : PIECE_BYTES;
        ssize_t n = pread(c->fd, c->piece, wanted, offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pf_error_errno(c->err, "reading the root");
        bool same = n > 0;
        for (ssize_t i = 0; !data && same && i < n; i++)
            same = c->piece[i] == '\0';
        if (data && same)
            same = memcmp(data, c->piece, (size_t)n) == 0;
        c->differs = !same;
        data += data ? n : 0;
        offset += n;
        length -= (size_t)n;
    }
    return 0;
}

static int compare_block(void *ctx, const void *data, size_t length, off_t offset)
{
    struct comparison *c = ctx;
    int failed = offset > c->end ? compare_piece(c, NULL, (size_t)(offset - c->end), c->end) : 0;
    c->end = offset + (off_t)length;
    return failed ? failed : compare_piece(c, data, length, offset);
}

static int read_data(struct reading *r, int64_t size, pf_tarread_sink_fn sink, void *ctx)
{
    return pf_tarread_data(r->tar, size, r->check->limits->sparse_free, sink, ctx, r->err);
}

/* 1: the content is another; 0; or a code. */
static int compare_content(struct reading *r, int dir_fd, const char *name, int64_t size)
{
    pf_auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return pf_error_errno(r->err, "%s, in the root", name);
    struct comparison c = {.fd = fd, .piece = r->piece, .err = r->err};
    int failed = read_data(r, size, compare_block, &c);
    if (!failed && c.end < size)
        failed = compare_piece(&c, NULL, (size_t)(size - c.end), c.end);
    return failed ? failed : c.differs;
}

static const char *kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFREG:
        return pf_message(N_("a file"));
    case S_IFDIR:
        return pf_message(N_("a folder"));
    case S_IFLNK:
        return pf_message(N_("a link"));
    case S_IFCHR:
    case S_IFBLK:
        return pf_message(N_("a device"));
    case S_IFIFO:
        return pf_message(N_("a fifo"));
    default:
        return pf_message(N_("a socket"));
    }
}

static void add_words(FILE *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One way more, behind a comma where there was one before. */
static void add_words(FILE *out, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    if (ftell(out) > 0)
        fputs(", ", out);
    vfprintf(out, pf_message(fmt), args);
    va_end(args);
}

/* All the ways in which what is there is not what should be, in words. */
static int describe(unsigned what, const struct pf_entry *there, const struct pf_entry *wanted,
                    char **text)
{
    size_t length;
    FILE *out = open_memstream(text, &length);
    if (!out)
        return -1;
    if (what & PF_DIFFERS_TYPE)
        add_words(out, "%s instead of %s", kind_of(there->mode), kind_of(wanted->mode));
    if (what & PF_DIFFERS_MODE)
        add_words(out, "mode %04o instead of %04o", (unsigned)there->mode & 07777,
                  (unsigned)wanted->mode & 07777);
    if (what & PF_DIFFERS_OWNER)
        add_words(out, "owner %u:%u instead of %u:%u", (unsigned)there->uid, (unsigned)there->gid,
                  (unsigned)wanted->uid, (unsigned)wanted->gid);
    if (what & PF_DIFFERS_SIZE)
        add_words(out, "%jd bytes instead of %jd", (intmax_t)there->size_bytes,
                  (intmax_t)wanted->size_bytes);
    if (what & PF_DIFFERS_TARGET)
        add_words(out, "leads to %s instead of %s", there->target, wanted->target);
    if (what & PF_DIFFERS_DEVICE)
        add_words(out, "device %u:%u instead of %u:%u", major(there->device), minor(there->device),
                  major(wanted->device), minor(wanted->device));
    if (what & PF_DIFFERS_CONTENT)
        add_words(out, "other content");
    return pf_fs_close_text(out, text);
}

/* A member of a name that was there before takes the place of that one, and of what was found. */
static void forget(struct pf_packagecheck_result *out, const char *path)
{
    for (size_t i = out->count; i-- > 0;) {
        if (strcmp(out->findings[i].path, path) == 0) {
            free(out->findings[i].text);
            out->findings[i].text = NULL;
        }
    }
}

static int add_finding(struct reading *r, const char *path, unsigned what,
                       const struct pf_entry *there, const struct pf_entry *wanted)
{
    struct pf_packagecheck_result *out = r->out;
    if (out->count == MAX_FINDINGS)
        return 0;
    if (pf_array_room(&out->findings, out->count, sizeof *out->findings) < 0)
        return pf_error_memory(r->err);
    struct pf_packagecheck_finding finding = {.path = strdup(path),
                                              .what = what,
                                              .there = *there,
                                              .target = NULL};
    if (there->target)
        finding.there.target = finding.target = strdup(there->target);
    if (!finding.path || (there->target && !finding.target) ||
        describe(what, there, wanted, &finding.text) < 0) {
        free(finding.path);
        free(finding.target);
        return pf_error_memory(r->err);
    }
    out->findings[out->count++] = finding;
    return 0;
}

static struct pf_entry entry_of(struct archive_entry *member)
{
    struct pf_entry entry = {.mode = archive_entry_mode(member),
                             .uid = (uid_t)archive_entry_uid(member),
                             .gid = (gid_t)archive_entry_gid(member)};
    if (S_ISREG(entry.mode))
        entry.size_bytes = archive_entry_size(member);
    if (S_ISLNK(entry.mode))
        entry.target = archive_entry_symlink(member);
    if (S_ISCHR(entry.mode) || S_ISBLK(entry.mode))
        entry.device = makedev(archive_entry_rdevmajor(member), archive_entry_rdevminor(member));
    return entry;
}

/* Opens the folder that a path without links is in. */
static int open_above(int root_fd, const char *path, const char **leaf)
{
    char above[PATH_MAX];
    const char *slash = strrchr(path, '/');
    *leaf = slash ? slash + 1 : path;
    snprintf(above, sizeof above, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    return pf_resolve_beneath(root_fd, above, O_PATH | O_DIRECTORY, 0);
}

/* What the root has in the place of a member that is this package's. */
static int compare_member(struct reading *r, struct archive_entry *member, const char *path)
{
    const char *leaf;
    char target[PATH_MAX];
    struct pf_entry wanted = entry_of(member), there;
    pf_auto_fd int dir_fd = open_above(r->check->root_fd, path, &leaf);
    if (dir_fd < 0 || pf_treediff_entry(dir_fd, leaf, &there, target) < 0)
        return read_data(r, -1, skip_block, NULL);
    unsigned what = pf_treediff_compare(&there, &wanted);
    if (r->check->is_closed && !*path)
        what &= ~(unsigned)PF_DIFFERS_MODE;
    int differ = 0;
    if (S_ISREG(wanted.mode) && S_ISREG(there.mode) && !(what & PF_DIFFERS_SIZE))
        differ = compare_content(r, dir_fd, leaf, wanted.size_bytes);
    if (differ < 0)
        return differ;
    r->out->compared++;
    forget(r->out, path);
    what |= differ ? PF_DIFFERS_CONTENT : 0;
    return what ? add_finding(r, path, what, &there, &wanted) : 0;
}

static int check_member(struct reading *r, struct archive_entry *member)
{
    const char *stored = archive_entry_pathname(member);
    const struct pf_packagecheck *check = r->check;
    char real[PATH_MAX];
    if (!stored)
        return pf_error_set(r->err, PF_E_CORRUPT, "a member's name cannot be read");
    if (r->members++ == check->limits->members)
        return pf_error_set(r->err, PF_E_LIMIT, "it has more than %u members",
                            check->limits->members);
    pf_auto_free char *path = malloc(strlen(stored) + 1);
    if (!path)
        return pf_error_memory(r->err);
    int failed = pf_members_normalise(stored, check->limits->depth, path, r->err);
    if (failed)
        return failed;
    bool folder = archive_entry_filetype(member) == AE_IFDIR;
    /* A hard link has the content and the rest of what it is a name of. */
    bool is_name = archive_entry_hardlink(member) != NULL;
    if (check->root_fd >= 0 && !is_name &&
        pf_ownership_is_winner(check->ownership, path, folder, r->stem, real))
        return compare_member(r, member, real);
    return read_data(r, -1, skip_block, NULL);
}

static int read_package(struct reading *r, int fd, enum pf_format format,
                        const struct pf_manifest_entry *entry)
{
    struct pf_decode_limits limits = r->check->limits->decode;
    struct pf_checksum sha256 = {.kind = PF_DIGEST_SHA256};
    char digest[PF_DIGEST_TEXT_SIZE];
    struct archive_entry *member;
    memcpy(sha256.hex, entry->sha256, sizeof sha256.hex);
    limits.checksum = sha256.hex[0] ? &sha256 : NULL;
    int status = pf_tarread_new(fd, format, &limits, r->check->stop, &r->tar, r->err);
    if (status)
        return status;
    while ((status = pf_tarread_next(r->tar, &member, r->err)) > 0) {
        status = check_member(r, member);
        if (status)
            break;
    }
    if (!status)
        pf_tarread_digest(r->tar, digest);
    if (!status && entry->xxh3[0] && strcmp(entry->xxh3, digest) != 0)
        status =
            pf_error_set(r->err, PF_E_CORRUPT, "it is whole, but not the file that was downloaded");
    pf_tarread_free(r->tar);
    return status;
}

/* A text beside packages: only a lockfile knows what it should be. */
static int check_text(int fd, const struct pf_manifest_entry *entry, struct pf_error *err)
{
    char digest[PF_DIGEST_TEXT_SIZE];
    int failed = entry->sha256[0] ? pf_digest_file(fd, PF_DIGEST_SHA256, digest, err) : 0;
    if (!failed && entry->sha256[0] && strcmp(digest, entry->sha256) != 0)
        failed = pf_error_set(err, PF_E_CORRUPT, "it is not the file that was downloaded");
    return failed;
}

int pf_packagecheck_run(const struct pf_packagecheck *check, const struct pf_manifest_entry *entry,
                        struct pf_packagecheck_result *out, struct pf_error *err)
{
    struct stat st;
    struct pf_pkgname name;
    if (check->stop && atomic_load(check->stop))
        return pf_error_set(err, PF_E_CANCELLED, "stopped");
    if (fstatat(check->folder_fd, entry->file, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? pf_error_set(err, PF_E_CORRUPT, "it is missing")
                               : pf_error_errno(err, "%s", entry->file);
    if (!S_ISREG(st.st_mode))
        return pf_error_set(err, PF_E_CORRUPT, "it is not a regular file");
    if ((uint64_t)st.st_size != entry->size_bytes)
        return pf_error_set(err, PF_E_CORRUPT, "%jd bytes instead of %" PRIu64,
                            (intmax_t)st.st_size, entry->size_bytes);
    pf_auto_fd int fd =
        openat(check->folder_fd, entry->file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return pf_error_errno(err, "%s", entry->file);
    if (pf_pkgname_parse(entry->file, &name) < 0)
        return check_text(fd, entry, err);
    pf_auto_free char *piece = malloc(PIECE_BYTES);
    if (!piece)
        return pf_error_memory(err);
    struct pf_error local = {0};
    struct reading r = {
        .check = check, .out = out, .stem = name.stem, .piece = piece, .err = err ? err : &local};
    return read_package(&r, fd, name.format, entry);
}

void pf_packagecheck_end(struct pf_packagecheck_result *result)
{
    for (size_t i = 0; i < result->count; i++) {
        free(result->findings[i].path);
        free(result->findings[i].text);
        free(result->findings[i].target);
    }
    free(result->findings);
    *result = (struct pf_packagecheck_result){0};
}
