/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* digest: streaming XXH3 (128 bit): is this still the file that we stored? No proof of origin. */
#ifndef PF_DIGEST_H
#define PF_DIGEST_H

#include "error.h"

#include <stddef.h>

/* Lower-case hexadecimal, NUL-terminated. */
#define PF_DIGEST_TEXT_SIZE 33

struct pf_digest;

/* Returns NULL where memory is short. */
struct pf_digest *pf_digest_new(void);
void pf_digest_add(struct pf_digest *digest, const void *data, size_t length);

/* Writes what has been added so far; adding may go on. */
void pf_digest_text(const struct pf_digest *digest, char text[PF_DIGEST_TEXT_SIZE]);
void pf_digest_free(struct pf_digest *digest);

/* Digest of everything from fd's present offset to its end. */
int pf_digest_file(int fd, char text[PF_DIGEST_TEXT_SIZE], struct pf_error *err);

#endif
