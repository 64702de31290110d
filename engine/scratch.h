/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scratch: a directory that a run of ours makes things in, known as such also after a kill. */
#ifndef PF_SCRATCH_H
#define PF_SCRATCH_H

#include "error.h"

/* It is this user's alone (0700), locked (flock(2)) while its run lives, and has a mark in it from
   its first moment on: one that has all of these but the lock is a killed run's, with all that is
   in it. Nothing else of such a name is ever emptied or removed. */
struct pf_scratch {
    int fd;
    int above_fd; /* the directory it is in */
    char *name;
};

/* What pf_scratch_end may be called with before pf_scratch_open was. */
#define PF_SCRATCH_NONE                                                                            \
    {                                                                                              \
        .fd = -1, .above_fd = -1                                                                   \
    }

/* Is that the name of one? */
#define PF_SCRATCH_SUFFIX ".plamo-fast"

/* Makes NAME below above_fd, or takes over what a killed run has left there, emptied. what: for
   whom, in messages. PF_E_BUSY where another run has it; PF_E_CONFLICT where it is not ours. */
int pf_scratch_open(int above_fd, const char *name, const char *what, struct pf_scratch *out,
                    struct pf_error *err);

/* Removes it, with what is in it. Twice is harmless. */
void pf_scratch_end(struct pf_scratch *scratch);

/* Removes NAME where it is one that a killed run has left. 0, also where it is not; or a code. */
int pf_scratch_sweep(int above_fd, const char *name, struct pf_error *err);

#endif
