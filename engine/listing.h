/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* listing: the bytes of a mirror's index page become a list of names. Pure. */
#ifndef PF_LISTING_H
#define PF_LISTING_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

struct pf_listing_entry {
    char *name; /* one path component, percent-decoded, as the server means it */
    char *url;  /* absolute, percent-encoded as the page had it */
    bool folder;
};

/* The entries in the order of the page, each name once (a file and a folder of one name are two).
 */
struct pf_listing {
    struct pf_listing_entry *entries;
    size_t count;
};

/* Reads the links of an HTML index page: those that point at direct children of the page's own
   folder, on the same host, by the same or a safer scheme, without a query. Everything else (sort
   links, parents, foreign hosts, names with a slash or control characters in them) is dropped.
   PF_E_LIMIT where the page has too
   many entries or nests too deep. page_url is the address the page came from, after redirects, with
   a slash at its end. The caller ends the listing with pf_listing_end, also after an error. */
int pf_listing_parse_html(const char *page, size_t length, const char *page_url,
                          struct pf_listing *out, struct pf_error *err);

void pf_listing_end(struct pf_listing *listing);

#endif
