/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report: what the programs say on stderr, as lines, bars or JSON, and the exit statuses. */
#ifndef PF_CMD_REPORT_H
#define PF_CMD_REPORT_H

#include "engine.h"

#include <stdbool.h>

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

/* How progress is shown. */
enum report_progress {
    REPORT_AUTO,  /* bars on a terminal, else plain lines */
    REPORT_BAR,   /* the same: where there is no terminal, bars are of no use to anybody */
    REPORT_PLAIN, /* lines */
    REPORT_JSON,  /* one JSON object a line: see docs/progress-schema.md */
    REPORT_NONE,  /* warnings, errors and the closing lines alone */
};

/* Sets the name that stands before every line. verbosity: -1 quiet, 0, 1 verbose, 2 more of it. */
void report_init(const char *program, int verbosity);

/* Chooses by the word that --progress takes. -1: there is no such word. JSON holds from now on. */
int report_choose(const char *word);

/* A run begins: from now on its progress is shown. */
void report_begin(void);

/* It has ended: the terminal is as it was. Harmless where nothing began. */
void report_end(void);

/* One line "PROGRAM: error: …" on stderr; control characters are shown escaped. */
void report_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Until the next call, errors begin with the place that they are about, like "FILE:LINE"; NULL:
   none. */
void report_place(const char *place);

/* Shows an engine's error and returns the exit status for it. signal is the one that was caught, or
   0. */
int report_failure(const struct pf_error *err, int signal);

/* The same of one container among many: the run as a whole goes on. */
void report_container(const char *name, const struct pf_error *err);

/* The exit status alone. */
int report_status(const struct pf_error *err, int signal);

/* A pf_event_fn: shows it as was chosen. */
void report_event(void *ctx, const struct pf_event *event);

/* The closing lines: what was done, and how fast. */
void report_summary(const struct pf_engine *engine);

/* Says that standard output cannot be written, with errno. Returns the exit status: where nobody
   reads it any more nothing is said, and the status is that of programs which SIGPIPE ends. */
int report_output_failed(void);

/* What was removed from a cache, or with dry_run would be. */
void report_removed(const struct pf_gc_result *result, bool dry_run);

/* The line "tree: sha256:…" on standard output. Returns the exit status. */
int report_tree(const char *digest);

#endif
