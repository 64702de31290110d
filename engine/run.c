/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "run.h"

#include "cachelock.h"
#include "clock.h"
#include "download.h"
#include "fs.h"
#include "journal.h"
#include "pkgname.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void pf_run_begin(struct pf_run *run, struct pf_build *build)
{
    *run = (struct pf_run){.build = build, .folder_fd = -1, .work_fd = -1, .old_fd = -1};
}

void pf_run_end(struct pf_run *run)
{
    pf_close_at(&run->folder_fd);
    pf_close_at(&run->work_fd);
    pf_close_at(&run->old_fd);
    pf_manifest_end(&run->manifest);
    pf_manifest_end(&run->old);
    pf_plan_end(&run->plan);
    free(run->same);
}

static void on_ready(void *ctx, size_t index)
{
    struct pf_run *run = ctx;
    if (run->staging)
        pf_staging_ready(run->staging, index);
}

static void on_part(void *ctx, size_t index, uint64_t bytes)
{
    struct pf_run *run = ctx;
    if (run->staging)
        pf_staging_part(run->staging, index, bytes);
}

static void on_download_end(void *ctx, bool failed)
{
    struct pf_run *run = ctx;
    if (failed && run->staging) {
        atomic_store(run->build->stop, true);
        pf_staging_give_up(run->staging);
    }
}

struct pf_stage_limits pf_run_stage_limits(const struct pf_limits *wanted)
{
    struct pf_stage_limits limits = PF_STAGE_LIMITS_DEFAULT;
    if (wanted->entries)
        limits.members = wanted->entries > UINT32_MAX ? UINT32_MAX : (uint32_t)wanted->entries;
    if (wanted->depth)
        limits.depth = wanted->depth > UINT_MAX ? UINT_MAX : (unsigned)wanted->depth;
    limits.decode.unchecked = wanted->unchecked > 0;
    if (wanted->name_bytes)
        limits.text_bytes = wanted->name_bytes;
    if (wanted->ratio)
        limits.decode.ratio = wanted->ratio > UINT_MAX ? UINT_MAX : (unsigned)wanted->ratio;
    if (wanted->bytes)
        limits.decode.output_bytes = wanted->bytes;
    if (wanted->memory_bytes)
        limits.decode.memory_bytes = wanted->memory_bytes;
    return limits;
}

/* About: by the plan, or of what is in the folder. 0: not known. */
static uint64_t packed_bytes(const struct pf_run *run)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < run->manifest.count; i++) {
        const char *file = run->manifest.entries[i].file;
        struct stat st;
        if (pf_pkgname_format(file) == PF_FORMAT_NONE)
            continue;
        int64_t bytes = i < run->plan.count ? pf_plan_about_bytes(&run->plan.entries[i]) : -1;
        if (bytes < 0 && fstatat(run->folder_fd, file, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return 0;
        sum += (uint64_t)(bytes < 0 ? st.st_size : bytes);
    }
    return sum;
}

static void stop_install(struct pf_run *run)
{
    pf_staging_free(run->staging);
    pf_install_free(run->install);
    run->staging = NULL;
    run->install = NULL;
}

static int begin_install(struct pf_run *run, bool remove_corrupt, char **location,
                         struct pf_error *err)
{
    const struct pf_build *build = run->build;
    const struct pf_settled *s = build->settings;
    if (asprintf(location, "%s/%s", build->cache->base, build->cache->complete) < 0) {
        *location = NULL;
        return pf_error_memory(err);
    }
    struct pf_stage_limits limits = pf_run_stage_limits(&s->limits);
    limits.listed = s->profile->listed;
    struct pf_staging_settings staging = {
        .manifest = &run->manifest,
        .folder_fd = run->folder_fd,
        .work_fd = run->work_fd,
        .jobs = s->jobs == 1 ? 0 : s->jobs,
        .limits = limits,
        .events = build->events,
        .stop = build->stop,
    };
    run->install_start_ms = pf_clock_ms();
    int failed = pf_staging_new(&staging, &run->staging, err);
    if (failed)
        return failed;
    struct pf_install_settings settings = {
        .staging = run->staging,
        .manifest = &run->manifest,
        .folder_fd = run->folder_fd,
        .location = *location,
        .work_fd = run->work_fd,
        .tools = &s->profile->tools,
        .packed_bytes = packed_bytes(run),
        .skip_corrupt = s->skip_corrupt,
        .remove_corrupt = remove_corrupt,
        .listed = s->profile->listed,
        .no_sandbox = s->no_sandbox,
        .events = build->events,
        .stop = build->stop,
    };
    failed = pf_install_new(&settings, &run->install, err);
    if (failed)
        stop_install(run);
    return failed;
}

static void end_install(struct pf_run *run, const struct pf_install_stats *stats)
{
    struct pf_stats *all = run->build->stats;
    all->decoded += stats->decoded;
    all->installed += stats->installed;
    all->shells += stats->shells;
    all->install_s += (double)(pf_clock_ms() - run->install_start_ms) / 1000;
    stop_install(run);
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
        struct pf_manifest_entry *entry = &manifest->entries[i];
        entry->file = strdup(plan->entries[i].file);
        entry->url = strdup(plan->entries[i].url);
        entry->expected = plan->entries[i].checksum;
        int64_t about = pf_plan_about_bytes(&plan->entries[i]);
        entry->size_bytes = about < 0 ? 0 : (uint64_t)about;
        if (!entry->file || !entry->url)
            failed = pf_error_memory(err);
    }
    return failed;
}

static int note_files(int folder_fd, struct pf_manifest *manifest, struct pf_error *err)
{
    for (size_t i = 0; i < manifest->count; i++) {
        struct stat st;
        if (fstatat(folder_fd, manifest->entries[i].file, &st, AT_SYMLINK_NOFOLLOW) < 0)
            return pf_error_errno(err, "%s", manifest->entries[i].file);
        struct pf_manifest_entry *entry = &manifest->entries[i];
        entry->size_bytes = (uint64_t)st.st_size;
        /* What was asked for has been verified by now; a damaged package that was skipped has no
           digest. */
        bool verified = entry->xxh3[0] || pf_pkgname_format(entry->file) == PF_FORMAT_NONE;
        if (verified && entry->expected.hex[0] && entry->expected.kind == PF_DIGEST_SHA256)
            memcpy(entry->sha256, entry->expected.hex, sizeof entry->sha256);
    }
    return 0;
}

static int start_download(struct pf_run *run, struct pf_download **download, struct pf_error *err)
{
    const struct pf_build *build = run->build;
    struct pf_download_settings settings = {
        .fetch = build->fetch,
        .mirrors = &build->mirrors,
        .ca_file = build->settings->ca_file,
        .plan = &run->plan,
        .release = build->settings->release,
        .arch = build->settings->arch,
        .exact = build->settings->lock.count > 0,
        .manifest = &run->manifest,
        .folder_fd = run->folder_fd,
        .old = run->same ? &run->old : NULL,
        .old_fd = run->old_fd,
        .same = run->same,
        .events = build->events,
        .stop = build->stop,
        .part = on_part,
        .ready = on_ready,
        .end = on_download_end,
        .ctx = run,
    };
    return pf_download_start(&settings, download, err);
}

static int join_download(struct pf_run *run, struct pf_download *download, struct pf_error *err)
{
    struct pf_download_stats stats;
    int failed = pf_download_join(download, &stats, err);
    struct pf_stats *all = run->build->stats;
    run->reused = stats.reused;
    all->files += stats.files;
    all->cached_files += stats.had;
    all->fetch_s += (double)stats.took_ms / 1000;
    return failed;
}

int pf_run_fetch(struct pf_run *run, struct pf_error *err)
{
    struct pf_download *download;
    int failed = start_download(run, &download, err);
    return failed ? failed : join_download(run, download, err);
}

int pf_run_fetch_and_install(struct pf_run *run, struct pf_error *err)
{
    pf_auto_free char *location = NULL;
    int failed = begin_install(run, true, &location, err);
    if (failed)
        return failed;
    struct pf_download *download;
    struct pf_install_stats stats = {0};
    struct pf_error install_err = {0}, download_err = {0};
    pf_events_text(run->build->events, PF_EVENT_PHASE, NULL, "fetching and installing packages");
    failed = start_download(run, &download, err);
    if (!failed) {
        int installed = pf_install_run(run->install, &stats, &install_err);
        if (installed)
            atomic_store(run->build->stop, true);
        int downloaded = join_download(run, download, &download_err);
        failed = first_failure(installed, &install_err, downloaded, &download_err, err);
    }
    end_install(run, &stats);
    return failed;
}

int pf_run_install(struct pf_run *run, bool remove_corrupt, struct pf_error *err)
{
    struct pf_install_stats stats = {0};
    pf_auto_free char *location = NULL;
    int failed = begin_install(run, remove_corrupt, &location, err);
    if (failed)
        return failed;
    pf_events_text(run->build->events, PF_EVENT_PHASE, NULL, "installing packages from the cache");
    if (run->plan.count == 0) {
        run->build->stats->files += run->manifest.count;
        run->build->stats->cached_files += run->manifest.count;
    }
    for (size_t i = 0; i < run->manifest.count; i++)
        pf_staging_ready(run->staging, i);
    failed = pf_install_run(run->install, &stats, err);
    end_install(run, &stats);
    return failed;
}

int pf_run_open_work(struct pf_run *run, struct pf_error *err)
{
    const struct pf_cache *cache = run->build->cache;
    int failed = pf_cache_begin_root(cache, err);
    if (!failed && (run->work_fd = pf_cache_open_folder(cache, cache->work, err)) < 0)
        failed = run->work_fd;
    return failed;
}

static int open_partial(struct pf_run *run, struct pf_error *err)
{
    run->folder_fd = pf_cache_open_partial(run->build->cache, err);
    return run->folder_fd < 0 ? run->folder_fd : 0;
}

int pf_run_begin_fetching(struct pf_run *run, struct pf_error *err)
{
    int failed = pf_build_plan(run->build, &run->plan, err);
    if (!failed)
        failed = manifest_of_plan(&run->plan, &run->manifest, err);
    return failed ? failed : open_partial(run, err);
}

int pf_run_publish_root(const struct pf_run *run, struct pf_error *err)
{
    struct pf_events *events = run->build->events;
    int64_t span = pf_span_begin(events);
    int failed = pf_cache_publish_root(run->build->cache, err);
    pf_span_end(events, span, "publish", NULL);
    return failed;
}

int pf_run_publish(struct pf_run *run, struct pf_error *err)
{
    const struct pf_cache *cache = run->build->cache;
    int64_t span = pf_span_begin(run->build->events);
    int failed = note_files(run->folder_fd, &run->manifest, err);
    if (!failed)
        failed = pf_cache_complete(cache, &run->manifest, err);
    if (!failed)
        failed = pf_journal_remove(run->folder_fd, err);
    pf_span_end(run->build->events, span, "complete", NULL);
    return failed ? failed : pf_run_publish_root(run, err);
}

static int exchange_names(const struct pf_run *run, struct pf_error *err)
{
    struct pf_cache *cache = run->build->cache;
    struct pf_cache_wait wait = {.timeout_s = run->build->settings->lock_timeout_s,
                                 .events = run->build->events,
                                 .cancel = run->build->stop};
    int failed = pf_cache_lock_names(cache, PF_CACHE_EXCLUSIVE, &wait, err);
    if (failed)
        return failed;
    failed = pf_cache_exchange(cache, err);
    pf_cache_unlock_names(cache);
    return failed;
}

int pf_run_exchange(struct pf_run *run, struct pf_error *err)
{
    const struct pf_cache *cache = run->build->cache;
    int failed = note_files(run->folder_fd, &run->manifest, err);
    if (!failed)
        failed = pf_cache_begin_exchange(cache, &run->manifest, err);
    if (!failed)
        failed = exchange_names(run, err);
    if (!failed)
        failed = pf_journal_remove(run->folder_fd, err);
    return failed ? failed : pf_cache_end_exchange(cache, run->build->settings->keep, err);
}
