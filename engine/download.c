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

/* Files asked for and not yet done: enough that no connection waits for us, few enough that a long
   plan takes no memory. */
#define MAX_ASKED 128

/* One file that was asked for. */
struct file {
    struct pf_download *download;
    size_t index;      /* in the plan */
    struct file *next; /* while it is unused */
};

struct pf_download {
    struct pf_download_settings settings;
    pthread_t thread;
    int status; /* the thread's, read after the join */
    struct pf_error error;
    bool reused; /* set before the thread runs */
    /* All below: the thread's own once it runs. */
    struct pf_journal *journal;
    struct pf_stamper stamper;
    bool *have;    /* per plan entry */
    bool packages; /* what is asked for now: texts first, then packages */
    size_t next;   /* the plan's entry to look at next */
    struct file files[MAX_ASKED];
    struct file *unused; /* those that are asked for nothing */
    size_t stamped;      /* entries with their ctime set */
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
        d->stamped = status == 1 ? d->stamped + 1 : 0;
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

/* Noted before the file gets its name: a kill in between leaves a .part that is known to be whole.
 */
static int on_whole(void *ctx, uint64_t size_bytes, struct pf_error *err)
{
    struct file *file = ctx;
    return pf_journal_note_done(file->download->journal, entry_of(file)->file, size_bytes, err);
}

static int ask_for_more(struct pf_download *d);

static int finish_file(struct file *file, const struct pf_fetch_result *result)
{
    struct pf_download *d = file->download;
    const struct pf_plan_entry *entry = entry_of(file);
    if (result->error.code) {
        d->error = result->error;
        return pf_error_context(&d->error, "package %s", entry->file);
    }
    if (d->status)
        return d->status;
    announce(d, file->index, result->received_bytes);
    return 0;
}

static int on_done(void *ctx, const struct pf_fetch_result *result)
{
    struct file *file = ctx;
    struct pf_download *d = file->download;
    int failed = finish_file(file, result);
    file->next = d->unused;
    d->unused = file;
    return failed ? failed : ask_for_more(d);
}

static int ask_for(struct pf_download *d, size_t index)
{
    const struct pf_plan_entry *entry = &d->settings.plan->entries[index];
    struct file *file = d->unused;
    file->index = index;
    d->unused = file->next;
    return pf_fetch_file(d->settings.fetch, entry->url, d->settings.folder_fd, entry->file,
                         pf_journal_validator(d->journal, entry->file, entry->url), on_validator,
                         on_whole, on_done, file, &d->error);
}

/* Keeps the queue filled, in plan order; files that are there already are announced. */
static int ask_for_more(struct pf_download *d)
{
    const struct pf_plan *plan = d->settings.plan;
    for (; d->next < plan->count && d->unused; d->next++) {
        if (plan->entries[d->next].package != d->packages)
            continue;
        int failed = 0;
        if (d->have[d->next])
            announce(d, d->next, 0);
        else
            failed = ask_for(d, d->next);
        if (failed)
            return failed;
    }
    return 0;
}

static int fetch_kind(struct pf_download *d, bool packages, void (*tick)(void *ctx))
{
    d->packages = packages;
    d->next = 0;
    int failed = ask_for_more(d);
    return failed ? failed : pf_fetch_run(d->settings.fetch, tick, d, &d->error);
}

static int finish_stamps(struct pf_download *d)
{
    for (;;) {
        int status = stamp(d);
        if (status != 0)
            return status < 0 ? status : 0;
        if (atomic_load(d->settings.stop))
            return pf_error_set(&d->error, PF_E_CANCELLED, "stopped");
        nanosleep(&(struct timespec){.tv_nsec = CLOCK_WAIT_NS}, NULL);
    }
}

static void *download_main(void *arg)
{
    struct pf_download *d = arg;
    /* The texts are whole before the first package is announced. */
    int failed = fetch_kind(d, false, NULL);
    if (!failed)
        failed = fetch_kind(d, true, on_tick);
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
    for (size_t i = 0; i < MAX_ASKED; i++) {
        d->files[i] = (struct file){.download = d, .next = d->unused};
        d->unused = &d->files[i];
    }
    d->have = calloc(count ? count : 1, sizeof *d->have);
    int failed = !d->have ? pf_error_set(err, PF_E_SYSTEM, "out of memory") : 0;
    if (!failed)
        failed = pf_journal_open(settings->folder_fd, &d->journal, err);
    if (!failed)
        failed = pf_journal_adopt(d->journal, settings->plan, d->have, &d->reused, err);
    if (!failed && pthread_create(&d->thread, NULL, download_main, d) != 0)
        failed = pf_error_set(err, PF_E_SYSTEM, "a thread cannot be started");
    if (failed) {
        free_download(d);
        return failed;
    }
    *out = d;
    return 0;
}

int pf_download_join(struct pf_download *d, bool *reused, struct pf_error *err)
{
    pthread_join(d->thread, NULL);
    *reused = d->reused;
    int status = d->status;
    if (status && err)
        *err = d->error;
    free_download(d);
    return status;
}
