/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* folderlist: what one folder of a mirror holds, whatever the scheme: an index page, LIST and MLSD,
   or a folder of this machine. */
#ifndef PF_FOLDERLIST_H
#define PF_FOLDERLIST_H

#include "error.h"
#include "fetch.h"
#include "listing.h"

#include <stdbool.h>

/* What is known of a server; shared by all that ask it, on one thread. */
struct pf_folderlist_server {
    bool no_mlsd;   /* it has refused MLSD */
    bool no_list_a; /* "LIST -a" is not for it */
};

struct pf_folderlist;

/* The folder has been listed (list->listing), or error says why not, and *unsafe whether it was
   because the server could not prove who it is. Non-zero ends the fetch run with that code. */
typedef int (*pf_folderlist_fn)(void *ctx, const struct pf_error *error, bool unsafe);

struct pf_folderlist {
    struct pf_listing listing; /* the result */
    /* While it is asked for: */
    struct pf_fetch *fetch;
    struct pf_folderlist_server *server;
    const char *url; /* the caller's */
    unsigned attempts;
    bool plain; /* LIST is asked for, no longer "LIST -a" */
    pf_folderlist_fn done;
    void *ctx;
    unsigned expected;       /* answers that are still to come */
    struct pf_listing facts; /* of MLSD */
    struct pf_error error;
    bool unsafe;
};

/* Asks for the folder at url (which ends in a slash). attempts as in pf_fetch_page. list is
   zero-initialised, and it and url stay where they are until done was called or the fetch run has
   ended; the caller ends it with pf_folderlist_end, also after an error. A folder of this machine
   is listed at once: done is called before this returns, with its code. */
int pf_folderlist_ask(struct pf_folderlist *list, struct pf_fetch *fetch,
                      struct pf_folderlist_server *server, const char *url, unsigned attempts,
                      pf_folderlist_fn done, void *ctx, struct pf_error *err);
void pf_folderlist_end(struct pf_folderlist *list);

#endif
