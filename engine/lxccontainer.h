/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxccontainer: what LXC has of containers: where they are, how a new one's configuration begins,
   whether one is whole. */
#ifndef PF_LXCCONTAINER_H
#define PF_LXCCONTAINER_H

#include "error.h"

/* Begins PATH/config as lxc-create does (0640): its heading, then the lines of LXC's default
   configuration but the blank ones, with random digits for the x of a hardware address
   (lxc.container.conf(5)), then the root. rootfs is the value of lxc.rootfs.path. */
int pf_lxccontainer_begin(const char *path, const char *defaults, const char *rootfs,
                          struct pf_error *err);

/* The text of the configuration that new containers begin with: FILE's; for NULL that of the file
   which /etc/lxc/lxc.conf names as lxc.default_config, else of /etc/lxc/default.conf, and an empty
   one where that is missing. *text is the caller's to free. */
int pf_lxccontainer_defaults(const char *file, char **text, struct pf_error *err);

/* LXC's path, where the containers are: lxc.lxcpath of /etc/lxc/lxc.conf (lxc.system.conf(5)), else
   /var/lib/lxc. *lxcpath is the caller's to free. */
int pf_lxccontainer_default_path(char **lxcpath, struct pf_error *err);

/* What is there for a container? 1: a whole one; 0: nothing, or an empty folder; else a negative
   code: PF_E_INVALID for what is none or not whole, or whose root is not there. */
int pf_lxccontainer_look(const char *path, struct pf_error *err);

#endif
