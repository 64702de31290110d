/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* confine: what a process can take from itself for good: limits, capabilities, files, calls. */
#ifndef PF_CONFINE_H
#define PF_CONFINE_H

#include <linux/capability.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

/* What Landlock allows below one path. */
struct pf_confine_rule {
    const char *path; /* of a directory, or of a file; NULL ends a list */
    uint64_t access;
};

struct pf_confine {
    uint64_t refused; /* of accesses to files (see landlock.h), all but where a rule allows it */
    const struct pf_confine_rule *rules;
    uint64_t capabilities; /* what is kept: bits 1 << CAP_… */
    int landlock_abi;      /* as pf_landlock_abi has it; 0: goes without */
    struct sock_fprog calls;
    bool watched; /* the filter has calls that a listener is told of */
};

/* What making a root needs: to own, change and enter any file, to make nodes (a root may hold any)
   and chroot. */
#define PF_CONFINE_CAPABILITIES                                                                    \
    (1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_FOWNER | 1u << CAP_FSETID |              \
     1u << CAP_KILL | 1u << CAP_SETGID | 1u << CAP_SETUID | 1u << CAP_SYS_CHROOT |                 \
     1u << CAP_MKNOD | 1u << CAP_SETFCAP)

/* Confines the calling process and all that come of it. NULL, or what could not be done, with
   errno. *listener gets the descriptor that tells of the watched calls, or -1. Calls nothing but
   the kernel, so it may run between fork and exec. */
const char *pf_confine_self(const struct pf_confine *confine, int *listener);

/* Takes from the calling thread all capabilities but those whose bits (1 << CAP_…) are given. 0 or
   -1 with errno. Calls nothing but the kernel. */
int pf_confine_keep_capabilities(uint64_t keep);

#endif
