/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* jsontext: JSON of texts that may be no text, and its printing. */
#ifndef PF_CMD_JSONTEXT_H
#define PF_CMD_JSONTEXT_H

#include <jansson.h>

/* A string; null for NULL; and for bytes that are no UTF-8, which JSON cannot hold, the object
   {"hex": "…"}. NULL where memory is short. */
json_t *json_text(const char *text);

/* A value as text with jansson's flags, of which a terminal takes nothing for an order: control
   characters (also DEL and U+0080 to U+009F), line separators and changes of the direction of
   writing are escaped. NULL where memory is short; the caller frees it. */
char *json_plain(const json_t *value, size_t flags);

/* Prints a value, which it takes over and which may be NULL (memory was short), and a newline. -1
   after saying what went wrong. */
int json_print(json_t *value);

#endif
