/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* idmap: which ids of the host a container's ids are (lxc.idmap; pure). */
#ifndef PF_IDMAP_H
#define PF_IDMAP_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PF_IDMAP_RANGES 340 /* what a user namespace takes (user_namespaces(7)) */

struct pf_idmap_range {
    char type; /* 'u' or 'g' */
    uint32_t inside, outside, count;
};

/* Without ranges the ids are the host's own. Zero-initialise it. */
struct pf_idmap {
    struct pf_idmap_range ranges[PF_IDMAP_RANGES];
    size_t count;
};

/* Reads lines "TYPE INSIDE OUTSIDE COUNT" as lxc-info prints them, with or without "lxc.idmap = "
   before them. PF_E_INVALID for what cannot be read, and for a map without the container's root. */
int pf_idmap_parse(const char *text, struct pf_idmap *map, struct pf_error *err);

/* The host's id for one of the container's; false where there is none. */
bool pf_idmap_uid(const struct pf_idmap *map, uint32_t inside, uint32_t *outside);
bool pf_idmap_gid(const struct pf_idmap *map, uint32_t inside, uint32_t *outside);

bool pf_idmap_same(const struct pf_idmap *a, const struct pf_idmap *b);

#endif
