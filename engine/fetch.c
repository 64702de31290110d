/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fetch.h"

#include "cleanup.h"
#include "clock.h"
#include "localtransfer.h"
#include "message.h"
#include "ratelimit.h"
#include "transfer.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS          100
#define FIRST_BACKOFF_MS 500
#define MAX_BACKOFF_MS   30000
#define MAX_TRIES        200

/* After a server has taken no more connections, how long until the next attempt. */
#define CROWDED_WAIT_MS 500

/* One request, through all of its tries. */
struct job {
    struct job *next; /* in one of the two lists of pf_fetch */
    struct pf_transfer transfer;
    pf_fetch_done_fn done;
    void *ctx;
    unsigned attempts; /* how many without progress are too many */
    unsigned attempt;  /* 1: the first since the last progress */
    unsigned tries;    /* all of them */
    int64_t not_before_ms;
    uint64_t best; /* the most that was there after any try */

    char *path; /* below any mirror; NULL: bound to its URL */
    char *home_url;
    size_t home, mirror; /* whose home_url is; which one is asked now */
    uint32_t without;    /* bits of the mirrors that are out of the question */
};

struct pf_fetch {
    struct pf_fetch_settings settings;
    struct pf_ratelimit limit;
    CURLM *multi;
    struct job *waiting, **waiting_end; /* first come, first served */
    struct job *active;
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

static void stop_transfer(struct pf_fetch *fetch, struct job *job)
{
    if (job->transfer.easy)
        curl_multi_remove_handle(fetch->multi, job->transfer.easy);
    pf_transfer_stop(&job->transfer);
}

static void free_job(struct pf_fetch *fetch, struct job *job)
{
    stop_transfer(fetch, job);
    pf_transfer_end(&job->transfer);
    free(job->path);
    free(job->home_url);
    free(job);
}

static void free_list(struct pf_fetch *fetch, struct job *job)
{
    while (job) {
        struct job *next = job->next;
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

static void enqueue(struct pf_fetch *fetch, struct job *job)
{
    job->next = NULL;
    *fetch->waiting_end = job;
    fetch->waiting_end = &job->next;
}

static struct job *new_job(struct pf_fetch *fetch, enum pf_transfer_kind kind, const char *url,
                           pf_fetch_done_fn done, void *ctx)
{
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->done = done;
    job->ctx = ctx;
    job->attempts = fetch->settings.attempts;
    job->transfer.kind = kind;
    job->transfer.settings = &fetch->settings;
    job->transfer.limit = &fetch->limit;
    job->transfer.file.fd = job->transfer.local_fd = -1;
    job->transfer.url = strdup(url);
    if (!job->transfer.url) {
        free(job);
        return NULL;
    }
    return job;
}

int pf_fetch_page(struct pf_fetch *fetch, const struct pf_fetch_page *page, struct pf_error *err)
{
    struct job *job = new_job(fetch, PF_TRANSFER_PAGE, page->url, page->done, page->ctx);
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
    struct job *job = new_job(fetch, PF_TRANSFER_SIZE, url, done, ctx);
    if (!job)
        return pf_error_memory(err);
    enqueue(fetch, job);
    return 0;
}

/* strdup that takes NULL; *failed tells of a lack of memory. */
static char *copy(const char *text, bool *failed)
{
    char *own = text ? strdup(text) : NULL;
    *failed = *failed || (text && !own);
    return own;
}

int pf_fetch_file(struct pf_fetch *fetch, const struct pf_fetch_file *file, struct pf_error *err)
{
    struct job *job = new_job(fetch, PF_TRANSFER_FILE, file->url, file->done, file->ctx);
    if (!job)
        return pf_error_memory(err);
    struct pf_transfer *t = &job->transfer;
    bool short_of_memory = false;
    const struct pf_mirrors *mirrors = fetch->settings.mirrors;
    if (mirrors && mirrors->count > 1) {
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
    if (!failed && short_of_memory)
        failed = pf_error_memory(err);
    if (failed) {
        free_job(fetch, job);
        return failed;
    }
    enqueue(fetch, job);
    return 0;
}

/* The length of "scheme:". */
static size_t scheme_length(const char *url)
{
    return strcspn(url, ":") + 1;
}

/* Turns the job to another mirror. What the part has is kept where its validator can tell whether
   the other mirror's file is the same. */
static int turn_to(struct pf_fetch *fetch, struct job *job, size_t mirror, struct pf_error *err)
{
    struct pf_transfer *t = &job->transfer;
    char *url = NULL;
    if (mirror == job->home)
        url = strdup(job->home_url);
    else if (asprintf(&url, "%s/%s", fetch->settings.mirrors->list[mirror].url, job->path) < 0)
        url = NULL;
    if (!url)
        return pf_error_memory(err);
    if (mirror != job->mirror) {
        size_t length = scheme_length(url);
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
static bool next_mirror(struct pf_fetch *fetch, struct job *job, enum pf_transfer_end end,
                        size_t *mirror, int64_t *wait_ms)
{
    struct pf_mirrors *mirrors = fetch->settings.mirrors;
    int64_t now = pf_clock_ms(), ready_ms;
    if (end == PF_TRANSFER_STALE) {
        *mirror = job->mirror;
        return true;
    }
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
static int64_t backoff_ms(const struct job *job)
{
    curl_off_t retry_after = 0;
    if (job->transfer.easy)
        curl_easy_getinfo(job->transfer.easy, CURLINFO_RETRY_AFTER, &retry_after);
    if (retry_after > 0)
        return retry_after > MAX_BACKOFF_MS / 1000 ? MAX_BACKOFF_MS : retry_after * 1000;
    return (int64_t)FIRST_BACKOFF_MS << (job->attempt - 1);
}

/* A server that is full: others of our transfers go on, and there will be no more of them. */
static bool yield_to_others(struct pf_fetch *fetch, struct job *job, enum pf_transfer_end end)
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

static bool is_worth_another_try(const struct job *job, enum pf_transfer_end end)
{
    if (end == PF_TRANSFER_FAILED || job->attempt >= job->attempts)
        return false;
    if (job->path)
        return true;
    return end == PF_TRANSFER_BROKEN || end == PF_TRANSFER_STALE ||
           (end == PF_TRANSFER_CROWDED && job->attempt > 0);
}

static void say_retry(struct pf_fetch *fetch, const struct job *job, const char *old_url,
                      const struct pf_error *why, int64_t wait_ms)
{
    bool elsewhere = strcmp(old_url, job->transfer.url) != 0;
    pf_events_text(fetch->settings.events, PF_EVENT_RETRY, old_url,
                   elsewhere ? N_("%s; attempt %u of %u in %.1f s from %s")
                             : N_("%s; attempt %u of %u in %.1f s%s"),
                   why->text, job->attempt + 1, job->attempts, (double)wait_ms / 1000,
                   elsewhere ? job->transfer.url : "");
}

/* The job has been taken off the active list. True: it will be tried again. */
static bool try_again(struct pf_fetch *fetch, struct job *job, enum pf_transfer_end end,
                      const struct pf_error *why)
{
    struct pf_transfer *t = &job->transfer;
    /* A connection that breaks now and then is no reason to give up, as long as each try brings
     * more. */
    if (t->file.length > job->best && job->tries < MAX_TRIES) {
        job->best = t->file.length;
        job->attempt = 1;
    }
    if (yield_to_others(fetch, job, end))
        return true;
    if (!is_worth_another_try(job, end))
        return false;
    if (end == PF_TRANSFER_STALE && pf_partfile_restart(&t->file, NULL))
        return false;
    pf_auto_free char *old_url = strdup(t->url);
    size_t mirror = job->mirror;
    int64_t wait_ms = end == PF_TRANSFER_STALE ? 0 : backoff_ms(job);
    if (job->path &&
        (!next_mirror(fetch, job, end, &mirror, &wait_ms) || turn_to(fetch, job, mirror, NULL)))
        return false;
    say_retry(fetch, job, old_url ? old_url : "", why, wait_ms);
    job->not_before_ms = pf_clock_ms() + wait_ms;
    stop_transfer(fetch, job);
    enqueue(fetch, job);
    return true;
}

/* The job has been taken off the active list. result->error says why, unless the end is
   PF_TRANSFER_DONE. */
static int finish(struct pf_fetch *fetch, struct job *job, enum pf_transfer_end end,
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

static int finish_easy(struct pf_fetch *fetch, struct job *job, CURLcode code)
{
    struct pf_fetch_result result = {.size_bytes = -1};
    enum pf_transfer_end end = pf_transfer_judge(&job->transfer, code, &result.error);
    return finish(fetch, job, end, &result);
}

/* A mirror that failed others meanwhile is not asked first. */
static void choose_mirror(struct pf_fetch *fetch, struct job *job, int64_t now)
{
    int64_t ready_ms;
    if (!job->path || job->tries > 0)
        return;
    size_t mirror =
        pf_mirrors_choose(fetch->settings.mirrors, job->home, job->without, now, &ready_ms);
    if (mirror < fetch->settings.mirrors->count)
        turn_to(fetch, job, mirror, NULL);
}

static void take_off_active(struct pf_fetch *fetch, struct job *job)
{
    struct job **link = &fetch->active;
    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    fetch->active_count--;
}

static void put_on_active(struct pf_fetch *fetch, struct job *job)
{
    job->next = fetch->active;
    fetch->active = job;
    fetch->active_count++;
    fetch->requests++;
}

/* A transfer that cannot even be prepared is finished with its error. */
static int start(struct pf_fetch *fetch, struct job *job)
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
    struct job **link = &fetch->waiting;
    while (*link && fetch->active_count < fetch->connections) {
        struct job *job = *link;
        if (job->not_before_ms > now) {
            link = &job->next;
            continue;
        }
        *link = job->next;
        if (fetch->waiting_end == &job->next)
            fetch->waiting_end = link;
        choose_mirror(fetch, job, now);
        job->attempt++;
        job->tries++;
        int stop = start(fetch, job);
        if (stop)
            return stop;
    }
    return 0;
}

static struct job *job_of(CURL *easy)
{
    char *private_data;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private_data);
    char *transfer = private_data - offsetof(struct job, transfer);
    return (struct job *)(void *)transfer;
}

static int collect_finished(struct pf_fetch *fetch)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(fetch->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;
        struct job *job = job_of(message->easy_handle);
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
    struct job *next;
    *some = false;
    for (struct job *job = fetch->active; job; job = next) {
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
    for (const struct job *job = fetch->active; job && !*some; job = job->next)
        *some = job->transfer.local_fd >= 0 &&
                pf_ratelimit_allowed(&fetch->limit, (uint64_t)pf_clock_ms()) > 0;
    return 0;
}

/* Who is first has the first chance of what the rate limit allows: each turn another one is. */
static void rotate_active(struct pf_fetch *fetch)
{
    struct job *first = fetch->active, **end = &fetch->active;
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
    for (struct job *job = fetch->active; job; job = job->next) {
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
        return pf_error_set(err, PF_E_NETWORK,
                            "what was asked of the mirrors took longer than %u s, which "
                            "--fetch-timeout allows; what has come is kept",
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
    for (const struct job *job = fetch->active; job; job = job->next)
        bytes += job->transfer.received;
    for (const struct job *job = fetch->waiting; job; job = job->next)
        bytes += job->transfer.received;
    return bytes;
}

void pf_fetch_each_running(const struct pf_fetch *fetch,
                           void (*fn)(void *ctx, const struct pf_fetch_running *running), void *ctx)
{
    for (const struct job *job = fetch->active; job; job = job->next) {
        struct pf_fetch_running running = {.ctx = job->ctx,
                                           .bytes = job->transfer.file.length,
                                           .size_bytes = pf_transfer_size(&job->transfer)};
        if (job->transfer.kind == PF_TRANSFER_FILE)
            fn(ctx, &running);
    }
}
