/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* doctor: what this machine has of what the engine uses: kernel, tools, limits, permissions. */
#ifndef PF_DOCTOR_H
#define PF_DOCTOR_H

#include "answer.h"

#include <stdbool.h>

struct pf_doctor {
    const char *cache_folder;
    const char *lxc_path; /* where containers are */
    bool no_sandbox;      /* none is going to be used */
    pf_check_fn fn;
    void *ctx;
};

/* Tries each thing and tells fn of it, in a fixed order. Nothing is left behind, and no folder
   made. Returns fn's result as soon as that is not 0. Starts short-lived processes. */
int pf_doctor_run(const struct pf_doctor *doctor);

#endif
