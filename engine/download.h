/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* download: brings the plan's files into the partial folder, on a thread of its own. */
#ifndef PF_DOWNLOAD_H
#define PF_DOWNLOAD_H

#include "error.h"
#include "event.h"
#include "fetch.h"
#include "plan.h"

#include <stdatomic.h>

/* Told, on the download's thread, that a file is whole and under its final name. */
typedef void (*pf_download_ready_fn)(void *ctx, size_t plan_index);

/* Told once, when nothing more comes: all is there, or it failed. */
typedef void (*pf_download_end_fn)(void *ctx, bool failed);

struct pf_download_settings {
    struct pf_fetch *fetch; /* used by the thread alone until pf_download_join */
    const struct pf_plan *plan;
    int folder_fd; /* the partial folder */
    struct pf_events *events;
    const atomic_bool *stop;
    pf_download_ready_fn ready;
    pf_download_end_fn end;
    void *ctx;
};

struct pf_download;

/* Takes over what the folder has (see journal), then starts the thread. It fetches the texts first
   (the records of the packages need them), then the packages in plan order, and gives all files
   ctimes in plan order. The settings are copied; what they point to must outlive the join. */
int pf_download_start(const struct pf_download_settings *settings, struct pf_download **out,
                      struct pf_error *err);

/* Waits for the thread; frees. 0: every file of the plan is there. *reused: some of it, or a part
   of some, is of an earlier run. */
int pf_download_join(struct pf_download *download, bool *reused, struct pf_error *err);

#endif
