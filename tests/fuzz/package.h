/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* package: the input of a target as a package file. */
#ifndef PF_FUZZ_PACKAGE_H
#define PF_FUZZ_PACKAGE_H

#include "stage.h"

#include <stddef.h>
#include <stdint.h>

struct package {
    const char *file; /* its name */
    int fd;           /* kept for the next input */
};

/* The first byte chooses what the rest is: a tar that is packed here with the checksums of its
   headers set right and its end made whole (so that changes get past them), a tar that is packed as
   it is, or the packed bytes of one of the four formats. */
struct package package_of(const uint8_t *data, size_t size);

/* What staging one may take at most. */
#define PACKAGE_OUTPUT_LIMIT (1u << 20)
#define PACKAGE_SPARSE_FREE  (64u << 10)
#define PACKAGE_MEMBERS      200
#define PACKAGE_DEPTH        20
#define PACKAGE_TEXT_LIMIT   16384

/* Stages it into the folder within those limits; what pf_stage_package returns. dir_fd is taken. */
int package_stage(const struct package *package, int dir_fd, struct pf_staged **staged,
                  struct pf_error *err);

#endif
