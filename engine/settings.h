/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settings: the caller's settings, checked, completed with defaults, and owned. */
#ifndef PF_SETTINGS_H
#define PF_SETTINGS_H

#include "engine.h"
#include "profile.h"

struct pf_settled {
    const struct pf_profile *profile;
    char *release, *arch, *mirror, *cache_folder;
    char **categories, **contrib, **addons, **ignore; /* end with NULL */
    unsigned jobs, connections, lock_timeout_s;
    bool skip_corrupt;
};

/* Copies and completes. The caller ends it with pf_settled_end, also after an error. */
int pf_settle(const struct pf_settings *settings, struct pf_settled *out, struct pf_error *err);
void pf_settled_end(struct pf_settled *settled);

#endif
