/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "engine.h"

#include "cache.h"
#include "clock.h"
#include "clone.h"
#include "configure.h"
#include "crawl.h"
#include "download.h"
#include "fetch.h"
#include "fs.h"
#include "install.h"
#include "journal.h"
#include "lxcconfig.h"
#include "settings.h"
#include "target.h"

#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct pf_engine {
    struct pf_settled settings;
    struct pf_events *events;
    atomic_bool cancelled; /* by the caller */
    atomic_bool stop;      /* by the caller, or because a part of the run failed */
    struct pf_fetch *fetch;
    struct pf_cache *cache;
    struct pf_plan plan;          /* of pf_engine_plan */
    struct pf_plan_file *planned; /* what was shown of it */
    struct pf_stats stats;
};

void pf_engine_init_process(void)
{
    /* With 0, 1 or 2 closed, the next file would get that number, and messages would go into it. */
    int fd;
    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
    umask(0);
    signal(SIGPIPE, SIG_IGN);
}

int pf_engine_new(const struct pf_settings *settings, struct pf_engine **out, struct pf_error *err)
{
    struct pf_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return pf_error_set(err, PF_E_SYSTEM, "out of memory");
    int failed = pf_settle(settings, &engine->settings, err);
    if (!failed) {
        engine->events = pf_events_new(settings->on_event, settings->event_ctx);
        if (!engine->events)
            failed = pf_error_set(err, PF_E_SYSTEM, "out of memory");
    }
    if (failed) {
        pf_engine_free(engine);
        return failed;
    }
    *out = engine;
    return 0;
}

void pf_engine_free(struct pf_engine *engine)
{
    if (!engine)
        return;
    pf_fetch_free(engine->fetch);
    pf_cache_close(engine->cache);
    pf_plan_end(&engine->plan);
    free(engine->planned);
    pf_settled_end(&engine->settings);
    pf_events_free(engine->events);
    free(engine);
}

void pf_engine_cancel(struct pf_engine *engine)
{
    atomic_store(&engine->cancelled, true);
    atomic_store(&engine->stop, true);
}

const char *pf_engine_release(const struct pf_engine *engine)
{
    return engine->settings.release;
}

const char *pf_engine_arch(const struct pf_engine *engine)
{
    return engine->settings.arch;
}

const char *pf_engine_mirror(const struct pf_engine *engine)
{
    return engine->settings.mirror;
}

void pf_engine_stats(const struct pf_engine *engine, struct pf_stats *stats)
{
    *stats = engine->stats;
    if (engine->fetch) {
        stats->requests = pf_fetch_requests(engine->fetch);
        stats->received_bytes = pf_fetch_bytes(engine->fetch);
    }
}

static void phase(struct pf_engine *engine, const char *text)
{
    pf_events_text(engine->events, PF_EVENT_PHASE, NULL, "%s", text);
}

/* A run begins: what stopped an earlier one does not count, a cancellation does. */
static void arm(struct pf_engine *engine)
{
    atomic_store(&engine->stop, false);
    if (atomic_load(&engine->cancelled))
        atomic_store(&engine->stop, true);
}

static int open_fetch(struct pf_engine *engine, struct pf_error *err)
{
    if (engine->fetch)
        return 0;
    struct pf_fetch_settings settings = PF_FETCH_SETTINGS_DEFAULT;
    settings.connections = engine->settings.connections;
    settings.events = engine->events;
    settings.cancel = &engine->stop;
    return pf_fetch_new(&settings, &engine->fetch, err);
}

static int open_cache(struct pf_engine *engine, struct pf_error *err)
{
    const struct pf_settled *s = &engine->settings;
    if (engine->cache)
        return 0;
    return pf_cache_open(s->cache_folder, s->release, s->arch, &engine->cache, err);
}

static int lock_cache(struct pf_engine *engine, enum pf_cache_lock mode, struct pf_error *err)
{
    return pf_cache_lock(engine->cache, mode, engine->settings.lock_timeout_s, engine->events,
                         &engine->stop, err);
}

static bool has_package(const struct pf_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->entries[i].package)
            return true;
    }
    return false;
}

static int crawl(struct pf_engine *engine, struct pf_plan *plan, struct pf_error *err)
{
    const struct pf_settled *s = &engine->settings;
    struct pf_crawl_wish wish = {
        .mirror = s->mirror,
        .release = s->release,
        .arch = s->arch,
        .categories = (const char *const *)s->categories,
        .contrib = (const char *const *)s->contrib,
        .addons = (const char *const *)s->addons,
        .ignore = (const char *const *)s->ignore,
    };
    int failed = open_fetch(engine, err);
    if (failed)
        return failed;
    phase(engine, "reading the mirror's index");
    failed = pf_crawl(engine->fetch, &wish, plan, engine->events, err);
    if (!failed && !has_package(plan))
        failed =
            pf_error_set(err, PF_E_ABSENT,
                         "the mirror %s has no package of Plamo %s for %s in what was asked for",
                         s->mirror, s->release, s->arch);
    if (!failed)
        pf_events_send(engine->events,
                       &(struct pf_event){.type = PF_EVENT_PLANNED, .count = plan->count});
    return failed;
}

int pf_engine_plan(struct pf_engine *engine, bool with_sizes, const struct pf_plan_file **files,
                   size_t *count, struct pf_error *err)
{
    pf_plan_end(&engine->plan);
    arm(engine);
    int failed = crawl(engine, &engine->plan, err);
    if (!failed && with_sizes)
        failed = pf_crawl_sizes(engine->fetch, &engine->plan, err);
    if (failed)
        return failed;
    struct pf_plan_file *list = calloc(engine->plan.count, sizeof *list);
    if (!list)
        return pf_error_set(err, PF_E_SYSTEM, "out of memory");
    for (size_t i = 0; i < engine->plan.count; i++) {
        const struct pf_plan_entry *entry = &engine->plan.entries[i];
        list[i] = (struct pf_plan_file){.file = entry->file,
                                        .url = entry->url,
                                        .size_bytes = entry->size_bytes,
                                        .package = entry->package};
    }
    free(engine->planned);
    engine->planned = list;
    *files = list;
    *count = engine->plan.count;
    return 0;
}

/* A build of the cached root, from packages that come or are there. */
struct build {
    struct pf_engine *engine;
    struct pf_manifest manifest;
    struct pf_install *install;
    bool reused; /* something that an earlier run had downloaded */
};

static void on_ready(void *ctx, size_t index)
{
    struct build *build = ctx;
    pf_install_ready(build->install, index);
}

static void on_download_end(void *ctx, bool failed)
{
    struct build *build = ctx;
    if (failed) {
        atomic_store(&build->engine->stop, true);
        pf_install_give_up(build->install);
    }
}

static int begin_install(struct build *build, int folder_fd, bool remove_corrupt, int work_fd,
                         char **location, struct pf_error *err)
{
    struct pf_engine *engine = build->engine;
    if (asprintf(location, "%s/%s", engine->cache->base, engine->cache->complete) < 0) {
        *location = NULL;
        return pf_error_set(err, PF_E_SYSTEM, "out of memory");
    }
    struct pf_install_settings settings = {
        .manifest = &build->manifest,
        .folder_fd = folder_fd,
        .location = *location,
        .work_fd = work_fd,
        .jobs = engine->settings.jobs == 1 ? 0 : engine->settings.jobs,
        .skip_corrupt = engine->settings.skip_corrupt,
        .remove_corrupt = remove_corrupt,
        .events = engine->events,
        .stop = &engine->stop,
    };
    return pf_install_new(&settings, &build->install, err);
}

static void keep_stats(struct pf_engine *engine, const struct pf_install_stats *stats)
{
    engine->stats.decoded += stats->decoded;
    engine->stats.installed += stats->installed;
    engine->stats.shells += stats->shells;
}

/* What failed first is what the user hears; that others were stopped because of it is no news. */
static int first_failure(int a, const struct pf_error *a_err, int b, const struct pf_error *b_err,
                         struct pf_error *err)
{
    bool use_a = a && (a != PF_E_CANCELLED || !b);
    int code = use_a ? a : b;
    if (code && err)
        *err = use_a ? *a_err : *b_err;
    return code;
}

static int manifest_of_plan(const struct pf_plan *plan, struct pf_manifest *manifest,
                            struct pf_error *err)
{
    int failed = pf_manifest_init(manifest, plan->count, err);
    for (size_t i = 0; !failed && i < plan->count; i++) {
        manifest->entries[i].file = strdup(plan->entries[i].file);
        manifest->entries[i].url = strdup(plan->entries[i].url);
        if (!manifest->entries[i].file || !manifest->entries[i].url)
            failed = pf_error_set(err, PF_E_SYSTEM, "out of memory");
    }
    return failed;
}

static int read_sizes(int folder_fd, struct pf_manifest *manifest, struct pf_error *err)
{
    for (size_t i = 0; i < manifest->count; i++) {
        struct stat st;
        if (fstatat(folder_fd, manifest->entries[i].file, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return pf_error_errno(err, "%s", manifest->entries[i].file);
        manifest->entries[i].size_bytes = (uint64_t)st.st_size;
    }
    return 0;
}

/* Fetch and install at once: a package is staged as soon as it is whole. */
static int fetch_and_install(struct build *build, const struct pf_plan *plan, int folder_fd,
                             int work_fd, struct pf_error *err)
{
    struct pf_engine *engine = build->engine;
    pf_auto_free char *location = NULL;
    int failed = begin_install(build, folder_fd, true, work_fd, &location, err);
    if (failed)
        return failed;
    struct pf_download_settings settings = {
        .fetch = engine->fetch,
        .plan = plan,
        .folder_fd = folder_fd,
        .events = engine->events,
        .stop = &engine->stop,
        .ready = on_ready,
        .end = on_download_end,
        .ctx = build,
    };
    struct pf_download *download;
    struct pf_install_stats stats = {0};
    struct pf_error install_err = {0}, download_err = {0};
    int downloaded = 0, installed = 0;
    phase(engine, "fetching and installing packages");
    failed = pf_download_start(&settings, &download, err);
    if (!failed) {
        installed = pf_install_run(build->install, &stats, &install_err);
        if (installed)
            atomic_store(&engine->stop, true);
        downloaded = pf_download_join(download, &build->reused, &download_err);
        failed = first_failure(installed, &install_err, downloaded, &download_err, err);
    }
    pf_install_free(build->install);
    keep_stats(engine, &stats);
    return failed;
}

static int open_work(const struct pf_engine *engine, struct pf_error *err)
{
    int failed = pf_cache_begin_root(engine->cache, err);
    return failed ? failed : pf_cache_open_folder(engine->cache, engine->cache->work, err);
}

static int open_partial(const struct pf_engine *engine, struct pf_error *err)
{
    const struct pf_cache *cache = engine->cache;
    int has = pf_cache_has(cache, cache->partial, err);
    if (has < 0)
        return has;
    if (!has && mkdirat(cache->base_fd, cache->partial, 0755) < 0)
        return pf_error_errno(err, "making %s/%s", cache->base, cache->partial);
    return pf_cache_open_folder(cache, cache->partial, err);
}

static int build_cold(struct pf_engine *engine, bool *reused, struct pf_error *err)
{
    struct build build = {.engine = engine};
    struct pf_plan plan = {0};
    pf_auto_fd int folder_fd = -1, work_fd = -1;
    int failed = crawl(engine, &plan, err);
    if (!failed)
        failed = manifest_of_plan(&plan, &build.manifest, err);
    if (!failed && (folder_fd = open_partial(engine, err)) < 0)
        failed = folder_fd;
    if (!failed && (work_fd = open_work(engine, err)) < 0)
        failed = work_fd;
    if (!failed)
        failed = fetch_and_install(&build, &plan, folder_fd, work_fd, err);
    if (!failed)
        failed = read_sizes(folder_fd, &build.manifest, err);
    if (!failed)
        failed = pf_cache_complete(engine->cache, &build.manifest, err);
    if (!failed)
        failed = pf_journal_remove(folder_fd, err);
    if (!failed)
        failed = pf_cache_publish_root(engine->cache, err);
    *reused = build.reused;
    pf_manifest_end(&build.manifest);
    pf_plan_end(&plan);
    return failed;
}

static int install_all(struct build *build, int folder_fd, int work_fd, struct pf_error *err)
{
    struct pf_install_stats stats = {0};
    pf_auto_free char *location = NULL;
    int failed = begin_install(build, folder_fd, false, work_fd, &location, err);
    if (failed)
        return failed;
    phase(build->engine, "installing packages from the cache");
    for (size_t i = 0; i < build->manifest.count; i++)
        pf_install_ready(build->install, i);
    failed = pf_install_run(build->install, &stats, err);
    pf_install_free(build->install);
    keep_stats(build->engine, &stats);
    return failed;
}

static int build_from_downloads(struct pf_engine *engine, struct pf_error *err)
{
    const struct pf_cache *cache = engine->cache;
    struct build build = {.engine = engine};
    pf_auto_fd int folder_fd = -1, work_fd = -1;
    int failed = pf_cache_read(cache, &build.manifest, engine->events, err);
    if (!failed && build.manifest.count == 0)
        failed = pf_error_set(err, PF_E_ABSENT, "%s/%s has no package; clean the cache",
                              cache->base, cache->complete);
    if (!failed && (folder_fd = pf_cache_open_folder(cache, cache->complete, err)) < 0)
        failed = folder_fd;
    if (!failed && (work_fd = open_work(engine, err)) < 0)
        failed = work_fd;
    if (!failed)
        failed = install_all(&build, folder_fd, work_fd, err);
    if (failed == PF_E_CORRUPT || failed == PF_E_LIMIT)
        pf_error_context(err, "the cache %s/%s (clean it to fetch anew)", cache->base,
                         cache->complete);
    if (!failed)
        failed = pf_cache_publish_root(cache, err);
    pf_manifest_end(&build.manifest);
    return failed;
}

/* A damaged file has been taken out of the folder. If it may be an earlier run's bytes that are
   wrong (the mirror's file has changed meanwhile, another program was cut off), fetching it anew is
   worth one try. */
static int build_without_cache(struct pf_engine *engine, struct pf_error *err)
{
    bool reused = false;
    int failed = build_cold(engine, &reused, err);
    if (failed != PF_E_CORRUPT || !reused || atomic_load(&engine->cancelled))
        return failed;
    pf_events_text(engine->events, PF_EVENT_WARNING, NULL, "%s; fetching it anew",
                   err ? err->text : "a package is damaged");
    arm(engine);
    return build_cold(engine, &reused, err);
}

/* Under the exclusive lock. */
static int build_cached_root(struct pf_engine *engine, struct pf_error *err)
{
    int has = pf_cache_has(engine->cache, engine->cache->root, err);
    if (has)
        return has < 0 ? has : 0;
    int downloaded = pf_cache_has(engine->cache, engine->cache->complete, err);
    if (downloaded < 0)
        return downloaded;
    arm(engine);
    int64_t start_ms = pf_clock_ms();
    int failed = downloaded ? build_from_downloads(engine, err) : build_without_cache(engine, err);
    engine->stats.fetch_install_s += (double)(pf_clock_ms() - start_ms) / 1000;
    if (failed == PF_E_NO_SPACE)
        pf_error_context(err, "the file system of the cache folder %s is full",
                         engine->cache->base);
    struct pf_error ignored = {0};
    int removed = pf_cache_remove_work(engine->cache, failed ? &ignored : err);
    return failed ? failed : removed;
}

int pf_engine_prepare(struct pf_engine *engine, struct pf_error *err)
{
    arm(engine);
    int failed = open_cache(engine, err);
    /* Between a build under the exclusive lock and the shared one, somebody may purge: look again.
     */
    while (!failed) {
        failed = lock_cache(engine, PF_CACHE_SHARED, err);
        int has = failed ? failed : pf_cache_has(engine->cache, engine->cache->root, err);
        if (has)
            return has < 0 ? has : 0;
        failed = lock_cache(engine, PF_CACHE_EXCLUSIVE, err);
        if (!failed)
            failed = build_cached_root(engine, err);
    }
    return failed;
}

static int clone_root(struct pf_engine *engine, const struct pf_target *target, int to_fd,
                      struct pf_error *err)
{
    const struct pf_cache *cache = engine->cache;
    pf_auto_fd int from_fd = pf_cache_open_folder(cache, cache->root, err);
    if (from_fd < 0)
        return from_fd;
    struct pf_clone_settings settings = {.threads = engine->settings.jobs, .cancel = &engine->stop};
    struct pf_clone_result result;
    int64_t start_ms = pf_clock_ms();
    phase(engine, "copying the cached root");
    int failed = pf_clone_tree(from_fd, to_fd, &settings, &result, err);
    engine->stats.clone_s += (double)(pf_clock_ms() - start_ms) / 1000;
    if (failed)
        return failed;
    engine->stats.cloned_entries += result.entries;
    engine->stats.cloned_bytes += result.bytes;
    engine->stats.reflinked = result.reflinked;
    if (result.skipped_devices)
        pf_events_text(engine->events, PF_EVENT_WARNING, target->root,
                       "%llu device nodes left out: this user may not make any",
                       (unsigned long long)result.skipped_devices);
    pf_events_send(engine->events, &(struct pf_event){.type = PF_EVENT_CLONED,
                                                      .subject = target->root,
                                                      .count = result.entries,
                                                      .bytes = result.bytes});
    return 0;
}

static int check_container_name(const char *name, struct pf_error *err)
{
    bool ok = *name && strlen(name) <= 255 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
    for (const char *p = name; *p && ok; p++)
        ok = *p != '/' && (unsigned char)*p > ' ' && *p != 0x7f;
    return ok ? 0
              : pf_error_set(err, PF_E_INVALID,
                             "\"%s\" cannot be a container's name (no blanks, slashes or "
                             "control characters)",
                             name);
}

static int fill_target(struct pf_engine *engine, const struct pf_target *target,
                       struct pf_target_folder *folder, struct pf_error *err)
{
    int failed = clone_root(engine, target, folder->fd, err);
    if (!failed && target->name) {
        phase(engine, "configuring the root");
        failed = pf_configure_root(folder->fd, engine->settings.profile, target->name,
                                   engine->events, err);
    }
    if (!failed)
        failed = pf_target_finish(folder, err);
    if (failed == PF_E_NO_SPACE)
        pf_error_context(err, "the file system of %s is full", target->root);
    return failed;
}

int pf_engine_create_root(struct pf_engine *engine, const struct pf_target *target,
                          struct pf_error *err)
{
    struct pf_target_folder folder;
    int failed = target->name ? check_container_name(target->name, err) : 0;
    if (failed)
        return failed;
    /* Before the long work: a target that cannot be used is refused at once. */
    failed = pf_target_open(target->root, target->in_place, &folder, err);
    if (!failed)
        failed = pf_engine_prepare(engine, err);
    if (!failed)
        failed = fill_target(engine, target, &folder, err);
    pf_target_end(&folder);
    if (!failed)
        pf_events_send(engine->events, &(struct pf_event){.type = PF_EVENT_DONE});
    return failed;
}

int pf_engine_clean(struct pf_engine *engine, struct pf_error *err)
{
    arm(engine);
    int failed = open_cache(engine, err);
    if (!failed)
        failed = lock_cache(engine, PF_CACHE_EXCLUSIVE, err);
    if (!failed)
        failed = pf_cache_purge(engine->cache, err);
    return failed;
}

int pf_engine_lxc_rootfs(const char *path, char **rootfs, struct pf_error *err)
{
    return pf_lxcconfig_rootfs(path, rootfs, err);
}

int pf_engine_lxc_config(struct pf_engine *engine, const char *path, const char *name, bool mapped,
                         struct pf_error *err)
{
    return pf_lxcconfig_append(path, name, engine->settings.arch, mapped, err);
}

int pf_engine_lxc_bindhome(const char *path, const char *rootfs, const char *user,
                           struct pf_error *err)
{
    pf_auto_fd int root_fd = open(rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return pf_error_errno(err, "%s", rootfs);
    return pf_lxcconfig_bindhome(path, rootfs, root_fd, user, err);
}
