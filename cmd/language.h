/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* language: the programs' texts in the user's language, by gettext. */
#ifndef PF_CMD_LANGUAGE_H
#define PF_CMD_LANGUAGE_H

#include "engine.h"

#include <libintl.h>

/* The text in the user's language. Not for an empty text, nor for what report_error takes, which is
   translated there. */
#define _(text) dgettext(PF_TEXT_DOMAIN, text)

/* The same of a text with a count, in the form for it. */
#define P_(one, many, count) dngettext(PF_TEXT_DOMAIN, one, many, count)

/* Marks a text that is translated where it is used. */
#define N_(text) text

/* Takes the language of messages and the encoding from the environment; numbers and times stay as
   they are. The catalogues are where they were installed, or in the folder TEXTDOMAINDIR. Call it
   first. */
void language_init(void);

#endif
