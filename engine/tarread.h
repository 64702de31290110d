/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tarread: the members of a compressed tar, from a file that is verified to its very end. */
#ifndef PF_TARREAD_H
#define PF_TARREAD_H

#include "decode.h"
#include "error.h"
#include "pkgname.h"

#include <archive_entry.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

/* Names, link targets and owners are the archive's bytes, whatever the locale is. */
struct pf_tarread;

/* fd is not owned. cancel may be NULL; set: reading ends with PF_E_CANCELLED. */
int pf_tarread_new(int fd, enum pf_format format, const struct pf_decode_limits *limits,
                   const atomic_bool *cancel, struct pf_tarread **out, struct pf_error *err);
void pf_tarread_free(struct pf_tarread *tar);

/* 1: *entry is the next member, valid until the next call. 0: the end, and all of it is verified:
   the container (see decode), an end-of-archive block, and that only zeros follow. Else a
   code. */
int pf_tarread_next(struct pf_tarread *tar, struct archive_entry **entry, struct pf_error *err);

/* Gets a piece of a member's data. Non-zero ends the reading with that code. */
typedef int (*pf_tarread_sink_fn)(void *ctx, const void *data, size_t length, off_t offset);

/* Reads the data of the current member, of size bytes (-1: any number). A sparse member may
   claim at most sparse_free bytes more than the archive stores. */
int pf_tarread_data(struct pf_tarread *tar, int64_t size, uint64_t sparse_free,
                    pf_tarread_sink_fn sink, void *ctx, struct pf_error *err);

/* Once the end was reached: bytes of the tar, and the digest of the compressed file. */
uint64_t pf_tarread_bytes(const struct pf_tarread *tar);

/* Once the end was reached: it is one block of zeros, where POSIX wants two. */
bool pf_tarread_short_end(const struct pf_tarread *tar);

/* A member's time, which may be before 1970. */
struct timespec pf_tarread_mtime(struct archive_entry *entry);

/* How long the decoder has worked, in nanoseconds. */
int64_t pf_tarread_decode_ns(const struct pf_tarread *tar);
void pf_tarread_digest(const struct pf_tarread *tar, char text[PF_DIGEST_TEXT_SIZE]);

#endif
