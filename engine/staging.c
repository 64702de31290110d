/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "staging.h"

#include "clock.h"
#include "fs.h"
#include "partfile.h"
#include "pkgname.h"
#include "workers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What is staged ahead of the commits may take so much memory; the next packages in the plan may
   always be staged, so many of them. */
#define MAX_AHEAD_MEMORY (UINT64_C(32) << 20)
#define WINDOW           48

#define STOP_INTERVAL_NS 100000000

/* A package is begun before it is whole when so much is there, and then told of more in such steps:
   smaller ones are not worth it. */
#define MIN_PART  (UINT64_C(1) << 20)
#define PART_STEP (UINT64_C(256) << 10)

/* One package on its way. The worker that runs it owns it, then whoever takes it. */
struct item {
    struct pf_staging *staging;
    struct pf_staging_package package;
    uint64_t packed_bytes; /* of the file; about, while it comes */
    int64_t told_ms;       /* when its progress was last told */
    bool whole;            /* its file was so when it was last looked at */
    uint64_t part_bytes;   /* whoever calls pf_staging_part: what was last told of */
};

struct pf_staging {
    struct pf_staging_settings settings;
    int stage_fd;
    struct item *items; /* the packages, in order */
    size_t *item_of;    /* manifest index → item; SIZE_MAX: no package */
    size_t item_count;
    struct pf_workers *workers;
    pthread_mutex_t mutex; /* of the rest */
    pthread_cond_t file_cond;
    bool *is_whole; /* per package: its file is */
    bool given_up;  /* no further one will be */
};

static const struct pf_manifest_entry *entry_of(const struct item *item)
{
    return &item->staging->settings.manifest->entries[item->package.index];
}

static const char *file_of(const struct item *item)
{
    return entry_of(item)->file;
}

static void stage_name(const struct item *item, char name[32])
{
    snprintf(name, 32, "%zu", item->package.index);
}

static int open_stage_folder(const struct item *item, struct pf_error *err)
{
    char name[32];
    stage_name(item, name);
    int fd = openat(item->staging->stage_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? pf_error_errno(err, "opening the folder to unpack %s in", file_of(item)) : fd;
}

static int make_stage_folder(const struct item *item, struct pf_error *err)
{
    char name[32];
    stage_name(item, name);
    if (mkdirat(item->staging->stage_fd, name, 0700) < 0)
        return pf_error_errno(err, "making a folder to unpack %s in", file_of(item));
    return open_stage_folder(item, err);
}

static int remove_stage_folder(const struct item *item, struct pf_error *err)
{
    char name[32];
    stage_name(item, name);
    return pf_fs_remove_tree(item->staging->stage_fd, name, err);
}

static void tell(const struct item *item, enum pf_event_type type, uint64_t bytes)
{
    pf_events_send(item->staging->settings.events, &(struct pf_event){.type = type,
                                                                      .subject = file_of(item),
                                                                      .bytes = bytes,
                                                                      .total = item->packed_bytes});
}

static int64_t on_await(void *ctx, uint64_t offset)
{
    struct item *item = ctx;
    const struct pf_staging *staging = item->staging;
    if (item->whole)
        return INT64_MAX;
    int64_t there = pf_workers_await(staging->workers, (size_t)(item - staging->items), offset);
    item->whole = there == INT64_MAX;
    return there;
}

static void on_read(void *ctx, uint64_t bytes)
{
    struct item *item = ctx;
    int64_t now = pf_clock_ms();
    pf_workers_progress(item->staging->workers, (size_t)(item - item->staging->items), bytes);
    if (item->packed_bytes && bytes > item->packed_bytes)
        item->packed_bytes = bytes;
    if (now - item->told_ms < PF_EVENT_INTERVAL_MS)
        return;
    item->told_ms = now;
    tell(item, PF_EVENT_DECODING, bytes);
}

static void begin_telling(struct item *item, int fd)
{
    struct stat st;
    uint64_t about = entry_of(item)->size_bytes;
    bool known = item->whole && fstat(fd, &st) == 0;
    item->packed_bytes = known ? (uint64_t)st.st_size : about;
    item->told_ms = pf_clock_ms();
    tell(item, PF_EVENT_DECODING, 0);
}

/* It may get its name at any moment. */
static int open_package(const struct pf_staging *staging, const char *file)
{
    enum { FLAGS = O_RDONLY | O_NOFOLLOW | O_CLOEXEC };
    char part[NAME_MAX + sizeof PF_PARTFILE_SUFFIX];
    int folder_fd = staging->settings.folder_fd, fd = openat(folder_fd, file, FLAGS);
    snprintf(part, sizeof part, "%s" PF_PARTFILE_SUFFIX, file);
    if (fd < 0 && errno == ENOENT)
        fd = openat(folder_fd, part, FLAGS);
    return fd < 0 && errno == ENOENT ? openat(folder_fd, file, FLAGS) : fd;
}

/* On a worker: nothing here touches the root. */
static int stage_file(const struct pf_staging *staging, struct item *item, struct pf_error *err)
{
    if (on_await(item, 0) < 0 || atomic_load(staging->settings.stop))
        return pf_error_set(err, PF_E_CANCELLED, "stopped");
    pf_auto_fd int fd = open_package(staging, file_of(item));
    if (fd < 0)
        return pf_error_errno(err, "package %s", file_of(item));
    int folder = make_stage_folder(item, err);
    if (folder < 0)
        return folder;
    const struct pf_checksum *expected = &entry_of(item)->expected;
    struct pf_stage_limits limits = staging->settings.limits;
    limits.decode.checksum = expected->hex[0] ? expected : NULL;
    limits.decode.on_read = on_read;
    limits.decode.await = on_await;
    limits.decode.ctx = item;
    begin_telling(item, fd);
    int failed = pf_stage_package(fd, file_of(item), folder, &limits, &item->package.staged, err);
    if (!failed)
        item->packed_bytes = item->package.staged->packed_bytes;
    if (item->whole)
        tell(item, PF_EVENT_DECODED, failed ? 0 : item->package.staged->unpacked_bytes);
    return failed;
}

/* Many may wait to be committed, and descriptors are few. */
static uint64_t park(struct item *item)
{
    pf_close_at(&item->package.staged->dir_fd);
    return pf_staged_memory(item->package.staged);
}

static int unpark(struct item *item, struct pf_error *err)
{
    int fd = open_stage_folder(item, err);
    item->package.staged->dir_fd = fd < 0 ? -1 : fd;
    return fd < 0 ? fd : 0;
}

static uint64_t stage_item(void *ctx, void *arg)
{
    struct item *item = arg;
    struct pf_events *events = item->staging->settings.events;
    struct pf_error err = {0};
    int64_t span = pf_span_begin(events);
    item->whole = false;
    item->package.code = stage_file(ctx, item, &err);
    pf_span_end(events, span, "stage", file_of(item));
    if (item->package.code == 0) {
        pf_span_sum(events, span, item->package.staged->decode_ns, "decode", file_of(item));
        return park(item);
    }
    /* It may come anew, and is damaged, or not, when it is whole. */
    int failed = item->whole ? 0 : remove_stage_folder(item, &err);
    if (!item->whole && !failed)
        return PF_WORK_AGAIN;
    if (failed)
        item->package.code = failed;
    item->package.error = malloc(sizeof err);
    if (item->package.error)
        *item->package.error = err;
    return 0;
}

static int add_items(struct pf_staging *staging, struct pf_error *err)
{
    const struct pf_manifest *manifest = staging->settings.manifest;
    size_t room = manifest->count ? manifest->count : 1;
    staging->items = calloc(room, sizeof *staging->items);
    staging->item_of = calloc(room, sizeof *staging->item_of);
    staging->is_whole = calloc(room, sizeof *staging->is_whole);
    if (!staging->items || !staging->item_of || !staging->is_whole)
        return pf_error_memory(err);
    for (size_t i = 0; i < manifest->count; i++) {
        bool package = pf_pkgname_format(manifest->entries[i].file) != PF_FORMAT_NONE;
        staging->item_of[i] = package ? staging->item_count : SIZE_MAX;
        if (package)
            staging->items[staging->item_count++] =
                (struct item){.staging = staging, .package.index = i};
    }
    return 0;
}

static int start_workers(struct pf_staging *staging, struct pf_error *err)
{
    staging->workers = pf_workers_new(&(struct pf_workers_settings){
        .threads = staging->settings.jobs,
        .count = staging->item_count,
        .fn = stage_item,
        .ctx = staging,
        .window = WINDOW,
        .max_weight = MAX_AHEAD_MEMORY,
    });
    return staging->workers ? 0 : pf_error_errno(err, "starting the workers");
}

int pf_staging_new(const struct pf_staging_settings *settings, struct pf_staging **out,
                   struct pf_error *err)
{
    struct pf_staging *staging = calloc(1, sizeof *staging);
    if (!staging)
        return pf_error_memory(err);
    staging->settings = *settings;
    pthread_mutex_init(&staging->mutex, NULL);
    pthread_cond_init(&staging->file_cond, NULL);
    struct pf_stage_limits *limits = &staging->settings.limits;
    staging->stage_fd = openat(settings->work_fd, "stage", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    limits->cancel = settings->stop;
    limits->inherits = staging->stage_fd >= 0 && pf_fs_inherits(staging->stage_fd) != 0;
    int failed = staging->stage_fd < 0 ? pf_error_errno(err, "opening the work folder") : 0;
    if (!failed)
        failed = add_items(staging, err);
    if (!failed)
        failed = start_workers(staging, err);
    if (failed) {
        pf_staging_free(staging);
        return failed;
    }
    *out = staging;
    return 0;
}

size_t pf_staging_count(const struct pf_staging *staging)
{
    return staging->item_count;
}

void pf_staging_part(struct pf_staging *staging, size_t index, uint64_t bytes)
{
    size_t i = staging->item_of[index];
    if (i == SIZE_MAX)
        return;
    struct item *item = &staging->items[i];
    bool fewer = bytes < item->part_bytes;
    uint64_t next = item->part_bytes ? item->part_bytes + PART_STEP : MIN_PART;
    if (bytes < next && !fewer)
        return;
    item->part_bytes = bytes;
    uint64_t size = staging->settings.manifest->entries[index].size_bytes;
    pf_workers_feed(staging->workers, i, item, bytes, size);
}

void pf_staging_ready(struct pf_staging *staging, size_t index)
{
    size_t i = staging->item_of[index];
    if (i == SIZE_MAX)
        return;
    /* What it takes to decode grows with the packed bytes. */
    struct stat st;
    const char *file = staging->settings.manifest->entries[index].file;
    bool known = fstatat(staging->settings.folder_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0;
    pthread_mutex_lock(&staging->mutex);
    staging->is_whole[i] = true;
    pthread_cond_broadcast(&staging->file_cond);
    pthread_mutex_unlock(&staging->mutex);
    pf_workers_submit(staging->workers, i, &staging->items[i], known ? (uint64_t)st.st_size : 0);
}

int pf_staging_await(struct pf_staging *staging, size_t index, struct pf_error *err)
{
    size_t i = staging->item_of[index];
    int64_t span = pf_span_begin(staging->settings.events);
    pthread_mutex_lock(&staging->mutex);
    while (!staging->is_whole[i] && !staging->given_up && !atomic_load(staging->settings.stop)) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        /* Who sets `stop` signals nobody. */
        until.tv_nsec += STOP_INTERVAL_NS;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&staging->file_cond, &staging->mutex, &until);
    }
    bool is_whole = staging->is_whole[i];
    pthread_mutex_unlock(&staging->mutex);
    pf_span_end(staging->settings.events, span, "wait", file_of(&staging->items[i]));
    return is_whole ? 0 : pf_error_set(err, PF_E_CANCELLED, "stopped");
}

const struct pf_stage_limits *pf_staging_limits(const struct pf_staging *staging)
{
    return &staging->settings.limits;
}

void pf_staging_give_up(struct pf_staging *staging)
{
    pthread_mutex_lock(&staging->mutex);
    staging->given_up = true;
    pthread_cond_broadcast(&staging->file_cond);
    pthread_mutex_unlock(&staging->mutex);
    pf_workers_stop(staging->workers);
}

int pf_staging_take(struct pf_staging *staging, struct pf_staging_package **out,
                    struct pf_error *err)
{
    int64_t span = pf_span_begin(staging->settings.events);
    struct item *item = pf_workers_take(staging->workers);
    if (staging->settings.jobs)
        pf_span_end(staging->settings.events, span, "wait", item ? file_of(item) : NULL);
    if (!item || atomic_load(staging->settings.stop))
        return pf_error_set(err, PF_E_CANCELLED, "stopped");
    *out = &item->package;
    return item->package.staged ? unpark(item, err) : 0;
}

static void free_package(struct pf_staging_package *package)
{
    pf_staged_free(package->staged);
    free(package->error);
    package->staged = NULL;
    package->error = NULL;
}

int pf_staging_release(struct pf_staging *staging, struct pf_staging_package *package,
                       struct pf_error *err)
{
    const struct item *item = &staging->items[staging->item_of[package->index]];
    free_package(package);
    int64_t span = pf_span_begin(staging->settings.events);
    int failed = remove_stage_folder(item, err);
    pf_span_end(staging->settings.events, span, "tidy", file_of(item));
    return failed;
}

void pf_staging_free(struct pf_staging *staging)
{
    if (!staging)
        return;
    pf_workers_free(staging->workers);
    for (size_t i = 0; i < staging->item_count; i++)
        free_package(&staging->items[i].package);
    free(staging->items);
    free(staging->item_of);
    free(staging->is_whole);
    pthread_cond_destroy(&staging->file_cond);
    pthread_mutex_destroy(&staging->mutex);
    pf_close_at(&staging->stage_fd);
    free(staging);
}
