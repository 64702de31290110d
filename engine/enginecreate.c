/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine.h: roots and containers from the cached root. */
#include "state.h"

#include "bulk.h"
#include "clock.h"
#include "clone.h"
#include "configure.h"
#include "fs.h"
#include "lxcconfig.h"
#include "message.h"
#include "target.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int copy_root(struct pf_engine *engine, const struct pf_target *target, int to_fd,
                     struct pf_error *err)
{
    struct pf_clone_settings settings = {.threads = engine->settings.jobs,
                                         .cancel = &engine->stop,
                                         .events = engine->events,
                                         .subject = target->root};
    struct pf_clone_result result;
    pf_events_text(engine->events, PF_EVENT_PHASE, NULL, "copying the cached root");
    int failed = pf_clone_tree(engine->root_fd, to_fd, &settings, &result, err);
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

static int clone_root(struct pf_engine *engine, const struct pf_target *target,
                      struct pf_target_folder *folder, struct pf_error *err)
{
    int64_t start_ms = pf_clock_ms();
    int64_t span = pf_span_begin(engine->events);
    int made = pf_target_snapshot(folder, engine->root_fd, err);
    int failed = made < 0 ? made : 0;
    if (made == 0) {
        failed = copy_root(engine, target, folder->fd, err);
    } else if (made == 1) {
        engine->stats.snapshots++;
        engine->stats.reflinked = true;
        pf_events_send(engine->events,
                       &(struct pf_event){.type = PF_EVENT_SNAPSHOT, .subject = target->root});
    }
    pf_span_end(engine->events, span, "clone", target->root);
    engine->stats.clone_s += (double)(pf_clock_ms() - start_ms) / 1000;
    return failed;
}

static int settle_target(const struct pf_engine *engine, const struct pf_target *target,
                         struct pf_configure *configure, struct pf_error *err)
{
    *configure = (struct pf_configure){0};
    if (!target->name) {
        if (target->timezone || target->network || target->root_password)
            return pf_error_set(err, PF_E_INVALID,
                                "a root that stays as installed gets no time zone, network or root "
                                "password");
        return 0;
    }
    struct pf_configure_wish wish = {.name = target->name,
                                     .timezone = target->timezone,
                                     .network = target->network,
                                     .root_password = target->root_password,
                                     .of_container = target->of_container,
                                     .no_sandbox = engine->settings.no_sandbox};
    return pf_configure_settle(&wish, engine->settings.profile, configure, err);
}

static int fill_target(struct pf_engine *engine, const struct pf_target *target,
                       const struct pf_configure *configure, struct pf_target_folder *folder,
                       struct pf_error *err)
{
    int failed = pf_target_check(folder, err);
    if (!failed)
        failed = clone_root(engine, target, folder, err);
    if (!failed && target->name) {
        int64_t start_ms = pf_clock_ms();
        pf_events_text(engine->events, PF_EVENT_PHASE, NULL, "configuring the root");
        int64_t span = pf_span_begin(engine->events);
        failed = pf_configure_root(folder->fd, configure, engine->events, &engine->stop, err);
        engine->stats.configure_s += (double)(pf_clock_ms() - start_ms) / 1000;
        pf_span_end(engine->events, span, "configure", target->name);
    }
    int64_t span = pf_span_begin(engine->events);
    if (!failed)
        failed = pf_target_finish(folder, err);
    pf_span_end(engine->events, span, "publish", target->root);
    if (failed == PF_E_NO_SPACE)
        pf_error_context(err, "the file system of %s is full", target->root);
    return failed;
}

/* The directories above a root that were missing, and are made for it. */
struct above {
    char *path;
    size_t kept; /* so much of the path was there */
};

static void cut_component(char *path)
{
    char *slash = strrchr(path, '/');
    path[slash ? (size_t)(slash - path) : 0] = '\0';
}

/* As LXC does for a root of its own (dir_create of its storage/dir.c). */
static int make_above(const char *root, struct above *above, struct pf_error *err)
{
    pf_auto_free char *there = NULL;
    size_t length = strlen(root);
    while (length > 1 && root[length - 1] == '/')
        length--;
    above->path = strndup(root, length);
    if (above->path)
        cut_component(above->path);
    there = above->path ? strdup(above->path) : NULL;
    if (!there)
        return pf_error_memory(err);
    while (*there && faccessat(AT_FDCWD, there, F_OK, 0) < 0)
        cut_component(there);
    above->kept = strlen(there);
    if (above->path[above->kept] && pf_fs_make_folders(AT_FDCWD, above->path, 0755) < 0)
        return pf_error_errno(err, "making %s", above->path);
    return 0;
}

static void end_above(struct above *above, bool keep)
{
    while (!keep && above->path && strlen(above->path) > above->kept &&
           unlinkat(AT_FDCWD, above->path, AT_REMOVEDIR) == 0)
        cut_component(above->path);
    free(above->path);
}

int pf_engine_create_root(struct pf_engine *engine, const struct pf_target *target,
                          struct pf_error *err)
{
    struct pf_target_folder folder;
    struct pf_configure configure;
    struct above above = {0};
    int failed = settle_target(engine, target, &configure, err);
    if (!failed && target->in_place)
        failed = make_above(target->root, &above, err);
    if (failed) {
        end_above(&above, false);
        pf_configure_end(&configure);
        return failed;
    }
    /* Before the long work: a target that cannot be used is refused at once. */
    failed = pf_target_open(target->root, target->in_place, &folder, err);
    if (!failed)
        failed = pf_engine_prepare(engine, err);
    if (!failed)
        failed = fill_target(engine, target, &configure, &folder, err);
    pf_target_end(&folder);
    end_above(&above, !failed);
    pf_configure_end(&configure);
    if (!failed)
        pf_events_send(engine->events, &(struct pf_event){.type = PF_EVENT_DONE});
    return failed;
}

int pf_engine_create_containers(struct pf_engine *engine, const struct pf_containers *wish,
                                struct pf_container_result *results, struct pf_error *err)
{
    struct pf_bulk bulk = {.settings = &engine->settings,
                           .events = engine->events,
                           .stop = &engine->stop,
                           .stats = &engine->stats};
    int failed = pf_bulk_begin(&bulk, wish, results, err);
    if (!failed)
        failed = pf_engine_prepare(engine, err);
    if (!failed)
        failed = pf_bulk_make(&bulk, engine->cache, &engine->wait, err);
    pf_bulk_end(&bulk);
    if (!failed)
        pf_events_send(engine->events, &(struct pf_event){.type = PF_EVENT_DONE});
    return failed;
}

int pf_engine_lxc_rootfs(const char *path, char **rootfs, struct pf_error *err)
{
    return pf_lxcconfig_rootfs(path, rootfs, err);
}

int pf_engine_lxc_config(struct pf_engine *engine, const char *path, const char *name, bool mapped,
                         struct pf_error *err)
{
    struct pf_lxcconfig_container container = {.name = name,
                                               .arch = engine->settings.arch,
                                               .mapped = mapped,
                                               .fstab = engine->settings.profile->lxc_fstab};
    return pf_lxcconfig_append(path, &container, err);
}

int pf_engine_lxc_bindhome(const char *path, const char *rootfs, const char *user,
                           struct pf_error *err)
{
    pf_auto_fd int root_fd = open(rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return pf_error_errno(err, "%s", rootfs);
    return pf_lxcconfig_bindhome(path, rootfs, root_fd, user, err);
}
