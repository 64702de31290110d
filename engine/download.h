/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* download: brings the plan's files into the partial folder, on a thread of its own. */
#ifndef PF_DOWNLOAD_H
#define PF_DOWNLOAD_H

#include "error.h"
#include "event.h"
#include "fetch.h"
#include "manifest.h"
#include "plan.h"

#include <stdatomic.h>

/* Told, on the download's thread, that a file is whole and under its final name. */
typedef void (*pf_download_ready_fn)(void *ctx, size_t plan_index);

/* Told, on the same thread, how many bytes of a file NAME.part has; fewer than before: what it had
   is not the file's any more. */
typedef void (*pf_download_part_fn)(void *ctx, size_t plan_index, uint64_t bytes);

/* Told once, when nothing more comes: all is there, or it failed. */
typedef void (*pf_download_end_fn)(void *ctx, bool failed);

struct pf_download_settings {
    struct pf_fetch *fetch;           /* used by the thread alone until pf_download_join */
    const struct pf_mirrors *mirrors; /* those that fetch asks */
    const char *ca_file;              /* likewise; may be NULL */
    const struct pf_plan *plan;
    const char *release, *arch;   /* of the plan */
    bool exact;                   /* the plan's sizes are not to be exceeded */
    struct pf_manifest *manifest; /* the plan's files; gets their etags */
    int folder_fd;                /* the partial folder */
    /* An update: files that are here already are fetched only if the mirror's are other ones, and
       else copied, if anything has changed at all. same[i] becomes true for the plan's files that
       are the old ones. */
    const struct pf_manifest *old; /* NULL: none */
    int old_fd;
    bool *same;
    struct pf_events *events;
    const atomic_bool *stop;
    pf_download_part_fn part;
    pf_download_ready_fn ready;
    pf_download_end_fn end;
    void *ctx;
};

struct pf_download;

/* Takes over what the folder has (see journal), then starts the thread, which can reach little but
   the folder (see guard). It fetches the texts first
   (the records of the packages need them), then the packages in plan order, and gives all files
   ctimes in plan order. The settings are copied; what they point to must outlive the join. */
int pf_download_start(const struct pf_download_settings *settings, struct pf_download **out,
                      struct pf_error *err);

/* What a download did. */
struct pf_download_stats {
    bool reused;    /* some of it, or a part of some, is of an earlier run */
    uint64_t files; /* that are there now */
    uint64_t had;   /* of them: that needed no fetching */
    uint64_t took_ms;
};

/* Waits for the thread; frees. 0: every file of the plan is there. */
int pf_download_join(struct pf_download *download, struct pf_download_stats *stats,
                     struct pf_error *err);

#endif
