/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* overlay: a container's root that lies upon another one, seen while it is configured. */
#ifndef PF_OVERLAY_H
#define PF_OVERLAY_H

#include "error.h"

/* The folders of an overlay, as LXC names them below a container (mount_fs of its overlay.c). */
#define PF_OVERLAY_FOLDER "overlay"
#define PF_OVERLAY_UPPER  "overlay/delta"
#define PF_OVERLAY_WORK   "overlay/work"

/* Could LXC mount an overlay with these two? It writes them into one option string, where commas
   and colons part things, and which is a page at most. PF_E_INVALID where not. */
int pf_overlay_check(const char *lower, const char *upper, struct pf_error *err);

/* Makes the folders for an overlay upon lower below an empty container's folder, open as fd: the
   upper one with lower's owner and mode, and an empty rootfs, where LXC mounts it. */
int pf_overlay_make(int fd, const char *lower, struct pf_error *err);

/* Mounts the overlay of the container at path (absolute) on its rootfs and opens that. The calling
   thread gets mounts of its own, which nobody else sees and which end with it: it must not be the
   main thread. The kernel does not flush what is written (the option volatile, where it has that),
   so the caller does. A descriptor, or a negative code. */
int pf_overlay_open(const char *path, const char *lower, struct pf_error *err);

/* Takes the overlay away again and closes root_fd. */
int pf_overlay_close(const char *path, int *root_fd, struct pf_error *err);

#endif
