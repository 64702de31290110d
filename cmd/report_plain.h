/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report_plain: events as plain lines. */
#ifndef PF_CMD_REPORT_PLAIN_H
#define PF_CMD_REPORT_PLAIN_H

#include "engine.h"

#include <stdbool.h>

/* Shows what deserves a line. verbosity: see report_init. progress: also what tells of progress
   alone (something else shows it, or it is not wanted; the verbose hear of each file all the same).
 */
void report_plain_event(const struct pf_event *event, int verbosity, bool progress);

#endif
