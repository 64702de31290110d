/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* answers: what is asked of a root, a cache or two of either: owners, differences, soundness. */
#ifndef PF_ANSWERS_H
#define PF_ANSWERS_H

#include "cache.h"
#include "engine.h"
#include "settings.h"

#include <stdatomic.h>

/* Opens the records of the root root_fd, which becomes theirs, also after a failure. */
int pf_records_open(int root_fd, const struct pf_profile *profile, const atomic_bool *stop,
                    struct pf_records **out, struct pf_error *err);

/* Verifies a cache (NULL: none), and a root by its records (NULL: none). of_root: the question is
   about the root alone. */
int pf_answers_verify(const struct pf_settled *settings, const struct pf_cache *cache,
                      const struct pf_records *records, bool of_root, const atomic_bool *stop,
                      pf_finding_fn fn, void *ctx, struct pf_verified *result,
                      struct pf_error *err);

#endif
