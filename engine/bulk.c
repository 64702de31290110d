/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bulk.h"

#include "cleanup.h"
#include "clock.h"
#include "clone.h"
#include "configure.h"
#include "fs.h"
#include "lxcconfig.h"
#include "lxccontainer.h"
#include "lxcprobe.h"
#include "message.h"
#include "overlay.h"
#include "shift.h"
#include "subvolume.h"
#include "target.h"
#include "workers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Finished containers wait for a flush that they share, but not for long. */
#define FLUSH_MS 1000
/* A finished one that waits has two descriptors open. */
#define WINDOW        64
#define BUSY_RETRY_MS 100

/* One container. Between begin and make it belongs to the caller's thread, then to the worker that
   runs it, then to the caller's again. */
struct pf_bulk_item {
    struct pf_bulk *bulk;
    const struct pf_container *wish;
    struct pf_container_result *result;
    struct pf_configure configure;
    char *path;                     /* LXCPATH/NAME */
    char *temporary;                /* the path while it is made */
    struct pf_target_folder target; /* that folder */
    struct pf_clone_result cloned;
    bool snapshot;
    bool finished; /* and not under its name yet */
    bool busy;     /* another run makes it */
};

/* The events of configuring, which many containers have in common: each warning once. */
static void say_once(void *ctx, const struct pf_event *event)
{
    struct pf_bulk *bulk = ctx;
    char text[512];
    snprintf(text, sizeof text, "%d %s %s", event->type, event->subject ? event->subject : "",
             event->text ? event->text : "");
    bool repeats = event->type == PF_EVENT_WARNING || event->type == PF_EVENT_NOTE;
    if (!repeats || pf_names_add(&bulk->said, text) != 0)
        pf_events_send(bulk->events, event);
}

static int settle_item(struct pf_bulk_item *item, struct pf_names *names, struct pf_error *err)
{
    const struct pf_bulk *bulk = item->bulk;
    const struct pf_container *c = item->wish;
    struct pf_configure_wish wish = {.name = c->name,
                                     .timezone = c->timezone,
                                     .network = c->network,
                                     .root_password = c->root_password,
                                     .of_container = true,
                                     .no_sandbox = bulk->settings->no_sandbox};
    int failed = pf_configure_settle(&wish, bulk->settings->profile, &item->configure, err);
    if (failed)
        pf_error_context(err, "%s", c->name);
    if (!failed)
        failed = pf_bulkcheck_name(c->name, err);
    if (failed)
        return failed;
    int added = pf_names_add(names, c->name);
    if (added == 0)
        return pf_error_set(err, PF_E_INVALID, "the container \"%s\" is named twice", c->name);
    if (added < 0 || asprintf(&item->path, "%s/%s", bulk->lxcpath, c->name) < 0) {
        item->path = NULL;
        return pf_error_memory(err);
    }
    return 0;
}

static int settle_items(struct pf_bulk *bulk, struct pf_container_result *results,
                        struct pf_error *err)
{
    const struct pf_containers *wish = bulk->wish;
    struct pf_names names = {0};
    bulk->items = calloc(wish->count, sizeof *bulk->items);
    if (!bulk->items)
        return pf_error_memory(err);
    int failed = 0;
    for (size_t i = 0; i < wish->count; i++) {
        struct pf_bulk_item *item = &bulk->items[i];
        results[i] = (struct pf_container_result){.state = PF_CONTAINER_NOT_BEGUN};
        *item = (struct pf_bulk_item){.bulk = bulk,
                                      .wish = &wish->containers[i],
                                      .result = &results[i],
                                      .target = PF_TARGET_CLOSED};
        if (!failed)
            failed = settle_item(item, &names, err);
    }
    pf_names_end(&names);
    return failed;
}

static int open_lxcpath(struct pf_bulk *bulk, struct pf_error *err)
{
    pf_auto_free char *standard = NULL;
    const char *path = bulk->wish->lxcpath;
    int failed = path ? 0 : pf_lxccontainer_default_path(&standard, err);
    if (failed)
        return failed;
    path = path ? path : standard;
    if (pf_fs_make_folders(AT_FDCWD, path, 0755) < 0 || !(bulk->lxcpath = realpath(path, NULL)))
        return pf_error_errno(err, "the folder for containers, %s", path);
    bulk->lxcpath_fd = open(bulk->lxcpath, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (bulk->lxcpath_fd < 0)
        return pf_error_errno(err, "the folder for containers, %s", path);
    return pf_target_sweep(bulk->lxcpath_fd, err);
}

int pf_bulk_begin(struct pf_bulk *bulk, const struct pf_containers *wish,
                  struct pf_container_result *results, struct pf_error *err)
{
    bulk->wish = wish;
    bulk->lxcpath_fd = bulk->root_fd = -1;
    bulk->seed = (struct pf_seed)PF_SEED_NONE;
    if (wish->count == 0)
        return pf_error_set(err, PF_E_INVALID, "no container is named");
    bulk->quiet = pf_events_new(say_once, bulk);
    if (!bulk->quiet)
        return pf_error_memory(err);
    int failed = open_lxcpath(bulk, err);
    if (!failed)
        failed = settle_items(bulk, results, err);
    if (!failed)
        failed = pf_lxccontainer_defaults(wish->default_config, &bulk->defaults, err);
    return failed ? failed
                  : pf_bulkcheck_configs(wish, bulk->defaults, bulk->lxcpath, bulk->events,
                                         &bulk->check, err);
}

void pf_bulk_end(struct pf_bulk *bulk)
{
    for (size_t i = 0; bulk->items && i < bulk->wish->count; i++) {
        struct pf_bulk_item *item = &bulk->items[i];
        pf_target_end(&item->target);
        pf_configure_end(&item->configure);
        free(item->path);
        free(item->temporary);
    }
    free(bulk->items);
    pf_base_end(&bulk->base);
    pf_base_end(&bulk->mapped_base);
    pf_bulkcheck_end(&bulk->check);
    pf_seed_end(&bulk->seed);
    pf_close_at(&bulk->root_fd);
    pf_close_at(&bulk->lxcpath_fd);
    free(bulk->lxcpath);
    free(bulk->defaults);
    pf_events_free(bulk->quiet);
    pf_names_end(&bulk->said);
}

static bool is_stopped(const struct pf_bulk *bulk)
{
    return atomic_load(bulk->stop) || atomic_load(&bulk->full);
}

/* 1: the container is there; 0: its folder is open under another name; or a code. */
static int open_folder(struct pf_bulk_item *item, struct pf_error *err)
{
    int there = pf_lxccontainer_look(item->path, err);
    if (there)
        return there;
    int failed = pf_target_open(item->path, false, &item->target, err);
    if (failed)
        return failed;
    if (item->target.place_fd >= 0)
        return pf_error_advise(err, PF_E_INVALID, N_("remove it, or choose another name"),
                               "%s is a mount point or a link", item->path);
    /* Another run may have finished it while we were not looking. */
    there = pf_lxccontainer_look(item->path, err);
    if (there)
        return there;
    if (asprintf(&item->temporary, "%s/%s/" PF_TARGET_CONTENT, item->bulk->lxcpath,
                 item->target.scratch.name) < 0) {
        item->temporary = NULL;
        return pf_error_memory(err);
    }
    /* As lxc-create has it. */
    return fchmod(item->target.fd, 0770) < 0 ? pf_error_errno(err, "making %s", item->path) : 0;
}

/* Where another run makes it, that one is waited for. */
static int wait_for_folder(struct pf_bulk_item *item, struct pf_error *err)
{
    const struct pf_bulk *bulk = item->bulk;
    int64_t end_ms = pf_clock_ms() + (int64_t)bulk->settings->lock_timeout_s * 1000;
    int status;
    while ((status = open_folder(item, err)) == PF_E_BUSY && pf_clock_ms() < end_ms &&
           !is_stopped(bulk)) {
        pf_target_end(&item->target);
        nanosleep(&(struct timespec){.tv_nsec = BUSY_RETRY_MS * 1000000L}, NULL);
    }
    return status;
}

static const struct pf_idmap *map_of(const struct pf_bulk_item *item)
{
    return pf_bulkcheck_map(&item->bulk->check, (size_t)(item - item->bulk->items));
}

/* Where ids are mapped the container's root needs its owners, and a way to it. All is made with the
   packages' own ones before, so that this is the last step. */
static int give_away(struct pf_bulk_item *item, const char *root, struct pf_error *err)
{
    static const char *const folders[] = {".", "rootfs", PF_OVERLAY_FOLDER, PF_OVERLAY_WORK};
    struct pf_bulk *bulk = item->bulk;
    struct pf_shift shift = {.map = map_of(item),
                             .cancel = bulk->stop,
                             .overlay = bulk->base.root != NULL};
    uint64_t devices = 0;
    uint32_t uid, gid;
    if (!shift.map)
        return 0;
    pf_auto_fd int fd =
        openat(item->target.fd, root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    int rc = fd < 0 ? pf_error_errno(err, "%s", root) : pf_shift_tree(fd, &shift, &devices, err);
    pf_idmap_uid(shift.map, 0, &uid);
    pf_idmap_gid(shift.map, 0, &gid);
    for (size_t i = 0; !rc && i < sizeof folders / sizeof *folders; i++) {
        if ((i == 0 || shift.overlay) && fchownat(item->target.fd, folders[i], uid, gid, 0) < 0)
            rc = pf_error_errno(err, "the owner of %s", folders[i]);
    }
    if (!rc && devices)
        pf_events_text(bulk->quiet, PF_EVENT_NOTE, NULL,
                       "device nodes left out: containers with mapped ids get none");
    return rc;
}

static int configure(struct pf_bulk_item *item, int root_fd, struct pf_error *err)
{
    return pf_configure_root(root_fd, &item->configure, item->bulk->quiet, item->bulk->stop, err);
}

static int make_overlay(struct pf_bulk_item *item, struct pf_error *err)
{
    const char *lower = item->bulk->base.root;
    int failed = pf_overlay_make(item->target.fd, lower, err);
    if (failed)
        return failed;
    int root_fd = pf_overlay_open(item->temporary, lower, err);
    if (root_fd < 0)
        return root_fd;
    failed = configure(item, root_fd, err);
    int closed = pf_overlay_close(item->temporary, &root_fd, failed ? NULL : err);
    failed = failed ? failed : closed;
    return failed ? failed : give_away(item, PF_OVERLAY_UPPER, err);
}

/* Few containers: several threads for each. */
static unsigned threads_of_each(const struct pf_bulk *bulk)
{
    size_t count = bulk->wish->count;
    return count < bulk->settings->jobs ? (unsigned)(bulk->settings->jobs / count) : 1;
}

static int open_rootfs(const struct pf_bulk_item *item, struct pf_error *err)
{
    int fd = openat(item->target.fd, "rootfs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? pf_error_errno(err, "making the root") : fd;
}

static int make_copy(struct pf_bulk_item *item, struct pf_error *err)
{
    const struct pf_bulk *bulk = item->bulk;
    struct pf_clone_settings settings = {.threads = threads_of_each(bulk), .cancel = bulk->stop};
    if (mkdirat(item->target.fd, "rootfs", 0755) < 0)
        return pf_error_errno(err, "making the root");
    pf_auto_fd int root_fd = open_rootfs(item, err);
    if (root_fd < 0)
        return root_fd;
    int failed = pf_clone_tree(bulk->root_fd, root_fd, &settings, &item->cloned, err);
    if (!failed)
        failed = configure(item, root_fd, err);
    return failed ? failed : give_away(item, "rootfs", err);
}

static int make_snapshot(struct pf_bulk_item *item, struct pf_error *err)
{
    pf_auto_fd int root_fd = pf_seed_copy(&item->bulk->seed, item->target.fd, "rootfs", err);
    if (root_fd < 0)
        return root_fd;
    item->snapshot = item->cloned.reflinked = true;
    int rc = configure(item, root_fd, err);
    return rc ? rc : give_away(item, "rootfs", err);
}

static int make_root(struct pf_bulk_item *item, struct pf_error *err)
{
    const struct pf_bulk *bulk = item->bulk;
    if (bulk->base.root)
        return make_overlay(item, err);
    return bulk->seed.root_fd >= 0 ? make_snapshot(item, err) : make_copy(item, err);
}

/* What the containers' overlays lie upon; NULL: they are none. */
static const char *lower_of(const struct pf_bulk *bulk)
{
    return bulk->mapped_base.root ? bulk->mapped_base.root : bulk->base.root;
}

static int write_config(const struct pf_bulk_item *item, struct pf_error *err)
{
    const struct pf_bulk *bulk = item->bulk;
    const struct pf_container *wish = item->wish;
    struct pf_lxcconfig_container container = {.name = wish->name,
                                               .arch = bulk->settings->arch,
                                               .home = item->path,
                                               .mapped = map_of(item) != NULL,
                                               .fstab = bulk->settings->profile->lxc_fstab};
    pf_auto_free char *rootfs = NULL;
    const char *lower = lower_of(bulk);
    int length = lower ? asprintf(&rootfs, "overlay:%s:%s/" PF_OVERLAY_UPPER, lower, item->path)
                       : asprintf(&rootfs, "dir:%s/rootfs", item->path);
    if (length < 0) {
        rootfs = NULL;
        return pf_error_memory(err);
    }
    int failed = pf_lxccontainer_begin(item->temporary, bulk->defaults, rootfs, err);
    if (!failed)
        failed = pf_lxcconfig_append(item->temporary, &container, err);
    if (!failed && wish->autostart)
        failed = pf_lxcconfig_add(item->temporary, "lxc.start.auto = 1\n", err);
    if (!failed && wish->config)
        failed = pf_lxcconfig_add(item->temporary, wish->config, err);
    return failed;
}

/* status: what opening its folder gave. */
static void make_item(struct pf_bulk_item *item, int status)
{
    struct pf_bulk *bulk = item->bulk;
    struct pf_error *err = &item->result->error;
    if (status == 1) {
        pf_target_end(&item->target);
        *item->result = (struct pf_container_result){.state = PF_CONTAINER_KEPT};
        return;
    }
    if (!status)
        status = make_root(item, err);
    if (!status)
        status = write_config(item, err);
    item->finished = !status;
    if (!status)
        return;
    pf_target_end(&item->target);
    if (status == PF_E_NO_SPACE) {
        pf_error_context(err, "the file system of %s is full", bulk->lxcpath);
        atomic_store(&bulk->full, true);
    }
    item->result->state = status == PF_E_CANCELLED ? PF_CONTAINER_NOT_BEGUN : PF_CONTAINER_FAILED;
}

static uint64_t run_item(void *ctx, void *arg)
{
    struct pf_bulk_item *item = arg;
    if (is_stopped(ctx))
        return 0;
    int status = open_folder(item, &item->result->error);
    item->busy = status == PF_E_BUSY;
    if (item->busy) {
        pf_target_end(&item->target);
        item->result->error = (struct pf_error){0};
    } else {
        make_item(item, status);
    }
    return 0;
}

static uint64_t run_busy_item(void *ctx, void *arg)
{
    struct pf_bulk_item *item = arg;
    if (!is_stopped(ctx))
        make_item(item, wait_for_folder(item, &item->result->error));
    return 0;
}

static void tell(const struct pf_bulk_item *item, const char *what)
{
    const struct pf_bulk *bulk = item->bulk;
    pf_events_send(bulk->events, &(struct pf_event){.type = PF_EVENT_CONTAINER,
                                                    .subject = item->wish->name,
                                                    .text = what,
                                                    .index = (size_t)(item - bulk->items) + 1,
                                                    .count = bulk->wish->count});
}

/* Gives what is finished of these its name. */
static void put_finished(struct pf_bulk *bulk, struct pf_bulk_item *from,
                         const struct pf_bulk_item *to)
{
    bool flushed = false;
    int status = 0, number = 0;
    for (struct pf_bulk_item *item = from; item < to; item++) {
        struct pf_error *err = &item->result->error;
        if (!item->finished)
            continue;
        if (!flushed && (status = pf_fs_sync(bulk->lxcpath_fd)) < 0)
            number = errno;
        flushed = true;
        errno = number;
        int failed = status < 0 ? pf_error_errno(err, "flushing %s", bulk->lxcpath)
                                : pf_target_put(&item->target, err);
        pf_target_end(&item->target);
        item->finished = false;
        *item->result =
            failed ? (struct pf_container_result){.state = PF_CONTAINER_FAILED, .error = *err}
                   : (struct pf_container_result){.state = PF_CONTAINER_MADE};
        bulk->stats->snapshots += !failed && item->snapshot;
        bulk->stats->cloned_entries += item->cloned.entries;
        bulk->stats->cloned_bytes += item->cloned.bytes;
        bulk->stats->reflinked = bulk->stats->reflinked || item->cloned.reflinked;
        if (!failed)
            tell(item, pf_message(N_("made")));
    }
}

/* Nobody waits for another run with anything finished that has not got its name: two runs of the
   same containers would wait for each other. So what another one was making comes last, each by
   itself. */
static int run_busy_items(struct pf_bulk *bulk, struct pf_error *err)
{
    size_t count = 0;
    struct pf_bulk_item *item;
    for (size_t i = 0; i < bulk->wish->count; i++)
        count += bulk->items[i].busy;
    if (count == 0)
        return 0;
    struct pf_workers *worker = pf_workers_new(&(struct pf_workers_settings){
        .threads = 1, .count = count, .fn = run_busy_item, .ctx = bulk, .window = 1});
    if (!worker)
        return pf_error_errno(err, "starting threads");
    count = 0;
    for (size_t i = 0; i < bulk->wish->count; i++) {
        if (bulk->items[i].busy)
            pf_workers_submit(worker, count++, &bulk->items[i], 0);
    }
    while ((item = pf_workers_take(worker))) {
        if (item->result->state == PF_CONTAINER_KEPT)
            tell(item, pf_message(N_("kept: it was there")));
        put_finished(bulk, item, item + 1);
    }
    pf_workers_free(worker);
    return 0;
}

static int run_items(struct pf_bulk *bulk, struct pf_error *err)
{
    size_t count = bulk->wish->count;
    unsigned threads = bulk->settings->jobs < count ? bulk->settings->jobs : (unsigned)count;
    struct pf_workers *workers = pf_workers_new(&(struct pf_workers_settings){
        .threads = threads, .count = count, .fn = run_item, .ctx = bulk, .window = WINDOW});
    if (!workers)
        return pf_error_errno(err, "starting threads");
    for (size_t i = 0; i < count; i++)
        pf_workers_submit(workers, i, &bulk->items[i], 0);
    struct pf_bulk_item *waiting = bulk->items, *item;
    int64_t flushed_ms = pf_clock_ms();
    while ((item = pf_workers_take(workers))) {
        if (item->result->state == PF_CONTAINER_KEPT)
            tell(item, pf_message(N_("kept: it was there")));
        if (pf_clock_ms() - flushed_ms < FLUSH_MS && item + 1 - waiting < WINDOW / 2)
            continue;
        put_finished(bulk, waiting, item + 1);
        waiting = item + 1;
        flushed_ms = pf_clock_ms();
    }
    put_finished(bulk, waiting, bulk->items + count);
    pf_workers_free(workers);
    return run_busy_items(bulk, err);
}

/* The roots of overlays are configured upon a copy with the packages' owners. */
static int hold_bases(struct pf_bulk *bulk, struct pf_error *err)
{
    const struct pf_idmap *map = pf_bulkcheck_map(&bulk->check, 0);
    struct pf_base_wish wish = {.threads = bulk->settings->jobs,
                                .events = bulk->events,
                                .cancel = bulk->stop};
    int rc = pf_base_hold(bulk->cache, &wish, &bulk->base, err);
    wish.map = map;
    return rc || !map ? rc : pf_base_hold(bulk->cache, &wish, &bulk->mapped_base, err);
}

/* One root for all of them, whatever an update makes of the cached one meanwhile. */
static int hold_source(struct pf_bulk *bulk, struct pf_error *err)
{
    if (bulk->wish->backing == PF_BACKING_OVERLAY)
        return hold_bases(bulk, err);
    bulk->root_fd = pf_cache_hold(bulk->cache, bulk->cache->root, err);
    return bulk->root_fd < 0 ? bulk->root_fd : 0;
}

static int open_source(struct pf_bulk *bulk, struct pf_cache *cache,
                       const struct pf_cache_wait *wait, struct pf_error *err)
{
    const struct pf_idmap *map = pf_bulkcheck_map(&bulk->check, 0);
    int failed = pf_cache_lock_names(cache, PF_CACHE_SHARED, wait, err);
    if (failed)
        return failed;
    failed = hold_source(bulk, err);
    pf_cache_unlock_names(cache);
    if (failed || bulk->wish->backing != PF_BACKING_OVERLAY)
        return failed;
    for (size_t i = 0; !failed && i < bulk->wish->count; i++)
        failed = pf_overlay_check(lower_of(bulk), bulk->items[i].path, err);
    if (!failed && map)
        failed = pf_lxcprobe_map(map, lower_of(bulk), err);
    return failed ? failed
                  : pf_base_note(map ? &bulk->mapped_base : &bulk->base, bulk->lxcpath, err);
}

/* A copy to make snapshots of pays from the second container on. */
static int make_seed(struct pf_bulk *bulk, struct pf_error *err)
{
    struct pf_clone_settings settings = {.threads = bulk->settings->jobs, .cancel = bulk->stop};
    size_t missing = 0;
    if (bulk->base.root || !pf_subvolume_can_be(bulk->lxcpath_fd))
        return 0;
    for (size_t i = 0; i < bulk->wish->count; i++)
        missing += pf_lxccontainer_look(bulk->items[i].path, NULL) == 0;
    if (missing == 0)
        return 0;
    int made = pf_seed_make(bulk->lxcpath, bulk->root_fd, missing > 1, &settings, &bulk->seed, err);
    return made < 0 ? made : 0;
}

int pf_bulk_make(struct pf_bulk *bulk, struct pf_cache *cache, const struct pf_cache_wait *wait,
                 struct pf_error *err)
{
    int64_t start_ms = pf_clock_ms();
    bulk->cache = cache;
    int failed = open_source(bulk, cache, wait, err);
    if (failed)
        return failed;
    pf_events_text(bulk->events, PF_EVENT_PHASE, NULL, "making %zu containers in %s",
                   bulk->wish->count, bulk->lxcpath);
    failed = make_seed(bulk, err);
    if (!failed)
        failed = run_items(bulk, err);
    pf_seed_end(&bulk->seed);
    bulk->stats->clone_s += (double)(pf_clock_ms() - start_ms) / 1000;
    if (failed)
        return failed;
    if (atomic_load(bulk->stop))
        return pf_error_advise(err, PF_E_CANCELLED, N_("run it again to make those that lack"),
                               "stopped");
    for (size_t i = 0; i < bulk->wish->count; i++) {
        const struct pf_bulk_item *item = &bulk->items[i];
        if (item->result->state != PF_CONTAINER_FAILED)
            continue;
        if (err)
            *err = item->result->error;
        return item->result->error.code;
    }
    return 0;
}
