/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sizehint: what the words behind a link of an index page say of the file's size. Pure. */
#ifndef PF_SIZEHINT_H
#define PF_SIZEHINT_H

#include <stdint.h>

/* The last word of text that is a size: "12345" (nginx), "1.2M" (Apache, lighttpd), "1.2 MiB"
   (Caddy). Servers round, so it is good for a forecast and nothing else. 0: there is none. */
uint64_t pf_sizehint_read(const char *text);

#endif
