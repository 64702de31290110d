/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* crawl: walks a mirror's folders and makes the plan. */
#ifndef PF_CRAWL_H
#define PF_CRAWL_H

#include "error.h"
#include "event.h"
#include "fetch.h"
#include "mirrors.h"
#include "plan.h"

/* What is wanted. All lists end with NULL. */
struct pf_crawl_wish {
    struct pf_mirrors *mirrors; /* each without a query and without a slash at its end */
    const char *release;
    const char *arch;
    const char *const *categories;       /* folders below plamo/ */
    const char *const *contrib;          /* folders below contrib/ */
    const char *const *addons;           /* DIR/NAME: files NAME-* in DIR and its sub-folders */
    const char *const *ignore;           /* never taken from a category */
    const char *const *known_categories; /* the release's, to name where a mirror cannot be asked */
    const char *const *known_contrib;
    bool checksums; /* use the mirror's lists of them */
};

/* Lists the folders, several at once, and fills the plan in the order in which the shell template's
   wget would fetch: categories, contrib groups, add-ons, each in the order given; within one the
   folder's own files as its page lists them, then those of each sub-folder except old/. The whole
   plan is of one mirror (plan->home): where a listing cannot be had, another mirror is asked for
   all of it. A folder that was asked for and is not there is PF_E_ABSENT, and the error names those
   with the nearest names. Files that the mirror has a checksum of get it. plan is the caller's to
   end, also after an error. */
int pf_crawl(struct pf_fetch *fetch, const struct pf_crawl_wish *wish, struct pf_plan *plan,
             struct pf_events *events, struct pf_error *err);

/* Asks for the size of every file in the plan that has none. A size that cannot be had stays -1. */
int pf_crawl_sizes(struct pf_fetch *fetch, struct pf_plan *plan, struct pf_error *err);

#endif
