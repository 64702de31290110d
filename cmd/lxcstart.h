/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxcstart: starts a container by LXC's own tools. */
#ifndef PF_CMD_LXCSTART_H
#define PF_CMD_LXCSTART_H

/* Starts the container NAME in lxcpath (NULL: LXC's) and waits until it runs. Nothing is done where
   it runs already. -1 where it does not come up; what lxc-start says of it goes to stderr. */
int lxc_start(const char *lxcpath, const char *name);

#endif
