/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine: the library's public face: a mirror becomes a plan, a cached root, a container's root. */
#ifndef PF_ENGINE_H
#define PF_ENGINE_H

#include "error.h"
#include "event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is to be built, and how. A NULL or 0 means the default. Lists end with NULL; an empty list
   means none. The strings are copied by pf_engine_new. */
struct pf_settings {
    const char *release;      /* "8.x" */
    const char *arch;         /* "x86_64" or "x86"; default: this machine's */
    const char *mirror;       /* URL above "Plamo-RELEASE" */
    const char *cache_folder; /* default: /var/cache/lxc */
    const char *const *categories;
    const char *const *contrib;
    const char *const *addons;
    const char *const *ignore;
    unsigned jobs;           /* worker threads; default: one per processor; 1: no extra thread */
    unsigned connections;    /* transfers at once */
    unsigned lock_timeout_s; /* how long to wait for another build; PF_NO_WAIT: not at all */
    bool skip_corrupt;       /* go on without a damaged package, as the shell template does */
    pf_event_fn on_event;
    void *event_ctx;
};

#define PF_NO_WAIT UINT32_MAX

/* Readies the process: umask 0, SIGPIPE ignored, /dev/null in the place of closed standard
   descriptors. All of that is process-wide, so the program decides, once, before it makes an
   engine. */
void pf_engine_init_process(void);

struct pf_engine;

/* PF_E_INVALID for a release or architecture that cannot be built here. */
int pf_engine_new(const struct pf_settings *settings, struct pf_engine **out, struct pf_error *err);
void pf_engine_free(struct pf_engine *engine); /* lets locks go; NULL is fine */

/* Makes whatever runs end soon with PF_E_CANCELLED. Safe in a signal handler and on any thread. */
void pf_engine_cancel(struct pf_engine *engine);

/* What was settled: the values with their defaults. Valid as long as the engine. */
const char *pf_engine_release(const struct pf_engine *engine);
const char *pf_engine_arch(const struct pf_engine *engine);
const char *pf_engine_mirror(const struct pf_engine *engine);

/* One file of a plan, in install order. */
struct pf_plan_file {
    const char *file;
    const char *url;
    int64_t size_bytes; /* -1: the mirror does not say */
    bool package;       /* false: a text that an add-on's pattern took along */
};

/* Asks the mirror, downloads no package. files is valid until the next call and as long as the
   engine. with_sizes costs a request per file. */
int pf_engine_plan(struct pf_engine *engine, bool with_sizes, const struct pf_plan_file **files,
                   size_t *count, struct pf_error *err);

/* What a run did. */
struct pf_stats {
    uint64_t requests;       /* to the mirror */
    uint64_t received_bytes; /* from the mirror */
    uint64_t decoded;        /* packages unpacked and verified */
    uint64_t installed;      /* packages */
    uint64_t shells;         /* scripts that needed a shell */
    uint64_t cloned_entries, cloned_bytes;
    bool reflinked; /* the clone shares its content with the cached root */
    double fetch_install_s, clone_s;
};

/* Makes sure of the cached root: crawl, fetch, verify, stage, commit, publish, as far as it is
   needed. Afterwards the engine holds the cache's lock shared, so nobody takes the root away. */
int pf_engine_prepare(struct pf_engine *engine, struct pf_error *err);

/* A root to be made from the cached one. */
struct pf_target {
    const char *root; /* its path */
    const char *name; /* the container's; NULL: leave the root as installed, unconfigured */
    bool in_place;    /* fill the folder that is there (it may be a mount point); else the root
                         appears under its path by one rename when it is finished */
};

/* Prepares, clones, configures. Where root exists it must be an empty folder. After a failure
   nothing of it is left. */
int pf_engine_create_root(struct pf_engine *engine, const struct pf_target *target,
                          struct pf_error *err);

/* Removes the downloads and the cached root of this release and architecture, under the lock. */
int pf_engine_clean(struct pf_engine *engine, struct pf_error *err);

void pf_engine_stats(const struct pf_engine *engine, struct pf_stats *stats);

/* The LXC side. path is the folder with the container's config. */

/* Where the container's root is, by its config. *rootfs is the caller's to free. */
int pf_engine_lxc_rootfs(const char *path, char **rootfs, struct pf_error *err);

/* Completes PATH/config. mapped: the container is an unprivileged user's. */
int pf_engine_lxc_config(struct pf_engine *engine, const char *path, const char *name, bool mapped,
                         struct pf_error *err);

/* Binds a host user's home into the container. */
int pf_engine_lxc_bindhome(const char *path, const char *rootfs, const char *user,
                           struct pf_error *err);

#endif
