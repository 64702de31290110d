/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "state.h"

#include "fs.h"
#include "trash.h"
#include "treedigest.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

/* On btrfs all cached roots have the same inode, each on a device of its own. */
bool pf_state_root_replaced(const struct pf_engine *engine)
{
    struct stat held, now;
    if (fstat(engine->root_fd, &held) < 0)
        return false;
    return fstatat(engine->cache->base_fd, engine->cache->root, &now, AT_SYMLINK_NOFOLLOW) < 0 ||
           now.st_ino != held.st_ino || now.st_dev != held.st_dev;
}

void pf_state_drop_root(struct pf_engine *engine)
{
    if (engine->root_fd < 0)
        return;
    bool replaced = pf_state_root_replaced(engine);
    pf_close_at(&engine->root_fd);
    if (replaced)
        pf_trash_empty(engine->cache->base_fd, NULL);
}

void pf_state_arm(struct pf_engine *engine)
{
    atomic_store(&engine->stop, false);
    if (atomic_load(&engine->cancelled))
        atomic_store(&engine->stop, true);
}

int pf_state_open_cache(struct pf_engine *engine, struct pf_error *err)
{
    const struct pf_settled *s = &engine->settings;
    if (engine->cache)
        return 0;
    int failed = pf_cache_open(s->cache_folder, s->release, s->arch, &engine->cache, err);
    engine->build.cache = engine->cache;
    if (!failed)
        engine->cache->events = engine->events;
    return failed;
}

int pf_state_lock_cache(struct pf_engine *engine, enum pf_cache_lock mode, struct pf_error *err)
{
    return pf_cache_lock(engine->cache, mode, &engine->wait, err);
}

int pf_state_lock_names(struct pf_engine *engine, struct pf_error *err)
{
    return pf_cache_lock_names(engine->cache, PF_CACHE_SHARED, &engine->wait, err);
}

int pf_state_digest_tree(struct pf_engine *engine, int fd, char text[PF_LOCKFILE_TREE_SIZE],
                         struct pf_error *err)
{
    const struct pf_settled *s = &engine->settings;
    struct pf_treedigest_settings settings = {.threads = s->jobs == 1 ? 0 : s->jobs,
                                              .cancel = &engine->stop};
    char hex[PF_DIGEST_TEXT_SIZE];
    int failed = pf_treedigest(fd, &settings, hex, err);
    if (!failed)
        snprintf(text, PF_LOCKFILE_TREE_SIZE, PF_LOCKFILE_TREE_PREFIX "%s", hex);
    return failed;
}
