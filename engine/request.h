/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request: what is asked of mirrors, and what comes of it: the words that fetch, the transfers and
   those who ask have in common. Types alone. */
#ifndef PF_REQUEST_H
#define PF_REQUEST_H

#include "error.h"
#include "event.h"
#include "mirrors.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct pf_fetch_settings {
    unsigned connections; /* transfers at once */
    unsigned attempts;    /* how often one transfer is tried without progress */
    unsigned connect_timeout_ms;
    unsigned stall_time_s; /* a transfer below stall_bytes_per_s for so long is broken off */
    unsigned stall_bytes_per_s;
    unsigned total_time_s;      /* for all that is asked for, from the first run on; 0: no limit */
    uint64_t limit_bytes_per_s; /* of all transfers together; 0: none */
    unsigned ip_version;        /* 4 or 6: only that; 0: either */
    const char *ca_file; /* PEM; whom to trust instead of the system's authorities, or NULL */
    struct pf_mirrors *mirrors; /* for requests that can be made of any of them; may be NULL */
    struct pf_events *events;   /* may be NULL */
    const atomic_bool *cancel;  /* may be NULL; set: pf_fetch_run stops */
};

#define PF_FETCH_SETTINGS_DEFAULT                                                                  \
    {                                                                                              \
        .connections = 8, .attempts = 5, .connect_timeout_ms = 15000, .stall_time_s = 30,          \
        .stall_bytes_per_s = 1024                                                                  \
    }

/* How a transfer ended; valid during the done callback. */
struct pf_fetch_result {
    const char *url;           /* as asked for, of the last mirror that was asked */
    const char *effective_url; /* after redirects */
    const char *data;          /* pages: the body, NUL-terminated */
    size_t length;
    int64_t size_bytes;      /* of the whole thing; -1 where the server did not say */
    uint64_t received_bytes; /* over the network, for this */
    long status;             /* the server's last answer (HTTP or FTP); 0: none came */
    bool unchanged;          /* files: not newer than the caller's own copy, nothing was fetched */
    bool unsafe;             /* it failed because the server could not prove who it is */
    struct pf_error error;   /* code 0: it went well */
};

/* Called on the thread that runs pf_fetch_run; may ask for more. Non-zero ends the run with that
   code. */
typedef int (*pf_fetch_done_fn)(void *ctx, const struct pf_fetch_result *result);

/* A page to be read into memory. Strings are copied. */
struct pf_fetch_page {
    const char *url;
    size_t max_bytes;
    unsigned attempts;       /* 0: as the settings say */
    const char *ftp_command; /* how to list a folder over FTP ("MLSD"); NULL: LIST. Not copied */
    pf_fetch_done_fn done;
    void *ctx;
};

/* Told as soon as a file's transfer from its beginning has a validator (ETag, Last-Modified, or
   "mtime SECONDS" of an FTP server or a folder), which is what resuming it later, from the same
   URL, needs. */
typedef void (*pf_fetch_validator_fn)(void *ctx, const char *url, const char *validator);

/* Told when all bytes of a file have come, before NAME.part gets its name. Non-zero, with err
   filled, fails the transfer. */
typedef int (*pf_fetch_whole_fn)(void *ctx, uint64_t size_bytes, struct pf_error *err);

/* Told how many bytes of the file NAME.part has, whenever that changes; fewer than before: what it
   had is not the file's any more. */
typedef void (*pf_fetch_length_fn)(void *ctx, uint64_t bytes);

/* A file for the folder dir_fd (the caller's, open until done): NAME.part while it comes, renamed
   to NAME when whole. What NAME.part has already is not fetched again where the server allows it
   (RFC 9110, Range and If-Range with `validator`; without one the bytes are trusted and the
   package's own check values must tell). The file's time is the server's. Strings are copied. */
struct pf_fetch_file {
    const char *url;  /* on the mirror `home` */
    const char *path; /* below any mirror, percent-encoded; NULL: only the url counts */
    size_t home;
    int dir_fd;
    const char *name;
    uint64_t max_bytes;    /* a larger one is refused; 0: what no package reaches */
    const char *validator; /* of what NAME.part has, or NULL */
    /* The caller has a copy: fetch only if the mirror's is another one. */
    bool conditional;
    const char *copy_etag; /* or NULL: by the time */
    struct timespec copy_mtime;
    pf_fetch_validator_fn on_validator; /* each may be NULL */
    pf_fetch_length_fn on_length;
    pf_fetch_whole_fn on_whole;
    pf_fetch_done_fn done;
    void *ctx;
};

#endif
