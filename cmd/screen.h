/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* screen: bars at the bottom of a terminal, drawn ten times a second by a thread of their own, and
   lines above them.

   Between two drawings the cursor stands at the beginning of the first bar. So whatever happens,
   resizing, a kill, another program's line, all that is below the cursor is ours to be cleared, and
   nothing of the terminal has to be restored. */
#ifndef PF_CMD_SCREEN_H
#define PF_CMD_SCREEN_H

#include "engine.h"

#include <stdbool.h>
#include <stddef.h>

/* Begins to draw on fd, a terminal. interrupted (may be NULL) tells whether a signal asked to stop.
   -1 where no thread can be had: then nothing is drawn. One at a time. */
int screen_begin(int fd, bool colour, bool (*interrupted)(void));

/* Takes the bars away. Does nothing where there are none. */
void screen_end(void);

/* Notes what an event says; the terminal is not waited for. */
void screen_event(const struct pf_event *event);

/* Writes text, which ends with a newline, above the bars. False: no bars are shown, and nothing was
   written. Any thread. */
bool screen_print(const char *text, size_t length);

/* Takes the bars away, in a signal handler, before the process ends. */
void screen_abandon(void);

#endif
