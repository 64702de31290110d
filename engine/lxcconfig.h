/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxcconfig: reads and completes the configuration that lxc-create has begun for a container. */
#ifndef PF_LXCCONFIG_H
#define PF_LXCCONFIG_H

#include "error.h"

#include <stdbool.h>
#include <stdio.h>

/* What a configuration says of a container. */
struct pf_lxcconfig_container {
    const char *name;
    const char *arch;
    const char *home; /* the folder that PATH is going to be; NULL: it is that already */
    bool mapped;      /* an unprivileged user's */
    bool fstab;       /* with an fstab of its own, PATH/fstab, made empty where it is missing */
};

/* Appends the container's name, its fstab, its architecture and, where LXC has them, the includes
   for Plamo containers to PATH/config (for a mapped container also the user-namespace one). The
   keys are those of LXC 2.1 and later, but those of older ones (lxc.utsname, lxc.mount) where the
   file has such keys (lxc.rootfs, lxc.network.type, …) and none of the later (lxc.conf(5) of
   LXC 1.0 and of 2.1). */
int pf_lxcconfig_append(const char *path, const struct pf_lxcconfig_container *container,
                        struct pf_error *err);

/* Writes the includes that it appends. */
void pf_lxcconfig_put_includes(FILE *stream, bool mapped);

/* Puts lines at the end of PATH/config. */
int pf_lxcconfig_add(const char *path, const char *lines, struct pf_error *err);

/* The root of the container: lxc.rootfs.path (before LXC 2.1: lxc.rootfs) of PATH/config, else
   PATH/rootfs. The last setting counts, and quotation marks around a value do not (as LXC reads
   it). Of "dir:" and "btrfs:" the path behind counts; PF_E_INVALID for what lies on a storage that
   would have to be mounted first (loop, lvm, zfs, overlay and any other). *rootfs is the caller's
   to free. */
int pf_lxcconfig_rootfs(const char *path, char **rootfs, struct pf_error *err);

/* Binds the home of a host user into the container: a mount entry in PATH/config, the folder, and
   the user's passwd and shadow lines in the root (which is open as root_fd and lies at rootfs). A
   user whom the host does not know, or whose home is none or the host's root, is PF_E_INVALID. */
int pf_lxcconfig_bindhome(const char *path, const char *rootfs, int root_fd, const char *user,
                          struct pf_error *err);

#endif
