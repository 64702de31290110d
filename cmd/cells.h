/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cells: text cut to a number of a terminal's columns, wide characters and control characters
   minded; and amounts in few of them. Pure, but for the locale. */
#ifndef PF_CMD_CELLS_H
#define PF_CMD_CELLS_H

#include <stddef.h>
#include <stdint.h>

/* Writes as much of text as fits into that many columns, and fills with blanks; where it was cut it
   ends with "~". Bytes that are no printable character of the locale are shown as \xNN. Returns the
   bytes written (a NUL follows); size has room for 4 * columns + 1. */
size_t cells_fit(char *out, size_t size, const char *text, unsigned columns);

/* The columns that all of text takes. */
unsigned cells_width(const char *text);

/* "12.3/45.6 MB", in the unit of total; without one (0) "12.3 MB". */
void cells_bytes(char *out, size_t size, uint64_t bytes, uint64_t total);

/* "4.5 MB/s"; below 0: "". */
void cells_rate(char *out, size_t size, double bytes_per_s);

/* "0:07", "12:34", "1:02:03"; below 0: "-:--". */
void cells_time(char *out, size_t size, double seconds);

#endif
