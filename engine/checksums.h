/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* checksums: what a mirror says of its files: lists of MD5 and SHA-256 sums. Pure. */
#ifndef PF_CHECKSUMS_H
#define PF_CHECKSUMS_H

#include "digest.h"
#include "error.h"
#include "names.h"

#include <stddef.h>

struct pf_checksum {
    enum pf_digest_kind kind;
    char hex[PF_DIGEST_TEXT_SIZE]; /* lower case */
};

/* Embedded; zero-initialise it. */
struct pf_checksums {
    struct pf_names paths;
    struct pf_checksum *items; /* by the paths' numbers */
    size_t count;
    size_t conflicts; /* how often a file got two different sums of one kind */
};

/* Adds a list of sums. Its lines may be, mixed:
     HEX  NAME, HEX *NAME      as coreutils write them, also escaped by a leading backslash, and
   with one blank between them, as BSD's md5 -r does MD5 (NAME) = HEX          the tag MD5 or SHA256
   decides, not `kind`; also without the blanks HEX                       the sum of of_file
   (nothing where that is NULL) Any other line, like the prose of Slackware's CHECKSUMS.md5, is
   nothing. kind is PF_DIGEST_MD5 or PF_DIGEST_SHA256 (else PF_E_INVALID); a HEX of another length
   is none. folder is where the list lies, relative to where paths begin ("", "plamo/00_base");
   names are taken from there on, without
   "./", and those that leave it ("..", absolute ones) or have control characters are left out.
   SHA-256 counts more than MD5, whatever came first; of two sums of one kind the last one counts.
   PF_E_LIMIT where the sums become too many; those before stay. */
int pf_checksums_add(struct pf_checksums *sums, const char *text, size_t length,
                     enum pf_digest_kind kind, const char *folder, const char *of_file,
                     struct pf_error *err);

/* The sum of a file ("plamo/00_base/NAME"), or NULL where no list has one. It is valid until the
   next call of pf_checksums_add. */
const struct pf_checksum *pf_checksums_find(const struct pf_checksums *sums, const char *path);

void pf_checksums_end(struct pf_checksums *sums);

#endif
