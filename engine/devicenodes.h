/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* devicenodes: a root's device nodes are taken out of it while a script runs that nothing else
   keeps from opening them, and put back after it. */
#ifndef PF_DEVICENODES_H
#define PF_DEVICENODES_H

#include "error.h"

#include <stdbool.h>

struct pf_devicenodes;

/* Makes a character device's node in dir_fd, if such can be opened there. 1: it is there; 0: it
   cannot be made, or not be opened; -1 with errno. */
int pf_devicenodes_make(int dir_fd, const char *name, unsigned major_number, unsigned minor_number);

/* *held: no device node but those that a device cgroup may allow can be opened in this directory
   (or none can be made). Tried with a node of a device that is nobody's. */
int pf_devicenodes_are_held(int dir_fd, bool *held, struct pf_error *err);

/* Puts an empty file in the place of each device node of the root, but the few that scripts may
   open (sandboxhelper.h), with its owner and mode. */
int pf_devicenodes_hide(int root_fd, struct pf_devicenodes **out, struct pf_error *err);

/* Puts the nodes back where their files still are, with the owner and mode that these have by then;
   a file that is gone takes its node with it. PF_E_LIMIT where the script gave one another name:
   that this sandbox cannot follow. Frees nodes in any case; NULL is fine. */
int pf_devicenodes_show(struct pf_devicenodes *nodes, struct pf_error *err);

#endif
