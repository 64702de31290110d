/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bulkcheck: are the containers that are asked for ones that LXC can start and destroy? Asked
   before anything is made. */
#ifndef PF_BULKCHECK_H
#define PF_BULKCHECK_H

#include "engine.h"
#include "event.h"
#include "idmap.h"

/* What was found. Zero-initialise it. */
struct pf_bulkcheck {
    struct pf_idmap *maps; /* those in use, each once */
    size_t map_count;
    size_t *map_of; /* of each container: which one */
};

/* PF_E_INVALID for a name that LXC passes over, or a tool of it would take for an option. */
int pf_bulkcheck_name(const char *name, struct pf_error *err);

/* Has LXC look at the configurations that the containers are going to have (see lxcprobe.h), which
   begin with defaults. lxcpath is where they will be: what maps its ids must reach it. Overlays lie
   upon one copy, whose owners are those of one map: PF_E_INVALID for several. Where LXC is not
   installed a PF_EVENT_WARNING says that nobody has looked. End it in any case. */
int pf_bulkcheck_configs(const struct pf_containers *wish, const char *defaults,
                         const char *lxcpath, struct pf_events *events, struct pf_bulkcheck *out,
                         struct pf_error *err);

/* The map of a container; NULL: its ids are the host's own. */
const struct pf_idmap *pf_bulkcheck_map(const struct pf_bulkcheck *check, size_t index);

void pf_bulkcheck_end(struct pf_bulkcheck *check);

#endif
