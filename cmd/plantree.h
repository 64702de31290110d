/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plantree: a plan as the tree of the mirror's folders, with sizes. */
#ifndef PF_CMD_PLANTREE_H
#define PF_CMD_PLANTREE_H

#include "engine.h"

/* Prints each folder with the bytes and the number of all files below it, and its files, in the
   plan's order. A "+" behind a sum: the mirror does not say how large some of the files are. -1
   where memory is short. */
int plantree_print(const struct pf_plan_file *files, size_t count);

#endif
