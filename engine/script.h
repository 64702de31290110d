/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* script: runs a package's doinst.sh on the root: link pairs in process, anything else by sh. */
#ifndef PF_SCRIPT_H
#define PF_SCRIPT_H

#include "doinst.h"
#include "error.h"

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

/* Runs `sh install/doinst.sh -install` with the root as working directory, standard input empty, a
   clean environment, in a session of its own. *status gets its exit status (128 + n where signal n
   ended it). Where cancel (may be NULL) is set meanwhile, the script is killed. */
int pf_script_run(int root_fd, const struct pf_script_limits *limits,
                  const struct pf_script_output *output, const atomic_bool *cancel, int *status,
                  struct pf_error *err);

#endif
