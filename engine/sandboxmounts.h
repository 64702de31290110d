/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sandboxmounts: the "/" of the sandbox with namespaces, put together of mounts. Only for its
   helper; calls nothing but the kernel. */
#ifndef PF_SANDBOXMOUNTS_H
#define PF_SANDBOXMOUNTS_H

#include "sandboxhelper.h"

#include <stdbool.h>
#include <stddef.h>

#define PF_SANDBOX_ETC_NAMES 10

/* One name of the new "/": taken while the helper still sees the host, put there later. */
struct pf_sandbox_shown {
    const char *name; /* below the new "/" */
    int tree_fd;      /* a mount that is nowhere yet; -1: `link` is a symbolic link's target */
    bool is_directory;
    char link[128];
};

#define PF_SANDBOX_MAX_SHOWN 40

struct pf_sandbox_sight {
    struct pf_sandbox_shown shown[PF_SANDBOX_MAX_SHOWN];
    size_t count;
    char etc[PF_SANDBOX_ETC_NAMES][64], devices[PF_SANDBOX_DEVICES][64]; /* what names point to */
    int base_fd; /* what the new "/" is; -1: an empty file system */
};

/* Takes all that is going to be shown, by descriptors: in the new mount namespace, but before its
   root is entered, as in a chroot the paths lead somewhere else then. */
void pf_sandboxmounts_take(const struct pf_sandboxhelper *helper, struct pf_sandbox_sight *sight);

/* Makes the "/" that all jobs see, with nothing in it that could be written to but the root and
   /tmp, and enters it. The caller's mounts are private. */
void pf_sandboxmounts_enter(const struct pf_sandboxhelper *helper,
                            const struct pf_sandbox_sight *sight);

/* In a job, with the host's programs: an /etc for them, which is thrown away with the job. -1 with
   errno. */
int pf_sandboxmounts_put_etc(void);

/* In a job: the root's own nodes of the few devices open, for programs that run in it. Each is
   covered by itself, without "nodev": whatever is done to it is done to the node. True: at least
   one; where that cannot be had (in a user namespace, where no node can be made either) it stays
   closed. */
bool pf_sandboxmounts_open_devices(void);

#endif
