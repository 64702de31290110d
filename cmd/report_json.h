/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report_json: events as JSON, one object a line on stderr; docs/progress-schema.md describes them.
 */
#ifndef PF_CMD_REPORT_JSON_H
#define PF_CMD_REPORT_JSON_H

#include "engine.h"

/* Every line has this number as "v". It grows when a field goes away or means something else; new
   events and new fields are no change. */
#define REPORT_JSON_VERSION 1

/* quiet (verbosity below 0): warnings and what was skipped alone. */
void report_json_event(const char *program, const struct pf_event *event, int verbosity);

/* hint, code and status are of an engine's error (see hints.h); else NULL and -1. */
void report_json_error(const char *program, const char *text, const char *hint, const char *code,
                       int status);

void report_json_summary(const char *program, const struct pf_stats *stats);

/* From now on time counts; else it does from the first line on. */
void report_json_clock(void);

/* The last line, if there was any. */
void report_json_end(void);

#endif
