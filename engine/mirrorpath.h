/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mirrorpath: where things are on a mirror. Pure. */
#ifndef PF_MIRRORPATH_H
#define PF_MIRRORPATH_H

#include <stdbool.h>

/* "Plamo-RELEASE/ARCH/PLACE/FILE", percent-encoded, without a slash in front. place is a folder
   below the architecture's ("plamo/00_base"; "" for that itself), slashes around it do not count.
   file NULL: the folder, with a slash at its end. The caller frees it; NULL where memory is short
   or a component is longer than a name may be. */
char *pf_mirrorpath(const char *release, const char *arch, const char *place, const char *file);

/* The place in a URL that ends in such a path to a file, decoded: "plamo/00_base". The caller frees
   it. NULL where the URL has another form, or memory is short. */
char *pf_mirrorpath_place(const char *url, const char *release, const char *arch);

/* Does a path have a component "." or ".."? */
bool pf_mirrorpath_has_dots(const char *path);

#endif
