/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* manifest: what a finished cache folder holds, in install order, as JSON. Pure. */
#ifndef PF_MANIFEST_H
#define PF_MANIFEST_H

#include "checksums.h"
#include "digest.h"
#include "error.h"

#include <stddef.h>
#include <stdint.h>

struct pf_manifest_entry {
    char *file;
    char *url;
    uint64_t size_bytes;
    char xxh3[PF_DIGEST_XXH3_TEXT_SIZE]; /* of the file as it was verified; empty: not a package */
    char sha256[PF_DIGEST_TEXT_SIZE];    /* of the same; empty: not computed yet */
    char *etag;                          /* what the server at url called it, or NULL */
    struct pf_checksum expected; /* what the mirror's list says; not stored; hex may be empty */
};

struct pf_manifest {
    struct pf_manifest_entry *entries; /* in install order */
    size_t count;
};

/* Makes room for count entries, all zero. */
int pf_manifest_init(struct pf_manifest *manifest, size_t count, struct pf_error *err);
void pf_manifest_end(struct pf_manifest *manifest);

/* The manifest as text: {"plamo-fast-manifest": 1, "files": [{"file", "url", "size", "xxh3",
   and where it has one "etag"}…]}.
 *text is the caller's to free. */
int pf_manifest_write(const struct pf_manifest *manifest, char **text, struct pf_error *err);

/* The reverse. A text that is no such manifest, of another version, with a file name that is not a
   plain name, or with a name twice is PF_E_CORRUPT. */
int pf_manifest_read(const char *text, size_t length, struct pf_manifest *out,
                     struct pf_error *err);

#endif
