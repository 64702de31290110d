/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* shift: gives a tree to the users of a container whose ids are mapped. */
#ifndef PF_SHIFT_H
#define PF_SHIFT_H

#include "error.h"
#include "idmap.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct pf_shift {
    const struct pf_idmap *map;
    const atomic_bool *cancel; /* may be NULL */
    bool overlay;              /* it is the upper layer of an overlay */
};

/* Maps the owners of the directory root_fd and of all below it, each name once, and those in ACLs;
   file capabilities become those of the container's root. Modes stay. Device nodes are removed, and
   counted in *devices: mapped containers get none from lxc-create either, whose templates may make
   none. Of an upper layer the marks are put as the container's own mount reads them ("userxattr" in
   the kernel's overlayfs.rst). What the map does not have is PF_E_INVALID, with the path. Mount
   points are not entered. After a failure a part of it is done. Nobody else may be at the tree. */
int pf_shift_tree(int root_fd, const struct pf_shift *shift, uint64_t *devices,
                  struct pf_error *err);

#endif
