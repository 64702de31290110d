/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reuse: the files that an update has already: asked for only if the mirror's are other ones,
   checked, and brought into the new folder. */
#ifndef PF_REUSE_H
#define PF_REUSE_H

#include "copyfile.h"
#include "error.h"
#include "manifest.h"
#include "names.h"
#include "plan.h"
#include "request.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* The owner fills the first part; used on one thread. */
struct pf_reuse {
    const struct pf_plan *plan;
    struct pf_manifest *manifest;  /* of the plan; gets digests and etags of what is reused */
    int folder_fd;                 /* where the files are to be */
    const struct pf_manifest *old; /* of the complete folder */
    int old_fd;
    bool *same;       /* per plan entry: its file is the old one, byte for byte */
    const bool *held; /* per plan entry: an update that was broken off has left it in the folder */
    /* Its own: */
    struct pf_names names; /* the old files, by their numbers */
    struct pf_copyfile copyfile;
};

int pf_reuse_init(struct pf_reuse *reuse, struct pf_error *err);
void pf_reuse_end(struct pf_reuse *reuse);

/* Makes the wish conditional where there is a file to be reused. held_etag: what the server called
   a held file, or NULL. */
void pf_reuse_offer(struct pf_reuse *reuse, size_t index, const char *held_etag,
                    struct pf_fetch_file *wish);

/* The mirror's file is the one that is here. 1: it is taken; 0: what is here is damaged, or not
   what the mirror's checksum list says: it must be fetched; or a code. */
int pf_reuse_take(struct pf_reuse *reuse, size_t index, struct pf_error *err);

/* The file has been fetched: notes whether it has the old one's bytes all the same. PF_E_CORRUPT
   where it is not what the mirror's checksum list says. */
int pf_reuse_compare(struct pf_reuse *reuse, size_t index, struct pf_error *err);

/* Are the files the old ones, all of them, in the old order? */
bool pf_reuse_is_all(const struct pf_reuse *reuse);

/* Copies what is the same and not there yet into the folder. They are copied, not linked: a new
   link would change the old folder's order, which is in its files' ctimes. */
int pf_reuse_copy(struct pf_reuse *reuse, const atomic_bool *stop, struct pf_error *err);

#endif
