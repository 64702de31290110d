/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* progress: what a run is doing, gathered from its events. Pure. */
#ifndef PF_CMD_PROGRESS_H
#define PF_CMD_PROGRESS_H

#include "barline.h"
#include "engine.h"
#include "recent.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PROGRESS_FETCH, PROGRESS_INSTALL, PROGRESS_COPY, PROGRESS_CREATE, PROGRESS_STAGES };

struct progress_stage {
    bool begun, ended;
    uint64_t items, count; /* count 0: not known */
    uint64_t bytes, total; /* total 0: not known */
    uint64_t worked;       /* what the rate is of: bytes that took work in this run */
    int64_t start_ms, end_ms;
    struct recent recent; /* of worked */
};

/* One file on its way, one package being decoded, or one root being made. */
struct progress_file {
    enum pf_event_type type;
    char name[160];
    uint64_t items, bytes, total;
    int64_t start_ms, seen_ms;
    uint64_t start_bytes;
};

#define PROGRESS_MAX_FILES 128

struct progress {
    char phase[128];
    int64_t start_ms;
    struct progress_stage stages[PROGRESS_STAGES];
    struct progress_file files[PROGRESS_MAX_FILES]; /* in the order in which they began */
    size_t file_count;
    uint64_t decoded_bytes;              /* of package files that are done with */
    uint64_t copied_items, copied_bytes; /* of roots that are whole */
};

void progress_init(struct progress *progress, int64_t now_ms);

void progress_take(struct progress *progress, const struct pf_event *event, int64_t now_ms);

/* To be called now and then: notes how fast things grow. */
void progress_tick(struct progress *progress, int64_t now_ms);

/* The lines to show: stages that have begun, then the largest files that take long, at most so many
   of them. Labels point into progress. Returns how many. */
size_t progress_lines(const struct progress *progress, int64_t now_ms, struct barline *lines,
                      size_t most_files);

#define PROGRESS_MAX_LINES (PROGRESS_STAGES + PROGRESS_MAX_FILES)

#endif
