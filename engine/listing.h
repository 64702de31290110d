/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* listing: the names in a mirror's folder; an index page's bytes become a list of them. Pure. */
#ifndef PF_LISTING_H
#define PF_LISTING_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pf_names;

struct pf_listing_entry {
    char *name; /* one path component, percent-decoded, as the server means it */
    char *url;  /* absolute, percent-encoded as the page had it; a folder's ends in a slash */
    bool folder;
    bool link;            /* the server says that it is a symbolic link; a page never does */
    int64_t size_bytes;   /* -1: not said, as by every page */
    uint64_t about_bytes; /* what a page says of it, rounded; 0: nothing */
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

/* May it be an entry's name? One component of 1 to NAME_MAX bytes, without a slash or control
   characters, neither "." nor "..". */
bool pf_listing_is_name(const char *name, size_t length);

/* Appends a copy of the entry to a listing. Where its name is none, or is in the listing already
   (seen, which starts empty and serves one listing), nothing happens. PF_E_LIMIT where the listing
   has as many entries as one may have. */
int pf_listing_add(struct pf_listing *listing, struct pf_names *seen,
                   const struct pf_listing_entry *entry, struct pf_error *err);

/* The same for an entry of the folder at folder_url, which ends in a slash: the entry's URL is made
   of it, the name with all but letters, digits and "-._~" percent-encoded, and a slash behind a
   folder; entry->url is not looked at. */
int pf_listing_add_child(struct pf_listing *listing, struct pf_names *seen, const char *folder_url,
                         const struct pf_listing_entry *entry, struct pf_error *err);

void pf_listing_end(struct pf_listing *listing);

#endif
