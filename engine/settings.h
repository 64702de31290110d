/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settings: the caller's settings, checked, completed with defaults, and owned. */
#ifndef PF_SETTINGS_H
#define PF_SETTINGS_H

#include "engine.h"
#include "lockfile.h"
#include "profile.h"

struct pf_settled {
    const struct pf_profile *profile;
    char *release, *arch, *cache_folder;
    struct pf_lockfile lock;                          /* without entries: none */
    char *ca_file;                                    /* or NULL */
    char **mirrors;                                   /* without slashes at their ends */
    char **categories, **contrib, **addons, **ignore; /* all lists end with NULL */
    unsigned jobs, connections, lock_timeout_s;
    unsigned max_age_s, keep; /* of updates */
    uint64_t limit_bytes_per_s;
    unsigned least_bytes_per_s, stall_timeout_s, fetch_timeout_s, ip_version; /* 0: the default */
    struct pf_limits limits; /* as the caller gave them */
    bool own_mirrors;        /* the caller named them */
    bool skip_corrupt, no_checksums, digest, offline, update, no_sandbox;
};

/* Copies and completes. The caller ends it with pf_settled_end, also after an error. */
int pf_settle(const struct pf_settings *settings, struct pf_settled *out, struct pf_error *err);
void pf_settled_end(struct pf_settled *settled);

#endif
