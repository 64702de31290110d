/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* changes: what is new between two ordered lists of package files. Pure. */
#ifndef PF_CHANGES_H
#define PF_CHANGES_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

enum pf_change_kind {
    PF_CHANGE_ADDED,
    PF_CHANGE_REMOVED,
    PF_CHANGE_UPDATED, /* the same package by another file name: version, arch, build or suffix */
    PF_CHANGE_CHANGED, /* the same file name, other content */
};

struct pf_change {
    enum pf_change_kind kind;
    const char *old_name; /* NULL: added */
    const char *new_name; /* NULL: removed */
};

struct pf_changes {
    struct pf_change *items; /* in the new list's order, then what was removed in the old one's */
    size_t count;
    bool reordered; /* both lists have the same file names, in another order */
};

/* Compares two lists of file names, each name once in a list. changed says for each new name
   whether its content is another than that of the old file of the same name (ignored where there is
   none; NULL: none has changed). A list may have several versions of a package: equal file names
   belong together first, then of one NAME (pf_pkgname_parse) the first old to the first new, and so
   on; those left over are added or removed. A file that is no package belongs to its own name
   alone. The changes point to the names of the lists. The caller ends them with pf_changes_end,
   also after an error. */
int pf_changes_find(const char *const *old_names, size_t old_count, const char *const *new_names,
                    const bool *changed, size_t new_count, struct pf_changes *out,
                    struct pf_error *err);

void pf_changes_end(struct pf_changes *changes);

#endif
