/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* digest: streaming digests. XXH3 (128 bit): is this still the file that we stored? No proof of
   origin. MD5 and SHA-256: is it the file that a list names? */
#ifndef PF_DIGEST_H
#define PF_DIGEST_H

#include "error.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum pf_digest_kind {
    PF_DIGEST_XXH3,
    PF_DIGEST_MD5,
    PF_DIGEST_SHA256,
};

/* Room for the longest text: lower-case hexadecimal, NUL-terminated. */
#define PF_DIGEST_TEXT_SIZE      65
#define PF_DIGEST_XXH3_TEXT_SIZE 33

struct pf_digest;

/* Digits of a text of this kind. */
size_t pf_digest_text_length(enum pf_digest_kind kind);

/* What people call it: "XXH3", "MD5", "SHA-256". */
const char *pf_digest_name(enum pf_digest_kind kind);

/* Returns NULL where memory is short, or where the system's policy has no such digest (MD5 under
   FIPS). */
struct pf_digest *pf_digest_new(enum pf_digest_kind kind);
void pf_digest_add(struct pf_digest *digest, const void *data, size_t length);

/* Writes what has been added so far; adding may go on. Should the digest have failed (libcrypto may
   say so), the text is empty and equals no other. */
void pf_digest_text(const struct pf_digest *digest, char text[PF_DIGEST_TEXT_SIZE]);
void pf_digest_free(struct pf_digest *digest);

/* Zeros of holes that are taken into account, of one file or of a whole root; what is beyond takes
   too long. */
#define PF_DIGEST_HOLE_BYTES (UINT64_C(16) << 30)

/* As pf_digest_file, within a number of bytes of holes for many files, which it lessens; any
   thread. PF_E_LIMIT: they have more. */
int pf_digest_file_within(int fd, enum pf_digest_kind kind, _Atomic uint64_t *hole_bytes,
                          char text[PF_DIGEST_TEXT_SIZE], struct pf_error *err);

/* Digest of everything from fd's present offset to its end. Holes are not read. */
int pf_digest_file(int fd, enum pf_digest_kind kind, char text[PF_DIGEST_TEXT_SIZE],
                   struct pf_error *err);

#endif
