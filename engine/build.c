/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "build.h"

#include "changes.h"
#include "cleanup.h"
#include "clock.h"
#include "lock.h"
#include "message.h"
#include "names.h"
#include "run.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int nothing_cached(const struct pf_build *build, struct pf_error *err)
{
    return pf_error_set(err, PF_E_ABSENT,
                        "the cache %s has no packages of Plamo %s for %s, and offline none can be "
                        "fetched",
                        build->settings->cache_folder, build->settings->release,
                        build->settings->arch);
}

int pf_build_check_folder(const struct pf_build *build, struct pf_error *err)
{
    return access(build->settings->cache_folder, F_OK) == 0 ? 0 : nothing_cached(build, err);
}

int pf_build_cached_plan(struct pf_build *build, struct pf_plan *plan, struct pf_error *err)
{
    struct pf_manifest manifest = {0};
    int has = pf_cache_has(build->cache, build->cache->complete, err);
    if (has <= 0)
        return has < 0 ? has : nothing_cached(build, err);
    int failed = pf_cache_read(build->cache, &manifest, build->events, err);
    for (size_t i = 0; !failed && i < manifest.count; i++) {
        const struct pf_manifest_entry *entry = &manifest.entries[i];
        failed = pf_plan_add(plan, entry->file, entry->url, (int64_t)entry->size_bytes, err);
    }
    if (!failed && manifest.count == 0)
        failed = nothing_cached(build, err);
    pf_manifest_end(&manifest);
    return failed;
}

static int build_cold(struct pf_build *build, bool *reused, struct pf_error *err)
{
    struct pf_run run;
    pf_run_begin(&run, build);
    int failed = pf_run_begin_fetching(&run, err);
    if (!failed)
        failed = pf_run_open_work(&run, err);
    if (!failed)
        failed = pf_run_fetch_and_install(&run, err);
    if (!failed)
        failed = pf_run_publish(&run, err);
    *reused = run.reused;
    pf_run_end(&run);
    return failed;
}

static int build_from_downloads(struct pf_build *build, struct pf_error *err)
{
    const struct pf_cache *cache = build->cache;
    struct pf_run run;
    pf_run_begin(&run, build);
    int failed = pf_cache_read(cache, &run.manifest, build->events, err);
    if (!failed && run.manifest.count == 0)
        failed = pf_error_advise(err, PF_E_ABSENT, N_("clean the cache"), "%s/%s has no package",
                                 cache->base, cache->complete);
    if (!failed && (run.folder_fd = pf_cache_open_folder(cache, cache->complete, err)) < 0)
        failed = run.folder_fd;
    if (!failed && build->settings->lock.count)
        failed = pf_lock_expect(&build->settings->lock, &run.manifest, run.folder_fd, err);
    if (!failed)
        failed = pf_run_open_work(&run, err);
    if (!failed)
        failed = pf_run_install(&run, false, err);
    if (failed == PF_E_CORRUPT || failed == PF_E_LIMIT) {
        pf_error_context(err, "the cache %s/%s", cache->base, cache->complete);
        pf_error_hint(err, "clean the cache to fetch it anew");
    }
    if (!failed)
        failed = pf_run_publish_root(&run, err);
    pf_run_end(&run);
    return failed;
}

/* A failure that another try, with nothing of what was there before, may mend: an earlier run's
   bytes are wrong (the mirror's file has changed meanwhile, another program was cut off). The
   damaged file has been taken out of the folder. */
static bool is_worth_fetching_anew(const struct pf_build *build, int failed, bool reused,
                                   const struct pf_error *err)
{
    if (failed != PF_E_CORRUPT || !reused || atomic_load(build->cancelled))
        return false;
    pf_events_text(build->events, PF_EVENT_WARNING, NULL, "%s; fetching it anew",
                   err ? err->text : pf_message(N_("a package is damaged")));
    atomic_store(build->stop, false);
    if (atomic_load(build->cancelled))
        atomic_store(build->stop, true);
    return true;
}

static int build_without_cache(struct pf_build *build, struct pf_error *err)
{
    bool reused = false;
    int failed = build_cold(build, &reused, err);
    if (is_worth_fetching_anew(build, failed, reused, err))
        failed = build_cold(build, &reused, err);
    return failed;
}

static int update_or_fetch_anew(struct pf_build *build, struct pf_error *err);

/* A package of the complete folder is damaged. It comes anew as in an update: the folder stays
   until its successor is whole, and what is sound in it is taken over. */
static int mend_downloads(struct pf_build *build, int failed, struct pf_error *err)
{
    struct pf_error why = {0};
    if (build->settings->offline || !is_worth_fetching_anew(build, failed, true, err))
        return failed;
    int rc = update_or_fetch_anew(build, &why);
    if (rc && err)
        *err = why;
    return rc;
}

/* What every making of a root ends with. */
static int end_making(struct pf_build *build, int64_t start_ms, int failed, struct pf_error *err)
{
    build->stats->fetch_install_s += (double)(pf_clock_ms() - start_ms) / 1000;
    if (failed == PF_E_NO_SPACE)
        pf_error_context(err, "the file system of the cache folder %s is full", build->cache->base);
    struct pf_error ignored = {0};
    int removed = pf_cache_remove_work(build->cache, failed ? &ignored : err);
    return failed ? failed : removed;
}

int pf_build_root(struct pf_build *build, struct pf_error *err)
{
    int has = pf_cache_has(build->cache, build->cache->root, err);
    if (has)
        return has < 0 ? has : 0;
    int downloaded = pf_cache_has(build->cache, build->cache->complete, err);
    if (downloaded < 0)
        return downloaded;
    if (!downloaded && build->settings->offline)
        return nothing_cached(build, err);
    int failed = downloaded ? pf_build_check_lock(build, true, err) : 0;
    if (failed)
        return failed;
    int64_t start_ms = pf_clock_ms();
    failed = downloaded ? build_from_downloads(build, err) : build_without_cache(build, err);
    if (downloaded)
        failed = mend_downloads(build, failed, err);
    return end_making(build, start_ms, failed, err);
}

int pf_build_check_lock(struct pf_build *build, bool notes_only, struct pf_error *err)
{
    const struct pf_settled *s = build->settings;
    const struct pf_cache *cache = build->cache;
    struct pf_manifest manifest = {0};
    if (s->lock.count == 0)
        return 0;
    pf_auto_fd int folder_fd = pf_cache_open_folder(cache, cache->complete, err);
    if (folder_fd < 0)
        return folder_fd;
    int failed = pf_cache_read(cache, &manifest, build->events, err);
    if (!failed)
        failed = pf_lock_check(&s->lock, &manifest, folder_fd, notes_only, err);
    pf_manifest_end(&manifest);
    return failed;
}

/* What there is to compare with. Nothing cached is nothing to compare with. */
static int open_old(struct pf_run *run, struct pf_error *err)
{
    const struct pf_cache *cache = run->build->cache;
    int has = pf_cache_has(cache, cache->complete, err);
    if (has <= 0)
        return has;
    run->old_fd = pf_cache_open_folder(cache, cache->complete, err);
    return run->old_fd < 0 ? run->old_fd : pf_cache_read(cache, &run->old, run->build->events, err);
}

static int fetch_changed(struct pf_run *run, bool conditional, struct pf_error *err)
{
    if (conditional) {
        run->same = calloc(run->plan.count, sizeof *run->same);
        if (!run->same)
            return pf_error_memory(err);
    }
    pf_events_text(run->build->events, PF_EVENT_PHASE, NULL, "fetching what has changed");
    return pf_run_fetch(run, err);
}

static const char *change_text(const struct pf_change *change, char text[PATH_MAX])
{
    switch (change->kind) {
    case PF_CHANGE_ADDED:
        return pf_message(N_("added"));
    case PF_CHANGE_REMOVED:
        return pf_message(N_("removed"));
    case PF_CHANGE_UPDATED:
        snprintf(text, PATH_MAX, pf_message(N_("in place of %s")), change->old_name);
        return text;
    case PF_CHANGE_CHANGED:
        return pf_message(N_("changed"));
    }
    return "";
}

/* Two lists of files that are compared. */
struct comparison {
    const char **names; /* the old ones, then the new ones; not owned */
    bool *changed;      /* per new name */
    size_t old_count, new_count;
};

static int begin_comparison(struct comparison *c, size_t old_count, size_t new_count,
                            struct pf_error *err)
{
    *c = (struct comparison){.old_count = old_count, .new_count = new_count};
    c->names = calloc(old_count + new_count + 1, sizeof *c->names);
    c->changed = calloc(new_count + 1, sizeof *c->changed);
    return c->names && c->changed ? 0 : pf_error_memory(err);
}

static void end_comparison(struct comparison *c)
{
    free(c->names);
    free(c->changed);
}

/* Tells of every change. Returns 1 where there is any, also of the order; 0; or a code. */
static int tell_changes(struct pf_build *build, const struct comparison *c, struct pf_error *err)
{
    struct pf_changes changes = {0};
    int failed = pf_changes_find(c->names, c->old_count, c->names + c->old_count, c->changed,
                                 c->new_count, &changes, err);
    for (size_t i = 0; !failed && i < changes.count; i++) {
        const struct pf_change *change = &changes.items[i];
        char text[PATH_MAX];
        pf_events_text(build->events, PF_EVENT_CHANGED,
                       change->new_name ? change->new_name : change->old_name, "%s",
                       change_text(change, text));
    }
    bool any = changes.count > 0 || changes.reordered;
    pf_changes_end(&changes);
    return failed ? failed : any;
}

static int tell_changes_of_run(struct pf_run *run, struct pf_error *err)
{
    struct comparison c;
    int any = begin_comparison(&c, run->old.count, run->plan.count, err);
    for (size_t i = 0; !any && i < c.old_count; i++)
        c.names[i] = run->old.entries[i].file;
    for (size_t i = 0; !any && i < c.new_count; i++) {
        c.names[c.old_count + i] = run->plan.entries[i].file;
        c.changed[i] = !run->same || !run->same[i];
    }
    if (!any)
        any = tell_changes(run->build, &c, err);
    end_comparison(&c);
    return any;
}

/* Nothing is new but, perhaps, the tags by which the server knows the files: the next update is
   spared asking for their bytes. */
static int keep_tags(struct pf_run *run, struct pf_error *err)
{
    bool any = false;
    for (size_t i = 0; i < run->old.count && i < run->manifest.count; i++) {
        char **old = &run->old.entries[i].etag, **now = &run->manifest.entries[i].etag;
        if (*now && (!*old || strcmp(*old, *now) != 0)) {
            free(*old);
            *old = *now;
            *now = NULL;
            any = true;
        }
    }
    return any ? pf_cache_write_manifest(run->build->cache, &run->old, err) : 0;
}

static int keep_old(struct pf_run *run, struct pf_error *err)
{
    pf_events_text(run->build->events, PF_EVENT_PHASE, NULL, "nothing has changed on the mirror");
    int failed = keep_tags(run, err);
    return failed ? failed : pf_cache_remove_partial(run->build->cache, err);
}

static int make_anew(struct pf_run *run, struct pf_error *err)
{
    int failed = pf_run_open_work(run, err);
    if (!failed)
        failed = pf_run_install(run, true, err);
    return failed ? failed : pf_run_exchange(run, err);
}

static int update(struct pf_build *build, bool conditional, bool *reused, struct pf_error *err)
{
    struct pf_run run;
    pf_run_begin(&run, build);
    int failed = open_old(&run, err);
    if (!failed)
        failed = pf_run_begin_fetching(&run, err);
    if (!failed)
        failed = fetch_changed(&run, conditional && run.old_fd >= 0, err);
    int changed = failed ? failed : tell_changes_of_run(&run, err);
    if (changed < 0)
        failed = changed;
    else
        failed = changed ? make_anew(&run, err) : keep_old(&run, err);
    *reused = run.reused || run.same;
    pf_run_end(&run);
    return failed;
}

static int update_or_fetch_anew(struct pf_build *build, struct pf_error *err)
{
    bool reused = false;
    int rc = update(build, true, &reused, err);
    return is_worth_fetching_anew(build, rc, reused, err) ? update(build, false, &reused, err) : rc;
}

/* Where nothing has changed, the root may still be missing. */
static int make_missing_root(struct pf_build *build, struct pf_error *err)
{
    int has = pf_cache_has(build->cache, build->cache->root, err);
    return has ? (has < 0 ? has : 0) : build_from_downloads(build, err);
}

int pf_build_update(struct pf_build *build, struct pf_error *err)
{
    int64_t start_ms = pf_clock_ms();
    int failed = update_or_fetch_anew(build, err);
    if (!failed)
        failed = make_missing_root(build, err);
    return end_making(build, start_ms, failed, err);
}

/* Against an earlier lockfile; the two may have been made long after each other. */
static int tell_changes_of_lock(struct pf_build *build, const struct pf_lockfile *old,
                                const struct pf_manifest *manifest, struct pf_error *err)
{
    struct comparison c;
    struct pf_names names = {0};
    int any = begin_comparison(&c, old->count, manifest->count, err);
    for (size_t i = 0; !any && i < c.old_count; i++) {
        c.names[i] = old->entries[i].file;
        if (pf_names_add(&names, c.names[i]) < 0)
            any = pf_error_memory(err);
    }
    for (size_t i = 0; !any && i < c.new_count; i++) {
        const struct pf_manifest_entry *entry = &manifest->entries[i];
        int64_t number = pf_names_find(&names, entry->file);
        c.names[c.old_count + i] = entry->file;
        c.changed[i] = number >= 0 && strcmp(old->entries[number].sha256, entry->sha256) != 0;
    }
    if (!any)
        any = tell_changes(build, &c, err);
    pf_names_end(&names);
    end_comparison(&c);
    return any < 0 ? any : 0;
}

static int compare_with_old_lock(struct pf_build *build, const char *old_path,
                                 const struct pf_manifest *manifest, struct pf_error *err)
{
    struct pf_lockfile old;
    if (!old_path || access(old_path, F_OK) < 0)
        return 0;
    int failed = pf_lock_open(old_path, NULL, &old, err);
    if (!failed)
        failed = tell_changes_of_lock(build, &old, manifest, err);
    pf_lockfile_end(&old);
    return failed;
}

int pf_build_lock_text(struct pf_build *build, const char *old_path, const char *tree, char **text,
                       struct pf_error *err)
{
    const struct pf_settled *s = build->settings;
    const struct pf_cache *cache = build->cache;
    struct pf_manifest manifest = {0};
    struct pf_lockfile wish = {.release = s->release,
                               .arch = s->arch,
                               .categories = s->categories,
                               .contrib = s->contrib,
                               .addons = s->addons,
                               .ignore = s->ignore};
    snprintf(wish.tree, sizeof wish.tree, "%s", tree);
    bool noted = false;
    pf_auto_fd int folder_fd = pf_cache_open_folder(cache, cache->complete, err);
    if (folder_fd < 0)
        return folder_fd;
    int failed = pf_cache_read(cache, &manifest, build->events, err);
    if (!failed)
        failed = pf_lock_digest(&manifest, folder_fd, &noted, err);
    if (!failed && noted)
        failed = pf_cache_write_manifest(cache, &manifest, err);
    if (!failed)
        failed = compare_with_old_lock(build, old_path, &manifest, err);
    if (!failed)
        failed = pf_lock_text(&wish, &manifest, text, err);
    pf_manifest_end(&manifest);
    return failed;
}
