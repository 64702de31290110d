/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* httpheader: the header lines that resuming a download needs. Pure. */
#ifndef PF_HTTPHEADER_H
#define PF_HTTPHEADER_H

#include <stddef.h>
#include <stdint.h>

/* If the header line (not terminated, with or without its CRLF) is "NAME: value", gives the value
   without blanks around it; the caller frees it. NULL for another line, for a value with a control
   character in it (RFC 9110, 5.5; none of the headers asked for has a tab), or where memory is
   short. */
char *pf_httpheader_value(const char *line, size_t length, const char *name);

/* A Content-Range (RFC 9110, 14.4). -1: not said. */
struct pf_httpheader_range {
    int64_t start, total;
};

/* "bytes 5-9/10", the same with "*" for 10, or "bytes *" and "/10" (of a 416). Anything else is -1,
   -1, also a range that ends before it starts, or beyond the total. */
struct pf_httpheader_range pf_httpheader_read_range(const char *value);

#endif
