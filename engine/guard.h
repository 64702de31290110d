/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guard: what a thread that speaks with servers can reach. Should one of them get the better of the
   network's code, it writes nothing but the folder that downloads come to, and reads nothing but
   what libcurl, TLS and the resolver need. */
#ifndef PF_GUARD_H
#define PF_GUARD_H

#include "error.h"
#include "mirrors.h"
#include "plan.h"

struct pf_guard {
    int written_fd;                   /* the folder of the downloads; -1: nothing is written */
    int read_fd;                      /* one more that is read; -1: none */
    const struct pf_mirrors *mirrors; /* those that are folders are read */
    const struct pf_plan *plan;       /* likewise its files that are; NULL: none yet */
    const char *ca_file;              /* or NULL */
};

/* Confines the calling thread for good, and every thread that comes of it: Landlock as above, with
   no program run, no TCP port listened on and no process outside signalled; new privileges given
   up, and all capabilities but those that files of another user need. HOME, SSL_CERT_FILE,
   SSL_CERT_DIR and OPENSSL_CONF of the environment name what is read, too. Signals that end the
   process are left to the other threads. Where all mirrors are folders, their links may lead
   anywhere, so all may be read. Where the kernel has no Landlock (pf_landlock_abi), the rest is
   done. Any failure is PF_E_PERMISSION.

   It is no wall against code that a server makes this thread run: that shares memory with the
   other threads. */
int pf_guard_self(const struct pf_guard *guard, struct pf_error *err);

/* Runs a function on such a thread and waits for it. Returns what it returned, or a code. */
int pf_guard_run(const struct pf_guard *guard, int (*run)(void *ctx, struct pf_error *err),
                 void *ctx, struct pf_error *err);

#endif
