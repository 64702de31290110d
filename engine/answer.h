/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* answer: the types in which the engine says what it found: owners, differences, findings. */
#ifndef PF_ANSWER_H
#define PF_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* All strings are valid during the call that hands them over, and may hold bytes from outside.
   Paths are below a root and begin without a slash; the root itself is "". A callback's result that
   is not 0 ends the walk, and is what the walk returns. */

enum pf_claim_kind {
    PF_CLAIM_FILE,   /* the package's archive has it: a file, a device, a link … */
    PF_CLAIM_FOLDER, /* likewise, a folder */
    PF_CLAIM_LINK,   /* the package's script makes it a link */
};

/* One package's claim to a path. */
struct pf_claim {
    const char *package; /* NAME-VERSION-ARCH-BUILD */
    enum pf_claim_kind kind;
    const char *target; /* of a link that a script makes, else NULL */
    bool replaced;      /* something that came later took its place */
};

/* Who put a path there. */
struct pf_owned {
    const char *path;              /* without the links that led to it */
    const struct pf_claim *claims; /* in install order */
    size_t count;
    const struct pf_claim *winner; /* whose it is: the last that is not replaced; NULL: nobody's */
    bool present;                  /* the root has something there */
    const char *scripted_by;       /* nobody's, or not there: a package whose script names it */
    bool configured;               /* configuring a container of the release changes it */
};

typedef int (*pf_owned_fn)(void *ctx, const struct pf_owned *owned);

/* In what two roots differ at a path. */
enum pf_difference_what {
    PF_DIFFERS_ADDED = 1, /* only the second root has it, with all that is below it */
    PF_DIFFERS_REMOVED = 2,
    PF_DIFFERS_TYPE = 4,
    PF_DIFFERS_MODE = 8,
    PF_DIFFERS_OWNER = 16,
    PF_DIFFERS_SIZE = 32,
    PF_DIFFERS_CONTENT = 64,
    PF_DIFFERS_TARGET = 128,
    PF_DIFFERS_DEVICE = 256,
    /* Alone, and no difference: a pseudo file system is mounted there in one of the roots, as
       running containers have them, and nothing there was compared. */
    PF_DIFFERS_MOUNTED = 512,
};

struct pf_entry {
    mode_t mode; /* with the type */
    uid_t uid;
    gid_t gid;
    int64_t size_bytes; /* of a regular file */
    dev_t device;       /* of a device node */
    const char *target; /* of a link, else NULL */
};

struct pf_difference {
    const char *path;
    unsigned what; /* of enum pf_difference_what, together */
    struct pf_entry a, b;
};

typedef int (*pf_difference_fn)(void *ctx, const struct pf_difference *difference);

/* In what two lockfiles differ. */
struct pf_lock_difference {
    const char *what;     /* "added", "removed", "updated", "changed", "reordered", "setting" */
    const char *old_file; /* NULL where what says that there is none */
    const char *new_file;
};

typedef int (*pf_lock_difference_fn)(void *ctx, const struct pf_lock_difference *difference);

/* Something that is not as it should be. */
struct pf_finding {
    const char *subject; /* a file of the cache, or a path below the root */
    const char *package; /* whose it is; NULL: not known, or the cache's */
    const char *text;    /* what is wrong */
    const char *reason;  /* why that is no damage; NULL: it is */
};

typedef int (*pf_finding_fn)(void *ctx, const struct pf_finding *finding);

/* What was looked at. */
struct pf_verified {
    uint64_t packages;
    uint64_t files;     /* paths of a root; 0: it was the cache */
    uint64_t contents;  /* of these, held against a package's content */
    uint64_t damaged;   /* findings */
    uint64_t explained; /* findings that are no damage */
};

enum pf_check_state {
    PF_CHECK_OK,
    PF_CHECK_SLOWER,  /* it works without, but slower or with less protection */
    PF_CHECK_REFUSED, /* something does not work here */
};

struct pf_check {
    const char *group; /* "kernel", "tools", "limits", "permissions", "libraries" */
    const char *name;
    enum pf_check_state state;
    bool needed; /* refused: nothing can be built without it */
    const char *found;
    const char *advice; /* what to do; NULL: nothing */
};

typedef int (*pf_check_fn)(void *ctx, const struct pf_check *check);

#endif
