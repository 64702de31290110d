/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* engine: the library's public face: a mirror becomes a plan, a cached root, a container's root. */
#ifndef PF_ENGINE_H
#define PF_ENGINE_H

#include "answer.h"
#include "error.h"
#include "event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What one package may be; a 0 means the default, which has room for every real package. */
struct pf_limits {
    uint64_t entries;      /* members of the archive; default 500,000 */
    uint64_t depth;        /* folders within each other; default 128 */
    uint64_t name_bytes;   /* of all member names together; default 64 MiB */
    uint64_t ratio;        /* unpacked : packed bytes; default 250 */
    uint64_t bytes;        /* unpacked; default 32 GiB */
    uint64_t memory_bytes; /* of its decoder; default 192 MiB */
    uint64_t unchecked;    /* 1: take it where its xz or zstd data has no check values */
};

/* What is to be built, and how. A NULL or 0 means the default. Lists end with NULL; an empty list
   means none. The strings are copied by pf_engine_new. */
struct pf_settings {
    const char *release;        /* "8.x" */
    const char *arch;           /* "x86_64" or "x86"; default: this machine's */
    const char *const *mirrors; /* URLs above "Plamo-RELEASE", the preferred one first */
    const char *cache_folder;   /* default: /var/cache/lxc */
    const char *const *categories;
    const char *const *contrib;
    const char *const *addons;
    const char *const *ignore;
    unsigned jobs;              /* worker threads; default: one per processor; 1: no extra thread */
    unsigned connections;       /* transfers at once */
    uint64_t limit_bytes_per_s; /* of all transfers together; 0: none */
    unsigned least_bytes_per_s; /* a slower transfer is broken off and tried again; default 1024 */
    unsigned stall_timeout_s;   /* how long it may be slower; default 30 */
    unsigned fetch_timeout_s;   /* for all that is asked of the mirrors; 0: no limit */
    unsigned ip_version;        /* 4 or 6: only that one */
    const char *ca_file;        /* PEM: the authorities to trust instead of the system's */
    bool no_checksums;          /* do not look at the mirror's checksum lists */
    const char *lock_file;      /* build exactly what this lockfile says; NULL: no lockfile */
    const char *keyring;        /* for its signature, LOCK_FILE.sig; NULL: none is looked at */
    bool digest;                /* digest the cached root, see pf_engine_tree */
    bool offline;               /* use what the cache has, and nothing else */
    bool update;                /* ask the mirror what has changed, also where all is cached */
    unsigned max_age_s;      /* an update asks nothing where one with the same settings asked less
                                than so many seconds ago; 0: it always asks */
    unsigned keep;           /* of replaced package sets an update keeps so many; 0: none */
    unsigned lock_timeout_s; /* how long to wait for another build; PF_NO_WAIT: not at all */
    bool skip_corrupt;       /* go on without a damaged package, as the shell template does */
    struct pf_limits limits;
    bool no_sandbox; /* run package scripts with all that this process may do */
    bool spans;      /* tell by events, too, which thread spent what time on which stage */
    pf_event_fn on_event;
    void *event_ctx;
};

#define PF_NO_WAIT UINT32_MAX

/* Readies the process: umask 0, SIGPIPE ignored, /dev/null in the place of closed standard
   descriptors, libcrypto's memory with a reserve. All of that is process-wide, so the program
   decides, once, before it makes an engine. */
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
const char *pf_engine_cache_folder(const struct pf_engine *engine);
const char *pf_engine_mirror(const struct pf_engine *engine); /* that of the last plan */

/* One file of a plan, in install order. */
struct pf_plan_file {
    const char *file;
    const char *url;    /* NULL: not known (found in a cache) */
    int64_t size_bytes; /* -1: the mirror does not say */
    bool package;       /* false: a text that an add-on's pattern took along */
};

/* Asks the mirror, downloads no package; offline: what the cache has. files is valid until the next
   call and as long as the engine. with_sizes costs a request per file where the mirror's listings
   do not tell. */
int pf_engine_plan(struct pf_engine *engine, bool with_sizes, const struct pf_plan_file **files,
                   size_t *count, struct pf_error *err);

/* What a run did. */
struct pf_stats {
    uint64_t requests;       /* to the mirror */
    uint64_t received_bytes; /* from the mirror */
    uint64_t decoded;        /* packages unpacked and verified */
    uint64_t installed;      /* packages */
    uint64_t shells;         /* scripts that needed a shell */
    uint64_t snapshots;      /* roots that are snapshots: nobody counts what is in them */
    uint64_t cloned_entries, cloned_bytes;
    bool reflinked; /* the clone shares its content with the cached root */
    double fetch_install_s, clone_s;
    uint64_t files;        /* of the plan, or of the cache, that went into this run */
    uint64_t cached_files; /* of them: that were there and needed no fetching */
    bool root_was_cached;  /* the cached root was taken as it was */
    /* Fetching and installing go on at the same time. */
    double plan_s, fetch_s, install_s, configure_s;
};

/* Makes sure of the cached root: crawl, fetch, verify, stage, commit, publish, as far as it is
   needed. With `update` the mirror is asked first, once for each engine: what has changed is
   fetched and told by events, and the cached root is made anew if anything has, while others go on
   copying the old one. Afterwards the engine holds this root: whatever others do, it makes each
   container of it until it is freed. */
int pf_engine_prepare(struct pf_engine *engine, struct pf_error *err);

/* Makes sure of the cached packages as pf_engine_prepare does, and gives the text of a lockfile
   that fixes them: the caller frees it. With `digest` it fixes the tree that they make, too. Where
   old_path (may be NULL) is a lockfile, what is new against it is told by events. */
int pf_engine_lock(struct pf_engine *engine, const char *old_path, char **text,
                   struct pf_error *err);

/* A root to be made from the cached one. */
struct pf_target {
    const char *root; /* its path */
    const char *name; /* the container's; NULL: leave the root as installed, unconfigured */
    bool in_place; /* fill the folder that is there (it may be a mount point; an empty one of btrfs
                      may give way to a snapshot), or make it, with those above it; else the root
                      appears under its path by one rename when it is finished */
    bool of_container; /* others of this machine cannot get at the path: where a release makes nodes
                          of terminals, which are this machine's own, the root gets them */
    /* How it is configured; all NULL where name is. */
    const char *timezone;      /* like "Europe/Berlin"; NULL: Asia/Tokyo */
    const char *network;       /* "dhcp" (also for NULL): on eth0; "none": the loopback alone */
    const char *root_password; /* "keep", "locked", "password:TEXT", "file:PATH" (its first line) or
                                  "hash:CRYPT"; NULL: as the release has it, which is "keep" but for
                                  5.x, which sets "root" and warns of it */
};

/* Prepares, clones, configures. Where root exists it must be an empty folder. After a failure
   nothing of it is left. What makes no sense is PF_E_INVALID before any work is done. */
int pf_engine_create_root(struct pf_engine *engine, const struct pf_target *target,
                          struct pf_error *err);

/* Many containers at once. The strings need to last as long as the call. */

/* One of them; what is NULL or false is as LXC or the release has it. */
struct pf_container {
    const char *name;
    const char *timezone, *network, *root_password; /* as in struct pf_target */
    const char *config; /* lines "lxc.KEY = VALUE\n" for the end of its configuration */
    bool autostart;     /* when the host boots (lxc.start.auto) */
};

/* What their roots are. */
enum pf_backing {
    PF_BACKING_DIR,     /* folders of their own, which share content (reflink) where that works */
    PF_BACKING_OVERLAY, /* overlays upon one copy of the cached root, which pf_engine_clean leaves
                           as long as any container needs it */
};

struct pf_containers {
    const char *lxcpath;        /* the folder they are made in; NULL: LXC's */
    const char *default_config; /* a file with the lines that the configurations begin with, as for
                                   lxc-create -f; NULL: LXC's */
    enum pf_backing backing;
    const struct pf_container *containers;
    size_t count;
};

/* What became of one. */
struct pf_container_result {
    enum pf_container_state {
        PF_CONTAINER_NOT_BEGUN, /* the run ended before; nothing of it is left */
        PF_CONTAINER_MADE,
        PF_CONTAINER_KEPT,   /* it was there, whole, and is untouched */
        PF_CONTAINER_FAILED, /* error says why; nothing of it is left */
    } state;
    struct pf_error error;
};

/* Prepares once, then clones, configures and writes the configurations of all, side by side, as
   lxc-create would. A container appears under its name when it is whole, and is one like any other
   for LXC. One that fails, or that is there already, keeps none of the others from being made;
   what killed runs have left half-made is removed. results has an element for each. 0 where all are
   made or were there, else the code of the first failure; what makes no sense, of any of them, is
   PF_E_INVALID before any work is done. */
int pf_engine_create_containers(struct pf_engine *engine, const struct pf_containers *wish,
                                struct pf_container_result *results, struct pf_error *err);

/* The digest of the cached root as installed, before any container's configuration: "sha256:" and
   64 hexadecimal digits (treedigest.h says of what). NULL unless pf_engine_prepare, or what
   prepares, has made it, which it does where `digest` is set or the lockfile has one. A tree that
   is not the lockfile's is PF_E_CORRUPT, and no root is made of it. */
const char *pf_engine_tree(const struct pf_engine *engine);

/* The same of any folder. *text is valid until the next call and as long as the engine. */
int pf_engine_digest(struct pf_engine *engine, const char *root, const char **text,
                     struct pf_error *err);

/* What there was, and what went (or would go). Sizes are those on the disk. */
struct pf_gc_result {
    uint64_t bytes_before, bytes_removed;
    unsigned removed, in_use; /* things; those that had to stay for being in use */
};

/* Removes the downloads and the cached root of this release and architecture, under the lock, and
   those copies of it that no overlay lies upon any more; those that stay are "in use". */
int pf_engine_clean(struct pf_engine *engine, struct pf_gc_result *result, struct pf_error *err);

/* What may go from a cache folder. A 0 is no limit. */
struct pf_gc {
    uint64_t max_bytes; /* of everything in it together; the least useful goes first */
    uint64_t max_age_s; /* of what has not been used for longer */
    bool dry_run;       /* only tell of it */
};

/* Collects everything in the engine's cache folder, of whatever release: what killed runs have left
   goes in any case; then, as the limits say, package sets that updates have replaced, downloads
   that were broken off, and the packages and root of a release, those longest unused first. What
   somebody builds, reads or has locked stays. Each thing is told by a PF_EVENT_NOTE. */
int pf_engine_gc(struct pf_engine *engine, const struct pf_gc *gc, struct pf_gc_result *result,
                 struct pf_error *err);

void pf_engine_stats(const struct pf_engine *engine, struct pf_stats *stats);

/* The records of an installed root: which package put what there. */
struct pf_records;

/* Opens them. root: its path; NULL: the cached root of this release and architecture, whose cache
   the engine then holds the shared lock of. The root's content is not trusted. PF_E_ABSENT where
   the cache has no root, PF_E_INVALID where root is none that packages were installed in;
   PF_E_CORRUPT for a damaged record. */
int pf_engine_open_records(struct pf_engine *engine, const char *root, struct pf_records **out,
                           struct pf_error *err);
void pf_records_free(struct pf_records *records); /* before the engine; NULL is fine */

/* Who put a path there, given with or without a slash before it; links on the way are followed
   inside the root. *out is valid until the records are asked again. PF_E_INVALID for a path that is
   too long or goes round in links. */
int pf_records_owners(struct pf_records *records, const char *path, struct pf_owned *out,
                      struct pf_error *err);

/* Calls fn for every path that several packages brought and that is more than a folder they share,
   sorted by the path. */
int pf_records_overlaps(struct pf_records *records, pf_owned_fn fn, void *ctx,
                        struct pf_error *err);

/* Looks for damage and tells fn of each finding, in an order that is always the same. root NULL:
   the cached packages, all of them read to the end, and the cached root. Else: that root by its
   records, and by the content of those of its packages that the cache has. PF_E_ABSENT where the
   cache has nothing to verify, PF_E_INVALID where root is none. */
int pf_engine_verify(struct pf_engine *engine, const char *root, pf_finding_fn fn, void *ctx,
                     struct pf_verified *result, struct pf_error *err);

/* In what two roots (folders), or two lockfiles, differ. Nothing is changed. */
int pf_engine_diff(const char *a, const char *b, pf_difference_fn of_roots,
                   pf_lock_difference_fn of_locks, void *ctx, struct pf_error *err);

/* What this machine has of what the engine uses. lxc_path: where containers are; NULL:
   /var/lib/lxc. Nothing is made. Returns what fn returned. */
int pf_engine_doctor(const struct pf_engine *engine, const char *lxc_path, pf_check_fn fn,
                     void *ctx);

/* Of names (ended by NULL) the one that a mistyped word may have meant, or NULL. */
const char *pf_engine_nearest(const char *word, const char *const *names);

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
