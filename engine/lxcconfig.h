/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxcconfig: reads and completes the configuration that lxc-create has begun for a container. */
#ifndef PF_LXCCONFIG_H
#define PF_LXCCONFIG_H

#include "error.h"

#include <stdbool.h>

/* Appends lxc.uts.name, lxc.arch and, where LXC has them, the includes for Plamo containers to
   PATH/config (for a mapped container also the user-namespace one). Keys as in LXC 2.1 and later.
 */
int pf_lxcconfig_append(const char *path, const char *name, const char *arch, bool mapped,
                        struct pf_error *err);

/* The root of the container: lxc.rootfs.path of PATH/config without its "dir:", else PATH/rootfs.
 *rootfs is the caller's to free. */
int pf_lxcconfig_rootfs(const char *path, char **rootfs, struct pf_error *err);

/* Binds the home of a host user into the container: a mount entry in PATH/config, the folder, and
   the user's passwd and shadow lines in the root (which is open as root_fd and lies at rootfs). A
   user whom the host does not know is PF_E_INVALID. */
int pf_lxcconfig_bindhome(const char *path, const char *rootfs, int root_fd, const char *user,
                          struct pf_error *err);

#endif
