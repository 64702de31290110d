/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fetch.h"

#include "clock.h"
#include "fetchjob.h"
#include "localtransfer.h"
#include "message.h"
#include "ratelimit.h"
#include "transfer.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS 100

/* After a server has taken no more connections, how long until the next attempt. */
#define CROWDED_WAIT_MS 500

struct pf_fetch {
    struct pf_fetch_settings settings;
    struct pf_ratelimit limit;
    CURLM *multi;
    struct pf_fetchjob *waiting, **waiting_end; /* first come, first served */
    struct pf_fetchjob *active;
    unsigned active_count;
    unsigned connections; /* as many at once; fewer than asked for where a server wants that */
    uint64_t requests, bytes;
    int64_t deadline_ms; /* of all of them; 0: not begun, or none */
};

int pf_fetch_new(const struct pf_fetch_settings *settings, struct pf_fetch **out,
                 struct pf_error *err)
{
    struct pf_fetch *fetch = calloc(1, sizeof *fetch);
    if (!fetch || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(fetch);
        return pf_error_set(err, PF_E_SYSTEM, "libcurl cannot be started");
    }
    fetch->settings = *settings;
    pf_ratelimit_init(&fetch->limit, settings->limit_bytes_per_s);
    fetch->connections = settings->connections;
    fetch->waiting_end = &fetch->waiting;
    fetch->multi = curl_multi_init();
    if (!fetch->multi) {
        curl_global_cleanup();
        free(fetch);
        return pf_error_memory(err);
    }
    curl_multi_setopt(fetch->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)settings->connections);
    curl_multi_setopt(fetch->multi, CURLMOPT_MAXCONNECTS, (long)settings->connections);
    *out = fetch;
    return 0;
}

static void stop_transfer(struct pf_fetch *fetch, struct pf_fetchjob *job)
{
    if (job->transfer.easy)
        curl_multi_remove_handle(fetch->multi, job->transfer.easy);
    pf_transfer_stop(&job->transfer);
}

static void free_job(struct pf_fetch *fetch, struct pf_fetchjob *job)
{
    stop_transfer(fetch, job);
    pf_fetchjob_free(job);
}

static void free_list(struct pf_fetch *fetch, struct pf_fetchjob *job)
{
    while (job) {
        struct pf_fetchjob *next = job->next;
        free_job(fetch, job);
        job = next;
    }
}

void pf_fetch_drop(struct pf_fetch *fetch)
{
    free_list(fetch, fetch->active);
    free_list(fetch, fetch->waiting);
    fetch->active = fetch->waiting = NULL;
    fetch->waiting_end = &fetch->waiting;
    fetch->active_count = 0;
}

void pf_fetch_free(struct pf_fetch *fetch)
{
    if (!fetch)
        return;
    pf_fetch_drop(fetch);
    curl_multi_cleanup(fetch->multi);
    curl_global_cleanup();
    free(fetch);
}

static void enqueue(struct pf_fetch *fetch, struct pf_fetchjob *job)
{
    job->next = NULL;
    *fetch->waiting_end = job;
    fetch->waiting_end = &job->next;
}

int pf_fetch_page(struct pf_fetch *fetch, const struct pf_fetch_page *page, struct pf_error *err)
{
    struct pf_fetchjob *job = pf_fetchjob_new(&fetch->settings, &fetch->limit, PF_TRANSFER_PAGE,
                                              page->url, page->done, page->ctx);
    if (!job)
        return pf_error_memory(err);
    job->transfer.max_bytes = page->max_bytes;
    job->transfer.ftp_command = page->ftp_command;
    if (page->attempts)
        job->attempts = page->attempts;
    enqueue(fetch, job);
    return 0;
}

int pf_fetch_size(struct pf_fetch *fetch, const char *url, pf_fetch_done_fn done, void *ctx,
                  struct pf_error *err)
{
    struct pf_fetchjob *job =
        pf_fetchjob_new(&fetch->settings, &fetch->limit, PF_TRANSFER_SIZE, url, done, ctx);
    if (!job)
        return pf_error_memory(err);
    enqueue(fetch, job);
    return 0;
}

int pf_fetch_file(struct pf_fetch *fetch, const struct pf_fetch_file *file, struct pf_error *err)
{
    struct pf_fetchjob *job;
    int failed = pf_fetchjob_new_file(&fetch->settings, &fetch->limit, file, &job, err);
    if (!failed)
        enqueue(fetch, job);
    return failed;
}

/* A server that is full: others of our transfers go on, and there will be no more of them. */
static bool yield_to_others(struct pf_fetch *fetch, struct pf_fetchjob *job,
                            enum pf_transfer_end end)
{
    if (end != PF_TRANSFER_CROWDED || fetch->active_count == 0)
        return false;
    fetch->connections = fetch->active_count;
    job->attempt--;
    job->not_before_ms = pf_clock_ms() + CROWDED_WAIT_MS;
    stop_transfer(fetch, job);
    enqueue(fetch, job);
    return true;
}

/* The job has been taken off the active list. True: it will be tried again. */
static bool try_again(struct pf_fetch *fetch, struct pf_fetchjob *job, enum pf_transfer_end end,
                      const struct pf_error *why)
{
    pf_fetchjob_note_progress(job);
    if (yield_to_others(fetch, job, end))
        return true;
    if (!pf_fetchjob_retry(job, end, why))
        return false;
    stop_transfer(fetch, job);
    enqueue(fetch, job);
    return true;
}

/* The job has been taken off the active list. result->error says why, unless the end is
   PF_TRANSFER_DONE. */
static int finish(struct pf_fetch *fetch, struct pf_fetchjob *job, enum pf_transfer_end end,
                  struct pf_fetch_result *result)
{
    struct pf_transfer *t = &job->transfer;
    char *effective = NULL;
    if (end != PF_TRANSFER_DONE && try_again(fetch, job, end, &result->error))
        return 0;
    if (t->easy) {
        curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &effective);
        curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &result->status);
    }
    if (end == PF_TRANSFER_DONE && t->easy)
        pf_transfer_finish(t, result);
    else if (end == PF_TRANSFER_DONE)
        pf_localtransfer_finish(t, result);
    if (end == PF_TRANSFER_DONE && job->path)
        pf_mirrors_worked(fetch->settings.mirrors, job->mirror);
    result->url = t->url;
    result->effective_url = effective ? effective : t->url;
    result->received_bytes = t->received;
    result->unsafe = end == PF_TRANSFER_UNSAFE;
    fetch->bytes += t->received;
    int stop = job->done(job->ctx, result);
    free_job(fetch, job);
    return stop;
}

static int finish_easy(struct pf_fetch *fetch, struct pf_fetchjob *job, CURLcode code)
{
    struct pf_fetch_result result = {.size_bytes = -1};
    enum pf_transfer_end end = pf_transfer_judge(&job->transfer, code, &result.error);
    return finish(fetch, job, end, &result);
}

static void take_off_active(struct pf_fetch *fetch, struct pf_fetchjob *job)
{
    struct pf_fetchjob **link = &fetch->active;
    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    fetch->active_count--;
}

static void put_on_active(struct pf_fetch *fetch, struct pf_fetchjob *job)
{
    job->next = fetch->active;
    fetch->active = job;
    fetch->active_count++;
    fetch->requests++;
}

/* A transfer that cannot even be prepared is finished with its error. */
static int start(struct pf_fetch *fetch, struct pf_fetchjob *job)
{
    struct pf_transfer *t = &job->transfer;
    if (pf_localtransfer_is(t)) {
        struct pf_fetch_result result = {.size_bytes = -1};
        enum pf_transfer_end end = pf_localtransfer_begin(t, &result.error);
        if (end != PF_TRANSFER_DONE)
            return finish(fetch, job, end, &result);
    } else if (pf_transfer_prepare(t) || curl_multi_add_handle(fetch->multi, t->easy) != CURLM_OK) {
        return finish_easy(fetch, job, CURLE_FAILED_INIT);
    }
    put_on_active(fetch, job);
    return 0;
}

/* Starts what may start. */
static int start_waiting(struct pf_fetch *fetch)
{
    int64_t now = pf_clock_ms();
    struct pf_fetchjob **link = &fetch->waiting;
    while (*link && fetch->active_count < fetch->connections) {
        struct pf_fetchjob *job = *link;
        if (job->not_before_ms > now) {
            link = &job->next;
            continue;
        }
        *link = job->next;
        if (fetch->waiting_end == &job->next)
            fetch->waiting_end = link;
        pf_fetchjob_begin_try(job, now);
        int stop = start(fetch, job);
        if (stop)
            return stop;
    }
    return 0;
}

static struct pf_fetchjob *job_of(CURL *easy)
{
    char *private_data;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private_data);
    char *transfer = private_data - offsetof(struct pf_fetchjob, transfer);
    return (struct pf_fetchjob *)(void *)transfer;
}

static int collect_finished(struct pf_fetch *fetch)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(fetch->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        struct pf_fetchjob *job = job_of(message->easy_handle);
        take_off_active(fetch, job);
        int stop = finish_easy(fetch, job, code);
        if (stop)
            return stop;
    }
    return 0;
}

/* One piece of each transfer from a folder. *some: one of them can go on at once. */
static int step_local(struct pf_fetch *fetch, bool *some)
{
    struct pf_fetchjob *next;
    *some = false;
    for (struct pf_fetchjob *job = fetch->active; job; job = next) {
        struct pf_fetch_result result = {.size_bytes = -1};
        bool more;
        next = job->next;
        if (job->transfer.local_fd < 0)
            continue;
        enum pf_transfer_end end = pf_localtransfer_step(&job->transfer, &more, &result.error);
        if (end == PF_TRANSFER_DONE && more)
            continue;
        take_off_active(fetch, job);
        int stop = finish(fetch, job, end, &result);
        if (stop)
            return stop;
    }
    for (const struct pf_fetchjob *job = fetch->active; job && !*some; job = job->next)
        *some = job->transfer.local_fd >= 0 &&
                pf_ratelimit_allowed(&fetch->limit, (uint64_t)pf_clock_ms()) > 0;
    return 0;
}

/* Who is first has the first chance of what the rate limit allows: each turn another one is. */
static void rotate_active(struct pf_fetch *fetch)
{
    struct pf_fetchjob *first = fetch->active, **end = &fetch->active;
    if (!first || !first->next)
        return;
    fetch->active = first->next;
    while (*end)
        end = &(*end)->next;
    *end = first;
    first->next = NULL;
}

/* Lets go on what the rate limit holds, as far as it allows. */
static void resume_paused(struct pf_fetch *fetch)
{
    for (struct pf_fetchjob *job = fetch->active; job; job = job->next) {
        if (job->transfer.paused &&
            pf_ratelimit_allowed(&fetch->limit, (uint64_t)pf_clock_ms()) > 0)
            pf_transfer_resume(&job->transfer);
    }
}

/* How long to sleep at most: until the clock ticks, or the rate limit allows something. */
static int sleep_ms(struct pf_fetch *fetch)
{
    uint64_t wait = pf_ratelimit_wait_ms(&fetch->limit, (uint64_t)pf_clock_ms());
    return wait > 0 && wait < TICK_MS ? (int)wait : TICK_MS;
}

/* One turn: start, move bytes, finish, wait. */
static int run_once(struct pf_fetch *fetch, void (*tick)(void *ctx), void *ctx,
                    struct pf_error *err)
{
    if (fetch->settings.cancel && atomic_load(fetch->settings.cancel))
        return pf_error_set(err, PF_E_CANCELLED, "stopped");
    if (pf_fetch_is_late(fetch))
        return pf_error_advise(err, PF_E_NETWORK,
                               N_("run it again to go on: what has come is kept"),
                               "what was asked of the mirrors took longer than %u s, which "
                               "--fetch-timeout allows",
                               fetch->settings.total_time_s);
    int stop = start_waiting(fetch);
    if (stop)
        return stop;
    int running;
    rotate_active(fetch);
    resume_paused(fetch);
    CURLMcode code = curl_multi_perform(fetch->multi, &running);
    if (code != CURLM_OK)
        return pf_error_set(err, PF_E_NETWORK, "libcurl: %s", curl_multi_strerror(code));
    unsigned active = fetch->active_count;
    bool goes_on;
    stop = collect_finished(fetch);
    if (!stop)
        stop = step_local(fetch, &goes_on);
    if (stop)
        return stop;
    if (tick)
        tick(ctx);
    /* Where something has just finished, the next one is started before anybody sleeps. */
    bool may_start = fetch->active_count < active && fetch->waiting;
    if (!may_start && !goes_on && (fetch->waiting || fetch->active))
        curl_multi_poll(fetch->multi, NULL, 0, sleep_ms(fetch), NULL);
    return 0;
}

int pf_fetch_run(struct pf_fetch *fetch, void (*tick)(void *ctx), void *ctx, struct pf_error *err)
{
    int stop = 0;
    if (fetch->settings.total_time_s && !fetch->deadline_ms)
        fetch->deadline_ms = pf_clock_ms() + (int64_t)fetch->settings.total_time_s * 1000;
    while (!stop && (fetch->waiting || fetch->active))
        stop = run_once(fetch, tick, ctx, err);
    if (stop)
        pf_fetch_drop(fetch);
    return stop;
}

bool pf_fetch_is_late(const struct pf_fetch *fetch)
{
    return fetch->deadline_ms && pf_clock_ms() >= fetch->deadline_ms;
}

uint64_t pf_fetch_requests(const struct pf_fetch *fetch)
{
    return fetch->requests;
}

uint64_t pf_fetch_bytes(const struct pf_fetch *fetch)
{
    uint64_t bytes = fetch->bytes;
    for (const struct pf_fetchjob *job = fetch->active; job; job = job->next)
        bytes += job->transfer.received;
    for (const struct pf_fetchjob *job = fetch->waiting; job; job = job->next)
        bytes += job->transfer.received;
    return bytes;
}

void pf_fetch_each_running(const struct pf_fetch *fetch,
                           void (*fn)(void *ctx, const struct pf_fetch_running *running), void *ctx)
{
    for (const struct pf_fetchjob *job = fetch->active; job; job = job->next) {
        struct pf_fetch_running running = {.ctx = job->ctx,
                                           .bytes = job->transfer.file.length,
                                           .size_bytes = pf_transfer_size(&job->transfer)};
        if (job->transfer.kind == PF_TRANSFER_FILE)
            fn(ctx, &running);
    }
}
