/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* owned: shows who put a path there. */
#ifndef PF_CMD_OWNED_H
#define PF_CMD_OWNED_H

#include "engine.h"

#include <jansson.h>

/* A line with the path and its owner, and one for each other package. */
void owned_print(const struct pf_owned *owned);

/* {"path", "present", "owner", "claims": [{"package", "kind", "target", "replaced"}…],
   "scripted_by", "configured"}. NULL where memory is short. */
json_t *owned_json(const struct pf_owned *owned);

#endif
