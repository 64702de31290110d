/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "localtransfer.h"

#include "cleanup.h"
#include "clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/* Small enough that a limit of the rate and a wish to stop are soon looked at. */
#define PIECE_BYTES (256u << 10)

bool pf_localtransfer_is(const struct pf_transfer *t)
{
    return strncasecmp(t->url, "file:", 5) == 0;
}

static enum pf_transfer_end own_failure(const struct pf_transfer *t, struct pf_error *err)
{
    *err = t->own;
    pf_error_context(err, "%s", t->url);
    return PF_TRANSFER_FAILED;
}

/* Opens what the URL names, if it is a regular file; a fifo would have us wait for ever. */
static enum pf_transfer_end open_file(struct pf_transfer *t, struct pf_error *err)
{
    char *path = NULL;
    CURLU *url = curl_url();
    bool named = url && curl_url_set(url, CURLUPART_URL, t->url, 0) == CURLUE_OK &&
                 curl_url_get(url, CURLUPART_PATH, &path, CURLU_URLDECODE) == CURLUE_OK;
    t->local_fd = named ? open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC) : -1;
    if (named && t->local_fd < 0)
        pf_error_errno(err, "%s", path);
    curl_free(path);
    curl_url_cleanup(url);
    if (t->local_fd < 0) {
        bool absent = !named || err->sys_errno == ENOENT || err->sys_errno == ENOTDIR;
        if (absent)
            pf_error_set(err, PF_E_ABSENT, "%s: there is no such file", t->url);
        return PF_TRANSFER_REFUSED;
    }
    if (fstat(t->local_fd, &t->local_stat) == 0 && S_ISREG(t->local_stat.st_mode))
        return PF_TRANSFER_DONE;
    pf_error_set(err, PF_E_ABSENT, "%s: it is not a regular file", t->url);
    return PF_TRANSFER_REFUSED;
}

/* Goes on where the part ends, if it is of this very file; else begins it. */
static int begin_part(struct pf_transfer *t)
{
    const struct timespec *mtime = &t->local_stat.st_mtim;
    pf_auto_free char *validator = NULL;
    if (asprintf(&validator, "mtime %" PRId64 ".%09ld", (int64_t)mtime->tv_sec, mtime->tv_nsec) <
        0) {
        validator = NULL;
        return pf_error_memory(&t->own);
    }
    int failed = pf_partfile_open(&t->file, &t->own);
    if (failed)
        return failed;
    bool goes_on = !t->drop_part && t->validator && strcmp(t->validator, validator) == 0 &&
                   t->file.length <= (uint64_t)t->local_stat.st_size;
    t->drop_part = false;
    t->asked_from = goes_on ? t->file.length : 0;
    if (goes_on)
        return 0;
    failed = pf_partfile_restart(&t->file, &t->own);
    free(t->validator);
    t->validator = validator;
    validator = NULL;
    if (!failed && t->on_validator)
        t->on_validator(t->ctx, t->url, t->validator);
    return failed;
}

enum pf_transfer_end pf_localtransfer_begin(struct pf_transfer *t, struct pf_error *err)
{
    t->own = (struct pf_error){0};
    t->page.length = 0;
    t->unchanged = false;
    enum pf_transfer_end end = open_file(t, err);
    if (end != PF_TRANSFER_DONE || t->kind != PF_TRANSFER_FILE)
        return end;
    t->unchanged = t->conditional && t->local_stat.st_mtim.tv_sec == t->copy_mtime.tv_sec &&
                   t->local_stat.st_mtim.tv_nsec == t->copy_mtime.tv_nsec;
    return t->unchanged || begin_part(t) == 0 ? PF_TRANSFER_DONE : own_failure(t, err);
}

static uint64_t position(const struct pf_transfer *t)
{
    return t->kind == PF_TRANSFER_FILE ? t->file.length : t->page.length;
}

static int take_page(struct pf_transfer *t, const char *piece, size_t length)
{
    if (length > t->max_bytes - t->page.length)
        return pf_error_set(&t->own, PF_E_NETWORK, "the file is too large");
    return pf_bytes_add(&t->page, piece, length) < 0 ? pf_error_memory(&t->own) : 0;
}

enum pf_transfer_end pf_localtransfer_step(struct pf_transfer *t, bool *more, struct pf_error *err)
{
    *more = false;
    if (t->unchanged || t->kind == PF_TRANSFER_SIZE)
        return PF_TRANSFER_DONE;
    *more = true;
    int64_t allowed = pf_ratelimit_allowed(t->limit, (uint64_t)pf_clock_ms());
    if (allowed <= 0)
        return PF_TRANSFER_DONE;
    size_t wanted = allowed < PIECE_BYTES ? (size_t)allowed : PIECE_BYTES;
    pf_auto_free char *piece = malloc(wanted);
    if (!piece) {
        pf_error_memory(&t->own);
        return own_failure(t, err);
    }
    ssize_t n = pread(t->local_fd, piece, wanted, (off_t)position(t));
    if (n < 0 && errno == EINTR)
        return PF_TRANSFER_DONE;
    if (n < 0) {
        pf_error_errno(err, "reading %s", t->url);
        err->code = PF_E_NETWORK;
        return PF_TRANSFER_REFUSED;
    }
    pf_ratelimit_take(t->limit, (uint64_t)n);
    t->received += (uint64_t)n;
    *more = n > 0;
    int failed = t->kind == PF_TRANSFER_FILE
                     ? pf_partfile_append(&t->file, piece, (size_t)n, &t->own)
                     : take_page(t, piece, (size_t)n);
    return failed ? own_failure(t, err) : PF_TRANSFER_DONE;
}

/* A file that has become shorter, or another, while it was read is none. */
static int finish_file(struct pf_transfer *t, struct pf_error *err)
{
    struct stat st;
    const struct stat *was = &t->local_stat;
    if (fstat(t->local_fd, &st) < 0 || (uint64_t)st.st_size != t->file.length ||
        st.st_mtim.tv_sec != was->st_mtim.tv_sec || st.st_mtim.tv_nsec != was->st_mtim.tv_nsec)
        return pf_error_set(err, PF_E_NETWORK, "it changed while it was read");
    int failed = t->on_whole ? t->on_whole(t->ctx, t->file.length, err) : 0;
    return failed ? failed : pf_partfile_finish(&t->file, &was->st_mtim, err);
}

void pf_localtransfer_finish(struct pf_transfer *t, struct pf_fetch_result *result)
{
    result->data = t->page.data;
    result->length = t->page.length;
    result->size_bytes = (int64_t)t->local_stat.st_size;
    result->unchanged = t->unchanged;
    if (t->kind == PF_TRANSFER_FILE && !t->unchanged && finish_file(t, &result->error))
        pf_error_context(&result->error, "%s", t->url);
}
