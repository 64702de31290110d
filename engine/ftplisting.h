/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ftplisting: what an FTP server answers to LIST and MLSD becomes a list of names. Pure. */
#ifndef PF_FTPLISTING_H
#define PF_FTPLISTING_H

#include "error.h"
#include "listing.h"

#include <stddef.h>

/* Both parsers: folder_url is the folder that was listed, with a slash at its end (else
   PF_E_INVALID). Lines end with LF or CRLF. The entries come in the server's order, each name once,
   with URLs as pf_listing_add_child makes them. "." and ".." and what is neither file, folder nor
   link is left out; a line that cannot be understood, or whose name can be none, is left out and
   counted in *dropped (which may be NULL). PF_E_LIMIT where there are too many entries. The caller
   ends the listing with pf_listing_end, also after an error. */

/* Reads what LIST gives: lines as `ls -l` writes them, or as DOS does (IIS). Nothing says what a
   symbolic link points at, so it is a file of unknown size. That is also how wget 1.21 takes it
   while it recurses: with --retr-symlinks, its default since 1.16, it asks for a link as for a
   file, goes on without it where the server refuses (a link to a folder, or to nothing), and never
   enters a folder through one. */
int pf_ftplisting_parse_list(const char *text, size_t length, const char *folder_url,
                             struct pf_listing *out, size_t *dropped, struct pf_error *err);

/* Reads what MLSD gives (RFC 3659, 7.2): facts, one space, the name. A line without a type is one
   that cannot be understood. Some servers say what a link points at by type "file" or "dir", and
   then it is an entry like others. */
int pf_ftplisting_parse_mlsd(const char *text, size_t length, const char *folder_url,
                             struct pf_listing *out, size_t *dropped, struct pf_error *err);

/* Completes what LIST gave by what MLSD gave for the same folder. The order and the names stay
   those of LIST; type and size of a name that both have become those of the facts (a link of LIST
   stays marked as one, so that who recurses as wget does can leave out a folder behind a link).
   Where LIST has no entry at all, because nobody knows its format, the list becomes the facts'.
   After an error the list is as it was. */
int pf_ftplisting_settle(struct pf_listing *list, const struct pf_listing *facts,
                         struct pf_error *err);

#endif
