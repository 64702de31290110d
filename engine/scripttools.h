/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scripttools: the tools that package scripts run with: the release's own, out of the plan's
   package of its installer. Plamo's installpkg exports the installer's directory as PATH, and
   nothing else. */
#ifndef PF_SCRIPTTOOLS_H
#define PF_SCRIPTTOOLS_H

#include "error.h"
#include "manifest.h"
#include "profile.h"
#include "stage.h"

#include <stddef.h>

/* The package in the manifest, the first in order; SIZE_MAX: there is none. */
size_t pf_scripttools_find(const struct pf_manifest *manifest,
                           const struct pf_profile_tools *source);

/* Puts the tools of the package file into the view (see scriptview.h). It is verified to its end
   as any package is. PF_E_ABSENT where it has no shell. */
int pf_scripttools_unpack(int folder_fd, const char *file, const struct pf_profile_tools *source,
                          const struct pf_stage_limits *limits, int work_fd, struct pf_error *err);

/* The same with the host's static busybox, under the names of its applets, for sandboxes that
   cannot show the host's programs. PF_E_ABSENT where the host has none. */
int pf_scripttools_from_busybox(int work_fd, struct pf_error *err);

#endif
