/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* run: one making of a root: packages that come from the mirror, or are there, are installed and
   published. The steps; build decides which of them are taken. */
#ifndef PF_RUN_H
#define PF_RUN_H

#include "buildplan.h"
#include "error.h"
#include "install.h"
#include "manifest.h"
#include "plan.h"
#include "stage.h"
#include "staging.h"

#include <stdbool.h>

struct pf_run {
    struct pf_build *build;
    struct pf_plan plan; /* empty where the packages are in the cache */
    struct pf_manifest manifest;
    struct pf_staging *staging; /* NULL while packages are only fetched */
    struct pf_install *install; /* likewise */
    int64_t install_start_ms;
    int folder_fd; /* where the packages are, or come to; -1: not open */
    int work_fd;   /* likewise */
    bool reused;   /* something that an earlier run had downloaded */
    /* An update: */
    struct pf_manifest old;
    int old_fd;
    bool *same; /* per plan entry: it is the old file; NULL: nothing is compared */
};

/* The limits for one package: the defaults, where the caller has not said otherwise. */
struct pf_stage_limits pf_run_stage_limits(const struct pf_limits *wanted);

void pf_run_begin(struct pf_run *run, struct pf_build *build);
void pf_run_end(struct pf_run *run);

/* Makes the plan, and opens the partial folder for its files. */
int pf_run_begin_fetching(struct pf_run *run, struct pf_error *err);

/* Makes and opens the work folder for the root. */
int pf_run_open_work(struct pf_run *run, struct pf_error *err);

/* Fetches, and waits for the end of it. */
int pf_run_fetch(struct pf_run *run, struct pf_error *err);

/* Fetches and installs at once: a package is staged as soon as it is whole. */
int pf_run_fetch_and_install(struct pf_run *run, struct pf_error *err);

/* Installs what is in the folder. remove_corrupt: see pf_install_settings. */
int pf_run_install(struct pf_run *run, bool remove_corrupt, struct pf_error *err);

/* Gives the installed root its name. */
int pf_run_publish_root(const struct pf_run *run, struct pf_error *err);

/* Gives what has been fetched and installed its names. */
int pf_run_publish(struct pf_run *run, struct pf_error *err);

/* The same in the place of what has these names, which others may be reading. */
int pf_run_exchange(struct pf_run *run, struct pf_error *err);

#endif
