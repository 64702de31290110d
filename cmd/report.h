/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report: what the programs say on stderr, and the exit statuses. */
#ifndef PF_CMD_REPORT_H
#define PF_CMD_REPORT_H

#include "engine.h"

#include <stdio.h>

/* Exit statuses of both programs, as the manual lists them. */
enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,     /* a system call or the like */
    EXIT_USAGE = 2,      /* an option, a name or a setting makes no sense */
    EXIT_MIRROR = 3,     /* the mirror cannot be reached or lacks something */
    EXIT_PACKAGE = 4,    /* a package is damaged, hostile or cannot be merged */
    EXIT_BUSY = 5,       /* another build holds the cache */
    EXIT_PERMISSION = 6, /* a privilege is missing */
    EXIT_NO_SPACE = 7,   /* a file system is full */
};

/* Sets the name that stands before every line. verbosity: -1 quiet, 0, 1 verbose. */
void report_init(const char *program, int verbosity);

/* One line "PROGRAM: error: …" on stderr; control characters are shown escaped. */
void report_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Shows an engine's error and returns the exit status for it. signal is the one that was caught, or
   0. */
int report_failure(const struct pf_error *err, int signal);

/* A pf_event_fn: progress as plain lines. */
void report_event(void *ctx, const struct pf_event *event);

/* The closing line: what was done, and how fast. */
void report_summary(const struct pf_engine *engine);

/* Writes text to stream with control characters as \xNN, so that nothing from outside reaches the
   terminal. */
void report_escaped(FILE *stream, const char *text);

#endif
