/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* script: runs a package's doinst.sh, or another program, on the root: link pairs in process. */
#ifndef PF_SCRIPT_H
#define PF_SCRIPT_H

#include "doinst.h"
#include "error.h"
#include "sandbox.h"

#include <stdatomic.h>
#include <stddef.h>

/* Gets what a script prints, piece by piece as it comes. */
typedef void (*pf_script_output_fn)(void *ctx, const char *text, size_t length);

struct pf_script_output {
    pf_script_output_fn fn;
    void *ctx;
};

/* Applies link pairs as sh, rm and ln would do it with the root as working directory (a folder that
   is missing is left out: the other half then acts in the root itself). Nothing outside the root is
   reached. What rm and ln would complain of goes to output and is no failure. No process is
   started. */
int pf_script_apply(int root_fd, const struct pf_doinst_ops *ops,
                    const struct pf_script_output *output, struct pf_error *err);

struct pf_script_limits {
    unsigned timeout_s;  /* the script is killed then, and that is an error */
    size_t output_bytes; /* what is passed on; the rest is read and dropped */
};

#define PF_SCRIPT_LIMITS_DEFAULT                                                                   \
    {                                                                                              \
        .timeout_s = 600, .output_bytes = 1u << 20                                                 \
    }

/* Where scripts run. */
struct pf_script_place {
    int root_fd;                /* their working directory */
    struct pf_sandbox *sandbox; /* one of this root; NULL: nothing confines them */
};

/* Opens a sandbox with the limits that scripts have. As pf_sandbox_open. */
int pf_script_open_sandbox(int root_fd, struct pf_sandbox **out, struct pf_error *err);

/* A program that runs with the root as working directory. */
struct pf_script_job {
    const char *const *argv; /* ends with NULL; at most PF_SCRIPT_MAX_ARGUMENTS */
    int input_fd;            /* the program finds it as /proc/self/fd/3; -1: nothing */
};

#define PF_SCRIPT_MAX_ARGUMENTS 8

/* Runs the program with standard input empty, umask 022, a clean environment and no descriptor but
   the job's, in a session of its own, of which nothing lives on (in a sandbox: of all that it
   started). *status gets its exit status (128 + n where signal n ended it; 126 or 127 where it
   could not be started). Where cancel (may be NULL) is set meanwhile, it is killed
   (PF_E_CANCELLED), as when its time is over or it has too many processes (PF_E_LIMIT). */
int pf_script_run_job(const struct pf_script_place *place, const struct pf_script_job *job,
                      const struct pf_script_limits *limits, const struct pf_script_output *output,
                      const atomic_bool *cancel, int *status, struct pf_error *err);

/* Runs `sh install/doinst.sh -install` so. */
int pf_script_run(const struct pf_script_place *place, const struct pf_script_limits *limits,
                  const struct pf_script_output *output, const atomic_bool *cancel, int *status,
                  struct pf_error *err);

#endif
