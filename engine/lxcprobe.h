/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxcprobe: asks LXC's own tools whether containers could be started, before any is made. */
#ifndef PF_LXCPROBE_H
#define PF_LXCPROBE_H

#include "error.h"
#include "idmap.h"

#include <stdbool.h>

/* Does LXC take the text as a container's configuration (lxc-info with it in the file's place)?
   *map gets its lxc.idmap, also what included files say. PF_E_INVALID, with the line, where it does
   not. Where LXC is not installed *asked is false, and *map is what the text itself says. */
int pf_lxcprobe_config(const char *text, bool *asked, struct pf_idmap *map, struct pf_error *err);

/* May root use this map (lxc-usernsexec; newuidmap(1) wants it in subuid(5)), and can the
   container's root reach the directory, as it must to mount its root there? PF_E_INVALID where not.
   Without LXC nothing is asked. */
int pf_lxcprobe_map(const struct pf_idmap *map, const char *folder, struct pf_error *err);

#endif
