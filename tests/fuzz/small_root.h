/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* small_root: what scripts and packages may meet in a root. */
#ifndef PF_FUZZ_SMALL_ROOT_H
#define PF_FUZZ_SMALL_ROOT_H

/* Makes in the cage's folder (see cage.h): folders, files, and links to each, upwards, out of the
   root, to the cage's sentinels, and in a loop. */
void small_root_make(int root_fd);

#endif
