/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "support.h"

#include "event.h"
#include "stage.h"

#include <bzlib.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <lzma.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

int support_begin(bool needs_root)
{
    umask(0);
    if (needs_root && geteuid() != 0) {
        puts("skipped: these tests set owners and make devices, and need root");
        return 77;
    }
    return 0;
}

bool support_own_mounts(void)
{
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

void temp_begin(struct temp *temp)
{
    const char *base = getenv("TMPDIR");
    int n = snprintf(temp->path, sizeof temp->path, "%s/pf-unit-XXXXXX", base ? base : "/tmp");
    if (n < 0 || (size_t)n >= sizeof temp->path || !mkdtemp(temp->path))
        fail_msg("no temporary folder: %s", strerror(errno));
    temp->fd = open(temp->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(temp->fd >= 0);
    assert_int_equal(fchmod(temp->fd, 0755), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)ftw;
    return type == FTW_DP ? rmdir(path) : unlink(path);
}

void temp_end(struct temp *temp)
{
    close(temp->fd);
    nftw(temp->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void put_parents(int dir_fd, const char *path)
{
    char prefix[PATH_MAX];
    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
        snprintf(prefix, sizeof prefix, "%.*s", (int)(slash - path), path);
        if (*prefix && mkdirat(dir_fd, prefix, 0755) < 0 && errno != EEXIST)
            fail_msg("mkdir %s: %s", prefix, strerror(errno));
    }
}

void put_folder(int dir_fd, const char *path, mode_t mode)
{
    put_parents(dir_fd, path);
    if (mkdirat(dir_fd, path, 0755) < 0 && errno != EEXIST)
        fail_msg("mkdir %s: %s", path, strerror(errno));
    assert_int_equal(fchmodat(dir_fd, path, mode, 0), 0);
}

int open_folder(int dir_fd, const char *path)
{
    put_folder(dir_fd, path, 0755);
    int fd = openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

void put_bytes(int dir_fd, const char *path, const void *data, size_t length, mode_t mode)
{
    put_parents(dir_fd, path);
    int fd = openat(dir_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, data, length) != (ssize_t)length || fchmod(fd, mode) < 0)
        fail_msg("writing %s: %s", path, strerror(errno));
    close(fd);
}

void put_file(int dir_fd, const char *path, const char *text)
{
    put_bytes(dir_fd, path, text, strlen(text), 0644);
}

void put_link(int dir_fd, const char *path, const char *target)
{
    put_parents(dir_fd, path);
    if (symlinkat(target, dir_fd, path) < 0)
        fail_msg("symlink %s: %s", path, strerror(errno));
}

static char *read_fd(int fd, size_t *length)
{
    size_t capacity = 1 << 16, used = 0;
    char *data = malloc(capacity + 1);
    for (ssize_t n; (n = read(fd, data + used, capacity - used)) > 0;) {
        used += (size_t)n;
        if (used == capacity)
            data = realloc(data, (capacity *= 2) + 1);
    }
    data[used] = '\0';
    *length = used;
    return data;
}

char *get_file(int dir_fd, const char *path)
{
    int fd = openat(dir_fd, path, O_RDONLY | O_CLOEXEC);
    size_t length;
    if (fd < 0)
        return NULL;
    char *data = read_fd(fd, &length);
    close(fd);
    return data;
}

char *get_link(int dir_fd, const char *path)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(dir_fd, path, target, sizeof target - 1);
    return n < 0 ? NULL : strndup(target, (size_t)n);
}

bool has_name(int dir_fd, const char *path)
{
    struct stat st;
    return fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

struct stat stat_of(int dir_fd, const char *path)
{
    struct stat st = {0};
    if (fstatat(dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
        fail_msg("%s: %s", path, strerror(errno));
    return st;
}

void assert_file(int dir_fd, const char *path, const char *text)
{
    char *data = get_file(dir_fd, path);
    if (!data)
        fail_msg("%s: no such file", path);
    if (strcmp(data, text) != 0)
        fail_msg("%s is \"%s\", not \"%s\"", path, data, text);
    free(data);
}

void assert_link(int dir_fd, const char *path, const char *target)
{
    char *found = get_link(dir_fd, path);
    if (!found)
        fail_msg("%s: no link", path);
    assert_string_equal(found, target);
    free(found);
}

uint32_t random_below(uint64_t *state, uint32_t bound)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33) % bound;
}

void buffer_add(struct buffer *buffer, const void *data, size_t length)
{
    if (buffer->length + length > buffer->capacity) {
        buffer->capacity = (buffer->length + length) * 2 + 4096;
        buffer->data = realloc(buffer->data, buffer->capacity);
        assert_non_null(buffer->data);
    }
    if (length)
        memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
}

void buffer_end(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

/* The tree as lines. */
struct tree {
    unsigned what;
    struct buffer *lines; /* each a buffer of its own */
    size_t count;
    struct {
        ino_t inode;
        char *path;
    } links[256]; /* files of several names, by the name that sorts first */
    size_t link_count;
};

static void add_text(struct buffer *line, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void add_text(struct buffer *line, const char *fmt, ...)
{
    char text[PATH_MAX * 2];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    buffer_add(line, text, (size_t)n);
}

static void add_content(struct buffer *line, int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    size_t length = 0;
    char *data = fd < 0 ? strdup("?") : read_fd(fd, &length);
    uint32_t sum = (uint32_t)crc32(0, (const Bytef *)data, (uInt)length);
    add_text(line, " %zu:%08x", length, sum);
    free(data);
    close(fd);
}

static void add_xattrs(struct buffer *line, int dir_fd, const char *name)
{
    char names[4096], value[4096];
    int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : flistxattr(fd, names, sizeof names);
    for (ssize_t at = 0; at < length; at += (ssize_t)strlen(names + at) + 1) {
        ssize_t n = fgetxattr(fd, names + at, value, sizeof value);
        add_text(line, " %s=%08x", names + at,
                 (unsigned)crc32(0, (const Bytef *)value, (uInt)(n < 0 ? 0 : n)));
    }
    if (fd >= 0)
        close(fd);
}

static const char *first_name(struct tree *tree, ino_t inode, const char *path)
{
    for (size_t i = 0; i < tree->link_count; i++) {
        if (tree->links[i].inode == inode)
            return tree->links[i].path;
    }
    assert_true(tree->link_count < sizeof tree->links / sizeof *tree->links);
    tree->links[tree->link_count].inode = inode;
    return tree->links[tree->link_count++].path = strdup(path);
}

static void walk(struct tree *tree, int dir_fd, const char *folder);

static void add_name(struct tree *tree, int dir_fd, const char *folder, const char *name)
{
    struct buffer *line = &(struct buffer){0};
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s%s%s", folder, *folder ? "/" : "", name);
    struct stat st = stat_of(dir_fd, name);
    add_text(line, "%s %o %u:%u", path, st.st_mode, st.st_uid, st.st_gid);
    if (S_ISREG(st.st_mode))
        add_content(line, dir_fd, name);
    if (!S_ISDIR(st.st_mode) && st.st_nlink > 1)
        add_text(line, " =%s(%u)", first_name(tree, st.st_ino, path), (unsigned)st.st_nlink);
    if (S_ISLNK(st.st_mode)) {
        char *target = get_link(dir_fd, name);
        add_text(line, " -> %s", target);
        free(target);
    }
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
        add_text(line, " %u,%u", major(st.st_rdev), minor(st.st_rdev));
    if (tree->what & (S_ISDIR(st.st_mode) ? TREE_FOLDER_TIMES : TREE_TIMES))
        add_text(line, " @%lld.%09ld", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    if ((tree->what & TREE_HOLES) && S_ISREG(st.st_mode))
        add_text(line, " #%lld", (long long)st.st_blocks);
    if (tree->what & TREE_XATTRS)
        add_xattrs(line, dir_fd, name);
    buffer_add(line, "\n", 2);
    tree->lines = realloc(tree->lines, (tree->count + 1) * sizeof *tree->lines);
    tree->lines[tree->count++] = *line;
    if (S_ISDIR(st.st_mode)) {
        int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0)
            fail_msg("%s: %s", path, strerror(errno));
        walk(tree, fd, path);
        close(fd);
    }
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void walk(struct tree *tree, int dir_fd, const char *folder)
{
    DIR *dir = fdopendir(openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    char **names = NULL;
    size_t count = 0;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        names = realloc(names, (count + 1) * sizeof *names);
        names[count++] = strdup(e->d_name);
    }
    closedir(dir);
    if (count)
        qsort(names, count, sizeof *names, compare_strings);
    for (size_t i = 0; i < count; i++) {
        add_name(tree, dir_fd, folder, names[i]);
        free(names[i]);
    }
    free(names);
}

char *tree_text(int dir_fd, unsigned what)
{
    struct tree tree = {.what = what};
    struct buffer text = {0};
    walk(&tree, dir_fd, "");
    for (size_t i = 0; i < tree.count; i++) {
        buffer_add(&text, tree.lines[i].data, tree.lines[i].length - 1);
        buffer_end(&tree.lines[i]);
    }
    for (size_t i = 0; i < tree.link_count; i++)
        free(tree.links[i].path);
    free(tree.lines);
    buffer_add(&text, "", 1);
    return (char *)text.data;
}

void assert_same_tree(int a_fd, int b_fd, unsigned what)
{
    char *a = tree_text(a_fd, what), *b = tree_text(b_fd, what);
    if (strcmp(a, b) != 0)
        fail_msg("the trees differ:\n%s\n--- and ---\n%s", a, b);
    free(a);
    free(b);
}

void tar_checksum(unsigned char header[512])
{
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum);
}

void tar_add(struct buffer *tar, const struct tar_member *m)
{
    char header[512] = {0};
    char type = m->type ? m->type : '0';
    size_t length = !m->data ? 0 : m->length ? m->length : strlen(m->data);
    unsigned mode = m->mode ? m->mode & 07777 : type == '5' ? 0755 : 0644;
    size_t name_length = strlen(m->name), link_length = m->link ? strlen(m->link) : 0;
    memcpy(header, m->name, name_length < 100 ? name_length : 100);
    snprintf(header + 100, 8, "%07o", mode);
    snprintf(header + 108, 8, "%07o", m->uid);
    snprintf(header + 116, 8, "%07o", m->gid);
    snprintf(header + 124, 12, "%011zo", length);
    snprintf(header + 136, 12, "%011lo", m->mtime ? m->mtime : TAR_TIME);
    header[156] = type;
    if (m->link)
        memcpy(header + 157, m->link, link_length < 100 ? link_length : 100);
    memcpy(header + 257, "ustar\00000", 8);
    snprintf(header + 329, 8, "%07o", m->device_major);
    snprintf(header + 337, 8, "%07o", m->device_minor);
    tar_checksum((unsigned char *)header);
    buffer_add(tar, header, sizeof header);
    buffer_add(tar, m->data, length);
    static const char zeros[512];
    buffer_add(tar, zeros, (512 - length % 512) % 512);
}

void tar_add_pax(struct buffer *tar, const char *key, const char *value)
{
    char record[8192];
    size_t body = strlen(key) + strlen(value) + 3, length = body + 1;
    for (int i = 0; i < 4; i++) /* the length counts its own digits */
        length = body + (size_t)snprintf(NULL, 0, "%zu", length);
    snprintf(record, sizeof record, "%zu %s=%s\n", length, key, value);
    tar_add(tar, &(struct tar_member){.name = "PaxHeaders/x", .type = 'x', .data = record});
}

void tar_end(struct buffer *tar)
{
    static const char zeros[1024];
    buffer_add(tar, zeros, sizeof zeros);
}

void tar_of(struct buffer *tar, const struct tar_member *members)
{
    for (; members->name; members++)
        tar_add(tar, members);
    tar_end(tar);
}

int stage_tar(int dir_fd, const char *file, const char *folder, const struct buffer *tar,
              const struct pf_stage_limits *limits, struct pf_staged **out, struct pf_error *err)
{
    static const struct pf_stage_limits defaults = PF_STAGE_LIMITS_DEFAULT;
    struct buffer packed = {0};
    enum pf_format format = pf_pkgname_format(file);
    compress_to(format ? format : PF_FORMAT_GZIP, tar->data, tar->length, &packed);
    put_bytes(dir_fd, file, packed.data, packed.length, 0644);
    buffer_end(&packed);
    int fd = openat(dir_fd, file, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    struct pf_stage_limits own = limits ? *limits : defaults;
    *out = NULL;
    *err = (struct pf_error){0};
    int status = pf_stage_package(fd, file, open_folder(dir_fd, folder), &own, out, err);
    close(fd);
    return status;
}

void compress_to(enum pf_format format, const void *data, size_t length, struct buffer *out)
{
    size_t room = length + length / 50 + 4096;
    unsigned char *packed = malloc(room);
    size_t packed_length = 0;
    unsigned bz_length = (unsigned)room;
    z_stream z = {0};
    ZSTD_CCtx *zstd;
    assert_non_null(packed);
    switch (format) {
    case PF_FORMAT_GZIP:
        assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
        z.next_in = (Bytef *)data;
        z.avail_in = (uInt)length;
        z.next_out = packed;
        z.avail_out = (uInt)room;
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        packed_length = z.total_out;
        deflateEnd(&z);
        break;
    case PF_FORMAT_BZIP2:
        assert_int_equal(BZ2_bzBuffToBuffCompress((char *)packed, &bz_length, (char *)data,
                                                  (unsigned)length, 9, 0, 0),
                         BZ_OK);
        packed_length = bz_length;
        break;
    case PF_FORMAT_XZ:
        assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC64, NULL, data, length, packed,
                                                 &packed_length, room),
                         LZMA_OK);
        break;
    case PF_FORMAT_ZSTD:
        zstd = ZSTD_createCCtx();
        ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
        packed_length = ZSTD_compress2(zstd, packed, room, data, length);
        assert_false(ZSTD_isError(packed_length));
        ZSTD_freeCCtx(zstd);
        break;
    case PF_FORMAT_NONE:
        fail();
    }
    buffer_add(out, packed, packed_length);
    free(packed);
}

const char *suffix_of(enum pf_format format)
{
    static const char *const suffixes[] = {"", ".tgz", ".tbz", ".txz", ".tzst"};
    return suffixes[format];
}

int pipe_begin(int dir_fd, const char *path)
{
    assert_int_equal(mkfifoat(dir_fd, path, 0600), 0);
    int fd = openat(dir_fd, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

void wait_for_no_holder(int pipe_fd)
{
    struct pollfd held = {.fd = pipe_fd};
    assert_int_equal(poll(&held, 1, 60000), 1);
    assert_int_equal(held.revents, POLLHUP);
    close(pipe_fd);
}

/* Seconds of processor, the least of several runs: whatever else the machine does only adds. */
static double least_time(void (*run)(void *, size_t), void *arg, size_t size, int runs)
{
    double least = 0;
    for (int i = 0; i < runs; i++) {
        struct timespec before, after;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
        run(arg, size);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
        double took =
            (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
        if (i == 0 || took < least)
            least = took;
    }
    return least;
}

void assert_linear(void (*run)(void *arg, size_t size), void *arg, size_t small)
{
    double one = 0, eight = 0;
    /* What grows as the square does so each time; what others do to the processor's caches and to
       the accounting of its time does not. */
    for (int tries = 0; tries < 10; tries++) {
        one = least_time(run, arg, small, 5);
        eight = least_time(run, arg, 8 * small, 2);
        if (eight <= 32 * one)
            return;
    }
    fail_msg("8 times as much took %.1f times as long (%.6f s, %.6f s)", eight / one, one, eight);
}

static void keep_event(void *ctx, const struct pf_event *event)
{
    struct event_log *log = ctx;
    size_t used = strlen(log->text);
    log->count++;
    snprintf(log->text + used, sizeof log->text - used, "%d|%s|%s\n", event->type,
             event->subject ? event->subject : "", event->text ? event->text : "");
}

void event_log_begin(struct event_log *log)
{
    *log = (struct event_log){0};
    log->events = pf_events_new(keep_event, log);
    assert_non_null(log->events);
}

void event_log_end(struct event_log *log)
{
    pf_events_free(log->events);
}
