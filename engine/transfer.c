/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "transfer.h"

#include "cleanup.h"
#include "clock.h"
#include "message.h"
#include "pagedata.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_REDIRECTS 5

/* A server that sends without end is left here. */
#define MAX_FILE_BYTES (UINT64_C(16) << 30)

/* Longer pages that come with an error are broken off. */
#define MAX_ERROR_PAGE_BYTES (256u << 10)

/* libcurl's own buffers; small ones under a rate limit, as a piece may overdraw it. */
#define BUFFER_BYTES         (128L * 1024)
#define LIMITED_BUFFER_BYTES (16L * 1024)

static const char mtime_validator[] = "mtime ";

static bool has_scheme(const char *url, const char *scheme)
{
    size_t length = strlen(scheme);
    return strncasecmp(url, scheme, length) == 0 && url[length] == ':';
}

static bool is_http(const struct pf_transfer *t)
{
    return has_scheme(t->url, "http") || has_scheme(t->url, "https");
}

static size_t on_header(char *line, size_t size, size_t count, void *ctx)
{
    struct pf_transfer *t = ctx;
    size_t length = size * count;
    if (!is_http(t))
        return length;
    if (length > 5 && strncmp(line, "HTTP/", 5) == 0) {
        /* A new response: what an earlier one (a redirect) said does not count. */
        t->range = (struct pf_httpheader_range){-1, -1};
        free(t->new_validator);
        free(t->encoding);
        t->new_validator = t->encoding = NULL;
        return length;
    }
    char *encoding = pf_httpheader_value(line, length, "Content-Encoding");
    if (encoding) {
        free(t->encoding);
        t->encoding = encoding;
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

static int abort_with(struct pf_transfer *t, int code, const char *why)
{
    pf_error_set(&t->own, code, "%s", pf_message(why));
    return 0; /* fewer bytes than given: libcurl breaks off */
}

/* The page that comes with an error is read to its end, so that the connection can be used again.
   Returns true where the bytes are of one. */
static bool is_error_page(const struct pf_transfer *t)
{
    long status = 0;
    if (!is_http(t))
        return false;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 400;
}

static size_t drop_error_page(struct pf_transfer *t, size_t length)
{
    t->dropped += length;
    return t->dropped > MAX_ERROR_PAGE_BYTES ? 0 : length;
}

/* False: the bytes are to be given again later. */
static bool may_take(struct pf_transfer *t, size_t length)
{
    if (pf_ratelimit_allowed(t->limit, (uint64_t)pf_clock_ms()) <= 0) {
        t->paused = true;
        return false;
    }
    pf_ratelimit_take(t->limit, length);
    t->received += length;
    return true;
}

static size_t on_page_data(char *data, size_t size, size_t count, void *ctx)
{
    struct pf_transfer *t = ctx;
    size_t length = size * count;
    if (!may_take(t, length))
        return CURL_WRITEFUNC_PAUSE;
    if (is_error_page(t))
        return drop_error_page(t, length);
    if (length > t->max_bytes - t->page.length)
        return (size_t)abort_with(t, PF_E_NETWORK, "the page is too large");
    if (pf_bytes_add(&t->page, data, length) < 0)
        return (size_t)abort_with(t, PF_E_SYSTEM, "out of memory");
    return length;
}

/* ETags, HTTP dates and times of files are three kinds. */
static char kind_of(const char *validator)
{
    if (strncmp(validator, mtime_validator, sizeof mtime_validator - 1) == 0)
        return 'm';
    return validator[0] == '"' ? '"' : 'd';
}

/* A server may ignore If-Range; its validator still tells. Only like is compared with like. */
static bool is_same_content(const struct pf_transfer *t)
{
    if (!t->validator || !t->new_validator || kind_of(t->validator) != kind_of(t->new_validator))
        return true;
    return strcmp(t->validator, t->new_validator) == 0;
}

/* FTP servers have no validator of their own; the file's time serves. */
static void note_file_time(struct pf_transfer *t)
{
    curl_off_t filetime = -1;
    curl_easy_getinfo(t->easy, CURLINFO_FILETIME_T, &filetime);
    if (t->new_validator || filetime < 0)
        return;
    if (asprintf(&t->new_validator, "%s%" PRId64, mtime_validator, (int64_t)filetime) < 0)
        t->new_validator = NULL;
}

/* The body goes on where the part ends. */
static bool continues(struct pf_transfer *t)
{
    bool placed = !is_http(t) || (t->range.start >= 0 && (uint64_t)t->range.start == t->asked_from);
    if (placed && is_same_content(t))
        return true;
    t->stale = true;
    abort_with(t, PF_E_NETWORK,
               placed ? N_("the file changed between two parts of it")
                      : N_("the server sent another range than asked for"));
    return false;
}

/* Before the first byte of a body: is it the continuation that we asked for, or all of it? */
static bool begin_body(struct pf_transfer *t)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    t->body_began = true;
    if (!is_http(t))
        note_file_time(t);
    if (is_http(t) ? status == 206 : t->asked_from > 0)
        return continues(t);
    if (pf_partfile_restart(&t->file, &t->own))
        return false;
    free(t->validator);
    t->validator = t->new_validator;
    t->new_validator = NULL;
    if (t->validator && t->on_validator)
        t->on_validator(t->ctx, t->url, t->validator);
    return true;
}

/* Would it be, with so many bytes more? */
static bool is_too_large(struct pf_transfer *t, size_t length)
{
    uint64_t most = t->max_bytes ? t->max_bytes : MAX_FILE_BYTES;
    if (length <= most && t->file.length <= most - length)
        return false;
    if (t->max_bytes)
        pf_error_set(&t->own, PF_E_CORRUPT, "the file is larger than the %" PRIu64 " bytes wanted",
                     most);
    else
        pf_error_set(&t->own, PF_E_NETWORK, "the file is larger than any package");
    return true;
}

static size_t on_file_data(char *data, size_t size, size_t count, void *ctx)
{
    struct pf_transfer *t = ctx;
    size_t length = size * count;
    if (!may_take(t, length))
        return CURL_WRITEFUNC_PAUSE;
    if (is_error_page(t))
        return drop_error_page(t, length);
    if (!t->body_began && !begin_body(t))
        return 0;
    if (is_too_large(t, length)) {
        /* What came is of no use: give the space back. */
        pf_partfile_restart(&t->file, NULL);
        return 0;
    }
    return pf_partfile_append(&t->file, data, length, &t->own) ? 0 : length;
}

static int add_header(struct pf_transfer *t, const char *name, const char *value)
{
    pf_auto_free char *header = NULL;
    if (asprintf(&header, "%s: %s", name, value) < 0) {
        header = NULL;
        return pf_error_memory(&t->own);
    }
    t->headers = curl_slist_append(NULL, header);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
    return t->headers ? 0 : pf_error_memory(&t->own);
}

/* Only what is newer than the caller's copy: If-None-Match, If-Modified-Since, or FTP's MDTM. */
static int prepare_condition(struct pf_transfer *t)
{
    if (t->copy_etag && is_http(t))
        return add_header(t, "If-None-Match", t->copy_etag);
    curl_easy_setopt(t->easy, CURLOPT_TIMECONDITION, (long)CURL_TIMECOND_IFMODSINCE);
    curl_easy_setopt(t->easy, CURLOPT_TIMEVALUE_LARGE, (curl_off_t)t->copy_mtime.tv_sec);
    return 0;
}

static int prepare_file(struct pf_transfer *t)
{
    t->body_began = t->stale = false;
    int failed = pf_partfile_open(&t->file, &t->own);
    if (!failed && t->drop_part)
        failed = pf_partfile_restart(&t->file, &t->own);
    if (failed)
        return failed;
    t->drop_part = false;
    t->asked_from = t->no_range ? 0 : t->file.length;
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_file_data);
    curl_easy_setopt(t->easy, CURLOPT_FILETIME, 1L);
    if (t->asked_from == 0)
        return t->conditional ? prepare_condition(t) : 0;
    char range[32];
    snprintf(range, sizeof range, "%" PRIu64 "-", t->asked_from);
    curl_easy_setopt(t->easy, CURLOPT_RANGE, range);
    if (t->validator && is_http(t) && kind_of(t->validator) != 'm')
        return add_header(t, "If-Range", t->validator);
    return 0;
}

/* A page is asked for as it is. Some servers compress it all the same: libcurl undoes that, and the
   limit of a page is of what comes out. */
static int prepare_encoding(struct pf_transfer *t)
{
    curl_easy_setopt(t->easy, CURLOPT_ACCEPT_ENCODING, "");
    return add_header(t, "Accept-Encoding", "identity");
}

/* A redirect may lead up to https, never down from it, and nowhere else. */
static void set_protocols(struct pf_transfer *t)
{
    const char *first = "http,https";
    if (has_scheme(t->url, "https"))
        first = "https";
    else if (has_scheme(t->url, "ftp"))
        first = "ftp";
    curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, first);
    curl_easy_setopt(t->easy, CURLOPT_REDIR_PROTOCOLS_STR, first);
    curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(t->easy, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
}

static void set_limits(struct pf_transfer *t)
{
    const struct pf_fetch_settings *s = t->settings;
    CURL *e = t->easy;
    curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)s->connect_timeout_ms);
    curl_easy_setopt(e, CURLOPT_SERVER_RESPONSE_TIMEOUT, (long)s->stall_time_s);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, (long)s->stall_bytes_per_s);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, (long)s->stall_time_s);
    curl_easy_setopt(e, CURLOPT_BUFFERSIZE,
                     s->limit_bytes_per_s ? LIMITED_BUFFER_BYTES : BUFFER_BYTES);
    if (s->ip_version)
        curl_easy_setopt(e, CURLOPT_IPRESOLVE,
                         (long)(s->ip_version == 4 ? CURL_IPRESOLVE_V4 : CURL_IPRESOLVE_V6));
}

int pf_transfer_prepare(struct pf_transfer *t)
{
    t->own = (struct pf_error){0};
    t->curl_text[0] = '\0';
    t->paused = false;
    t->dropped = 0;
    t->range = (struct pf_httpheader_range){-1, -1};
    free(t->new_validator);
    free(t->encoding);
    t->new_validator = t->encoding = NULL;
    t->easy = curl_easy_init();
    if (!t->easy)
        return pf_error_memory(&t->own);
    CURL *e = t->easy;
    curl_easy_setopt(e, CURLOPT_URL, t->url);
    curl_easy_setopt(e, CURLOPT_PRIVATE, t);
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->curl_text);
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_USERAGENT, "plamo-fast/" PF_VERSION);
    /* Passwords come from ~/.netrc alone: a URL is shown and stored. */
    curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
    curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    /* One change of folder for each folder, not one for each component of each path. */
    curl_easy_setopt(e, CURLOPT_FTP_FILEMETHOD, (long)CURLFTPMETHOD_SINGLECWD);
    if (t->settings->ca_file)
        curl_easy_setopt(e, CURLOPT_CAINFO, t->settings->ca_file);
    set_protocols(t);
    set_limits(t);
    curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
    if (t->kind == PF_TRANSFER_FILE)
        return prepare_file(t);
    if (t->kind == PF_TRANSFER_SIZE)
        curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
    if (t->ftp_command)
        curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, t->ftp_command);
    curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_page_data);
    t->page.length = 0;
    return is_http(t) ? prepare_encoding(t) : 0;
}

void pf_transfer_resume(struct pf_transfer *t)
{
    t->paused = false;
    curl_easy_pause(t->easy, CURLPAUSE_CONT);
}

int64_t pf_transfer_size(const struct pf_transfer *t)
{
    curl_off_t length = -1;
    if (t->local_fd >= 0)
        return t->local_stat.st_size;
    if (!t->easy || !t->body_began)
        return -1;
    if (t->range.total >= 0)
        return t->range.total;
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    /* FTP tells of what is still to come. */
    return length >= 0 && !is_http(t) ? length + (curl_off_t)t->asked_from : length;
}

static enum pf_transfer_end judge_http(long status)
{
    switch (status) {
    case 408:
    case 425:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
        return PF_TRANSFER_BROKEN;
    default:
        return PF_TRANSFER_REFUSED;
    }
}

/* RFC 959, 4.2: 4yz is for now, 5yz for good. 421, and 530 from servers that count logins, tell of
   too many connections. */
static enum pf_transfer_end judge_ftp(long status)
{
    if (status == 421 || status == 530)
        return PF_TRANSFER_CROWDED;
    return status >= 500 ? PF_TRANSFER_REFUSED : PF_TRANSFER_BROKEN;
}

static enum pf_transfer_end judge_code(CURLcode code, long status)
{
    switch (code) {
    case CURLE_OK:
        return PF_TRANSFER_DONE;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_FTP_ACCEPT_TIMEOUT:
    case CURLE_FTP_CANT_GET_HOST:
    case CURLE_FTP_WEIRD_227_FORMAT:
    case CURLE_FTP_WEIRD_PASV_REPLY:
        return PF_TRANSFER_BROKEN;
    case CURLE_OPERATION_TIMEDOUT:
        /* libcurl's word for an FTP server's 421, too. */
        return status == 421 ? PF_TRANSFER_CROWDED : PF_TRANSFER_BROKEN;
    case CURLE_BAD_DOWNLOAD_RESUME:
    case CURLE_FTP_COULDNT_USE_REST:
        return PF_TRANSFER_STALE;
    case CURLE_HTTP_RETURNED_ERROR:
        return judge_http(status);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_LOGIN_DENIED:
    case CURLE_FTP_WEIRD_PASS_REPLY:
    case CURLE_FTP_COULDNT_RETR_FILE:
    case CURLE_REMOTE_ACCESS_DENIED:
    case CURLE_REMOTE_FILE_NOT_FOUND:
        return judge_ftp(status);
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
        return PF_TRANSFER_UNSAFE;
    default:
        return PF_TRANSFER_REFUSED;
    }
}

static bool is_absent(CURLcode code, long status)
{
    switch (code) {
    case CURLE_HTTP_RETURNED_ERROR:
        return status == 404 || status == 410;
    case CURLE_REMOTE_ACCESS_DENIED: /* of a change of folder */
    case CURLE_REMOTE_FILE_NOT_FOUND:
    case CURLE_FTP_COULDNT_RETR_FILE:
        return status == 550;
    default:
        return false;
    }
}

static void describe(const struct pf_transfer *t, CURLcode code, long status, struct pf_error *err)
{
    if (t->own.code)
        *err = t->own;
    else if (code == CURLE_HTTP_RETURNED_ERROR || is_absent(code, status))
        pf_error_set(err, is_absent(code, status) ? PF_E_ABSENT : PF_E_NETWORK,
                     "the server answered %ld", status);
    else if (t->encoding && code == CURLE_BAD_CONTENT_ENCODING)
        pf_error_set(err, PF_E_NETWORK,
                     "the page came compressed (%s), though not asked for so, and cannot be "
                     "unpacked",
                     t->encoding);
    else
        pf_error_set(err, PF_E_NETWORK, "%s",
                     t->curl_text[0] ? t->curl_text : curl_easy_strerror(code));
    pf_error_context(err, "%s", t->url);
}

/* 416: there is nothing after what we have. Either that is all of it, or it is of another file. */
static bool is_whole_already(const struct pf_transfer *t, long status)
{
    return t->kind == PF_TRANSFER_FILE && status == 416 && t->asked_from > 0 &&
           t->range.total >= 0 && (uint64_t)t->range.total == t->asked_from;
}

/* Some servers refuse a request for a part of a file that they would give whole. */
static bool is_refused_range(const struct pf_transfer *t, long status)
{
    if (t->kind != PF_TRANSFER_FILE || !is_http(t) || t->asked_from == 0 || status < 400)
        return false;
    return status != 401 && status != 404 && status != 407 && status != 410 &&
           judge_http(status) == PF_TRANSFER_REFUSED;
}

/* A file of which nothing came: over FTP there was nothing after what we had. */
static bool has_no_rest(struct pf_transfer *t)
{
    if (t->kind != PF_TRANSFER_FILE || is_http(t) || t->body_began || t->asked_from == 0)
        return false;
    note_file_time(t);
    return t->validator && t->new_validator && strcmp(t->validator, t->new_validator) == 0;
}

enum pf_transfer_end pf_transfer_judge(struct pf_transfer *t, CURLcode code, struct pf_error *err)
{
    long status = 0;
    bool file = t->kind == PF_TRANSFER_FILE;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (is_whole_already(t, status))
        return PF_TRANSFER_DONE;
    if (is_http(t) && status >= 400)
        code = CURLE_HTTP_RETURNED_ERROR;
    /* A server may send less than all of a range, and be done: the rest is asked for. */
    if (code == CURLE_OK && file && status == 206 && t->range.total >= 0 &&
        (uint64_t)t->range.total != t->file.length)
        code = CURLE_PARTIAL_FILE;
    enum pf_transfer_end end = judge_code(code, status);
    if (end == PF_TRANSFER_DONE && file && !is_http(t) && !t->body_began && t->asked_from > 0 &&
        !has_no_rest(t))
        end = PF_TRANSFER_STALE;
    if (end == PF_TRANSFER_DONE)
        return end;
    describe(t, code, status, err);
    if (t->stale || (file && status == 416 && t->asked_from > 0))
        return PF_TRANSFER_STALE;
    if (is_refused_range(t, status)) {
        t->no_range = true;
        return PF_TRANSFER_NO_RANGE;
    }
    return t->own.code ? PF_TRANSFER_FAILED : end;
}

/* 304, or FTP's MDTM was not newer than the copy. */
static bool is_unchanged(const struct pf_transfer *t, long status)
{
    long unmet = 0;
    curl_easy_getinfo(t->easy, CURLINFO_CONDITION_UNMET, &unmet);
    return t->conditional && t->asked_from == 0 && !t->body_began && (status == 304 || unmet);
}

static int finish_file(struct pf_transfer *t, struct pf_error *err)
{
    long status = 0;
    curl_off_t filetime = -1;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_FILETIME_T, &filetime);
    /* An empty body never called us: the file is empty, whatever we had. */
    bool kept = t->body_began || is_whole_already(t, status) || has_no_rest(t);
    int failed = kept ? 0 : pf_partfile_restart(&t->file, err);
    if (!failed && t->on_whole)
        failed = t->on_whole(t->ctx, t->file.length, err);
    struct timespec mtime = {.tv_sec = (time_t)filetime};
    return failed ? failed : pf_partfile_finish(&t->file, filetime < 0 ? NULL : &mtime, err);
}

void pf_transfer_finish(struct pf_transfer *t, struct pf_fetch_result *result)
{
    long status = 0;
    curl_off_t size = -1;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &size);
    if (t->kind != PF_TRANSFER_FILE) {
        if (pf_pagedata_unpack(&t->page, t->max_bytes, &result->error))
            pf_error_context(&result->error, "%s", t->url);
        result->data = t->page.data;
        result->length = t->page.length;
        result->size_bytes = size;
        return;
    }
    result->unchanged = is_unchanged(t, status);
    int failed = result->unchanged ? pf_partfile_drop(&t->file, &result->error)
                                   : finish_file(t, &result->error);
    if (failed)
        pf_error_context(&result->error, "%s", t->url);
    result->size_bytes = (int64_t)t->file.length;
}

void pf_transfer_stop(struct pf_transfer *t)
{
    curl_easy_cleanup(t->easy);
    t->easy = NULL;
    pf_close_at(&t->local_fd);
    t->local_fd = -1;
    curl_slist_free_all(t->headers);
    t->headers = NULL;
}

void pf_transfer_end(struct pf_transfer *t)
{
    pf_transfer_stop(t);
    pf_partfile_end(&t->file);
    free(t->url);
    free(t->page.data);
    free(t->validator);
    free(t->new_validator);
    free(t->encoding);
    free(t->copy_etag);
}
