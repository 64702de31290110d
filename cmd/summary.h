/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* summary: the closing lines of a run: what was done, from where, and how long each stage took. */
#ifndef PF_CMD_SUMMARY_H
#define PF_CMD_SUMMARY_H

#include "engine.h"

void summary_print(const struct pf_stats *stats);

#endif
