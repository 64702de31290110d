/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "report_json.h"

#include "jsontext.h"

#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* All below: under mutex, for errors and events come from several threads. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct timespec start;
static time_t start_time;
static bool clocked, begun, failed, ended;

/* How many bytes of a well-formed UTF-8 character (RFC 3629) text begins with; 0: of none. */
static size_t character_length(const unsigned char *p)
{
    static const struct {
        unsigned char first, last; /* of the first byte */
        unsigned char low, high;   /* of the second */
        size_t length;
    } forms[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (p[0] < forms[i].first || p[0] > forms[i].last)
            continue;
        size_t n = 1;
        if (forms[i].length > 1 && p[1] >= forms[i].low && p[1] <= forms[i].high)
            n = 2;
        while (n > 1 && n < forms[i].length && (p[n] & 0xc0) == 0x80)
            n++;
        return n == forms[i].length ? n : 0;
    }
    return 0;
}

/* A string as JSON may have it: each byte that is no UTF-8 is U+FFFD. NULL is null. */
static json_t *text_of(const char *text)
{
    static const char replacement[] = "\xef\xbf\xbd";
    if (!text)
        return json_null();
    char *clean = malloc(strlen(text) * 3 + 1);
    size_t used = 0;
    if (!clean)
        return NULL;
    for (const unsigned char *p = (const unsigned char *)text; *p;) {
        size_t n = character_length(p);
        memcpy(clean + used, n ? (const char *)p : replacement, n ? n : 3);
        used += n ? n : 3;
        p += n ? n : 1;
    }
    json_t *string = json_stringn(clean, used);
    free(clean);
    return string;
}

static json_t *number_of(uint64_t number)
{
    return json_integer((json_int_t)number);
}

/* 0 is "not known". */
static json_t *number_or_null(uint64_t number)
{
    return number ? number_of(number) : json_null();
}

/* Milliseconds are enough for everybody. */
static json_t *seconds_of(double seconds)
{
    return json_real((double)(int64_t)(seconds * 1000 + 0.5) / 1000);
}

/* Seconds since the run began. */
static double elapsed_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9;
}

/* Under mutex. Takes fields. False where memory was short (fields may be NULL): the line is left
   out. */
static bool put(const char *event, json_t *fields)
{
    json_t *line = json_pack("{s:i, s:o, s:s}", "v", REPORT_JSON_VERSION, "t",
                             seconds_of(elapsed_s()), "event", event);
    char *text = NULL;
    if (line && fields && json_object_update(line, fields) == 0)
        text = json_plain(line, JSON_COMPACT | JSON_REAL_PRECISION(15));
    if (text) {
        /* Line and newline in one write. */
        size_t length = strlen(text);
        text[length] = '\n';
        fwrite(text, 1, length + 1, stderr);
    }
    bool done = text;
    free(text);
    json_decref(line);
    json_decref(fields);
    return done;
}

/* Under mutex. */
static void start_clock(void)
{
    if (!clocked) {
        clock_gettime(CLOCK_MONOTONIC, &start);
        start_time = time(NULL);
    }
    clocked = true;
}

void report_json_clock(void)
{
    pthread_mutex_lock(&mutex);
    start_clock();
    pthread_mutex_unlock(&mutex);
}

/* Locks, and says first who we are. */
static void begin(const char *program)
{
    pthread_mutex_lock(&mutex);
    if (begun)
        return;
    begun = true;
    start_clock();
    char moment[32];
    struct tm utc;
    gmtime_r(&start_time, &utc);
    strftime(moment, sizeof moment, "%Y-%m-%dT%H:%M:%SZ", &utc);
    put("start", json_pack("{s:s, s:s, s:s, s:i}", "program", program, "version", PF_VERSION,
                           "time", moment, "pid", (int)getpid()));
}

/* The three below: the fields of an event, and its name; NULL: it is none of theirs. */
static json_t *fields_of_download(const struct pf_event *e, const char **name)
{
    switch (e->type) {
    case PF_EVENT_PLANNED:
        *name = "planned";
        return json_pack("{s:o, s:o}", "files", number_of(e->count), "bytes",
                         number_or_null(e->total));
    case PF_EVENT_FETCHING:
        *name = "fetching";
        return json_pack("{s:o, s:o, s:o, s:o, s:o}", "files", number_of(e->index), "files_total",
                         number_of(e->count), "bytes", number_of(e->bytes), "bytes_total",
                         number_or_null(e->total), "received", number_of(e->received));
    case PF_EVENT_TRANSFER:
        *name = "transfer";
        return json_pack("{s:o, s:o, s:o}", "file", text_of(e->subject), "bytes",
                         number_of(e->bytes), "bytes_total", number_or_null(e->total));
    case PF_EVENT_FETCHED:
        *name = "fetched";
        return json_pack("{s:o, s:o, s:o, s:o}", "file", text_of(e->subject), "files",
                         number_of(e->index), "files_total", number_of(e->count), "received",
                         number_of(e->bytes));
    case PF_EVENT_RETRY:
        *name = "retry";
        return json_pack("{s:o, s:o}", "url", text_of(e->subject), "text", text_of(e->text));
    default:
        return NULL;
    }
}

static json_t *fields_of_install(const struct pf_event *e, const char **name)
{
    switch (e->type) {
    case PF_EVENT_INSTALLING:
        *name = "installing";
        return json_pack("{s:o, s:o}", "packages_total", number_of(e->count), "bytes_total",
                         number_or_null(e->total));
    case PF_EVENT_DECODING:
        *name = "decoding";
        return json_pack("{s:o, s:o, s:o}", "file", text_of(e->subject), "bytes",
                         number_of(e->bytes), "bytes_total", number_of(e->total));
    case PF_EVENT_DECODED:
        *name = "decoded";
        return json_pack("{s:o, s:o, s:o}", "file", text_of(e->subject), "bytes_total",
                         number_of(e->total), "unpacked", number_or_null(e->bytes));
    case PF_EVENT_INSTALLED:
        *name = "installed";
        return json_pack("{s:o, s:o, s:o, s:o}", "package", text_of(e->subject), "packages",
                         number_of(e->index), "packages_total", number_of(e->count), "unpacked",
                         number_of(e->bytes));
    case PF_EVENT_COPYING:
    case PF_EVENT_CLONED:
        *name = e->type == PF_EVENT_COPYING ? "copying" : "copied";
        return json_pack("{s:o, s:o, s:o}", "root", text_of(e->subject), "entries",
                         number_of(e->type == PF_EVENT_COPYING ? e->index : e->count), "bytes",
                         number_of(e->bytes));
    case PF_EVENT_SNAPSHOT:
        *name = "snapshot";
        return json_pack("{s:o}", "root", text_of(e->subject));
    case PF_EVENT_CONTAINER:
        *name = "container";
        return json_pack("{s:o, s:o, s:o, s:o}", "container", text_of(e->subject), "text",
                         text_of(e->text), "containers", number_of(e->index), "containers_total",
                         number_of(e->count));
    default:
        return NULL;
    }
}

static json_t *fields_of_text(const struct pf_event *e, const char **name)
{
    static const struct {
        enum pf_event_type type;
        const char *name;
        bool has_subject;
    } known[] = {
        {PF_EVENT_PHASE, "phase", false},    {PF_EVENT_LOCK_WAIT, "lock-wait", false},
        {PF_EVENT_SKIPPED, "skipped", true}, {PF_EVENT_SCRIPT, "script", true},
        {PF_EVENT_NOTE, "note", true},       {PF_EVENT_WARNING, "warning", true},
        {PF_EVENT_CHANGED, "changed", true},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (known[i].type != e->type)
            continue;
        *name = known[i].name;
        json_t *text = text_of(e->text);
        return known[i].has_subject
                   ? json_pack("{s:o, s:o}", "subject", text_of(e->subject), "text", text)
                   : json_pack("{s:o}", "text", text);
    }
    return NULL;
}

void report_json_event(const char *program, const struct pf_event *event, int verbosity)
{
    const char *name;
    if (verbosity < 0 && event->type != PF_EVENT_WARNING && event->type != PF_EVENT_SKIPPED)
        return;
    json_t *fields = fields_of_text(event, &name);
    if (!fields)
        fields = fields_of_download(event, &name);
    if (!fields)
        fields = fields_of_install(event, &name);
    if (!fields)
        return;
    begin(program);
    put(name, fields);
    pthread_mutex_unlock(&mutex);
}

void report_json_error(const char *program, const char *text, const char *hint, const char *code,
                       int status)
{
    begin(program);
    failed = true;
    json_t *fields =
        json_pack("{s:o, s:s?, s:s?, s:o}", "text", text_of(text), "hint", hint, "code", code,
                  "status", status < 0 ? json_null() : json_integer(status));
    /* A program must not fail without a word, least of all for lack of memory. */
    if (!put("error", fields))
        fprintf(stderr,
                "{\"v\":%d,\"t\":%.3f,\"event\":\"error\",\"text\":\"out of memory\",\"hint\":null,"
                "\"code\":\"system\",\"status\":null}\n",
                REPORT_JSON_VERSION, elapsed_s());
    pthread_mutex_unlock(&mutex);
}

void report_json_summary(const char *program, const struct pf_stats *s)
{
    begin(program);
    json_t *times = json_pack("{s:o, s:o, s:o, s:o, s:o}", "plan", seconds_of(s->plan_s), "fetch",
                              seconds_of(s->fetch_s), "install", seconds_of(s->install_s), "copy",
                              seconds_of(s->clone_s), "configure", seconds_of(s->configure_s));
    double rate = s->fetch_s > 0 ? (double)s->received_bytes / s->fetch_s : 0;
    json_t *fields =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:b, s:o}", "requests",
                  number_of(s->requests), "received", number_of(s->received_bytes), "rate",
                  number_or_null((uint64_t)rate), "files", number_of(s->files), "files_cached",
                  number_of(s->cached_files), "packages", number_of(s->installed), "scripts",
                  number_of(s->shells), "root_cached", s->root_was_cached, "snapshots",
                  number_of(s->snapshots), "entries", number_of(s->cloned_entries), "bytes",
                  number_of(s->cloned_bytes), "reflinked", s->reflinked, "seconds", times);
    put("summary", fields);
    pthread_mutex_unlock(&mutex);
}

void report_json_end(void)
{
    pthread_mutex_lock(&mutex);
    if (begun && !ended)
        put("end", json_pack("{s:b}", "ok", !failed));
    ended = true;
    pthread_mutex_unlock(&mutex);
}
