/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine.h: what is asked of caches and roots, and what is removed from them. */
#include "state.h"

#include "answers.h"
#include "base.h"
#include "doctor.h"
#include "fs.h"
#include "gc.h"
#include "message.h"
#include "treesize.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int open_root(const char *root, struct pf_error *err)
{
    int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return pf_error_advise(err, PF_E_INVALID, N_("check the path"),
                               "%s is not the folder of a root", root);
    return fd < 0 ? pf_error_errno(err, "%s", root) : fd;
}

int pf_engine_digest(struct pf_engine *engine, const char *root, const char **text,
                     struct pf_error *err)
{
    pf_state_arm(engine);
    pf_auto_fd int fd = open_root(root, err);
    if (fd < 0)
        return fd;
    int failed = pf_state_digest_tree(engine, fd, engine->digest, err);
    *text = engine->digest;
    return failed ? pf_error_context(err, "%s", root) : 0;
}

/* Opens the cache to read it, which does not make one. 1: it is there, under the shared lock, and
   under the names' lock until unlock_names: root and packages stay as they are. */
static int read_cache(struct pf_engine *engine, struct pf_error *err)
{
    pf_state_arm(engine);
    if (access(engine->settings.cache_folder, F_OK) < 0)
        return errno == ENOENT ? 0 : pf_error_errno(err, "%s", engine->settings.cache_folder);
    int failed = pf_state_open_cache(engine, err);
    if (!failed)
        failed = pf_state_lock_cache(engine, PF_CACHE_SHARED, err);
    if (!failed)
        failed = pf_state_lock_names(engine, err);
    return failed ? failed : 1;
}

static void unlock_names(struct pf_engine *engine)
{
    if (engine->cache)
        pf_cache_unlock_names(engine->cache);
}

/* The cached root, of which there may be none: its records, or NULL. Under the names' lock. */
static int open_cached_records(struct pf_engine *engine, struct pf_records **out,
                               struct pf_error *err)
{
    *out = NULL;
    int has = pf_cache_has(engine->cache, engine->cache->root, err);
    if (has <= 0)
        return has;
    int fd = pf_cache_hold(engine->cache, engine->cache->root, err);
    return fd < 0 ? fd : pf_records_open(fd, engine->settings.profile, &engine->stop, out, err);
}

static int nothing_cached(const struct pf_engine *engine, const char *what, struct pf_error *err)
{
    const struct pf_settled *s = &engine->settings;
    return pf_error_advise(err, PF_E_ABSENT, N_("--release and --cache choose another"),
                           "the cache %s has no %s of Plamo %s for %s", s->cache_folder, what,
                           s->release, s->arch);
}

int pf_engine_open_records(struct pf_engine *engine, const char *root, struct pf_records **out,
                           struct pf_error *err)
{
    *out = NULL;
    if (root) {
        pf_state_arm(engine);
        int fd = open_root(root, err);
        if (fd < 0)
            return fd;
        int failed = pf_records_open(fd, engine->settings.profile, &engine->stop, out, err);
        /* No mirror and no cache lacks it: it was another folder that was meant. */
        if (failed == PF_E_ABSENT) {
            failed = PF_E_INVALID;
            if (err)
                err->code = failed;
            pf_error_hint(err, "check the path");
        }
        return failed ? pf_error_context(err, "%s", root) : 0;
    }
    int there = read_cache(engine, err);
    int failed = there > 0 ? open_cached_records(engine, out, err) : there;
    unlock_names(engine);
    return failed || *out ? failed : nothing_cached(engine, "root", err);
}

static int verify_cache(struct pf_engine *engine, pf_finding_fn fn, void *ctx,
                        struct pf_verified *result, struct pf_error *err)
{
    struct pf_records *records = NULL;
    int there = read_cache(engine, err);
    if (there <= 0)
        return there < 0 ? there : nothing_cached(engine, "packages", err);
    int has = pf_cache_has(engine->cache, engine->cache->complete, err);
    int failed = has < 0 ? has : open_cached_records(engine, &records, err);
    if (!failed && !has && !records)
        failed = nothing_cached(engine, "packages", err);
    if (!failed)
        failed = pf_answers_verify(&engine->settings, has ? engine->cache : NULL, records, false,
                                   &engine->stop, fn, ctx, result, err);
    unlock_names(engine);
    pf_records_free(records);
    return failed;
}

int pf_engine_verify(struct pf_engine *engine, const char *root, pf_finding_fn fn, void *ctx,
                     struct pf_verified *result, struct pf_error *err)
{
    if (!root)
        return verify_cache(engine, fn, ctx, result, err);
    struct pf_records *records;
    int failed = pf_engine_open_records(engine, root, &records, err);
    int has = failed ? failed : read_cache(engine, err);
    if (has > 0)
        has = pf_cache_has(engine->cache, engine->cache->complete, err);
    failed = has < 0 ? has
                     : pf_answers_verify(&engine->settings, has ? engine->cache : NULL, records,
                                         true, &engine->stop, fn, ctx, result, err);
    unlock_names(engine);
    pf_records_free(records);
    return failed;
}

int pf_engine_doctor(const struct pf_engine *engine, const char *lxc_path, pf_check_fn fn,
                     void *ctx)
{
    struct pf_doctor doctor = {.cache_folder = engine->settings.cache_folder,
                               .lxc_path = lxc_path ? lxc_path : "/var/lib/lxc",
                               .no_sandbox = engine->settings.no_sandbox,
                               .fn = fn,
                               .ctx = ctx};
    return pf_doctor_run(&doctor);
}

static void add_bases(struct pf_gc_result *result, const struct pf_base_collection *bases)
{
    result->removed += bases->removed;
    result->in_use += bases->kept;
    result->bytes_removed += bases->bytes_removed;
    result->bytes_before += bases->bytes_removed + bases->bytes_kept;
}

/* What clean is about to take away. */
static void measure_cache(const struct pf_cache *cache, struct pf_gc_result *result)
{
    const char *const names[] = {cache->root, cache->complete};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint64_t bytes = pf_treesize(cache->base_fd, names[i]).bytes;
        result->removed += faccessat(cache->base_fd, names[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0;
        result->bytes_removed += bytes;
        result->bytes_before += bytes;
    }
}

int pf_engine_clean(struct pf_engine *engine, struct pf_gc_result *result, struct pf_error *err)
{
    struct pf_base_collection bases;
    pf_state_arm(engine);
    *result = (struct pf_gc_result){0};
    /* Where there is no cache folder, none is made to be cleaned. */
    if (access(engine->settings.cache_folder, F_OK) < 0 && errno == ENOENT)
        return 0;
    int failed = pf_state_open_cache(engine, err);
    pf_state_drop_root(engine);
    if (!failed)
        failed = pf_state_lock_cache(engine, PF_CACHE_EXCLUSIVE, err);
    if (!failed) {
        measure_cache(engine->cache, result);
        failed = pf_cache_purge(engine->cache, err);
    }
    if (!failed)
        failed = pf_base_collect(engine->cache, 0, engine->events, &engine->stop, &bases, err);
    if (!failed)
        add_bases(result, &bases);
    return failed;
}

int pf_engine_gc(struct pf_engine *engine, const struct pf_gc *gc, struct pf_gc_result *result,
                 struct pf_error *err)
{
    pf_state_arm(engine);
    *result = (struct pf_gc_result){0};
    if (access(engine->settings.cache_folder, F_OK) < 0 && errno == ENOENT)
        return 0;
    int failed = pf_state_open_cache(engine, err);
    /* lxc-plamo and cold builds are kept out; everybody else says by locks of their own what they
       use. */
    if (!failed)
        failed = pf_state_lock_cache(engine, PF_CACHE_SHARED, err);
    struct pf_base_collection bases = {0};
    unsigned how = PF_BASE_OF_ALL | (gc->dry_run ? PF_BASE_LOOK_ONLY : 0);
    if (!failed)
        failed = pf_base_collect(engine->cache, how, engine->events, &engine->stop, &bases, err);
    add_bases(result, &bases);
    if (!failed)
        failed = pf_gc_collect(engine->cache, gc, engine->events, &engine->stop, result, err);
    return failed;
}
