/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* localfolder: lists a folder of a mirror that is a folder of this machine ("file://…"). */
#ifndef PF_LOCALFOLDER_H
#define PF_LOCALFOLDER_H

#include "error.h"
#include "listing.h"

/* Lists the folder at url: "file:///path/", with an empty host or "localhost", percent-encoded,
   with a slash at its end and neither query nor fragment (else PF_E_INVALID). The entries are
   sorted by the bytes of their names: regular files with their sizes, and folders; a symbolic link
   is what it points at. Anything else (fifos, devices, links to nothing) and names that no listing
   has (pf_listing_is_name) are left out; nothing is opened but the folder. The URLs are as
   pf_listing_add_child makes them. A folder that is not there, or is none, is PF_E_ABSENT; what
   else the system refuses is PF_E_SYSTEM and the like, with the path in the text. The caller ends
   the listing with pf_listing_end, also after an error. */
int pf_localfolder_list(const char *url, struct pf_listing *out, struct pf_error *err);

#endif
