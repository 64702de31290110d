/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "download.h"

#include "cache.h"
#include "journal.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How long to wait for the kernel's clock to tick (1 to 10 ms, by its configuration). */
#define CLOCK_WAIT_NS 500000L

struct file {
    struct pf_download *download;
    size_t index;
};

struct pf_download {
    struct pf_download_settings settings;
    pthread_t thread;
    int status; /* the thread's, read after the join */
    struct pf_error error;
    /* All below: the thread's own once it runs. */
    struct pf_journal *journal;
    struct pf_stamper stamper;
    bool *have; /* per plan entry */
    struct file *files;
    size_t stamped; /* entries with their ctime set */
    uint64_t done_count;
};

static const struct pf_plan_entry *entry_of(const struct file *file)
{
    return &file->download->settings.plan->entries[file->index];
}

/* Stamps as far as the plan's beginning is there and the clock has ticked. 1: all of that, 0: the
   clock must tick first, or a negative code. */
static int stamp(struct pf_download *d)
{
    const struct pf_plan *plan = d->settings.plan;
    while (d->stamped < plan->count && d->have[d->stamped]) {
        int status = pf_cache_stamp(&d->stamper, plan->entries[d->stamped].file, &d->error);
        if (status <= 0)
            return status;
        d->stamped++;
    }
    return 1;
}

static void on_tick(void *ctx)
{
    struct pf_download *d = ctx;
    if (d->status == 0) {
        int status = stamp(d);
        if (status < 0)
            d->status = status;
    }
}

static void announce(struct pf_download *d, size_t index, uint64_t received)
{
    const struct pf_plan *plan = d->settings.plan;
    d->have[index] = true;
    d->done_count++;
    pf_events_send(d->settings.events, &(struct pf_event){
                                           .type = PF_EVENT_FETCHED,
                                           .subject = plan->entries[index].file,
                                           .index = d->done_count,
                                           .count = plan->count,
                                           .bytes = received,
                                       });
    d->settings.ready(d->settings.ctx, index);
}

static void on_validator(void *ctx, const char *validator)
{
    struct file *file = ctx;
    struct pf_download *d = file->download;
    const struct pf_plan_entry *entry = entry_of(file);
    int status = pf_journal_note_begun(d->journal, entry->file, entry->url, validator, &d->error);
    if (status)
        d->status = status;
}

static int on_done(void *ctx, const struct pf_fetch_result *result)
{
    struct file *file = ctx;
    struct pf_download *d = file->download;
    const struct pf_plan_entry *entry = entry_of(file);
    if (result->error.code) {
        d->error = result->error;
        return pf_error_context(&d->error, "package %s", entry->file);
    }
    int failed = d->status ? d->status
                           : pf_journal_note_done(d->journal, entry->file,
                                                  (uint64_t)result->size_bytes, &d->error);
    if (!failed)
        announce(d, file->index, result->received_bytes);
    return failed;
}

static int ask_for_kind(struct pf_download *d, bool packages)
{
    const struct pf_plan *plan = d->settings.plan;
    for (size_t i = 0; i < plan->count; i++) {
        const struct pf_plan_entry *entry = &plan->entries[i];
        if (entry->package != packages)
            continue;
        if (d->have[i]) {
            announce(d, i, 0);
            continue;
        }
        const char *validator = pf_journal_validator(d->journal, entry->file, entry->url);
        int failed =
            pf_fetch_file(d->settings.fetch, entry->url, d->settings.folder_fd, entry->file,
                          validator, on_validator, on_done, &d->files[i], &d->error);
        if (failed)
            return failed;
    }
    return 0;
}

static int finish_stamps(struct pf_download *d)
{
    for (;;) {
        int status = stamp(d);
        if (status != 0)
            return status < 0 ? status : 0;
        nanosleep(&(struct timespec){.tv_nsec = CLOCK_WAIT_NS}, NULL);
    }
}

static void *download_main(void *arg)
{
    struct pf_download *d = arg;
    int failed = ask_for_kind(d, false);
    /* The texts are whole before the first package is announced. */
    if (!failed)
        failed = pf_fetch_run(d->settings.fetch, NULL, NULL, &d->error);
    if (!failed)
        failed = ask_for_kind(d, true);
    if (!failed)
        failed = pf_fetch_run(d->settings.fetch, on_tick, d, &d->error);
    if (!failed)
        failed = d->status ? d->status : finish_stamps(d);
    d->status = failed;
    d->settings.end(d->settings.ctx, failed != 0);
    return NULL;
}

static void free_download(struct pf_download *d)
{
    pf_journal_close(d->journal);
    free(d->have);
    free(d->files);
    free(d);
}

int pf_download_start(const struct pf_download_settings *settings, struct pf_download **out,
                      struct pf_error *err)
{
    size_t count = settings->plan->count;
    struct pf_download *d = calloc(1, sizeof *d);
    if (!d)
        return pf_error_set(err, PF_E_SYSTEM, "out of memory");
    d->settings = *settings;
    d->stamper.dir_fd = settings->folder_fd;
    d->have = calloc(count ? count : 1, sizeof *d->have);
    d->files = calloc(count ? count : 1, sizeof *d->files);
    int failed = !d->have || !d->files ? pf_error_set(err, PF_E_SYSTEM, "out of memory") : 0;
    for (size_t i = 0; !failed && i < count; i++)
        d->files[i] = (struct file){.download = d, .index = i};
    if (!failed)
        failed = pf_journal_open(settings->folder_fd, &d->journal, err);
    if (!failed)
        failed = pf_journal_adopt(d->journal, settings->plan, d->have, err);
    if (!failed && pthread_create(&d->thread, NULL, download_main, d) != 0)
        failed = pf_error_set(err, PF_E_SYSTEM, "a thread cannot be started");
    if (failed) {
        free_download(d);
        return failed;
    }
    *out = d;
    return 0;
}

int pf_download_join(struct pf_download *d, struct pf_error *err)
{
    pthread_join(d->thread, NULL);
    int status = d->status;
    if (status && err)
        *err = d->error;
    free_download(d);
    return status;
}
