/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* trace: which thread spent what time on what, as a file for Chrome's tracing and for Perfetto. */
#ifndef PF_CMD_TRACE_H
#define PF_CMD_TRACE_H

#include "engine.h"

struct trace;

/* Begins the file. NULL after saying why. */
struct trace *trace_open(const char *path);

/* A pf_event_fn with the trace as its ctx: spans go into the file, all else to report_event. */
void trace_event(void *ctx, const struct pf_event *event);

/* Ends the file. -1 after saying why it is not whole. NULL is fine. */
int trace_close(struct trace *trace);

#endif
