/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* profile: what each Plamo release does differently, as data. No other file knows a release. */
#ifndef PF_PROFILE_H
#define PF_PROFILE_H

#include "record.h"
#include "textedit.h"

#include <stdbool.h>
#include <sys/types.h>

enum pf_edit_kind {
    PF_EDIT_WRITE,    /* the file gets `text` as its content; %N in it is the container's name */
    PF_EDIT_APPEND,   /* `text` is put at the file's end */
    PF_EDIT_REMOVE,   /* the file goes; that it is not there is no fault */
    PF_EDIT_SYMLINK,  /* a link to `text`, replacing what is there */
    PF_EDIT_TIMEZONE, /* the same, to `text` with the time zone's name behind it */
    PF_EDIT_RENAME,   /* the file gets the name `text`, replacing what has it */
    PF_EDIT_CHMOD,    /* the file gets `mode` */
    PF_EDIT_NODE,  /* a device, fifo or folder as `mode` and the numbers say; folders above too */
    PF_EDIT_LINES, /* the line edits one after the other, as `sed -i` leaves a file */
    PF_EDIT_LINES_IN_PLACE, /* the same, as `ed` leaves a file: links to it see the edits */
    PF_EDIT_GENERATE,       /* sh runs the file less its last `drop_lines` lines, with `text` behind
                               them; the root is the working directory. It makes the file `makes` */
    PF_EDIT_RUN,            /* the program is run with the root as its / */
};

/* When an edit is made. */
enum pf_edit_when {
    PF_WHEN_ALWAYS,
    PF_WHEN_DHCP,       /* the container asks for an address by DHCP */
    PF_WHEN_NO_NETWORK, /* the container sets up no interface but the loopback */
};

/* One step of making a root fit for a container. */
struct pf_edit {
    enum pf_edit_kind kind;
    enum pf_edit_when when;
    const char *path; /* below the root, like `makes` and the `text` of a rename */
    const char *text;
    const char *makes;
    const struct pf_textedit *lines; /* ends with one whose match is NULL */
    mode_t mode;                     /* of a node with its type (S_IFCHR, S_IFIFO, S_IFDIR) */
    unsigned device_major, device_minor;
    unsigned drop_lines;
};

/* The package that has the release's own installer, whose tools scripts run with. */
struct pf_profile_tools {
    const char *package;   /* its name; digits may follow ("pkgtools8") */
    const char *directory; /* of the tools, below the package's root */
};

struct pf_profile {
    unsigned first_major, last_major;      /* the releases it is for */
    const char *const *default_categories; /* each list ends with NULL */
    const char *const *default_addons;
    const char *const *default_ignore;
    const char *const *known_categories; /* folders that the release has below plamo/ */
    const char *const *known_contrib;    /* and below contrib/ */
    const char *default_timezone;        /* a name below usr/share/zoneinfo */
    const char *root_password;           /* as pf_rootpassword_read has it; NULL: kept as it is */
    enum pf_record_names listed;         /* how records list the names of members */
    bool lxc_fstab;                      /* the container has an fstab of its own beside its root */
    struct pf_profile_tools tools;
    const struct pf_edit *edits; /* in order; ends with one whose path is NULL */
};

/* The release that is built where none is named. */
const char *pf_profile_default_release(void);

/* The profile for a release ("8.x"), or NULL where there is none. */
const struct pf_profile *pf_profile_find(const char *release);

#endif
