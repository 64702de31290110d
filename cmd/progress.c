/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "progress.h"

#include "language.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is done sooner has no line of its own: lines that come and go cannot be read. */
#define LONG_MS 500

/* A transfer of which nothing was heard for so long waits for another try. */
#define FORGET_MS 1000

void progress_init(struct progress *progress, int64_t now_ms)
{
    memset(progress, 0, sizeof *progress);
    progress->start_ms = now_ms;
}

static struct progress_file *find(struct progress *progress, enum pf_event_type type,
                                  const char *name)
{
    char wanted[sizeof progress->files[0].name];
    snprintf(wanted, sizeof wanted, "%s", name);
    for (size_t i = 0; i < progress->file_count; i++) {
        struct progress_file *file = &progress->files[i];
        if (file->type == type && strcmp(file->name, wanted) == 0)
            return file;
    }
    return NULL;
}

static void forget(struct progress *progress, struct progress_file *file)
{
    if (!file)
        return;
    size_t behind = (size_t)(progress->files + progress->file_count - file) - 1;
    memmove(file, file + 1, behind * sizeof *file);
    progress->file_count--;
}

static void note_file(struct progress *progress, const struct pf_event *event, int64_t now_ms)
{
    struct progress_file *file = find(progress, event->type, event->subject);
    if (!file) {
        if (progress->file_count == PROGRESS_MAX_FILES)
            return;
        file = &progress->files[progress->file_count++];
        *file = (struct progress_file){.type = event->type,
                                       .start_ms = now_ms,
                                       .start_bytes = event->bytes};
        snprintf(file->name, sizeof file->name, "%s", event->subject);
    }
    /* From its beginning again. */
    if (event->bytes < file->start_bytes)
        file->start_bytes = event->bytes;
    file->items = event->index;
    file->bytes = event->bytes;
    file->total = event->total;
    file->seen_ms = now_ms;
}

static struct progress_stage *begin(struct progress *progress, int which, int64_t now_ms)
{
    struct progress_stage *stage = &progress->stages[which];
    if (!stage->begun)
        stage->start_ms = now_ms;
    stage->begun = true;
    return stage;
}

static void end(struct progress_stage *stage, int64_t now_ms)
{
    if (stage->ended)
        return;
    stage->ended = true;
    stage->end_ms = now_ms;
}

/* The bytes of packages that are done with, and what has been read of the others. */
static void sum_decoded(struct progress *progress, struct progress_stage *stage)
{
    stage->bytes = progress->decoded_bytes;
    for (size_t i = 0; i < progress->file_count; i++) {
        if (progress->files[i].type == PF_EVENT_DECODING)
            stage->bytes += progress->files[i].bytes;
    }
    stage->worked = stage->bytes;
}

static void take_fetching(struct progress *progress, const struct pf_event *event, int64_t now_ms)
{
    struct progress_stage *stage = begin(progress, PROGRESS_FETCH, now_ms);
    stage->items = event->index;
    stage->count = event->count;
    stage->bytes = event->bytes;
    stage->total = event->total;
    stage->worked = event->received;
    if (stage->items == stage->count)
        end(stage, now_ms);
}

static void take_install(struct progress *progress, const struct pf_event *event, int64_t now_ms)
{
    struct progress_stage *stage = &progress->stages[PROGRESS_INSTALL];
    switch (event->type) {
    case PF_EVENT_INSTALLING:
        /* Perhaps a second time, after a damaged package. */
        *stage = (struct progress_stage){.count = event->count, .total = event->total};
        progress->decoded_bytes = 0;
        begin(progress, PROGRESS_INSTALL, now_ms);
        return;
    case PF_EVENT_DECODED:
        forget(progress, find(progress, PF_EVENT_DECODING, event->subject));
        progress->decoded_bytes += event->total;
        break;
    case PF_EVENT_INSTALLED:
        stage->items = event->index;
        if (event->index == event->count)
            end(stage, now_ms);
        break;
    default:
        note_file(progress, event, now_ms);
        break;
    }
    sum_decoded(progress, stage);
}

static void take_copy(struct progress *progress, const struct pf_event *event, int64_t now_ms)
{
    struct progress_stage *stage = begin(progress, PROGRESS_COPY, now_ms);
    bool copying = false;
    stage->ended = false;
    if (event->type == PF_EVENT_CLONED) {
        forget(progress, find(progress, PF_EVENT_COPYING, event->subject));
        progress->copied_items += event->count;
        progress->copied_bytes += event->bytes;
    } else {
        note_file(progress, event, now_ms);
    }
    stage->items = progress->copied_items;
    stage->bytes = progress->copied_bytes;
    for (size_t i = 0; i < progress->file_count; i++) {
        const struct progress_file *file = &progress->files[i];
        if (file->type != PF_EVENT_COPYING)
            continue;
        copying = true;
        stage->items += file->items;
        stage->bytes += file->bytes;
    }
    stage->worked = stage->bytes;
    if (!copying)
        end(stage, now_ms);
}

/* Containers come in any order: what counts is how many there were. */
static void take_container(struct progress *progress, const struct pf_event *event, int64_t now_ms)
{
    struct progress_stage *stage = begin(progress, PROGRESS_CREATE, now_ms);
    stage->count = event->count;
    stage->worked = ++stage->items;
    if (stage->items == stage->count)
        end(stage, now_ms);
}

void progress_take(struct progress *progress, const struct pf_event *event, int64_t now_ms)
{
    switch (event->type) {
    case PF_EVENT_PHASE:
        snprintf(progress->phase, sizeof progress->phase, "%s", event->text);
        break;
    case PF_EVENT_FETCHING:
        take_fetching(progress, event, now_ms);
        break;
    case PF_EVENT_TRANSFER:
        note_file(progress, event, now_ms);
        break;
    case PF_EVENT_FETCHED:
        forget(progress, find(progress, PF_EVENT_TRANSFER, event->subject));
        break;
    case PF_EVENT_INSTALLING:
    case PF_EVENT_DECODING:
    case PF_EVENT_DECODED:
    case PF_EVENT_INSTALLED:
        take_install(progress, event, now_ms);
        break;
    case PF_EVENT_CONTAINER:
        take_container(progress, event, now_ms);
        break;
    case PF_EVENT_COPYING:
    case PF_EVENT_CLONED:
        take_copy(progress, event, now_ms);
        break;
    default:
        break;
    }
}

void progress_tick(struct progress *progress, int64_t now_ms)
{
    for (size_t i = 0; i < PROGRESS_STAGES; i++) {
        struct progress_stage *stage = &progress->stages[i];
        if (stage->begun && !stage->ended)
            recent_add(&stage->recent, now_ms, stage->worked);
    }
    for (size_t i = progress->file_count; i-- > 0;) {
        struct progress_file *file = &progress->files[i];
        if (file->type == PF_EVENT_TRANSFER && now_ms - file->seen_ms > FORGET_MS)
            forget(progress, file);
    }
}

/* Of all packages: the download's total, which becomes exact, where there is one. */
static uint64_t total_of(const struct progress *progress, size_t which)
{
    const struct progress_stage *stage = &progress->stages[which];
    uint64_t total = stage->total;
    if (which == PROGRESS_INSTALL && progress->stages[PROGRESS_FETCH].total)
        total = progress->stages[PROGRESS_FETCH].total;
    return total >= stage->bytes ? total : 0;
}

static struct barline stage_line(const struct progress *progress, size_t which, int64_t now_ms)
{
    static const char *const names[] = {N_("fetch"), N_("install"), N_("copy"), N_("create")};
    const struct progress_stage *stage = &progress->stages[which];
    struct barline line = {.label = _(names[which]),
                           .is_stage = true,
                           .fraction = -1,
                           .items = stage->items,
                           .count = stage->count,
                           .bytes = stage->bytes,
                           .total = total_of(progress, which),
                           .bytes_per_s = recent_rate(&stage->recent, now_ms),
                           .has_remaining = !stage->ended};
    if (line.total)
        line.fraction = (double)line.bytes / (double)line.total;
    else if (line.count)
        line.fraction = (double)line.items / (double)line.count;
    if (stage->ended) {
        double took_s = (double)(stage->end_ms - stage->start_ms) / 1000;
        line.fraction = 1;
        line.bytes_per_s = took_s > 0 ? (double)stage->worked / took_s : -1;
    }
    /* While packages still come, how long installing takes is not for its own rate to say. */
    const struct progress_stage *fetch = &progress->stages[PROGRESS_FETCH];
    if (which == PROGRESS_INSTALL && fetch->begun && !fetch->ended)
        line.has_remaining = false;
    line.remaining_s =
        line.total ? recent_remaining_s(line.total - line.bytes, line.bytes_per_s) : -1;
    if (which == PROGRESS_CREATE) {
        /* Its rate is of containers. */
        line.remaining_s = recent_remaining_s(line.count - line.items, line.bytes_per_s);
        line.bytes_per_s = -1;
    }
    return line;
}

static struct barline file_line(const struct progress_file *file, int64_t now_ms)
{
    double took_s = (double)(now_ms - file->start_ms) / 1000;
    struct barline line = {.label = file->name,
                           .fraction = -1,
                           .bytes = file->bytes,
                           .total = file->total >= file->bytes ? file->total : 0,
                           .bytes_per_s = (double)(file->bytes - file->start_bytes) / took_s};
    if (line.total)
        line.fraction = (double)line.bytes / (double)line.total;
    return line;
}

static int compare_sizes(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x > *y ? -1 : *x < *y;
}

/* Roots are shown by their stage alone. */
static bool takes_long(const struct progress_file *file, int64_t now_ms)
{
    return file->type != PF_EVENT_COPYING && now_ms - file->start_ms >= LONG_MS;
}

/* The total of the smallest file that is still among the largest `most`. */
static uint64_t least_size(const struct progress *progress, int64_t now_ms, size_t most)
{
    uint64_t sizes[PROGRESS_MAX_FILES];
    size_t count = 0;
    for (size_t i = 0; i < progress->file_count; i++) {
        if (takes_long(&progress->files[i], now_ms))
            sizes[count++] = progress->files[i].total;
    }
    if (count <= most)
        return 0;
    qsort(sizes, count, sizeof *sizes, compare_sizes);
    return sizes[most - 1];
}

size_t progress_lines(const struct progress *progress, int64_t now_ms, struct barline *lines,
                      size_t most_files)
{
    size_t count = 0, files = 0;
    for (size_t i = 0; i < PROGRESS_STAGES; i++) {
        if (progress->stages[i].begun)
            lines[count++] = stage_line(progress, i, now_ms);
    }
    if (most_files == 0)
        return count;
    uint64_t least = least_size(progress, now_ms, most_files);
    for (size_t i = 0; i < progress->file_count && files < most_files; i++) {
        const struct progress_file *file = &progress->files[i];
        if (!takes_long(file, now_ms) || file->total < least)
            continue;
        lines[count++] = file_line(file, now_ms);
        files++;
    }
    return count;
}
