/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hints: what to do about an error of the engine. Pure. */
#ifndef PF_CMD_HINTS_H
#define PF_CMD_HINTS_H

#include "engine.h"

/* One clause, to stand behind the error's text and "; ". NULL: the text says itself what to do,
   which it does behind a semicolon, in brackets, or by naming an option or another name; or nobody
   knows. */
const char *hints_find(const struct pf_error *err);

#endif
