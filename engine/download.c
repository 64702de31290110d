/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "download.h"

#include "cache.h"
#include "cleanup.h"
#include "clock.h"
#include "guard.h"
#include "journal.h"
#include "meter.h"
#include "mirrorpath.h"
#include "reuse.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How long to wait for the kernel's clock to tick (1 to 10 ms, by its configuration). */
#define CLOCK_WAIT_NS 500000L
#define MAX_WAIT_NS   32000000L
/* And how long in all. */
#define STAMPING_MS 3000

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
    struct pf_download_stats stats; /* likewise; `reused` is set before it runs */
    int64_t start_ms;
    /* All below: the thread's own once it runs. */
    struct pf_journal *journal;
    struct pf_stamper stamper;
    bool *have;    /* per plan entry */
    bool packages; /* what is asked for now: texts first, then packages */
    size_t next;   /* the plan's entry to look at next */
    struct file files[MAX_ASKED];
    struct file *unused; /* those that are asked for nothing */
    size_t stamped;      /* entries with their ctime set */
    bool *held;          /* what `have` was at the beginning, until the mirror was asked */
    struct pf_reuse reuse;
    struct pf_manifest nothing; /* what is to be compared where there is nothing */
    struct pf_meter meter;
    uint64_t received_before; /* what fetch had got when this download began */
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

static void on_running(void *ctx, const struct pf_fetch_running *running)
{
    struct pf_download *d = ctx;
    const struct file *file = running->ctx;
    pf_meter_running(&d->meter, file->index, running->bytes, running->size_bytes);
}

static void tell_all(struct pf_download *d)
{
    pf_meter_tell(&d->meter, pf_fetch_bytes(d->settings.fetch) - d->received_before);
}

static void on_tick(void *ctx)
{
    struct pf_download *d = ctx;
    if (pf_meter_is_due(&d->meter, pf_clock_ms())) {
        pf_fetch_each_running(d->settings.fetch, on_running, d);
        tell_all(d);
    }
    /* An update stamps when it knows that there is anything new. */
    if (d->status == 0 && d->packages && !d->settings.old) {
        int status = stamp(d);
        if (status < 0)
            d->status = status;
    }
}

/* A text is not decoded by anybody who would notice that it is another one. */
static int check_text(struct pf_download *d, size_t index)
{
    const struct pf_plan_entry *entry = &d->settings.plan->entries[index];
    char text[PF_DIGEST_TEXT_SIZE];
    if (entry->package || !entry->checksum.hex[0])
        return 0;
    pf_auto_fd int fd =
        openat(d->settings.folder_fd, entry->file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return pf_error_errno(&d->error, "%s", entry->file);
    int failed = pf_digest_file(fd, entry->checksum.kind, text, &d->error);
    if (failed || strcmp(text, entry->checksum.hex) == 0)
        return failed;
    unlinkat(d->settings.folder_fd, entry->file, 0);
    return pf_error_set(&d->error, PF_E_CORRUPT, "%s: its %s is %s instead of %s", entry->file,
                        pf_digest_name(entry->checksum.kind), text, entry->checksum.hex);
}

/* What is unchanged is still in the old folder. */
static uint64_t size_of(const struct pf_download *d, size_t index)
{
    struct stat st;
    const char *file = d->settings.plan->entries[index].file;
    bool there =
        fstatat(d->settings.folder_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
        (d->settings.old && fstatat(d->settings.old_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0);
    return there ? (uint64_t)st.st_size : 0;
}

static int announce(struct pf_download *d, size_t index, uint64_t received)
{
    const struct pf_plan *plan = d->settings.plan;
    int failed = check_text(d, index);
    if (failed)
        return failed;
    d->have[index] = true;
    pf_meter_done(&d->meter, index, size_of(d, index));
    d->stats.had += received == 0;
    pf_events_send(d->settings.events, &(struct pf_event){
                                           .type = PF_EVENT_FETCHED,
                                           .subject = plan->entries[index].file,
                                           .index = d->meter.files,
                                           .count = plan->count,
                                           .bytes = received,
                                       });
    d->settings.ready(d->settings.ctx, index);
    return 0;
}

/* The tag by which the server knows the file, for a later update; only that of the plan's own URL
   is of use then. */
static int keep_etag(struct pf_download *d, size_t index, const char *etag)
{
    char **kept = &d->settings.manifest->entries[index].etag;
    free(*kept);
    *kept = etag && etag[0] == '"' ? strdup(etag) : NULL;
    return etag && etag[0] == '"' && !*kept ? pf_error_memory(&d->error) : 0;
}

/* What a killed update had finished is out of date: the file comes anew. It must be gone before the
   journal speaks of its successor, lest the next run take the one for the other. */
static int forget_finished(struct pf_download *d, const char *name)
{
    if (unlinkat(d->settings.folder_fd, name, 0) < 0 && errno != ENOENT)
        return pf_error_errno(&d->error, "removing %s", name);
    return 0;
}

static void on_validator(void *ctx, const char *url, const char *validator)
{
    struct file *file = ctx;
    struct pf_download *d = file->download;
    const struct pf_plan_entry *entry = entry_of(file);
    int status = forget_finished(d, entry->file);
    if (!status)
        status = pf_journal_note_begun(d->journal, entry->file, url, validator, &d->error);
    if (!status)
        status = keep_etag(d, file->index, strcmp(url, entry->url) == 0 ? validator : NULL);
    if (status)
        d->status = status;
}

static void on_length(void *ctx, uint64_t bytes)
{
    const struct file *file = ctx;
    const struct pf_download_settings *s = &file->download->settings;
    s->part(s->ctx, file->index, bytes);
}

/* Noted before the file gets its name: a kill in between leaves a .part that is known to be whole.
 */
static int on_whole(void *ctx, uint64_t size_bytes, struct pf_error *err)
{
    struct file *file = ctx;
    return pf_journal_note_done(file->download->journal, entry_of(file)->file, size_bytes, err);
}

static int ask_for_more(struct pf_download *d);

static int ask_for(struct pf_download *d, size_t index, bool conditional);

/* The mirror says that what an update has is what it has. If that is not what was stored, it is
   asked for in earnest. */
static int take_unchanged(struct pf_download *d, size_t index)
{
    int taken = pf_reuse_take(&d->reuse, index, &d->error);
    if (taken < 0)
        return taken;
    return taken ? announce(d, index, 0) : ask_for(d, index, false);
}

/* A file has come. */
static int take_fetched(struct pf_download *d, size_t index, uint64_t received)
{
    int failed = d->settings.old ? pf_reuse_compare(&d->reuse, index, &d->error) : 0;
    return failed ? failed : announce(d, index, received);
}

static int finish_file(struct pf_download *d, size_t index, const struct pf_fetch_result *result)
{
    const struct pf_plan_entry *entry = &d->settings.plan->entries[index];
    if (result->error.code) {
        d->error = result->error;
        return pf_error_context(&d->error, "package %s", entry->file);
    }
    if (d->status)
        return d->status;
    return result->unchanged ? take_unchanged(d, index)
                             : take_fetched(d, index, result->received_bytes);
}

static int on_done(void *ctx, const struct pf_fetch_result *result)
{
    struct file *file = ctx;
    struct pf_download *d = file->download;
    file->next = d->unused;
    d->unused = file;
    int failed = finish_file(d, file->index, result);
    return failed ? failed : ask_for_more(d);
}

static int ask_for(struct pf_download *d, size_t index, bool conditional)
{
    const struct pf_plan_entry *entry = &d->settings.plan->entries[index];
    struct file *file = d->unused;
    const char *validator = pf_journal_validator(d->journal, entry->file, entry->url);
    pf_auto_free char *path = entry->place ? pf_mirrorpath(d->settings.release, d->settings.arch,
                                                           entry->place, entry->file)
                                           : NULL;
    file->index = index;
    d->unused = file->next;
    struct pf_fetch_file wish = {
        .url = entry->url,
        .path = path,
        .home = d->settings.plan->home,
        .dir_fd = d->settings.folder_fd,
        .name = entry->file,
        .max_bytes = d->settings.exact ? (uint64_t)entry->size_bytes : 0,
        .validator = validator,
        .on_validator = on_validator,
        .on_length = on_length,
        .on_whole = on_whole,
        .done = on_done,
        .ctx = file,
    };
    if (conditional)
        pf_reuse_offer(&d->reuse, index, validator, &wish);
    int failed = keep_etag(d, index, validator);
    return failed ? failed : pf_fetch_file(d->settings.fetch, &wish, &d->error);
}

/* Keeps the queue filled, in plan order; files that are there already are announced. */
static int ask_for_more(struct pf_download *d)
{
    const struct pf_plan *plan = d->settings.plan;
    for (; d->next < plan->count && d->unused; d->next++) {
        if (plan->entries[d->next].package != d->packages)
            continue;
        int failed = 0;
        bool is_update = d->settings.old != NULL, held = d->held[d->next];
        /* What a run that was broken off has fetched may be old by now, but not what a lockfile
           fixes: that is held against it. */
        if (held && d->settings.exact && !is_update)
            failed = announce(d, d->next, 0);
        else
            failed = ask_for(d, d->next, is_update || held);
        if (failed)
            return failed;
    }
    return 0;
}

static int fetch_kind(struct pf_download *d, bool packages)
{
    d->packages = packages;
    d->next = 0;
    int failed = ask_for_more(d);
    return failed ? failed : pf_fetch_run(d->settings.fetch, on_tick, d, &d->error);
}

/* Some file systems have times of whole seconds, and some change none of a file that nothing else
   happens to. The manifest keeps the order, so it is lxc-plamo alone that misses it. */
static int finish_stamps(struct pf_download *d)
{
    int64_t limit_ms = pf_clock_ms() + STAMPING_MS;
    for (long wait_ns = CLOCK_WAIT_NS;; wait_ns = wait_ns < MAX_WAIT_NS ? wait_ns * 2 : wait_ns) {
        size_t before = d->stamped;
        int status = stamp(d);
        if (status != 0)
            return status < 0 ? status : 0;
        if (atomic_load(d->settings.stop))
            return pf_error_set(&d->error, PF_E_CANCELLED, "stopped");
        if (pf_clock_ms() >= limit_ms)
            break;
        if (d->stamped != before)
            wait_ns = CLOCK_WAIT_NS;
        nanosleep(&(struct timespec){.tv_nsec = wait_ns}, NULL);
    }
    pf_events_text(
        d->settings.events, PF_EVENT_NOTE, NULL,
        "the file system of the cache tells too few moments apart: lxc-plamo may install "
        "these packages in another order (this program does not)");
    return 0;
}

/* An update that has found nothing new is done. */
static int complete(struct pf_download *d)
{
    if (d->settings.old && pf_reuse_is_all(&d->reuse))
        return 0;
    int failed = d->settings.old ? pf_reuse_copy(&d->reuse, d->settings.stop, &d->error) : 0;
    return failed ? failed : finish_stamps(d);
}

static int confine(struct pf_download *d)
{
    const struct pf_download_settings *s = &d->settings;
    struct pf_guard guard = {.written_fd = s->folder_fd,
                             .read_fd = s->old ? s->old_fd : -1,
                             .mirrors = s->mirrors,
                             .plan = s->plan,
                             .ca_file = s->ca_file};
    return pf_guard_self(&guard, &d->error);
}

static void *download_main(void *arg)
{
    struct pf_download *d = arg;
    int64_t span = pf_span_begin(d->settings.events);
    int failed = confine(d);
    /* The texts are whole before the first package is announced. */
    if (!failed)
        failed = fetch_kind(d, false);
    if (!failed)
        failed = fetch_kind(d, true);
    if (!failed)
        failed = d->status ? d->status : complete(d);
    tell_all(d);
    d->stats.files = d->meter.files;
    d->stats.took_ms = (uint64_t)(pf_clock_ms() - d->start_ms);
    d->status = failed;
    pf_span_end(d->settings.events, span, "fetch", NULL);
    d->settings.end(d->settings.ctx, failed != 0);
    return NULL;
}

static int begin_reuse(struct pf_download *d, struct pf_error *err)
{
    const struct pf_download_settings *s = &d->settings;
    d->held = calloc(s->plan->count ? s->plan->count : 1, sizeof *d->held);
    if (!d->held)
        return pf_error_memory(err);
    memcpy(d->held, d->have, s->plan->count * sizeof *d->held);
    if (!s->old)
        memset(d->have, 0, s->plan->count * sizeof *d->have);
    d->reuse = (struct pf_reuse){.plan = s->plan,
                                 .manifest = s->manifest,
                                 .folder_fd = s->folder_fd,
                                 .old = s->old ? s->old : &d->nothing,
                                 .old_fd = s->old_fd,
                                 .same = s->same,
                                 .held = d->held};
    return pf_reuse_init(&d->reuse, err);
}

static void free_download(struct pf_download *d)
{
    pf_reuse_end(&d->reuse);
    pf_journal_close(d->journal);
    pf_meter_end(&d->meter);
    free(d->have);
    free(d->held);
    free(d);
}

int pf_download_start(const struct pf_download_settings *settings, struct pf_download **out,
                      struct pf_error *err)
{
    size_t count = settings->plan->count;
    struct pf_download *d = calloc(1, sizeof *d);
    if (!d)
        return pf_error_memory(err);
    d->settings = *settings;
    d->stamper.dir_fd = settings->folder_fd;
    for (size_t i = 0; i < MAX_ASKED; i++) {
        d->files[i] = (struct file){.download = d, .next = d->unused};
        d->unused = &d->files[i];
    }
    d->have = calloc(count ? count : 1, sizeof *d->have);
    d->start_ms = pf_clock_ms();
    d->received_before = pf_fetch_bytes(settings->fetch);
    int failed = !d->have ? pf_error_memory(err) : 0;
    if (!failed)
        failed = pf_meter_init(&d->meter, settings->plan, settings->events, err);
    if (!failed)
        failed = pf_journal_open(settings->folder_fd, &d->journal, err);
    if (!failed)
        failed = pf_journal_adopt(d->journal, settings->plan, d->have, &d->stats.reused, err);
    if (!failed)
        failed = begin_reuse(d, err);
    if (!failed && pthread_create(&d->thread, NULL, download_main, d) != 0)
        failed = pf_error_set(err, PF_E_SYSTEM, "a thread cannot be started");
    if (failed) {
        free_download(d);
        return failed;
    }
    *out = d;
    return 0;
}

int pf_download_join(struct pf_download *d, struct pf_download_stats *stats, struct pf_error *err)
{
    pthread_join(d->thread, NULL);
    *stats = d->stats;
    int status = d->status;
    if (status && err)
        *err = d->error;
    free_download(d);
    return status;
}
