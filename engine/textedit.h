/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* textedit: line edits of a text in memory, as sed, ed and patch make them. Pure. */
#ifndef PF_TEXTEDIT_H
#define PF_TEXTEDIT_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

enum pf_textedit_kind {
    PF_TEXTEDIT_COMMENT,        /* "#" before every line that contains match */
    PF_TEXTEDIT_DELETE,         /* every line that contains match goes */
    PF_TEXTEDIT_DELETE_PREFIX,  /* every line that begins with match goes */
    PF_TEXTEDIT_INSERT_BEFORE,  /* the line `text` before every line that begins with match */
    PF_TEXTEDIT_INSERT_AFTER,   /* the line `text` after every line that begins with match */
    PF_TEXTEDIT_SUBSTITUTE,     /* `text` for the first match of each line that contains `where` */
    PF_TEXTEDIT_REPLACE_PREFIX, /* the line `text` for every line that begins with match */
    PF_TEXTEDIT_DELETE_RANGE,   /* the lines from one that begins with match up to, not including,
                                   the next that begins with `until`, and not its `keep` lines
                                   before */
};

struct pf_textedit {
    enum pf_textedit_kind kind;
    const char *match;
    const char *text;  /* what is put in; without a newline */
    const char *where; /* PF_TEXTEDIT_SUBSTITUTE: NULL: any line */
    const char *until; /* PF_TEXTEDIT_DELETE_RANGE */
    unsigned keep;
    bool optional; /* that nothing matches is normal, whatever the kind */
};

struct pf_textedit_result {
    char *text; /* the caller's to free */
    size_t length;
    size_t changed;      /* lines that matched; of a range: lines that went */
    const char *missing; /* where nothing changed: the text that no line has, or NULL */
    size_t next;         /* where a further range of the same file is looked for first */
};

/* Applies one edit. A last line without a newline stays without one, unless a line is put behind
   it. `from` counts for a range alone: it is looked for from there on, then from the beginning. ed
   goes on in this way behind what it has deleted, so 0, then each result's `next`, does the same.
 */
int pf_textedit_apply(const struct pf_textedit *edit, const char *text, size_t length, size_t from,
                      struct pf_textedit_result *out, struct pf_error *err);

/* Is it worth a warning that an edit changes nothing? Not where there may well be nothing to delete
   or to comment out; yes where a line is missing that something should have been put at. */
bool pf_textedit_expects_match(const struct pf_textedit *edit);

#endif
