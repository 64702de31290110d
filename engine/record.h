/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record: reads what installpkg notes of a package: its record, its line in install.log. Pure. */
#ifndef PF_RECORD_H
#define PF_RECORD_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

/* One thing that a package brought. */
struct pf_record_file {
    const char *path; /* normalised: "a/b/c"; "" is the root */
    bool folder;
};

/* A record's parts; the strings are its own. */
struct pf_record {
    char *text;
    const char *stem;             /* "PACKAGE NAME:" */
    struct pf_record_file *files; /* "FILE LIST:", in archive order */
    size_t count;
};

/* Reads a file of var/log/packages as pf_pkgdb_record writes it. PF_E_CORRUPT for a text without
   those two parts, with a NUL byte, or with a path that is absolute, has a "..", or is too long.
   The caller ends *out with pf_record_end, also after an error. */
int pf_record_read(const char *text, size_t length, struct pf_record *out, struct pf_error *err);
void pf_record_end(struct pf_record *record);

/* Does a line of install.log ("i DATE: STEM", without its newline) tell of an installation? Then
 *stem points into it. */
bool pf_record_log_line(const char *line, size_t length, const char **stem, size_t *stem_length);

#endif
