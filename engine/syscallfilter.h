/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* syscallfilter: the system calls that a package's script may not make, as a seccomp program. */
#ifndef PF_SYSCALLFILTER_H
#define PF_SYSCALLFILTER_H

#include "error.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The calls that a filter hands to whoever watches the process, who allows, makes or refuses them.
   Rare ones only: a signal with a handler can break such a call off before it is looked at, and
   then it fails with EINTR, which programs do not expect of fork, say. */
enum pf_watched_kind {
    PF_WATCHED_CHROOT,  /* chroot */
    PF_WATCHED_EXEC,    /* execve */
    PF_WATCHED_MKNOD,   /* mknod, for a device */
    PF_WATCHED_MKNODAT, /* mknodat, likewise: one argument further on */
    PF_WATCHED_UNLINK,  /* unlink and rename, of the name in the first argument */
    PF_WATCHED_UNLINKAT /* unlinkat, renameat and renameat2, in the second */
};

struct pf_watched_call {
    uint32_t arch; /* as in struct seccomp_data */
    int number;
    enum pf_watched_kind kind;
};

/* The architecture among them whose pointers are narrower than this machine's. */
#ifdef __x86_64__
#define PF_WATCHED_NARROW_ARCH AUDIT_ARCH_I386
#else
#define PF_WATCHED_NARROW_ARCH 0
#endif

/* Room for every kind under the numbers of three architectures. */
#define PF_WATCHED_MAX 32

enum pf_filter_walls {
    PF_FILTER_NAMESPACES,         /* network, IPC and process namespaces are around the process */
    PF_FILTER_NAMESPACES_WATCHED, /* the same, and the removal of names is watched */
    PF_FILTER_ALONE, /* they are not: no sockets, no IPC, no touching of other processes */
};

struct pf_filter_settings {
    enum pf_filter_walls walls;
    bool watch_devices; /* PF_FILTER_ALONE: the making of device nodes is watched, too */
    bool refuse_kill;   /* signals can be sent to nobody, as nothing else keeps them in */
};

struct pf_filter {
    struct sock_fprog program; /* program.filter: see pf_syscallfilter_end */
    /* But for PF_FILTER_NAMESPACES: what it hands over; the process that installs it must then ask
       for a listener (SECCOMP_FILTER_FLAG_NEW_LISTENER). */
    struct pf_watched_call watched[PF_WATCHED_MAX];
    size_t watched_count;
};

/* Makes the filter, for this machine's calls and the 32-bit ones it also runs. It is a list of what
   is denied, not of what is allowed: a script may run any tool of the release and of the root,
   which chown, chmod, make nodes and links, and what they call changes with each libc; a list of
   the allowed would break one of them some day, and the walls are the namespaces (or the chroot and
   Landlock) and the missing capabilities anyway. Denied calls fail with EPERM; clone3 with ENOSYS,
   whose flags no filter can see, for which every libc has another way; sockets of a family that no
   namespace holds with EAFNOSUPPORT. */
int pf_syscallfilter_make(const struct pf_filter_settings *settings, struct pf_filter *filter,
                          struct pf_error *err);

/* Frees what it holds. */
void pf_syscallfilter_end(struct pf_filter *filter);

#endif
