/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fetchjob.h"

#include "cleanup.h"
#include "clock.h"
#include "message.h"
#include "mirrors.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BACKOFF_MS 500
#define MAX_BACKOFF_MS   30000
#define MAX_TRIES        200

struct pf_fetchjob *pf_fetchjob_new(const struct pf_fetch_settings *settings,
                                    struct pf_ratelimit *limit, enum pf_transfer_kind kind,
                                    const char *url, pf_fetch_done_fn done, void *ctx)
{
    struct pf_fetchjob *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->done = done;
    job->ctx = ctx;
    job->attempts = settings->attempts;
    job->transfer.kind = kind;
    job->transfer.settings = settings;
    job->transfer.limit = limit;
    job->transfer.file.fd = job->transfer.local_fd = -1;
    job->transfer.url = strdup(url);
    if (!job->transfer.url) {
        free(job);
        return NULL;
    }
    return job;
}

/* strdup that takes NULL; *failed tells of a lack of memory. */
static char *copy(const char *text, bool *failed)
{
    char *own = text ? strdup(text) : NULL;
    *failed = *failed || (text && !own);
    return own;
}

int pf_fetchjob_new_file(const struct pf_fetch_settings *settings, struct pf_ratelimit *limit,
                         const struct pf_fetch_file *file, struct pf_fetchjob **out,
                         struct pf_error *err)
{
    struct pf_fetchjob *job =
        pf_fetchjob_new(settings, limit, PF_TRANSFER_FILE, file->url, file->done, file->ctx);
    if (!job)
        return pf_error_memory(err);
    struct pf_transfer *t = &job->transfer;
    bool short_of_memory = false;
    if (settings->mirrors && settings->mirrors->count > 1) {
        job->path = copy(file->path, &short_of_memory);
        job->home_url = copy(file->url, &short_of_memory);
        job->home = job->mirror = file->home;
    }
    t->max_bytes = file->max_bytes;
    t->validator = copy(file->validator, &short_of_memory);
    t->conditional = file->conditional;
    t->copy_etag = copy(file->copy_etag, &short_of_memory);
    t->copy_mtime = file->copy_mtime;
    t->on_validator = file->on_validator;
    t->on_whole = file->on_whole;
    t->ctx = file->ctx;
    int failed = pf_partfile_init(&t->file, file->dir_fd, file->name, err);
    t->file.on_length = file->on_length;
    t->file.ctx = file->ctx;
    if (!failed && short_of_memory)
        failed = pf_error_memory(err);
    if (failed)
        pf_fetchjob_free(job);
    else
        *out = job;
    return failed;
}

void pf_fetchjob_free(struct pf_fetchjob *job)
{
    pf_transfer_end(&job->transfer);
    free(job->path);
    free(job->home_url);
    free(job);
}

/* The length of "scheme:". */
static size_t scheme_length(const char *url)
{
    return strcspn(url, ":") + 1;
}

/* Turns the job to another mirror. What the part has is kept where its validator can tell whether
   the other mirror's file is the same. */
static int turn_to(struct pf_fetchjob *job, size_t mirror, struct pf_error *err)
{
    struct pf_transfer *t = &job->transfer;
    char *url = NULL;
    if (mirror == job->home)
        url = strdup(job->home_url);
    else if (asprintf(&url, "%s/%s", job->transfer.settings->mirrors->list[mirror].url, job->path) <
             0)
        url = NULL;
    if (!url)
        return pf_error_memory(err);
    if (mirror != job->mirror) {
        size_t length = scheme_length(url);
        t->no_range = false;
        t->drop_part = !t->validator || strncasecmp(url, t->url, length) != 0;
        /* Another server's tags are its own. */
        free(t->copy_etag);
        t->copy_etag = NULL;
    }
    free(t->url);
    t->url = url;
    job->mirror = mirror;
    return 0;
}

/* Notes what the end says of the mirror, and finds the one to ask next. *wait_ms: until then.
   Returns false where none is left. */
static bool next_mirror(struct pf_fetchjob *job, enum pf_transfer_end end, size_t *mirror,
                        int64_t *wait_ms)
{
    struct pf_mirrors *mirrors = job->transfer.settings->mirrors;
    int64_t now = pf_clock_ms(), ready_ms;
    if (end == PF_TRANSFER_STALE || end == PF_TRANSFER_NO_RANGE) {
        *mirror = job->mirror;
        return true;
    }
    job->without |= pf_mirrors_below(mirrors, job->mirror);
    if (end == PF_TRANSFER_REFUSED || end == PF_TRANSFER_UNSAFE)
        job->without |= UINT32_C(1) << job->mirror;
    if (end == PF_TRANSFER_UNSAFE)
        job->without |= pf_mirrors_insecure(mirrors);
    if (end != PF_TRANSFER_REFUSED)
        pf_mirrors_failed(mirrors, job->mirror, now);
    *mirror = pf_mirrors_choose(mirrors, job->home, job->without, now, &ready_ms);
    *wait_ms = ready_ms > now ? ready_ms - now : 0;
    return *mirror < mirrors->count;
}

/* How long to wait before the same server is asked again. */
static int64_t backoff_ms(const struct pf_fetchjob *job)
{
    curl_off_t retry_after = 0;
    if (job->transfer.easy)
        curl_easy_getinfo(job->transfer.easy, CURLINFO_RETRY_AFTER, &retry_after);
    if (retry_after > 0)
        return retry_after > MAX_BACKOFF_MS / 1000 ? MAX_BACKOFF_MS : retry_after * 1000;
    return (int64_t)FIRST_BACKOFF_MS << (job->attempt - 1);
}

void pf_fetchjob_begin_try(struct pf_fetchjob *job, int64_t now_ms)
{
    struct pf_mirrors *mirrors = job->transfer.settings->mirrors;
    int64_t ready_ms;
    if (job->path && job->tries == 0) {
        job->without |= pf_mirrors_below(mirrors, job->home);
        size_t mirror = pf_mirrors_choose(mirrors, job->home, job->without, now_ms, &ready_ms);
        if (mirror < mirrors->count)
            turn_to(job, mirror, NULL);
    }
    job->attempt++;
    job->tries++;
}

void pf_fetchjob_note_progress(struct pf_fetchjob *job)
{
    /* A connection that breaks now and then is no reason to give up, as long as each try brings
       more. */
    if (job->transfer.file.length > job->best && job->tries < MAX_TRIES) {
        job->best = job->transfer.file.length;
        job->attempt = 1;
    }
}

static bool is_worth_another_try(const struct pf_fetchjob *job, enum pf_transfer_end end)
{
    /* Once: what is asked without a range cannot end so. */
    if (end == PF_TRANSFER_NO_RANGE)
        return true;
    if (end == PF_TRANSFER_FAILED || job->attempt >= job->attempts)
        return false;
    if (job->path)
        return true;
    return end == PF_TRANSFER_BROKEN || end == PF_TRANSFER_STALE ||
           (end == PF_TRANSFER_CROWDED && job->attempt > 0);
}

static void say_retry(const struct pf_fetchjob *job, const char *old_url,
                      const struct pf_error *why, int64_t wait_ms)
{
    bool elsewhere = strcmp(old_url, job->transfer.url) != 0;
    pf_events_text(job->transfer.settings->events, PF_EVENT_RETRY, old_url,
                   elsewhere ? N_("%s; attempt %u of %u in %.1f s from %s")
                             : N_("%s; attempt %u of %u in %.1f s%s"),
                   why->text, job->attempt + 1, job->attempts, (double)wait_ms / 1000,
                   elsewhere ? job->transfer.url : "");
}

bool pf_fetchjob_retry(struct pf_fetchjob *job, enum pf_transfer_end end,
                       const struct pf_error *why)
{
    struct pf_transfer *t = &job->transfer;
    if (!is_worth_another_try(job, end))
        return false;
    if (end == PF_TRANSFER_STALE && pf_partfile_restart(&t->file, NULL))
        return false;
    pf_auto_free char *old_url = strdup(t->url);
    size_t mirror = job->mirror;
    bool at_once = end == PF_TRANSFER_STALE || end == PF_TRANSFER_NO_RANGE;
    int64_t wait_ms = at_once ? 0 : backoff_ms(job);
    if (job->path && (!next_mirror(job, end, &mirror, &wait_ms) || turn_to(job, mirror, NULL)))
        return false;
    say_retry(job, old_url ? old_url : "", why, wait_ms);
    job->not_before_ms = pf_clock_ms() + wait_ms;
    return true;
}
