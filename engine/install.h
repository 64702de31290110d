/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* install: package files become an installed root: staged by workers, committed in plan order. */
#ifndef PF_INSTALL_H
#define PF_INSTALL_H

#include "error.h"
#include "event.h"
#include "manifest.h"
#include "scripttools.h"
#include "staging.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pf_install_settings {
    struct pf_staging *staging; /* of the manifest's packages */
    /* The digest of each package that was staged is filled in; where one is there already, it must
       be the same. Texts beside the packages are read from folder_fd. */
    struct pf_manifest *manifest;
    int folder_fd;                        /* where the files are */
    const char *location;                 /* the folder's path as it stands in the records */
    int work_fd;                          /* has "root" */
    const struct pf_profile_tools *tools; /* where the release has what scripts run with */
    uint64_t packed_bytes;                /* of all package files, for who follows; 0: not known */
    bool skip_corrupt;   /* pass over a damaged package, as the shell template does */
    bool remove_corrupt; /* take a damaged file out of the folder: it is to be fetched again */
    enum pf_record_names listed; /* how the release's records list names */
    bool no_sandbox;             /* run scripts with all that this process may do */
    struct pf_events *events;
    atomic_bool *stop; /* set by anybody: everything ends soon */
};

struct pf_install_stats {
    uint64_t decoded;   /* packages */
    uint64_t installed; /* packages */
    uint64_t shells;    /* scripts that needed a shell */
};

struct pf_install;

/* Opens the sandbox for scripts, the best that can be had, which a PF_EVENT_NOTE names.
   PF_E_PERMISSION where there is none, PF_E_ABSENT where it lacks tools. */
int pf_install_new(const struct pf_install_settings *settings, struct pf_install **out,
                   struct pf_error *err);

/* Commits everything in order, on the calling thread, as it becomes ready. PF_E_CANCELLED where it
   was stopped or given up before the end. */
int pf_install_run(struct pf_install *install, struct pf_install_stats *stats,
                   struct pf_error *err);

void pf_install_free(struct pf_install *install);

#endif
