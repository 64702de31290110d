/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* treediff: in what two folder trees differ: types, modes, owners, sizes, contents, links, devices.
 */
#ifndef PF_TREEDIFF_H
#define PF_TREEDIFF_H

#include "answer.h"
#include "error.h"

#include <stdatomic.h>

/* Calls fn for every path at which the two trees differ, sorted within each folder; what only one
   has is told once, and not what is below it. Times and the inodes that hard links share are not
   compared, nor what a pseudo file system (pf_livemount_covers) hides in either: its path is told
   as PF_DIFFERS_MOUNTED. In a running root a name may come or go meanwhile, which is no error. No
   link is followed, no device or fifo opened, and neither tree changed. PF_E_LIMIT where folders
   are nested deeper than a package's may be. stop may be NULL. */
int pf_treediff(int a_fd, int b_fd, pf_difference_fn fn, void *ctx, const atomic_bool *stop,
                struct pf_error *err);

/* What there is under a name: a link's target goes to `target` (PATH_MAX bytes). 0, or -1 with
   errno. */
int pf_treediff_entry(int dir_fd, const char *name, struct pf_entry *entry, char *target);

/* In what two entries differ, contents apart. */
unsigned pf_treediff_compare(const struct pf_entry *a, const struct pf_entry *b);

#endif
