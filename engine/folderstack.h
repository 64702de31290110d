/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folderstack: the folders of a package that is being unpacked. The one that the last member went
   into stays open, and so do those above it: from one to the next only what differs is opened, and
   what is not there yet is made. */
#ifndef PF_FOLDERSTACK_H
#define PF_FOLDERSTACK_H

#include "members.h"

/* How many stay open. Deeper ones are rare, and take each other's place. */
#define PF_FOLDERSTACK_DEPTH 16

/* Starts with top_fd, the package's "./", which stays the caller's, and with 0 otherwise. Nothing
   but this may make or remove folders below it meanwhile. */
struct pf_folderstack {
    int top_fd;
    unsigned count;
    struct {
        uint32_t node;
        int fd;
    } open[PF_FOLDERSTACK_DEPTH]; /* each is below the one before it */
    unsigned char *made;          /* one for each node: is its folder there? */
    uint32_t made_count;
};

/* Opens a node's folder, making it and those above it (0755) where they are missing; no step
   follows a link. Returns a descriptor that stays the stack's, and good until the next call, or -1
   with errno: ENOTDIR or ELOOP where something else of the package has the name of one of them. */
int pf_folderstack_open(struct pf_folderstack *stack, const struct pf_members *members,
                        uint32_t node);

/* Is a node's folder there already? */
bool pf_folderstack_has(const struct pf_folderstack *stack, uint32_t node);

void pf_folderstack_end(struct pf_folderstack *stack);

#endif
