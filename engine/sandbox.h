/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sandbox: runs programs on a root so that they reach nothing else: no other file, process,
   network or terminal of the host. It is the best of a ladder that can be had where we run. */
#ifndef PF_SANDBOX_H
#define PF_SANDBOX_H

#include "error.h"

#include <stdbool.h>

struct pf_sandbox;

/* What a program has for its "/". */
enum pf_sandbox_view {
    /* The release's own tools (see scriptview.h): the root under /root, its working directory; the
       tools under /sbin/installer; a few devices, /tmp. Nothing of the host. */
    PF_SANDBOX_TOOLS,
    /* The host's programs instead (/usr, /bin ...), read-only, with /etc as far as they read it,
       and /proc. Needs namespaces. */
    PF_SANDBOX_HOST,
    /* The root itself. */
    PF_SANDBOX_ROOT,
};

/* The ladder, best first. */
enum pf_sandbox_rung {
    PF_SANDBOX_NAMESPACES, /* namespaces of its own around a "/" made of mounts */
    PF_SANDBOX_CHROOTED,   /* the same, where we run in a chroot that is no mount point */
    /* Without namespaces: a chroot that cannot be left, Landlock, a filter of system calls, and a
       process that watches it. It does not hide the host's name, nor the kernel's IPC identifiers
       and process numbers as such; devices cannot be made by scripts where no device cgroup or
       file system keeps them from being opened. */
    PF_SANDBOX_CONFINED,
};

struct pf_sandbox_settings {
    enum pf_sandbox_view view;
    /* PF_SANDBOX_TOOLS and PF_SANDBOX_HOST: the directory that pf_scriptview_make was given, which
       has the root as "root". Else -1. */
    int work_fd;
    int root_fd;
    const char *const *environment; /* of all programs; ends with NULL; copied */
    unsigned processes;             /* of a program and what it starts, at once, threads counted */
};

/* Opens a sandbox: a process kept until it is closed, which runs the programs. It has tried all
   that a program needs by then. A program has no network, of user 0's capabilities those that
   making a root needs, no call that leads out, and where the kernel has Landlock, that on top. Of
   device nodes those of null, zero, full, random, urandom and tty open, also the root's own below
   dev/; no other does.

   PF_E_PERMISSION where no rung can be had. The two upper ones need CAP_SYS_ADMIN, in a user
   namespace or not, and Linux 5.12; the last needs CAP_SYS_CHROOT, Landlock (5.19) and /proc. Safe
   with other threads running. */
int pf_sandbox_open(const struct pf_sandbox_settings *settings, struct pf_sandbox **out,
                    struct pf_error *err);

enum pf_sandbox_rung pf_sandbox_rung(const struct pf_sandbox *sandbox);

/* One line for the user: which rung it is, and what that does not hold. */
const char *pf_sandbox_describe(const struct pf_sandbox *sandbox);

/* Is Landlock there, too? */
bool pf_sandbox_has_landlock(const struct pf_sandbox *sandbox);

/* Starts a program; argv[0] is its path. It has no input, output_fd as standard output and error,
   and a session of its own. text_fd (-1: none) is a memfd whose content, ended by a NUL, becomes
   its last argument. One at a time; no other thread may use the sandbox meanwhile. After success,
   pf_sandbox_finish must follow. */
int pf_sandbox_start(struct pf_sandbox *sandbox, const char *const *argv, int output_fd,
                     int text_fd, struct pf_error *err);

/* Readable once the program has ended, and all that it started with it. */
int pf_sandbox_event_fd(const struct pf_sandbox *sandbox);

/* Waits for that, or with `stop` sees to it. *status gets its exit status (128 + n where signal n
   ended it; 126 or 127 where it could not be started). PF_E_LIMIT where it had too many processes
   or came upon another limit, PF_E_PERMISSION where its surroundings could not be made. */
int pf_sandbox_finish(struct pf_sandbox *sandbox, bool stop, int *status, struct pf_error *err);

/* After pf_sandbox_finish: was the program executed? Else its status is 126 or 127. */
bool pf_sandbox_has_started(const struct pf_sandbox *sandbox);

/* Ends it, with all that runs in it. NULL is fine. */
void pf_sandbox_close(struct pf_sandbox *sandbox);

#endif
