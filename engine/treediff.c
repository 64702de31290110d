/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "treediff.h"

#include "array.h"
#include "fs.h"
#include "livemount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Each level has two descriptors open. A package has at most 128 levels by default. */
#define MAX_DEPTH 256

#define PIECE_BYTES (64 << 10)

struct walk {
    pf_difference_fn fn;
    void *ctx;
    const atomic_bool *stop;
    struct pf_error *err;
    char *pieces; /* two of PIECE_BYTES */
    struct pf_livemount a_mount, b_mount;
    char path[PATH_MAX];
    size_t length; /* of path */
};

struct names {
    char **items;
    size_t count;
};

static void end_names(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}

static int take_name(void *ctx, int fd, const char *name)
{
    struct names *names = ctx;
    (void)fd;
    char *copy = strdup(name);
    if (!copy || pf_array_room(&names->items, names->count, sizeof *names->items) < 0) {
        free(copy);
        errno = ENOMEM;
        return -1;
    }
    names->items[names->count++] = copy;
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int system_error(const struct walk *w, const char *which)
{
    return pf_error_errno(w->err, "%s, in the %s root", *w->path ? w->path : ".", which);
}

static int list(const struct walk *w, int fd, const char *which, struct names *names)
{
    if (pf_fs_each_name(fd, take_name, names))
        return system_error(w, which);
    if (names->count)
        qsort(names->items, names->count, sizeof *names->items, by_text);
    return 0;
}

int pf_treediff_entry(int dir_fd, const char *name, struct pf_entry *entry, char *target)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
        return -1;
    *entry = (struct pf_entry){.mode = st.st_mode, .uid = st.st_uid, .gid = st.st_gid};
    if (S_ISREG(st.st_mode))
        entry->size_bytes = st.st_size;
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
        entry->device = st.st_rdev;
    if (!S_ISLNK(st.st_mode))
        return 0;
    ssize_t n = readlinkat(dir_fd, name, target, PATH_MAX - 1);
    if (n < 0)
        return -1;
    target[n] = '\0';
    entry->target = target;
    return 0;
}

unsigned pf_treediff_compare(const struct pf_entry *a, const struct pf_entry *b)
{
    unsigned what = 0;
    if (a->uid != b->uid || a->gid != b->gid)
        what |= PF_DIFFERS_OWNER;
    if ((a->mode & S_IFMT) != (b->mode & S_IFMT))
        return what | PF_DIFFERS_TYPE;
    /* A link's mode means nothing. */
    if ((a->mode & 07777) != (b->mode & 07777) && !S_ISLNK(a->mode))
        what |= PF_DIFFERS_MODE;
    if (a->size_bytes != b->size_bytes)
        what |= PF_DIFFERS_SIZE;
    if (a->device != b->device)
        what |= PF_DIFFERS_DEVICE;
    if (a->target && b->target && strcmp(a->target, b->target) != 0)
        what |= PF_DIFFERS_TARGET;
    return what;
}

static ssize_t read_piece(int fd, char *piece)
{
    size_t used = 0;
    while (used < PIECE_BYTES) {
        ssize_t n = read(fd, piece + used, PIECE_BYTES - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        used += (size_t)n;
    }
    return (ssize_t)used;
}

/* Opens what was a regular file a moment ago. */
static int open_file(int dir_fd, const char *name)
{
    return openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* 1: two files of the same size have another content; 0; or a code. One that is gone by now has
   none. */
static int contents_differ(const struct walk *w, int a_fd, int b_fd, const char *name)
{
    pf_auto_fd int a = open_file(a_fd, name);
    if (a < 0)
        return errno == ENOENT ? 1 : system_error(w, "first");
    pf_auto_fd int b = open_file(b_fd, name);
    if (b < 0)
        return errno == ENOENT ? 1 : system_error(w, "second");
    for (;;) {
        if (w->stop && atomic_load(w->stop))
            return pf_error_set(w->err, PF_E_CANCELLED, "stopped");
        ssize_t n = read_piece(a, w->pieces);
        if (n < 0)
            return system_error(w, "first");
        ssize_t m = read_piece(b, w->pieces + PIECE_BYTES);
        if (m < 0)
            return system_error(w, "second");
        if (n != m || memcmp(w->pieces, w->pieces + PIECE_BYTES, (size_t)n) != 0)
            return 1;
        if (n == 0)
            return 0;
    }
}

static int compare_folders(struct walk *w, int a_fd, int b_fd, unsigned depth);

/* The path gets one name more, or loses it again. */
static int push(struct walk *w, const char *name)
{
    size_t length = strlen(name);
    if (w->length + length + 2 > sizeof w->path)
        return pf_error_set(w->err, PF_E_LIMIT, "%.64s…: the path is too long", w->path);
    if (w->length)
        w->path[w->length++] = '/';
    memcpy(w->path + w->length, name, length + 1);
    w->length += length;
    return 0;
}

static void pop(struct walk *w, size_t length)
{
    w->length = length;
    w->path[length] = '\0';
}

static int tell(struct walk *w, unsigned what, const struct pf_entry *a, const struct pf_entry *b)
{
    struct pf_difference difference = {.path = w->path, .what = what};
    if (a)
        difference.a = *a;
    if (b)
        difference.b = *b;
    return w->fn(w->ctx, &difference);
}

static int descend(struct walk *w, int a_fd, int b_fd, const char *name, unsigned depth)
{
    static const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if (depth == MAX_DEPTH)
        return pf_error_set(w->err, PF_E_LIMIT, "%.64s…: folders nested deeper than %d", w->path,
                            MAX_DEPTH);
    pf_auto_fd int a = openat(a_fd, name, flags);
    if (a < 0)
        return errno == ENOENT ? 0 : system_error(w, "first");
    pf_auto_fd int b = openat(b_fd, name, flags);
    if (b < 0)
        return errno == ENOENT ? 0 : system_error(w, "second");
    return compare_folders(w, a, b, depth + 1);
}

static int only_one(struct walk *w, int fd, const char *name, bool added)
{
    char target[PATH_MAX];
    struct pf_entry entry;
    if (pf_treediff_entry(fd, name, &entry, target) < 0)
        return errno == ENOENT ? 0 : system_error(w, added ? "second" : "first");
    return added ? tell(w, PF_DIFFERS_ADDED, NULL, &entry)
                 : tell(w, PF_DIFFERS_REMOVED, &entry, NULL);
}

static int compare_entries(struct walk *w, int a_fd, int b_fd, const char *name, unsigned depth)
{
    char targets[2][PATH_MAX];
    struct pf_entry a, b;
    if (pf_treediff_entry(a_fd, name, &a, targets[0]) < 0)
        return errno == ENOENT ? only_one(w, b_fd, name, true) : system_error(w, "first");
    if (pf_treediff_entry(b_fd, name, &b, targets[1]) < 0)
        return errno == ENOENT ? tell(w, PF_DIFFERS_REMOVED, &a, NULL) : system_error(w, "second");
    unsigned what = pf_treediff_compare(&a, &b);
    bool same_kind = !(what & PF_DIFFERS_TYPE);
    if (same_kind && S_ISREG(a.mode) && a.size_bytes == b.size_bytes) {
        int differ = contents_differ(w, a_fd, b_fd, name);
        if (differ < 0)
            return differ;
        what |= differ ? PF_DIFFERS_CONTENT : 0;
    }
    if ((what || S_ISDIR(a.mode)) && (pf_livemount_covers(&w->a_mount, a_fd, name) ||
                                      pf_livemount_covers(&w->b_mount, b_fd, name)))
        return tell(w, PF_DIFFERS_MOUNTED, &a, &b);
    int status = what ? tell(w, what, &a, &b) : 0;
    return status || !same_kind || !S_ISDIR(a.mode) ? status : descend(w, a_fd, b_fd, name, depth);
}

static int merge(struct walk *w, int a_fd, int b_fd, const struct names *a, const struct names *b,
                 unsigned depth)
{
    int status = 0;
    for (size_t i = 0, k = 0; !status && (i < a->count || k < b->count);) {
        int order = i == a->count ? 1 : k == b->count ? -1 : strcmp(a->items[i], b->items[k]);
        const char *name = order <= 0 ? a->items[i] : b->items[k];
        size_t before = w->length;
        if (w->stop && atomic_load(w->stop))
            return pf_error_set(w->err, PF_E_CANCELLED, "stopped");
        status = push(w, name);
        if (!status && order == 0)
            status = compare_entries(w, a_fd, b_fd, name, depth);
        else if (!status)
            status = only_one(w, order < 0 ? a_fd : b_fd, name, order > 0);
        pop(w, before);
        i += order <= 0;
        k += order >= 0;
    }
    return status;
}

static int compare_folders(struct walk *w, int a_fd, int b_fd, unsigned depth)
{
    struct names a = {0}, b = {0};
    int status = list(w, a_fd, "first", &a);
    if (!status)
        status = list(w, b_fd, "second", &b);
    if (!status)
        status = merge(w, a_fd, b_fd, &a, &b, depth);
    end_names(&a);
    end_names(&b);
    return status;
}

int pf_treediff(int a_fd, int b_fd, pf_difference_fn fn, void *ctx, const atomic_bool *stop,
                struct pf_error *err)
{
    struct pf_error local = {0};
    struct walk w = {.fn = fn, .ctx = ctx, .stop = stop, .err = err ? err : &local};
    struct pf_entry a, b;
    char target[PATH_MAX];
    if (pf_treediff_entry(a_fd, "", &a, target) < 0)
        return system_error(&w, "first");
    if (pf_treediff_entry(b_fd, "", &b, target) < 0)
        return system_error(&w, "second");
    if (pf_livemount_init(&w.a_mount, a_fd) < 0)
        return system_error(&w, "first");
    if (pf_livemount_init(&w.b_mount, b_fd) < 0)
        return system_error(&w, "second");
    w.pieces = malloc(2 * PIECE_BYTES);
    if (!w.pieces)
        return pf_error_memory(err);
    unsigned what = pf_treediff_compare(&a, &b);
    int status = what ? tell(&w, what, &a, &b) : 0;
    if (!status)
        status = compare_folders(&w, a_fd, b_fd, 0);
    free(w.pieces);
    return status;
}
