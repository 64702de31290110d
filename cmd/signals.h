/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* signals: SIGINT, SIGTERM and SIGHUP end a run cleanly; the second one ends it at once. */
#ifndef PF_CMD_SIGNALS_H
#define PF_CMD_SIGNALS_H

#include "engine.h"

/* From now on the signals cancel this engine; NULL: none. */
void signals_watch(struct pf_engine *engine);

/* What the first signal is answered with at once, a line on stderr; NULL: nothing. Ending may take
   its time. */
void signals_answer(const char *line);

/* The signal that came, or 0. */
int signals_caught(void);

#endif
