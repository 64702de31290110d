/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* configure: makes a root fit for a container, by the edits of its release's profile. */
#ifndef PF_CONFIGURE_H
#define PF_CONFIGURE_H

#include "error.h"
#include "event.h"
#include "profile.h"

/* Applies all edits inside the root. name is the container's. An edit whose file is not there is
   reported by a warning that names it, and the rest goes on; a failing disk is an error. */
int pf_configure_root(int root_fd, const struct pf_profile *profile, const char *name,
                      struct pf_events *events, struct pf_error *err);

#endif
