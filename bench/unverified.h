/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* unverified: decoding and nothing else, to compare the engine's with. Never use it for more. */
#ifndef PF_BENCH_UNVERIFIED_H
#define PF_BENCH_UNVERIFIED_H

#include "error.h"

/* Decodes xz or zstd data with the buffers that pf_decode has, ignores the sums in it, computes
   none, and throws away what comes. A lone file of one stream or frame is enough. */
int unverified_decode(int fd, struct pf_error *err);

#endif
