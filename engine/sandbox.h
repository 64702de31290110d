/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sandbox: runs programs on a root so that they reach nothing else: no other file, process,
   network or terminal of the host. */
#ifndef PF_SANDBOX_H
#define PF_SANDBOX_H

#include "error.h"

#include <stdbool.h>
#include <stdint.h>

struct pf_sandbox;

struct pf_sandbox_settings {
    const char *const *environment; /* of all programs; ends with NULL; copied */
    unsigned processes;             /* of a program and what it starts, at once, threads counted */
    uint64_t file_bytes;            /* no file gets larger */
};

/* Opens a sandbox for the root: a process in namespaces of its own, kept until it is closed. What a
   program sees: the root as /target, which is its working directory and where alone it can write
   for good; the host's programs (/usr, /bin …), read-only; /etc with what those read; a few
   devices; for each program new and thrown away: /tmp, /etc, process and IPC namespaces with their
   /proc. It has no network, of user 0's capabilities those that making a root needs, no call that
   leads out, and where the kernel has Landlock, that on top. No device node opens but the few.

   The caller needs CAP_SYS_ADMIN, in a user namespace or not, and Linux 5.12. PF_E_PERMISSION where
   none can be made. Safe with other threads running. */
int pf_sandbox_open(int root_fd, const struct pf_sandbox_settings *settings,
                    struct pf_sandbox **out, struct pf_error *err);

/* Is Landlock there, too? */
bool pf_sandbox_has_landlock(const struct pf_sandbox *sandbox);

/* Starts a program; argv[0] is its path. It has no input, output_fd as standard output and error,
   input_fd (-1: nothing) as descriptor 3, and a session of its own. One at a time; no other thread
   may use the sandbox meanwhile. After success, pf_sandbox_finish must follow. */
int pf_sandbox_start(struct pf_sandbox *sandbox, const char *const *argv, int output_fd,
                     int input_fd, struct pf_error *err);

/* Readable once the program has ended, and all that it started with it. */
int pf_sandbox_event_fd(const struct pf_sandbox *sandbox);

/* Waits for that, or with `stop` sees to it. *status gets its exit status (128 + n where signal n
   ended it; 126 or 127 where it could not be started). PF_E_LIMIT where it had too many processes,
   PF_E_PERMISSION where its surroundings could not be made. */
int pf_sandbox_finish(struct pf_sandbox *sandbox, bool stop, int *status, struct pf_error *err);

/* Ends it, with all that runs in it. NULL is fine. */
void pf_sandbox_close(struct pf_sandbox *sandbox);

#endif
