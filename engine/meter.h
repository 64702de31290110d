/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* meter: how much of a plan's files is there, for who follows a download. */
#ifndef PF_METER_H
#define PF_METER_H

#include "error.h"
#include "event.h"
#include "plan.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Zero-initialise it; one thread's own. */
struct pf_meter {
    struct pf_events *events;
    const struct pf_plan *plan;
    int64_t *sizes;       /* per file: what the index page or the server says; -1: nothing yet */
    size_t unknown;       /* how many of them */
    uint64_t known_bytes; /* of the others */
    size_t files;         /* that are there */
    uint64_t bytes;       /* of them */
    uint64_t begun_bytes; /* of those on their way, while these are gone through */
    int64_t told_ms;      /* when it was last told */
};

int pf_meter_init(struct pf_meter *meter, const struct pf_plan *plan, struct pf_events *events,
                  struct pf_error *err);
void pf_meter_end(struct pf_meter *meter);

/* The file of that index is there, with so many bytes. Once each. */
void pf_meter_done(struct pf_meter *meter, size_t index, uint64_t bytes);

/* True where it is time to tell: then say pf_meter_running of each file that is on its way
   (size_bytes -1: not known), which sends PF_EVENT_TRANSFER, then pf_meter_tell. */
bool pf_meter_is_due(struct pf_meter *meter, int64_t now_ms);
void pf_meter_running(struct pf_meter *meter, size_t index, uint64_t bytes, int64_t size_bytes);

/* Sends PF_EVENT_FETCHING. received: bytes from the mirror in this run. The total is known when
   each file's size is, be it about, until its server tells it. */
void pf_meter_tell(struct pf_meter *meter, uint64_t received);

#endif
