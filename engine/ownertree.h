/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ownertree: an install followed on names alone: what is where, and which packages had a claim. */
#ifndef PF_OWNERTREE_H
#define PF_OWNERTREE_H

#include "answer.h"
#include "error.h"
#include "installed.h"
#include "members.h"
#include "names.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

enum pf_ownertree_kind {
    PF_OWNERTREE_NOTHING,
    PF_OWNERTREE_FOLDER,
    PF_OWNERTREE_FILE, /* or a device, or the like */
    PF_OWNERTREE_LINK,
};

/* What is at a node, while packages come one after the other. */
struct pf_ownertree_place {
    enum pf_ownertree_kind kind;
    bool looked;   /* into the root, for a link that nobody is known to have made */
    uint32_t link; /* of a link: offset of its target in `targets` */
    uint32_t first_claim, last_claim; /* PF_NODE_NONE: none */
};

struct pf_ownertree_claim {
    uint32_t package; /* number in `installed` */
    uint32_t next;    /* of the same node, or PF_NODE_NONE */
    uint32_t target;  /* of a link: offset in `targets`, else PF_NODE_NONE */
    enum pf_claim_kind kind;
    bool replaced;
};

struct pf_ownertree {
    int root_fd;                          /* the caller's */
    const struct pf_installed *installed; /* likewise */
    struct pf_members names;
    struct pf_ownertree_place *places; /* as the nodes of `names` */
    uint32_t place_count;
    struct pf_ownertree_claim *claims;
    uint32_t claim_count;
    char *targets; /* NUL-terminated texts */
    size_t targets_length, targets_capacity;
    struct pf_names linked; /* paths that plain pairs make links */
    uint64_t steps;         /* taken so far */
};

/* Follows all packages. The caller ends it with pf_ownertree_end, also after an error. See
   pf_ownership_new. */
int pf_ownertree_build(struct pf_ownertree *tree, int root_fd, const struct pf_installed *installed,
                       const atomic_bool *stop, struct pf_error *err);
void pf_ownertree_end(struct pf_ownertree *tree);

/* Goes along a path as the kernel would, inside the root. */
struct pf_ownertree_walk {
    struct pf_ownertree *tree;
    bool make;   /* names that are missing; without it nothing is changed */
    bool follow; /* the last name, too, if it is a link */
    struct pf_error *err;
};

/* *node is PF_NODE_NONE where there is no such name. PF_E_INVALID for a path that is too long or
   goes round in links. */
int pf_ownertree_walk(const struct pf_ownertree_walk *w, const char *path, uint32_t *node);

/* What the root has at a node; a link's target goes to `target` (PATH_MAX bytes), which is empty
   otherwise. -1 where it has nothing there by this very path. */
int pf_ownertree_look(const struct pf_ownertree *tree, uint32_t node, char *target,
                      struct stat *st);

/* The package system's own files, install/doinst.sh and the like, do not stay. */
bool pf_ownertree_is_control(const char *path);

#endif
