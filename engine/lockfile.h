/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lockfile: exactly which files make a root, in which order, as JSON that a person can compare.
   Pure. */
#ifndef PF_LOCKFILE_H
#define PF_LOCKFILE_H

#include "digest.h"
#include "error.h"

#include <stddef.h>
#include <stdint.h>

struct pf_lockfile_entry {
    char *file;
    char *url;
    uint64_t size_bytes;
    char sha256[PF_DIGEST_TEXT_SIZE];
};

/* A tree's digest: the prefix, then 64 hexadecimal digits. */
#define PF_LOCKFILE_TREE_PREFIX "sha256:"
#define PF_LOCKFILE_TREE_SIZE   (sizeof PF_LOCKFILE_TREE_PREFIX - 1 + PF_DIGEST_TEXT_SIZE)

struct pf_lockfile {
    char *release, *arch;
    char **categories, **contrib, **addons, **ignore; /* what was asked for; end with NULL */
    struct pf_lockfile_entry *entries;                /* in install order */
    size_t count;
    char tree[PF_LOCKFILE_TREE_SIZE]; /* of the root that they make; empty: any will do */
};

/* The lockfile as text: {"plamo-fast-lock": 1, "release", "arch", "categories": […], "contrib",
   "addons", "ignore", "tree", "files": [{"file", "url", "size", "sha256"}…]}, keys always in this
   order, a line each; "tree" only where there is one. *text is the caller's to free. PF_E_INVALID
   for a name that JSON cannot hold. */
int pf_lockfile_write(const struct pf_lockfile *lock, char **text, struct pf_error *err);

/* The reverse; the caller ends *out with pf_lockfile_end, also after an error. Anything that is not
   exactly as above (another version, a key too many or too few, a digest that is not 64 small
   hexadecimal digits, with "sha256:" before those of "tree", a file name that is not a plain one,
   or one twice, no file at all) is PF_E_INVALID. */
int pf_lockfile_read(const char *text, size_t length, struct pf_lockfile *out,
                     struct pf_error *err);

void pf_lockfile_end(struct pf_lockfile *lock);

#endif
