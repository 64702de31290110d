/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* confine: what a process can take from itself for good: limits, capabilities, files, calls. */
#ifndef PF_CONFINE_H
#define PF_CONFINE_H

#include <linux/filter.h>
#include <stdint.h>

struct pf_confine {
    /* Folders below which all may be written, and one in which what is there may be written to;
       the list ends with NULL. */
    const char *const *writable;
    const char *written_to;
    uint64_t file_bytes; /* no file gets larger */
    int landlock_abi;    /* as pf_landlock_abi has it */
    struct sock_fprog calls;
};

/* Confines the calling process and all that come of it. NULL, or what could not be done, with
   errno. Calls nothing but the kernel, so it may run between fork and exec. A process of user 0
   keeps what making a root needs: to own, change and enter any file, to make nodes (a root may hold
   any; none can be opened where mounts are "nodev") and chroot. */
const char *pf_confine_self(const struct pf_confine *confine);

/* Takes from the calling thread all capabilities but those whose bits (1 << CAP_…) are given. 0 or
   -1 with errno. Calls nothing but the kernel. */
int pf_confine_keep_capabilities(uint64_t keep);

#endif
