/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* configure: makes a root fit for a container, by the edits of its release's profile. */
#ifndef PF_CONFIGURE_H
#define PF_CONFIGURE_H

#include "error.h"
#include "event.h"
#include "profile.h"
#include "rootpassword.h"

#include <stdatomic.h>
#include <stdbool.h>

/* What the caller wants of a root. */
struct pf_configure_wish {
    const char *name;          /* the container's */
    const char *timezone;      /* like "Europe/Berlin"; NULL: the profile's */
    const char *network;       /* "dhcp" or "none"; NULL: "dhcp" */
    const char *root_password; /* as pf_rootpassword_read has it; NULL: the profile's rule */
    bool of_container;         /* it gets the nodes of terminals that its release has */
    bool no_sandbox;           /* run programs with all that this process may do */
};

/* The same, checked. The strings are the wish's and the profile's. */
struct pf_configure {
    const struct pf_profile *profile;
    const char *name;
    const char *timezone;
    enum pf_edit_when network; /* the edits made besides those that are always made */
    struct pf_rootpassword root_password;
    bool of_container;
    bool no_sandbox;
    bool default_password; /* a password that everybody knows is set, and nobody asked for it */
};

/* Checks a wish and makes it ready, before anything is touched. PF_E_INVALID where a part of it
   makes no sense. End it with pf_configure_end, after a failure too. */
int pf_configure_settle(const struct pf_configure_wish *wish, const struct pf_profile *profile,
                        struct pf_configure *out, struct pf_error *err);

/* Applies all edits inside the root. An edit whose file or line is not there, or whose program does
   not run, is reported by a warning that names it, and the rest goes on; a failing disk is an
   error, as is a sandbox that cannot be had for a program. Programs' lines come as PF_EVENT_SCRIPT.
   cancel (may be NULL) ends a running program. */
int pf_configure_root(int root_fd, const struct pf_configure *configure, struct pf_events *events,
                      const atomic_bool *cancel, struct pf_error *err);

void pf_configure_end(struct pf_configure *configure);

#endif
