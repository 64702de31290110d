/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine.h: an engine's life, its plan, and the cached root. */
#include "state.h"

#include "asked.h"
#include "cryptomemory.h"
#include "fs.h"
#include "message.h"
#include "nearest.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
    pf_cryptomemory_use();
    signal(SIGPIPE, SIG_IGN);
}

int pf_engine_new(const struct pf_settings *settings, struct pf_engine **out, struct pf_error *err)
{
    struct pf_engine *engine = calloc(1, sizeof *engine);
    if (!engine)
        return pf_error_memory(err);
    engine->root_fd = -1;
    int failed = pf_settle(settings, &engine->settings, err);
    if (!failed) {
        engine->events = pf_events_new(settings->on_event, settings->event_ctx);
        if (!engine->events)
            failed = pf_error_memory(err);
        else if (settings->spans)
            pf_events_send_spans(engine->events);
    }
    if (failed) {
        pf_engine_free(engine);
        return failed;
    }
    engine->build = (struct pf_build){.settings = &engine->settings,
                                      .events = engine->events,
                                      .cancelled = &engine->cancelled,
                                      .stop = &engine->stop,
                                      .stats = &engine->stats};
    engine->wait = (struct pf_cache_wait){.timeout_s = engine->settings.lock_timeout_s,
                                          .events = engine->events,
                                          .cancel = &engine->stop};
    *out = engine;
    return 0;
}

void pf_engine_free(struct pf_engine *engine)
{
    if (!engine)
        return;
    pf_state_drop_root(engine);
    pf_build_end(&engine->build);
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

const char *pf_engine_cache_folder(const struct pf_engine *engine)
{
    return engine->settings.cache_folder;
}

const char *pf_engine_mirror(const struct pf_engine *engine)
{
    return engine->settings.mirrors[engine->build.home];
}

void pf_engine_stats(const struct pf_engine *engine, struct pf_stats *stats)
{
    *stats = engine->stats;
    if (engine->build.fetch) {
        stats->requests = pf_fetch_requests(engine->build.fetch);
        stats->received_bytes = pf_fetch_bytes(engine->build.fetch);
    }
}

static int plan_cached(struct pf_engine *engine, struct pf_error *err)
{
    int failed = pf_build_check_folder(&engine->build, err);
    if (!failed)
        failed = pf_state_open_cache(engine, err);
    if (!failed)
        failed = pf_state_lock_cache(engine, PF_CACHE_SHARED, err);
    if (!failed)
        failed = pf_state_lock_names(engine, err);
    if (failed)
        return failed;
    failed = pf_build_cached_plan(&engine->build, &engine->plan, err);
    pf_cache_unlock_names(engine->cache);
    return failed;
}

int pf_engine_plan(struct pf_engine *engine, bool with_sizes, const struct pf_plan_file **files,
                   size_t *count, struct pf_error *err)
{
    pf_plan_end(&engine->plan);
    pf_state_arm(engine);
    int failed = engine->settings.offline ? plan_cached(engine, err)
                                          : pf_build_plan(&engine->build, &engine->plan, err);
    if (!failed && with_sizes && !engine->settings.offline)
        failed = pf_build_sizes(&engine->build, &engine->plan, err);
    if (failed)
        return failed;
    struct pf_plan_file *list = calloc(engine->plan.count, sizeof *list);
    if (!list)
        return pf_error_memory(err);
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

/* 1 where there is a root that goes with packages, 0, or a code. */
static int has_both(const struct pf_engine *engine, struct pf_error *err)
{
    int has = pf_cache_has(engine->cache, engine->cache->root, err);
    return has > 0 ? pf_cache_has(engine->cache, engine->cache->complete, err) : has;
}

/* Where there is a root, others may go on copying it while its successor is made. */
static int lock_for_update(struct pf_engine *engine, struct pf_error *err)
{
    /* The builder's lock comes first; an earlier failure may have left the other one. */
    pf_cache_unlock(engine->cache);
    int failed = pf_cache_lock_builder(engine->cache, &engine->wait, err);
    if (!failed)
        failed = pf_state_lock_cache(engine, PF_CACHE_SHARED, err);
    int has = failed ? failed : has_both(engine, err);
    return has ? (has < 0 ? has : 0) : pf_state_lock_cache(engine, PF_CACHE_EXCLUSIVE, err);
}

static int ask_mirror(struct pf_engine *engine, struct pf_error *err)
{
    int has = has_both(engine, err);
    if (has < 0)
        return has;
    if (has && pf_asked_lately(&engine->settings, engine->cache->builder_fd)) {
        pf_events_text(engine->events, PF_EVENT_PHASE, NULL, "the mirror has been asked lately");
        return 0;
    }
    int failed = pf_build_update(&engine->build, err);
    if (!failed)
        pf_asked_note(&engine->settings, engine->cache->builder_fd);
    return failed;
}

static int update(struct pf_engine *engine, struct pf_error *err)
{
    pf_state_drop_root(engine);
    int failed = lock_for_update(engine, err);
    if (!failed)
        failed = ask_mirror(engine, err);
    pf_cache_unlock_builder(engine->cache);
    engine->updated = !failed;
    return failed;
}

/* Holds the cached root, and checks that it goes with the lockfile. 1; 0 where there is none; or a
   code. Under the shared lock. */
static int hold_root(struct pf_engine *engine, struct pf_error *err)
{
    int failed = pf_state_lock_names(engine, err);
    if (failed)
        return failed;
    int has = pf_cache_has(engine->cache, engine->cache->root, err);
    if (has > 0)
        failed = pf_build_check_lock(&engine->build, engine->stats.installed > 0, err);
    if (has > 0 && !failed &&
        (engine->root_fd = pf_cache_hold(engine->cache, engine->cache->root, err)) < 0)
        failed = engine->root_fd;
    if (has > 0 && !failed)
        pf_cache_note_use(engine->cache);
    pf_cache_unlock_names(engine->cache);
    return failed ? failed : has;
}

/* Of the cached root, which is held. */
static int digest_cached(struct pf_engine *engine, struct pf_error *err)
{
    const struct pf_cache *cache = engine->cache;
    pf_events_text(engine->events, PF_EVENT_PHASE, NULL, "digesting the cached root");
    int failed = pf_state_digest_tree(engine, engine->root_fd, engine->tree, err);
    return failed ? pf_error_context(err, "%s/%s", cache->base, cache->root) : 0;
}

/* Where a digest is asked for, or the lockfile fixes one. */
static int check_tree(struct pf_engine *engine, struct pf_error *err)
{
    const struct pf_settled *s = &engine->settings;
    int failed = s->digest || s->lock.tree[0] ? digest_cached(engine, err) : 0;
    if (failed || !s->lock.tree[0] || strcmp(s->lock.tree, engine->tree) == 0)
        return failed;
    return pf_error_advise(err, PF_E_CORRUPT,
                           N_("clean the cache to make it anew (a lockfile without \"tree\" takes "
                              "any)"),
                           "the root %s/%s is not the tree of the lockfile: %s instead of %s",
                           engine->cache->base, engine->cache->root, engine->tree, s->lock.tree);
}

int pf_engine_prepare(struct pf_engine *engine, struct pf_error *err)
{
    pf_state_arm(engine);
    int failed = pf_state_open_cache(engine, err);
    if (!failed && engine->settings.update && !engine->updated)
        failed = update(engine, err);
    if (!failed && engine->root_fd >= 0)
        return 0;
    /* Between a build under the exclusive lock and the shared one, somebody may purge: look again.
     */
    for (bool made = engine->updated; !failed; made = true) {
        failed = pf_state_lock_cache(engine, PF_CACHE_SHARED, err);
        int has = failed ? failed : hold_root(engine, err);
        if (has < 0)
            return has;
        if (has) {
            pf_cache_tidy(engine->cache);
            engine->stats.root_was_cached = !made && engine->stats.installed == 0;
            return check_tree(engine, err);
        }
        failed = pf_state_lock_cache(engine, PF_CACHE_EXCLUSIVE, err);
        if (!failed)
            failed = pf_build_root(&engine->build, err);
    }
    return failed;
}

const char *pf_engine_tree(const struct pf_engine *engine)
{
    return engine->tree[0] ? engine->tree : NULL;
}

int pf_engine_lock(struct pf_engine *engine, const char *old_path, char **text,
                   struct pf_error *err)
{
    /* Between the two locks somebody may update: the tree and the files must go together. */
    for (;;) {
        int failed = pf_engine_prepare(engine, err);
        if (!failed)
            failed = pf_state_lock_cache(engine, PF_CACHE_EXCLUSIVE, err);
        if (failed)
            return failed;
        if (!pf_state_root_replaced(engine))
            break;
        pf_state_drop_root(engine);
    }
    return pf_build_lock_text(&engine->build, old_path, engine->tree, text, err);
}

const char *pf_engine_nearest(const char *word, const char *const *names)
{
    const char *near;
    size_t count = 0;
    while (names[count])
        count++;
    return pf_nearest(word, names, count, 1, &near) ? near : NULL;
}
