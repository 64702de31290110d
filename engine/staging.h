/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* staging: the packages of a plan on their way through the workers: begun as they come, or when
   they are whole, and given back staged in plan order. */
#ifndef PF_STAGING_H
#define PF_STAGING_H

#include "error.h"
#include "event.h"
#include "manifest.h"
#include "stage.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct pf_staging_settings {
    /* The files in install order; those that are no packages are passed over. A size may be about
       right, or 0, where it is not known. */
    const struct pf_manifest *manifest;
    int folder_fd;                 /* where the files are */
    int work_fd;                   /* has "stage" */
    unsigned jobs;                 /* worker threads; 0: the thread that takes them does it all */
    struct pf_stage_limits limits; /* of each package; cancel and inherits are filled in */
    struct pf_events *events;
    const atomic_bool *stop; /* set by anybody: everything ends soon */
};

/* A package that has been through. */
struct pf_staging_package {
    size_t index;             /* in the manifest */
    struct pf_staged *staged; /* its tree is open; NULL: it could not be staged */
    int code;                 /* why not */
    struct pf_error *error;   /* the same in words; NULL where memory was short */
};

struct pf_staging;

/* Starts the workers. The settings are copied; what they point to must outlive the staging. */
int pf_staging_new(const struct pf_staging_settings *settings, struct pf_staging **out,
                   struct pf_error *err);

/* How many packages there are. */
size_t pf_staging_count(const struct pf_staging *staging);

/* So many bytes of the file of that index are in the folder, as NAME.part; fewer than before: what
   there was is not the file's any more. Staging a large one begins while it comes, where a worker
   has nothing else to do; it is believed only when it is whole. One thread for each file, until it
   is ready. */
void pf_staging_part(struct pf_staging *staging, size_t index, uint64_t bytes);

/* The file of that index is whole. Any thread, once each. */
void pf_staging_ready(struct pf_staging *staging, size_t index);

/* Waits until that file is whole, on any thread. PF_E_CANCELLED after stop or pf_staging_give_up.
   Its staging goes on by itself. */
int pf_staging_await(struct pf_staging *staging, size_t index, struct pf_error *err);

/* What packages may be, as in the settings and with what was filled in. */
const struct pf_stage_limits *pf_staging_limits(const struct pf_staging *staging);

/* No further file will become ready. Any thread. */
void pf_staging_give_up(struct pf_staging *staging);

/* Waits for the next package in plan order, which stays the staging's. PF_E_CANCELLED after stop,
   pf_staging_give_up, or the last one. One thread only. */
int pf_staging_take(struct pf_staging *staging, struct pf_staging_package **out,
                    struct pf_error *err);

/* Lets a taken package go, with all that is left of its tree. */
int pf_staging_release(struct pf_staging *staging, struct pf_staging_package *package,
                       struct pf_error *err);

void pf_staging_free(struct pf_staging *staging);

#endif
