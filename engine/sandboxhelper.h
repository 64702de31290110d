/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sandboxhelper: the process that a sandbox is kept in, and the jobs it runs. Only for sandbox. */
#ifndef PF_SANDBOXHELPER_H
#define PF_SANDBOXHELPER_H

#include "confine.h"

#include <stddef.h>

/* A request is one message: the job's words, each with its NUL, and one or two descriptors: where
   its output goes, and its descriptor 3. A message without any ends the job that runs. Each job is
   answered by one message, as is the making of the sandbox. The end of the connection ends all. */
#define PF_SANDBOX_REQUEST_BYTES 8192
#define PF_SANDBOX_WORDS         16

enum pf_sandbox_end {
    PF_SANDBOX_KILLED,  /* by somebody outside */
    PF_SANDBOX_ENDED,   /* status tells how */
    PF_SANDBOX_REFUSED, /* step could not be done, number is its errno */
    PF_SANDBOX_CROWDED, /* there were too many processes */
};

/* Memory that caller and helper share. The helper's (and its job's) until it answers, then the
   caller's; a script never has it. */
struct pf_sandbox_answer {
    enum pf_sandbox_end end;
    int status;
    const char *step; /* a constant, at the same place in both */
    int number;
};

struct pf_sandboxhelper {
    int root_fd, socket_fd;
    struct pf_sandbox_answer *answer;
    struct pf_confine confine;
    const char *const *environment;
    unsigned processes; /* of a job at once, threads counted */
};

/* Runs in a process that was forked for it, and ends it. Calls nothing but the kernel: the caller
   may have had threads, and their locks are held for ever in the copy. */
_Noreturn void pf_sandboxhelper_run(struct pf_sandboxhelper *helper);

#endif
