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
    enum pf_sandbox_view view;  /* what they see, in a sandbox or not */
    int work_fd; /* PF_SANDBOX_TOOLS: has the view, see scriptview.h; else -1, or likewise */
};

/* Opens a sandbox with the limits that scripts have, for the place. As pf_sandbox_open. */
int pf_script_open_sandbox(struct pf_script_place *place, struct pf_error *err);

/* Runs `sh install/doinst.sh -install` with the root as working directory: standard input empty,
   umask 022, a clean environment and no other descriptor, in a session of its own, of which nothing
   lives on (in a sandbox: of all that it started). *status gets its exit status (128 + n where
   signal n ended it; 126 or 127 where it could not be started). Where cancel (may be NULL) is set
   meanwhile, it is killed (PF_E_CANCELLED), as when its time is over or it comes upon a limit
   (PF_E_LIMIT). */
int pf_script_run(const struct pf_script_place *place, const struct pf_script_limits *limits,
                  const struct pf_script_output *output, const atomic_bool *cancel, int *status,
                  struct pf_error *err);

/* Can its shell be run at all? PF_E_ABSENT where the kernel does not take the release's programs:
   they may be 32-bit ones. */
int pf_script_try_shell(const struct pf_script_place *place, struct pf_error *err);

#define PF_SCRIPT_MAX_ARGUMENTS 8

/* Runs a program likewise: argv (ends with NULL, at most PF_SCRIPT_MAX_ARGUMENTS) names it by its
   path, and `text` (may be NULL) is its last argument. In PF_SANDBOX_ROOT it is one of the root,
   which is its "/", without a sandbox by the host's chroot. */
int pf_script_run_program(const struct pf_script_place *place, const char *const *argv,
                          const char *text, const struct pf_script_limits *limits,
                          const struct pf_script_output *output, const atomic_bool *cancel,
                          int *status, struct pf_error *err);

#endif
