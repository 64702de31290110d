/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fetch.h"

#include "cleanup.h"
#include "clock.h"
#include "httpheader.h"
#include "partfile.h"

#include <curl/curl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICK_MS          100
#define FIRST_BACKOFF_MS 250
#define MAX_BACKOFF_MS   30000
#define MAX_REDIRECTS    5
#define MAX_TRIES        200

/* A server that sends without end is left here. */
#define MAX_FILE_BYTES (UINT64_C(16) << 30)

enum kind { KIND_PAGE, KIND_SIZE, KIND_FILE };

struct transfer {
    struct transfer *next; /* in one of the two lists of pf_fetch */
    struct pf_fetch *fetch;
    enum kind kind;
    char *url;
    pf_fetch_done_fn done;
    void *ctx;
    unsigned attempt; /* 1: the first since the last progress */
    unsigned tries;   /* all of them */
    int64_t not_before_ms;

    CURL *easy;
    struct curl_slist *headers;
    char curl_text[CURL_ERROR_SIZE];
    struct pf_error own; /* an error that we found ourselves in a callback */
    uint64_t received;

    char *data; /* page */
    size_t length, max_bytes;

    struct pf_partfile file;
    uint64_t asked_from; /* what the Range header said */
    uint64_t best;       /* the most that was there after any try */
    bool body_began;
    bool restart; /* the bytes we have are not the server's any more: again from 0 */
    char *validator;
    char *new_validator;
    struct pf_httpheader_range range; /* what Content-Range said */
    pf_fetch_validator_fn on_validator;
    pf_fetch_whole_fn on_whole;
};

struct pf_fetch {
    struct pf_fetch_settings settings;
    CURLM *multi;
    struct transfer *waiting, **waiting_end; /* first come, first served */
    struct transfer *active;
    unsigned active_count;
    uint64_t requests, bytes;
};

static int out_of_memory(struct pf_error *err)
{
    return pf_error_set(err, PF_E_SYSTEM, "out of memory");
}

int pf_fetch_new(const struct pf_fetch_settings *settings, struct pf_fetch **out,
                 struct pf_error *err)
{
    struct pf_fetch *fetch = calloc(1, sizeof *fetch);
    if (!fetch || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        free(fetch);
        return pf_error_set(err, PF_E_SYSTEM, "libcurl cannot be started");
    }
    fetch->settings = *settings;
    fetch->waiting_end = &fetch->waiting;
    fetch->multi = curl_multi_init();
    if (!fetch->multi) {
        curl_global_cleanup();
        free(fetch);
        return out_of_memory(err);
    }
    curl_multi_setopt(fetch->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)settings->connections);
    curl_multi_setopt(fetch->multi, CURLMOPT_MAXCONNECTS, (long)settings->connections);
    *out = fetch;
    return 0;
}

static void stop_easy(struct transfer *t)
{
    if (t->easy) {
        curl_multi_remove_handle(t->fetch->multi, t->easy);
        curl_easy_cleanup(t->easy);
        t->easy = NULL;
    }
    curl_slist_free_all(t->headers);
    t->headers = NULL;
}

static void free_transfer(struct transfer *t)
{
    stop_easy(t);
    pf_partfile_end(&t->file);
    free(t->url);
    free(t->data);
    free(t->validator);
    free(t->new_validator);
    free(t);
}

static void free_list(struct transfer *t)
{
    while (t) {
        struct transfer *next = t->next;
        free_transfer(t);
        t = next;
    }
}

static void drop_all(struct pf_fetch *fetch)
{
    free_list(fetch->active);
    free_list(fetch->waiting);
    fetch->active = fetch->waiting = NULL;
    fetch->waiting_end = &fetch->waiting;
    fetch->active_count = 0;
}

void pf_fetch_free(struct pf_fetch *fetch)
{
    if (!fetch)
        return;
    drop_all(fetch);
    curl_multi_cleanup(fetch->multi);
    curl_global_cleanup();
    free(fetch);
}

static void enqueue(struct transfer *t)
{
    t->next = NULL;
    *t->fetch->waiting_end = t;
    t->fetch->waiting_end = &t->next;
}

static struct transfer *new_transfer(struct pf_fetch *fetch, enum kind kind, const char *url,
                                     pf_fetch_done_fn done, void *ctx)
{
    struct transfer *t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    *t = (struct transfer){.fetch = fetch, .kind = kind, .done = done, .ctx = ctx, .file.fd = -1};
    t->url = strdup(url);
    if (!t->url) {
        free(t);
        return NULL;
    }
    return t;
}

int pf_fetch_page(struct pf_fetch *fetch, const char *url, size_t max_bytes, pf_fetch_done_fn done,
                  void *ctx, struct pf_error *err)
{
    struct transfer *t = new_transfer(fetch, KIND_PAGE, url, done, ctx);
    if (!t)
        return out_of_memory(err);
    t->max_bytes = max_bytes;
    enqueue(t);
    return 0;
}

int pf_fetch_size(struct pf_fetch *fetch, const char *url, pf_fetch_done_fn done, void *ctx,
                  struct pf_error *err)
{
    struct transfer *t = new_transfer(fetch, KIND_SIZE, url, done, ctx);
    if (!t)
        return out_of_memory(err);
    enqueue(t);
    return 0;
}

int pf_fetch_file(struct pf_fetch *fetch, const char *url, int dir_fd, const char *name,
                  const char *validator, pf_fetch_validator_fn on_validator,
                  pf_fetch_whole_fn on_whole, pf_fetch_done_fn done, void *ctx,
                  struct pf_error *err)
{
    struct transfer *t = new_transfer(fetch, KIND_FILE, url, done, ctx);
    if (!t)
        return out_of_memory(err);
    t->validator = validator ? strdup(validator) : NULL;
    t->on_validator = on_validator;
    t->on_whole = on_whole;
    int failed = validator && !t->validator ? out_of_memory(err)
                                            : pf_partfile_init(&t->file, dir_fd, name, err);
    if (failed) {
        free_transfer(t);
        return failed;
    }
    enqueue(t);
    return 0;
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t length = size * count;
    if (length > 5 && strncmp(line, "HTTP/", 5) == 0) {
        /* A new response: what an earlier one (a redirect) said does not count. */
        t->range = (struct pf_httpheader_range){-1, -1};
        free(t->new_validator);
        t->new_validator = NULL;
        return length;
    }
    pf_auto_free char *range = pf_httpheader_value(line, length, "Content-Range");
    if (range)
        t->range = pf_httpheader_read_range(range);
    char *etag = pf_httpheader_value(line, length, "ETag");
    /* A weak ETag says nothing of bytes, so If-Range may not use it. */
    if (etag && etag[0] == '"') {
        free(t->new_validator);
        t->new_validator = etag;
        return length;
    }
    free(etag);
    if (!t->new_validator)
        t->new_validator = pf_httpheader_value(line, length, "Last-Modified");
    return length;
}

static int abort_with(struct transfer *t, int code, const char *why)
{
    pf_error_set(&t->own, code, "%s", why);
    return 0; /* fewer bytes than given: libcurl breaks off */
}

static size_t on_page_data(char *data, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t length = size * count;
    t->received += length;
    if (length > t->max_bytes - t->length)
        return (size_t)abort_with(t, PF_E_NETWORK, "the page is too large");
    char *grown = realloc(t->data, t->length + length + 1);
    if (!grown)
        return (size_t)abort_with(t, PF_E_SYSTEM, "out of memory");
    t->data = grown;
    memcpy(t->data + t->length, data, length);
    t->length += length;
    t->data[t->length] = '\0';
    return length;
}

/* A server may ignore If-Range; its validator still tells. Only like is compared with like. */
static bool is_same_content(const struct transfer *t)
{
    if (!t->validator || !t->new_validator ||
        (t->validator[0] == '"') != (t->new_validator[0] == '"'))
        return true;
    return strcmp(t->validator, t->new_validator) == 0;
}

/* Before the first byte of a body: is it the continuation that we asked for, or all of it? */
static bool begin_body(struct transfer *t)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    t->body_began = true;
    if (status == 206) {
        bool placed = t->range.start >= 0 && (uint64_t)t->range.start == t->asked_from;
        if (placed && is_same_content(t))
            return true;
        t->restart = true;
        abort_with(t, PF_E_NETWORK,
                   placed ? "the file changed between two parts of it"
                          : "the server sent another range than asked for");
        return false;
    }
    if (pf_partfile_restart(&t->file, &t->own))
        return false;
    free(t->validator);
    t->validator = t->new_validator;
    t->new_validator = NULL;
    if (t->validator && t->on_validator)
        t->on_validator(t->ctx, t->validator);
    return true;
}

static size_t on_file_data(char *data, size_t size, size_t count, void *ctx)
{
    struct transfer *t = ctx;
    size_t length = size * count;
    t->received += length;
    if (!t->body_began && !begin_body(t))
        return 0;
    if (t->file.length + length > MAX_FILE_BYTES) {
        /* What came is of no use: give the space back. */
        pf_partfile_restart(&t->file, NULL);
        return (size_t)abort_with(t, PF_E_NETWORK, "the file is larger than any package");
    }
    return pf_partfile_append(&t->file, data, length, &t->own) ? 0 : length;
}

static int prepare_file(struct transfer *t)
{
    t->body_began = t->restart = false;
    int failed = pf_partfile_open(&t->file, &t->own);
    if (failed)
        return failed;
    t->asked_from = t->file.length;
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_file_data);
    curl_easy_setopt(t->easy, CURLOPT_FILETIME, 1L);
    if (t->asked_from == 0)
        return 0;
    char range[32];
    snprintf(range, sizeof range, "%" PRIu64 "-", t->asked_from);
    curl_easy_setopt(t->easy, CURLOPT_RANGE, range);
    if (t->validator) {
        char *header;
        if (asprintf(&header, "If-Range: %s", t->validator) < 0)
            return out_of_memory(&t->own);
        t->headers = curl_slist_append(NULL, header);
        free(header);
        curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    }
    return 0;
}

static int prepare(struct transfer *t)
{
    const struct pf_fetch_settings *s = &t->fetch->settings;
    t->easy = curl_easy_init();
    if (!t->easy)
        return out_of_memory(&t->own);
    t->own = (struct pf_error){0};
    t->curl_text[0] = '\0';
    bool tls = strncasecmp(t->url, "https:", 6) == 0;
    CURL *e = t->easy;
    curl_easy_setopt(e, CURLOPT_URL, t->url);
    curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->curl_text);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "plamo-fast/" PF_VERSION);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
    /* A redirect may lead up to https, never down from it, and nowhere else. */
    curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, tls ? "https" : "http,https");
    curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(e, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
    curl_easy_setopt(e, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)s->connect_timeout_ms);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, (long)s->stall_bytes_per_s);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)s->stall_time_s);
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 128L * 1024);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    if (t->kind == KIND_FILE)
        return prepare_file(t);
    if (t->kind == KIND_SIZE)
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_page_data);
    t->length = 0;
    return 0;
}

static bool is_transient(CURLcode code, long status)
{
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
        return true;
    case CURLE_HTTP_RETURNED_ERROR:
        return status == 408 || status == 425 || status == 429 || status == 500 || status == 502 ||
               status == 503 || status == 504;
    default:
        return false;
    }
}

/* Fills result->error from what libcurl said, or from what we found ourselves. */
static void describe_failure(struct transfer *t, CURLcode code, long status, struct pf_error *err)
{
    if (t->own.code)
        *err = t->own;
    else if (code == CURLE_HTTP_RETURNED_ERROR)
        pf_error_set(err, status == 404 || status == 410 ? PF_E_ABSENT : PF_E_NETWORK,
                     "the server answered %ld", status);
    else
        pf_error_set(err, PF_E_NETWORK, "%s",
                     t->curl_text[0] ? t->curl_text : curl_easy_strerror(code));
    pf_error_context(err, "%s", t->url);
}

static int finish_file(struct transfer *t, bool was_whole, struct pf_error *err)
{
    curl_off_t filetime = -1;
    curl_easy_getinfo(t->easy, CURLINFO_FILETIME_T, &filetime);
    /* An empty body never called us: the file is empty, whatever we had. */
    int failed = t->body_began || was_whole ? 0 : pf_partfile_restart(&t->file, err);
    if (!failed)
        failed = t->on_whole(t->ctx, t->file.length, err);
    return failed ? failed : pf_partfile_finish(&t->file, (time_t)filetime, err);
}

/* 416: there is nothing after what we have. Either that is all of it, or it is of another file. */
static bool is_whole_already(struct transfer *t, long status)
{
    return t->kind == KIND_FILE && status == 416 && t->asked_from > 0 && t->range.total >= 0 &&
           (uint64_t)t->range.total == t->asked_from;
}

static bool try_again(struct transfer *t, CURLcode code, long status)
{
    struct pf_fetch *fetch = t->fetch;
    bool from_zero = t->restart || (status == 416 && t->asked_from > 0);
    /* A connection that breaks now and then is no reason to give up, as long as each try brings
     * more. */
    if (t->file.length > t->best && t->tries < MAX_TRIES) {
        t->best = t->file.length;
        t->attempt = 1;
    }
    if (t->attempt >= fetch->settings.attempts || (t->own.code && !t->restart) ||
        (!from_zero && !is_transient(code, status)))
        return false;
    if (from_zero && pf_partfile_restart(&t->file, NULL))
        return false;
    int64_t wait = from_zero ? 0 : (int64_t)FIRST_BACKOFF_MS << (t->attempt - 1);
    curl_off_t retry_after = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after);
    if (retry_after > 0)
        wait = retry_after > MAX_BACKOFF_MS / 1000 ? MAX_BACKOFF_MS : retry_after * 1000;
    struct pf_error why = {0};
    describe_failure(t, code, status, &why);
    pf_events_text(fetch->settings.events, PF_EVENT_RETRY, t->url, "%s; attempt %u of %u in %.1f s",
                   why.text, t->attempt + 1, fetch->settings.attempts, (double)wait / 1000);
    t->not_before_ms = pf_clock_ms() + wait;
    stop_easy(t);
    enqueue(t);
    return true;
}

/* The transfer has been taken off the active list. */
static int finish(struct transfer *t, CURLcode code)
{
    long status = 0;
    char *effective = NULL;
    curl_off_t size = -1;
    struct pf_fetch_result result = {.url = t->url};
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &effective);
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
    bool whole = is_whole_already(t, status);
    /* A server may send less than all of a range, and be done: the rest is asked for. */
    if (code == CURLE_OK && t->kind == KIND_FILE && status == 206 && t->range.total >= 0 &&
        (uint64_t)t->range.total != t->file.length)
        code = CURLE_PARTIAL_FILE;
    if (code != CURLE_OK && !whole && try_again(t, code, status))
        return 0;
    if (code != CURLE_OK && !whole)
        describe_failure(t, code, status, &result.error);
    else if (t->kind == KIND_FILE && finish_file(t, whole, &result.error))
        pf_error_context(&result.error, "%s", t->url);
    result.effective_url = effective ? effective : t->url;
    result.data = t->data;
    result.length = t->length;
    result.size_bytes = t->kind == KIND_FILE ? (int64_t)t->file.length : size;
    result.received_bytes = t->received;
    t->fetch->bytes += t->received;
    int stop = t->done(t->ctx, &result);
    free_transfer(t);
    return stop;
}

/* Starts what may start. A transfer that cannot even be prepared is finished with its error. */
static int start_waiting(struct pf_fetch *fetch)
{
    int64_t now = pf_clock_ms();
    struct transfer **link = &fetch->waiting;
    while (*link && fetch->active_count < fetch->settings.connections) {
        struct transfer *t = *link;
        if (t->not_before_ms > now) {
            link = &t->next;
            continue;
        }
        *link = t->next;
        if (fetch->waiting_end == &t->next)
            fetch->waiting_end = link;
        t->attempt++;
        t->tries++;
        if (prepare(t) || curl_multi_add_handle(fetch->multi, t->easy) != CURLM_OK) {
            int stop = finish(t, CURLE_FAILED_INIT);
            if (stop)
                return stop;
            continue;
        }
        t->next = fetch->active;
        fetch->active = t;
        fetch->active_count++;
        fetch->requests++;
    }
    return 0;
}

static void take_off_active(struct pf_fetch *fetch, struct transfer *t)
{
    struct transfer **link = &fetch->active;
    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    fetch->active_count--;
}

static int collect_finished(struct pf_fetch *fetch)
{
    CURLMsg *message;
    int left;
    while ((message = curl_multi_info_read(fetch->multi, &left))) {
        if (message->msg != CURLMSG_DONE)
            continue;
        char *private_data;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private_data);
        struct transfer *t = (struct transfer *)(void *)private_data;
        take_off_active(fetch, t);
        int stop = finish(t, code);
        if (stop)
            return stop;
    }
    return 0;
}

/* One turn: start, move bytes, finish, wait. */
static int run_once(struct pf_fetch *fetch, void (*tick)(void *ctx), void *ctx,
                    struct pf_error *err)
{
    if (fetch->settings.cancel && atomic_load(fetch->settings.cancel))
        return pf_error_set(err, PF_E_CANCELLED, "stopped");
    int stop = start_waiting(fetch);
    if (stop)
        return stop;
    int running;
    CURLMcode code = curl_multi_perform(fetch->multi, &running);
    if (code != CURLM_OK)
        return pf_error_set(err, PF_E_NETWORK, "libcurl: %s", curl_multi_strerror(code));
    unsigned active = fetch->active_count;
    stop = collect_finished(fetch);
    if (stop)
        return stop;
    if (tick)
        tick(ctx);
    /* Where something has just finished, the next one is started before anybody sleeps. */
    bool may_start = fetch->active_count < active && fetch->waiting;
    if (!may_start && (fetch->waiting || fetch->active))
        curl_multi_poll(fetch->multi, NULL, 0, TICK_MS, NULL);
    return 0;
}

int pf_fetch_run(struct pf_fetch *fetch, void (*tick)(void *ctx), void *ctx, struct pf_error *err)
{
    int stop = 0;
    while (!stop && (fetch->waiting || fetch->active))
        stop = run_once(fetch, tick, ctx, err);
    if (stop)
        drop_all(fetch);
    return stop;
}

uint64_t pf_fetch_requests(const struct pf_fetch *fetch)
{
    return fetch->requests;
}

uint64_t pf_fetch_bytes(const struct pf_fetch *fetch)
{
    return fetch->bytes;
}
