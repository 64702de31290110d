/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trace.h"

#include "jsontext.h"
#include "report.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An object of the format's array; times are in microseconds. The format:
   https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMNdvlA4 */
#define SPAN_FORMAT "{s:s, s:s, s:f, s:f, s:i, s:i, s:{s:s}}"

struct trace {
    FILE *stream;
    bool failed;
    bool any; /* a comma belongs in front of the next one */
};

struct trace *trace_open(const char *path)
{
    struct trace *trace = calloc(1, sizeof *trace);
    if (trace)
        trace->stream = fopen(path, "we");
    if (!trace || !trace->stream) {
        report_error("the trace %s cannot be written: %s", path, strerror(errno));
        free(trace);
        return NULL;
    }
    fputs("[", trace->stream);
    return trace;
}

static void write_span(struct trace *trace, const struct pf_event *event)
{
    /* Bytes that are not UTF-8 are none that JSON can hold. */
    json_t *subject = json_string(event->subject ? event->subject : "");
    json_t *span =
        json_pack(SPAN_FORMAT, "ph", "X", "name", event->text, "ts", (double)event->start_ns / 1e3,
                  "dur", (double)event->duration_ns / 1e3, "pid", 1, "tid", (int)event->thread,
                  "args", "subject", subject ? json_string_value(subject) : "?");
    fputs(trace->any ? ",\n" : "\n", trace->stream);
    trace->any = true;
    char *text = span ? json_plain(span, JSON_COMPACT) : NULL;
    if (!text || fputs(text, trace->stream) < 0)
        trace->failed = true;
    free(text);
    json_decref(span);
    json_decref(subject);
}

void trace_event(void *ctx, const struct pf_event *event)
{
    if (event->type == PF_EVENT_SPAN)
        write_span(ctx, event);
    else
        report_event(NULL, event);
}

int trace_close(struct trace *trace)
{
    if (!trace)
        return 0;
    fputs("\n]\n", trace->stream);
    bool failed = ferror(trace->stream) != 0 || trace->failed;
    failed = fclose(trace->stream) != 0 || failed;
    free(trace);
    if (failed)
        report_error("the trace could not be written as a whole: %s", strerror(errno));
    return failed ? -1 : 0;
}
