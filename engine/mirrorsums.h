/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mirrorsums: fetches the checksum lists that a mirror carries (CHECKSUMS.md5, *.sha256), and gives
   each file of the plan its sum. */
#ifndef PF_MIRRORSUMS_H
#define PF_MIRRORSUMS_H

#include "checksums.h"
#include "error.h"
#include "event.h"
#include "fetch.h"
#include "plan.h"

#include <stdbool.h>
#include <stddef.h>

/* Zero-initialise it, fill the first part. Stays where it is until the fetch run has ended. */
struct pf_mirrorsums {
    struct pf_fetch *fetch;
    unsigned attempts; /* as in pf_fetch_page */
    struct pf_events *events;
    /* Its own: */
    struct pf_checksums sums;
    struct pf_mirrorsums_list *lists;
    struct pf_error error; /* why the fetch run ended, where a list was the reason */
    bool unsafe;           /* that was because the server could not prove who it is */
};

/* Asks for one list. place is the folder it lies in, below the architecture's; file is its name
   ("x.txz.sha256" may hold nothing but the sum of x.txz). A list that the mirror does not have is
   no failure. */
int pf_mirrorsums_ask(struct pf_mirrorsums *sums, const char *url, const char *place,
                      const char *file, struct pf_error *err);

/* Asks for the lists that a folder's listing names: CHECKSUMS.md5, the .sha256 of each planned
   file, and those .sha256 that are of no single file. */
int pf_mirrorsums_ask_folder(struct pf_mirrorsums *sums, const struct pf_listing *listing,
                             const char *place, const struct pf_plan *plan, struct pf_error *err);

/* After the run: gives the plan's files their sums. */
int pf_mirrorsums_apply(struct pf_mirrorsums *sums, struct pf_plan *plan, struct pf_error *err);

void pf_mirrorsums_end(struct pf_mirrorsums *sums);

#endif
