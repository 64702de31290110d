/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan: what is fetched, in which order; built from listings and rules. Pure. */
#ifndef PF_PLAN_H
#define PF_PLAN_H

#include "checksums.h"
#include "error.h"
#include "listing.h"
#include "names.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pf_plan_entry {
    char *file;           /* name in the cache folder */
    char *url;            /* where it is fetched from */
    char *place;          /* its folder on the mirror, below the architecture's; NULL: not known */
    bool package;         /* false: a text that an add-on's pattern took along */
    int64_t size_bytes;   /* -1: not known */
    uint64_t about_bytes; /* what an index page says of it; 0: nothing */
    struct pf_checksum
        checksum; /* what the mirror says of it; hex is empty where it says nothing */
};

/* An ordered list. It only grows while it is made; nothing reorders it. Zero-initialise it. */
struct pf_plan {
    struct pf_plan_entry *entries;
    size_t count;
    struct pf_names files; /* the file names, numbered as the entries are */
    size_t home;           /* number of the mirror whose listing it was made of */
};

/* Which files of a folder are taken. */
struct pf_plan_rule {
    const char *pattern;       /* add-on: a glob; NULL: packages by suffix (.tgz .txz .tzst) */
    const char *const *ignore; /* names; files that match NAME-* are left out; NULL: none */
};

/* True where the rule takes a file of this name. */
bool pf_plan_takes(const struct pf_plan_rule *rule, const char *file);

/* Appends what the rule takes of the listing of one folder (place), in the listing's order. A file
   name that the plan has already stays where it was. */
int pf_plan_add_folder(struct pf_plan *plan, const struct pf_plan_rule *rule,
                       const struct pf_listing *listing, const char *place, struct pf_error *err);

/* Appends one file. url may be NULL (a file that is in the cache). */
int pf_plan_add(struct pf_plan *plan, const char *file, const char *url, int64_t size_bytes,
                struct pf_error *err);

/* A file's size for a forecast, as exactly as is known; -1: not at all. */
int64_t pf_plan_about_bytes(const struct pf_plan_entry *entry);

void pf_plan_end(struct pf_plan *plan);

#endif
