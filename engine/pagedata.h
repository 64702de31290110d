/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pagedata: a page that is gzip data, whatever the server said, becomes what it is of. Pure (zlib).
 */
#ifndef PF_PAGEDATA_H
#define PF_PAGEDATA_H

#include "bytes.h"
#include "error.h"

#include <stddef.h>

/* Where the page begins as gzip data does (RFC 1952, 2.3.1), which no index page and no list of
   sums is, its content takes its place. PF_E_NETWORK: it is damaged, or is of more than max_bytes;
   then the page is as it was. */
int pf_pagedata_unpack(struct pf_bytes *page, size_t max_bytes, struct pf_error *err);

#endif
