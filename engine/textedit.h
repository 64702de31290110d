/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* textedit: line edits of a text in memory, as sed makes them. Pure. */
#ifndef PF_TEXTEDIT_H
#define PF_TEXTEDIT_H

#include "error.h"

#include <stddef.h>

enum pf_textedit_kind {
    PF_TEXTEDIT_COMMENT,       /* "#" before every line that contains match */
    PF_TEXTEDIT_DELETE,        /* every line that contains match goes */
    PF_TEXTEDIT_DELETE_PREFIX, /* every line that begins with match goes */
    PF_TEXTEDIT_INSERT_BEFORE, /* the line `text` before every line that begins with match */
    PF_TEXTEDIT_INSERT_AFTER,  /* the line `text` after every line that begins with match */
};

struct pf_textedit {
    enum pf_textedit_kind kind;
    const char *match;
    const char *text; /* inserts only; without a newline */
};

/* Applies one edit. *out is the caller's to free. *changed counts the lines that matched. A last
   line without a newline stays without one, unless a line is put behind it. */
int pf_textedit_apply(const struct pf_textedit *edit, const char *text, size_t length, char **out,
                      size_t *out_length, size_t *changed, struct pf_error *err);

#endif
