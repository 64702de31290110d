/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* packagecheck: reads one package to its end, and holds a root against what it has. */
#ifndef PF_PACKAGECHECK_H
#define PF_PACKAGECHECK_H

#include "error.h"
#include "manifest.h"
#include "ownership.h"
#include "stage.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is compared with what; the same for all packages and threads, and changed by none. */
struct pf_packagecheck {
    int folder_fd;                        /* where the package files are */
    const struct pf_stage_limits *limits; /* `decode`, `members`, `depth`, `sparse_free` */
    int root_fd;                          /* -1: there is no root */
    bool is_closed;                       /* the root is a cached one: only we may enter it */
    const struct pf_ownership *ownership; /* of that root */
    const atomic_bool *stop;
};

struct pf_packagecheck_finding {
    char *path;
    char *text;            /* NULL: a later member of the same name made it void */
    unsigned what;         /* enum pf_difference_what */
    struct pf_entry there; /* what the root has */
    char *target;          /* there.target, where that is a link */
};

/* Zero-initialise it. */
struct pf_packagecheck_result {
    struct pf_packagecheck_finding *findings; /* of the root */
    size_t count;
    uint64_t compared; /* paths */
};

/* Verifies the package file of a manifest entry: a regular file of the size and with the digests
   that stand there, as far as any do, and whole to the last byte. With a root, whatever in it is
   this package's by the ownership is compared, too: type, mode, owner, size, content, target,
   device; what is not there at all is left out. PF_E_CORRUPT or PF_E_LIMIT: it is damaged. The
   caller ends *out with pf_packagecheck_end, also after an error. */
int pf_packagecheck_run(const struct pf_packagecheck *check, const struct pf_manifest_entry *entry,
                        struct pf_packagecheck_result *out, struct pf_error *err);
void pf_packagecheck_end(struct pf_packagecheck_result *result);

#endif
