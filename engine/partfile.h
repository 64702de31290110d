/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* partfile: a file that comes piece by piece: NAME.part until it is whole, then NAME. */
#ifndef PF_PARTFILE_H
#define PF_PARTFILE_H

#include "error.h"

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define PF_PARTFILE_SUFFIX ".part"

struct pf_partfile {
    int dir_fd; /* the caller's */
    int fd;     /* -1: not open */
    char *name, *part;
    uint64_t length; /* of what is there; the next piece goes behind it */
    /* Set by the owner: told of what is there whenever that changes. May be NULL. */
    void (*on_length)(void *ctx, uint64_t bytes);
    void *ctx; /* its */
};

/* Embedded; end it also after a failure. Nothing is opened yet. */
int pf_partfile_init(struct pf_partfile *file, int dir_fd, const char *name, struct pf_error *err);
void pf_partfile_end(struct pf_partfile *file); /* what has come stays as NAME.part */

/* Opens NAME.part, or makes it; file->length tells what an earlier try has left. Open already: does
   nothing. Anything in its place that is not this user's own, single regular file makes way. */
int pf_partfile_open(struct pf_partfile *file, struct pf_error *err);

/* Drops all that has come. */
int pf_partfile_restart(struct pf_partfile *file, struct pf_error *err);

int pf_partfile_append(struct pf_partfile *file, const void *data, size_t length,
                       struct pf_error *err);

/* Takes away NAME.part with what has come. */
int pf_partfile_drop(struct pf_partfile *file, struct pf_error *err);

/* It is whole: gives it its time (NULL: none is known) and its name. */
int pf_partfile_finish(struct pf_partfile *file, const struct timespec *mtime,
                       struct pf_error *err);

#endif
