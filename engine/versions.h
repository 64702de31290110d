/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* versions: which libraries the engine runs with. */
#ifndef PF_VERSIONS_H
#define PF_VERSIONS_H

#include <stddef.h>

#define PF_VERSION_SIZE 64

/* Library number `index`, from 0 on: its name, and the version that is loaded. NULL behind the
   last. */
const char *pf_versions_get(size_t index, char version[PF_VERSION_SIZE]);

/* As LZMA_VERSION has it. */
unsigned pf_versions_lzma(void);

#define PF_VERSIONS_LZMA_FAST 50080002u /* 5.8.0: decodes in two thirds of the time */

#endif
