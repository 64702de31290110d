/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "gc.h"

#include "array.h"
#include "cachelock.h"
#include "fs.h"
#include "generation.h"
#include "mounts.h"
#include "trash.h"
#include "treesize.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define MAX_WAIT_S 10

/* In the order in which they go. */
enum kind { KIND_TRASH, KIND_WORK, KIND_KEPT, KIND_PARTIAL, KIND_RELEASE };

struct thing {
    enum kind kind;
    char *name; /* of its folder; of a release "RELEASE-ARCH" */
    char release[65], arch[65];
    time_t last_use;
    uint64_t bytes;
};

struct collection {
    struct pf_cache *cache;
    const struct pf_gc *gc;
    struct pf_events *events;
    struct pf_gc_result *result;
    struct thing *things;
    size_t count;
    bool warned; /* of what stays in the trash */
    struct pf_error *err;
};

/* "8.x-x86_64" into its two parts. */
static bool split_name(const char *text, size_t length, struct thing *thing)
{
    const char *dash = memrchr(text, '-', length);
    size_t release = dash ? (size_t)(dash - text) : 0, arch = length - release - 1;
    if (release == 0 || release >= sizeof thing->release || arch == 0 ||
        arch >= sizeof thing->arch || *text == '.')
        return false;
    memcpy(thing->release, text, release);
    memcpy(thing->arch, dash + 1, arch);
    return true;
}

static bool is_kept(const char *name, struct thing *thing)
{
    static const char time_pattern[] = "-00000000T000000Z", prefix[] = "kept-plamo-";
    size_t length = strlen(name), end = sizeof time_pattern - 1, start = sizeof prefix - 1;
    char whole[NAME_MAX + 1];
    struct tm tm = {0};
    if (length <= start + end || !split_name(name + start, length - start - end, thing))
        return false;
    snprintf(whole, sizeof whole, "%s%s-%s", prefix, thing->release, thing->arch);
    if (!pf_generation_is(name, whole) || !strptime(name + length - end, "-%Y%m%dT%H%M%SZ", &tm))
        return false;
    thing->last_use = timegm(&tm);
    return true;
}

/* What a name in the cache folder is of. False: nothing of ours. */
static bool classify(const char *name, struct thing *thing)
{
    static const struct {
        const char *prefix;
        enum kind kind;
    } known[] = {
        {".plamo-fast-work-", KIND_WORK},
        {"partial-plamo-", KIND_PARTIAL},
        {"cache-plamo-", KIND_RELEASE},
        {"rootfs-plamo-", KIND_RELEASE},
    };
    *thing = (struct thing){.kind = KIND_TRASH};
    if (strncmp(name, PF_TRASH_NAME, strlen(PF_TRASH_NAME)) == 0)
        return true;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t length = strlen(known[i].prefix);
        thing->kind = known[i].kind;
        if (strncmp(name, known[i].prefix, length) == 0)
            return split_name(name + length, strlen(name + length), thing);
    }
    thing->kind = KIND_KEPT;
    return is_kept(name, thing);
}

static struct thing *find_release(const struct collection *c, const struct thing *like)
{
    for (size_t i = 0; i < c->count; i++) {
        struct thing *thing = &c->things[i];
        if (thing->kind == KIND_RELEASE && strcmp(thing->release, like->release) == 0 &&
            strcmp(thing->arch, like->arch) == 0)
            return thing;
    }
    return NULL;
}

/* The other folder of a release is there already, or a new thing begins. */
static struct thing *place_for(struct collection *c, struct thing *new, const char *name)
{
    struct thing *other = new->kind == KIND_RELEASE ? find_release(c, new) : NULL;
    if (other)
        return other;
    if (new->kind != KIND_RELEASE)
        new->name = strdup(name);
    else if (asprintf(&new->name, "Plamo %s for %s", new->release, new->arch) < 0)
        new->name = NULL;
    if (!new->name || pf_array_room(&c->things, c->count, sizeof *c->things) < 0) {
        free(new->name);
        return NULL;
    }
    c->things[c->count] = *new;
    return &c->things[c->count++];
}

static time_t noted_use(const struct thing *thing, int dir_fd)
{
    char name[NAME_MAX + 1];
    struct stat st;
    snprintf(name, sizeof name, ".plamo-fast-%s-%s.names.lock", thing->release, thing->arch);
    return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? 0 : st.st_mtim.tv_sec;
}

static int note_name(void *ctx, int dir_fd, const char *name)
{
    struct collection *c = ctx;
    struct thing new;
    if (!classify(name, &new) || !pf_fs_belongs_to_us(dir_fd, name))
        return 0;
    struct thing *thing = place_for(c, &new, name);
    if (!thing)
        return 1;
    struct pf_treesize m = pf_treesize(dir_fd, name);
    struct stat st = {0};
    /* Of a root what counts is when it got its name: scripts and copies make inner times. */
    if (thing->kind == KIND_RELEASE && fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        m.changed = st.st_ctim.tv_sec;
    time_t noted = thing->kind == KIND_RELEASE ? noted_use(thing, dir_fd) : 0;
    time_t used = thing->kind == KIND_KEPT ? thing->last_use : noted ? noted : m.changed;
    if (used > thing->last_use)
        thing->last_use = used;
    thing->bytes += m.bytes;
    c->result->bytes_before += m.bytes;
    return 0;
}

static int by_use(const void *a, const void *b)
{
    const struct thing *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return (x->last_use > y->last_use) - (x->last_use < y->last_use);
}

/* Has somebody locked that folder, or mounted something in it? Absent: no. */
static bool is_held(const struct pf_cache *cache, const char *name)
{
    char point[PATH_MAX];
    if (pf_mounts_find(cache->base_fd, name, point))
        return true;
    pf_auto_fd int fd =
        openat(cache->base_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* 1: aside; 0: in use; or a code. Under the builder's lock. */
static int put_release(struct collection *c, struct pf_cache *own)
{
    struct pf_cache_wait wait = {.timeout_s = MAX_WAIT_S, .events = c->events};
    int failed = pf_cache_lock_names(own, PF_CACHE_EXCLUSIVE, &wait, c->err);
    if (failed)
        return failed == PF_E_BUSY ? 0 : failed;
    bool held = is_held(own, own->root) || is_held(own, own->complete);
    int moved = held || c->gc->dry_run ? 0 : pf_trash_put(own->base_fd, own->root, c->err);
    if (!held && !c->gc->dry_run && moved >= 0)
        moved = pf_trash_put(own->base_fd, own->complete, c->err);
    pf_cache_unlock_names(own);
    return moved < 0 ? moved : !held;
}

static int put_thing(struct collection *c, const struct thing *thing)
{
    struct pf_cache *own;
    if (thing->kind == KIND_TRASH)
        return !is_held(c->cache, thing->name);
    int status = pf_cache_open(c->cache->base, thing->release, thing->arch, &own, c->err);
    if (status)
        return status;
    if (!pf_cache_try_builder(own))
        status = 0;
    else if (thing->kind == KIND_RELEASE)
        status = put_release(c, own);
    else
        status = is_held(own, thing->name) ? 0
                 : c->gc->dry_run          ? 1
                                           : pf_trash_put(own->base_fd, thing->name, c->err);
    pf_cache_close(own);
    return status;
}

/* What stays of it, in nobody's way, would stay at each of the next things, too. */
static void empty_trash(struct collection *c)
{
    struct pf_error why = {0};
    if (pf_trash_empty(c->cache->base_fd, &why) && !c->warned)
        pf_events_text(c->events, PF_EVENT_WARNING, c->cache->base, "%s", why.text);
    c->warned = c->warned || why.code;
}

static int remove_thing(struct collection *c, const struct thing *thing)
{
    int status = put_thing(c, thing);
    if (status < 0)
        return status;
    if (status == 0) {
        c->result->in_use++;
        pf_events_text(c->events, PF_EVENT_NOTE, thing->name, "in use: it stays");
        return 0;
    }
    if (!c->gc->dry_run)
        empty_trash(c);
    c->result->removed++;
    c->result->bytes_removed += thing->bytes;
    double megabytes = (double)thing->bytes / 1e6;
    if (c->gc->dry_run)
        pf_events_text(c->events, PF_EVENT_NOTE, thing->name, "would be removed, %.1f MB",
                       megabytes);
    else
        pf_events_text(c->events, PF_EVENT_NOTE, thing->name, "removed, %.1f MB", megabytes);
    return 0;
}

static bool must_go(const struct collection *c, const struct thing *thing, time_t now)
{
    const struct pf_gc *gc = c->gc;
    uint64_t left = c->result->bytes_before - c->result->bytes_removed;
    return thing->kind <= KIND_WORK || (gc->max_bytes && left > gc->max_bytes) ||
           (gc->max_age_s && now > thing->last_use &&
            (uint64_t)(now - thing->last_use) > gc->max_age_s);
}

static int remove_things(struct collection *c, const atomic_bool *stop)
{
    int failed = 0;
    time_t now = time(NULL);
    if (c->count)
        qsort(c->things, c->count, sizeof *c->things, by_use);
    for (size_t i = 0; !failed && i < c->count; i++) {
        if (atomic_load(stop))
            failed = pf_error_set(c->err, PF_E_CANCELLED, "stopped");
        else if (must_go(c, &c->things[i], now))
            failed = remove_thing(c, &c->things[i]);
    }
    return failed;
}

int pf_gc_collect(struct pf_cache *cache, const struct pf_gc *gc, struct pf_events *events,
                  const atomic_bool *stop, struct pf_gc_result *result, struct pf_error *err)
{
    struct collection c = {
        .cache = cache, .gc = gc, .events = events, .result = result, .err = err};
    int status = pf_fs_each_name(cache->base_fd, note_name, &c);
    int failed = status < 0 ? pf_error_errno(err, "%s", cache->base) : 0;
    if (status > 0)
        failed = pf_error_memory(err);
    if (!failed)
        failed = remove_things(&c, stop);
    for (size_t i = 0; i < c.count; i++)
        free(c.things[i].name);
    free(c.things);
    return failed;
}
