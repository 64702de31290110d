/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bytes: a text that comes in pieces, and is kept whole. */
#ifndef PF_BYTES_H
#define PF_BYTES_H

#include <stddef.h>

/* Starts as {0}. Once something has been added, data ends with a NUL behind its `length` bytes. The
   owner frees data. */
struct pf_bytes {
    char *data;
    size_t length;
    size_t capacity; /* of data, the NUL's place included */
};

/* Puts a piece of `length` bytes at the end. The room doubles, so n bytes cost n steps however
   small the pieces are. 0, or -1 with errno (ENOMEM), and then nothing has changed. */
int pf_bytes_add(struct pf_bytes *bytes, const void *piece, size_t length);

#endif
