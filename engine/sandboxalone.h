/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sandboxalone: what the two files of the helper without namespaces share: a job and what runs for
   it. Only for them. */
#ifndef PF_SANDBOXALONE_H
#define PF_SANDBOXALONE_H

#include "confine.h"
#include "sandboxhelper.h"

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Programs that run in the root by `chroot` at once, the job's own among them; what those are given
   may be as much as most kernels let a program have of its own stack's limit. */
#define PF_ALONE_RUNS  64
#define PF_ALONE_WORDS 16384
#define PF_ALONE_TEXT  (1 << 20)

/* A process that was started here, with all that comes of it. */
struct pf_alone_run {
    pid_t pid;      /* 0: unused; -1: it has ended, but not all that came of it */
    int listener;   /* tells of its watched calls; -1: nobody is left to make any */
    pid_t asked_by; /* whose program it is; 0: the job's own */
    int asked_at;   /* the listener that told of its execve, and by which number */
    uint64_t asked_id;
    uint64_t path_at; /* in the memory of that process */
};

struct pf_alone_job {
    const struct pf_sandboxhelper *helper;
    int base_fd, proc_fd; /* where it begins; /proc */
    struct pf_alone_run runs[PF_ALONE_RUNS];
    int64_t counted_ms;
    bool ending;                  /* nothing new is let begin */
    pid_t entered[PF_ALONE_RUNS]; /* they have asked for the root as their "/", and not yet executed
                                   */
    char words[PF_ALONE_TEXT], environment[PF_ALONE_TEXT]; /* of a program to be run in the root */
    char *argv[PF_ALONE_WORDS], *envp[PF_ALONE_WORDS];
};

/* Opens the root that is made; -1 with errno. */
int pf_sandboxalone_open_root(const struct pf_alone_job *job);

/* The job is not going to end as without the sandbox: `step` (a constant) says why. */
void pf_sandboxalone_limit(const struct pf_alone_job *job, const char *step);

/* An unused run, with nothing in it; NULL: there are too many. */
struct pf_alone_run *pf_sandboxalone_add_run(struct pf_alone_job *job);

/* In a new process, which stands in what becomes its "/" and has a socket to the helper at
   PF_SANDBOX_CONNECTION: that, and all that it gives up. */
void pf_sandboxalone_confine(const struct pf_sandboxhelper *helper, const struct pf_confine *walls,
                             bool in_root);

/* sandboxroot: programs that scripts run in the root by chroot. */

/* The calls chroot and execve, as the listener tells of them. */
void pf_sandboxroot_enter(struct pf_alone_job *job, int listener, const struct seccomp_notif *call);
void pf_sandboxroot_execute(struct pf_alone_job *job, int listener,
                            const struct seccomp_notif *call);

/* The program has ended: whoever executed it ends with the same status. */
void pf_sandboxroot_finish(const struct pf_alone_job *job, const struct pf_alone_run *run,
                           int status);

#endif
