/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* profile: what each Plamo release does differently, as data. No other file knows a release. */
#ifndef PF_PROFILE_H
#define PF_PROFILE_H

#include "textedit.h"

enum pf_edit_kind {
    PF_EDIT_WRITE,   /* the file gets `text` as its content; %N in it is the container's name */
    PF_EDIT_APPEND,  /* `text` is put at the file's end */
    PF_EDIT_REMOVE,  /* the file goes; that it is not there is no fault */
    PF_EDIT_SYMLINK, /* a link to `text`, replacing what is there */
    PF_EDIT_LINES,   /* the line edits are applied one after the other */
};

/* One step of making a root fit for a container. */
struct pf_edit {
    enum pf_edit_kind kind;
    const char *path; /* below the root */
    const char *text;
    const struct pf_textedit *lines; /* ends with one whose match is NULL */
};

struct pf_profile {
    unsigned first_major, last_major;      /* the releases it is for */
    const char *const *default_categories; /* each list ends with NULL */
    const char *const *default_addons;
    const char *const *default_ignore;
    const struct pf_edit *edits; /* in order; ends with one whose path is NULL */
};

/* The release that is built where none is named. */
const char *pf_profile_default_release(void);

/* The profile for a release ("8.x"), or NULL where there is none. */
const struct pf_profile *pf_profile_find(const char *release);

#endif
