/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ownership: which package put what where in a root, by its records: the install once more, as
   names alone. */
#ifndef PF_OWNERSHIP_H
#define PF_OWNERSHIP_H

#include "answer.h"
#include "error.h"
#include "installed.h"

#include <stdatomic.h>
#include <stdint.h>

/* Every path that packages brought, with the claims to it. */
struct pf_ownership;

/* Follows the records of the root in install order: folders merge, a file takes the place of a file
   or a link, folder members and names go through links, a script's pairs remove and link. Links
   that other scripts made are seen in the root itself. Both root_fd and installed are the caller's
   and must stay. PF_E_LIMIT for more names than any installation has. */
int pf_ownership_new(int root_fd, const struct pf_installed *installed, const atomic_bool *stop,
                     struct pf_ownership **out, struct pf_error *err);
void pf_ownership_free(struct pf_ownership *ownership);

/* What is known of one path, given with or without a slash before it; links on the way are
   followed inside the root, the last name is not. Everything in *out is valid until the next call;
   `configured` is left false. PF_E_INVALID for a path that is too long or goes round in links. */
int pf_ownership_find(struct pf_ownership *ownership, const char *path, struct pf_owned *out,
                      struct pf_error *err);

/* Is the last claim to a path, as a package's archive names it, that package's, and not by its
   script? Then its path without links goes to `real` (PATH_MAX bytes). Any thread, while nobody
   calls anything else. */
bool pf_ownership_is_winner(const struct pf_ownership *ownership, const char *path, bool folder,
                            const char *stem, char *real);

/* Calls fn for every path that a package's claim stands for (files, folders and links), sorted. */
int pf_ownership_each(struct pf_ownership *ownership, pf_owned_fn fn, void *ctx,
                      struct pf_error *err);

/* Calls fn for every path that two or more packages brought and that is not merely a folder which
   they share, sorted. */
int pf_ownership_each_overlap(struct pf_ownership *ownership, pf_owned_fn fn, void *ctx,
                              struct pf_error *err);

/* The stem of the last package whose script needs a shell and names the path, as
   pf_scriptwords_name has it; NULL: none. gone: only a script that can remove or move something
   counts. PF_E_LIMIT: all such questions together have taken more than any installation asks for;
   scripts and missing files are the root's, and so is their product. One thread only. */
int pf_ownership_scripted_by(struct pf_ownership *ownership, const char *path, bool gone,
                             const char **stem, struct pf_error *err);

#endif
