/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* transfer: one request to one server by libcurl: its options, its body, and how its end is to be
   judged. Whether it is tried again, and where, is fetch's to decide. */
#ifndef PF_TRANSFER_H
#define PF_TRANSFER_H

#include "bytes.h"
#include "error.h"
#include "httpheader.h"
#include "partfile.h"
#include "ratelimit.h"
#include "request.h"

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

enum pf_transfer_kind { PF_TRANSFER_PAGE, PF_TRANSFER_SIZE, PF_TRANSFER_FILE };

struct pf_transfer {
    /* Set by the owner. */
    enum pf_transfer_kind kind;
    const struct pf_fetch_settings *settings;
    struct pf_ratelimit *limit; /* shared by all transfers of the thread */
    char *url;                  /* owned */
    uint64_t max_bytes;         /* files: 0 is what no package reaches */
    const char *ftp_command;    /* instead of LIST; NULL: that */
    struct pf_partfile file;
    char *validator; /* owned; of what the part has; NULL: not known */
    bool no_range;   /* the server refuses requests for a part of a file: all of it is asked for */
    bool drop_part;  /* what the part has is not this server's: from the beginning */
    bool conditional;
    char *copy_etag; /* owned */
    struct timespec copy_mtime;
    pf_fetch_validator_fn on_validator;
    pf_fetch_whole_fn on_whole;
    void *ctx;

    /* While it runs, and for whoever judges it. */
    CURL *easy;             /* NULL: not over the network */
    int local_fd;           /* from a folder: what is read; else -1 */
    struct stat local_stat; /* of it */
    bool unchanged;         /* from a folder: it is the caller's copy */
    struct curl_slist *headers;
    char curl_text[CURL_ERROR_SIZE];
    struct pf_error own; /* an error that we found ourselves in a callback */
    uint64_t received;   /* bytes of bodies, over all tries */
    struct pf_bytes page;
    char *encoding;      /* of a page: how it says it comes (Content-Encoding); NULL: as it is */
    size_t dropped;      /* bytes of a page that came with an error */
    uint64_t asked_from; /* the first byte asked for */
    bool body_began;
    bool stale;  /* the bytes we have are not the server's any more */
    bool paused; /* by the rate limit */
    char *new_validator;
    struct pf_httpheader_range range; /* what Content-Range said */
};

/* What the end of a transfer means. */
enum pf_transfer_end {
    PF_TRANSFER_DONE,
    PF_TRANSFER_BROKEN,   /* the network, or the server for now: worth another try */
    PF_TRANSFER_STALE,    /* what we have is of another file: again from the beginning, at once */
    PF_TRANSFER_NO_RANGE, /* it may give the file, but no part of it: at once without a range */
    PF_TRANSFER_CROWDED,  /* the server takes no more connections at present */
    PF_TRANSFER_REFUSED,  /* this server will not give it */
    PF_TRANSFER_UNSAFE,   /* it could not prove who it is */
    PF_TRANSFER_FAILED,   /* on our side */
};

/* Makes t->easy ready to be added to a multi handle. After a failure t->own says why. */
int pf_transfer_prepare(struct pf_transfer *t);

/* Goes on with one that the rate limit holds. */
void pf_transfer_resume(struct pf_transfer *t);

/* The size of the whole file as the server says it, while it comes; -1: not said, or not yet. */
int64_t pf_transfer_size(const struct pf_transfer *t);

/* What libcurl's result means; err is filled unless it is PF_TRANSFER_DONE. */
enum pf_transfer_end pf_transfer_judge(struct pf_transfer *t, CURLcode code, struct pf_error *err);

/* After PF_TRANSFER_DONE: puts a file in its place and fills the result, whose texts are valid
   until pf_transfer_stop. *result->error tells of a failure. */
void pf_transfer_finish(struct pf_transfer *t, struct pf_fetch_result *result);

/* Lets the handle go (it must be out of the multi handle); what has come stays. */
void pf_transfer_stop(struct pf_transfer *t);

/* Frees what it owns, but not t. */
void pf_transfer_end(struct pf_transfer *t);

#endif
