/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* decode: a compressed file becomes a byte stream, verified to the last byte. */
#ifndef PF_DECODE_H
#define PF_DECODE_H

#include "checksums.h"
#include "digest.h"
#include "error.h"
#include "pkgname.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pf_decode_limits {
    uint64_t memory_bytes; /* what one decoder may use */
    uint64_t output_bytes; /* what one file may unpack to */
    unsigned ratio;        /* unpacked : packed, once more than ratio_free_bytes have come out */
    uint64_t ratio_free_bytes;
    unsigned threads; /* for files made of several blocks; 1: none besides the caller's */
    /* Told how much of the file was read; may be NULL. */
    void (*on_read)(void *ctx, uint64_t bytes);
    /* Of a file that may still be growing; NULL: it is whole. Waits until there are more than
       `offset` bytes and returns how many; INT64_MAX: all; -1: they are not to be used. */
    int64_t (*await)(void *ctx, uint64_t offset);
    void *ctx;      /* theirs */
    bool unchecked; /* take data whose container has no check values, see pf_decode_next */
    const struct pf_checksum *checksum; /* what the whole file must have; NULL: nothing is known */
};

/* Room for every real package (LibreOffice, kernel sources), none for a bomb. deflate reaches
   1030:1 at the most. */
#define PF_DECODE_LIMITS_DEFAULT                                                                   \
    {                                                                                              \
        .memory_bytes = 192u << 20, .output_bytes = UINT64_C(32) << 30, .ratio = 250,              \
        .ratio_free_bytes = 64u << 20, .threads = 1                                                \
    }

struct pf_decode;

/* Starts to decode fd (not owned, read from its start on) as format says; the file's magic must
   agree. */
int pf_decode_new(int fd, enum pf_format format, const struct pf_decode_limits *limits,
                  struct pf_decode **out, struct pf_error *err);

/* Gives the next piece, valid until the next call. *length 0 is the end: by then every check value
   and length of the container has been verified, the last frame was whole, and nothing but zero
   bytes followed it (RFC 1952, RFC 8878, the xz file format 1.1, bzip2), and the whole file has the
   checksum that was asked for. PF_E_CORRUPT otherwise,
   PF_E_LIMIT where a limit was reached, or where xz or zstd data has no check values, no SHA-256
   vouches for it and `unchecked` does not allow it, PF_E_CANCELLED where `await` has said -1. */
int pf_decode_next(struct pf_decode *decode, const void **data, size_t *length,
                   struct pf_error *err);

/* Bytes given so far, and the digest of the compressed file (whole once the end was seen). */
uint64_t pf_decode_output_bytes(const struct pf_decode *decode);
void pf_decode_digest(const struct pf_decode *decode, char text[PF_DIGEST_TEXT_SIZE]);

/* What `await` has taken, of the time of all calls. */
int64_t pf_decode_waited_ns(const struct pf_decode *decode);

void pf_decode_free(struct pf_decode *decode);

#endif
