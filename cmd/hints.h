/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hints: what to do about an error of the engine. Pure. */
#ifndef PF_CMD_HINTS_H
#define PF_CMD_HINTS_H

#include "engine.h"

/* One clause in the user's language, to stand behind the error's text and "; ": the error's own, or
   what its code allows to say. NULL: nobody knows. Valid as long as err. */
const char *hints_find(const struct pf_error *err);

#endif
