/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* line: one line of text on stderr, safe to show, in colour where the terminal has any. */
#ifndef PF_CMD_LINE_H
#define PF_CMD_LINE_H

#include <stdbool.h>
#include <stdio.h>

/* The name that stands before every line: set before any other thread runs. The string stays the
   caller's. */
void line_init(const char *program);
const char *line_program(void);

/* Is stderr a terminal that can move its cursor and erase? */
bool line_has_terminal(void);

/* The same, and colours are wanted: NO_COLOR (https://no-color.org) is not set, or empty. */
bool line_has_colour(void);

/* Writes text to stream with control characters as \xNN, so that nothing from outside reaches the
   terminal. */
void line_escape(FILE *stream, const char *text);

/* The same as a text of its own, for a place within a sentence. The caller frees it; NULL where
   memory is short. */
char *line_escaped_text(const char *text);

/* How much a line matters: its colour on a terminal. */
enum line_tone { LINE_PLAIN, LINE_GOOD, LINE_WARNING, LINE_ERROR };

/* One line "PROGRAM: KIND SUBJECT: TEXT" on stderr, in one piece, whoever else writes; above the
   bars, if there are any. kind may be empty, subject NULL. */
void line_print(enum line_tone tone, const char *kind, const char *subject, const char *text);

#endif
