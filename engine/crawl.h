/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* crawl: walks the mirror's index pages and makes the plan. */
#ifndef PF_CRAWL_H
#define PF_CRAWL_H

#include "error.h"
#include "event.h"
#include "fetch.h"
#include "plan.h"

/* What is wanted. All lists end with NULL. */
struct pf_crawl_wish {
    const char *mirror; /* URL above "Plamo-RELEASE"; no query */
    const char *release;
    const char *arch;
    const char *const *categories; /* folders below plamo/ */
    const char *const *contrib;    /* folders below contrib/ */
    const char *const *addons;     /* DIR/NAME: files NAME-* in DIR and its sub-folders */
    const char *const *ignore;     /* never taken from a category */
};

/* Fetches the index pages, several at once, and fills the plan in the order in which the shell
   template's wget would fetch: categories, contrib groups, add-ons, each in the order given; within
   one the folder's own files as its page lists them, then those of each sub-folder except old/. Any
   page that cannot be had fails it all. */
int pf_crawl(struct pf_fetch *fetch, const struct pf_crawl_wish *wish, struct pf_plan *plan,
             struct pf_events *events, struct pf_error *err);

/* Asks for the size of every file in the plan that has none. A size that cannot be had stays -1. */
int pf_crawl_sizes(struct pf_fetch *fetch, struct pf_plan *plan, struct pf_error *err);

#endif
