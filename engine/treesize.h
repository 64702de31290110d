/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* treesize: how much of a disk a tree takes. */
#ifndef PF_TREESIZE_H
#define PF_TREESIZE_H

#include <stdint.h>
#include <time.h>

struct pf_treesize {
    uint64_t bytes; /* on the disk; a file of several names is counted once, if all are here */
    time_t changed; /* when anything of it changed last */
};

/* Of the file or the tree NAME below dir_fd. What cannot be looked at counts as nothing. */
struct pf_treesize pf_treesize(int dir_fd, const char *name);

#endif
