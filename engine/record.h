/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record: what installpkg notes of a package: its record, its line in install.log. Pure. */
#ifndef PF_RECORD_H
#define PF_RECORD_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

/* How the release's tar prints a member's name into a file list. */
enum pf_record_names {
    PF_RECORD_NAMES_PLAIN,   /* busybox: the bytes; but a newline, which would forge a line, is "\n"
                              */
    PF_RECORD_NAMES_ESCAPED, /* GNU tar in the C locale: "\\\\", "\\n", "\\ooo" */
};

/* What one byte of a name takes at the most. */
#define PF_RECORD_ESCAPE_MAX 4

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

/* Writes a member's name as a file list has it to `out`, which has room for PF_RECORD_ESCAPE_MAX
   times its length. Returns how many bytes that were; none is added to end it. (GNU tar manual,
   "Quoting Member Names", style "escape".) */
size_t pf_record_write_name(enum pf_record_names names, const char *stored, char *out);

/* Reads a file of var/log/packages as pf_pkgdb_record writes it. PF_E_CORRUPT for a text without
   those two parts, with a NUL byte, or with a path that is absolute, has a "..", or is too long.
   The caller ends *out with pf_record_end, also after an error. */
int pf_record_read(const char *text, size_t length, enum pf_record_names names,
                   struct pf_record *out, struct pf_error *err);
void pf_record_end(struct pf_record *record);

/* Takes the escapes out of a listed name, in place. */
void pf_record_read_name(enum pf_record_names names, char *name);

/* Does a line of install.log ("i DATE: STEM", without its newline) tell of an installation? Then
 *stem points into it. */
bool pf_record_log_line(const char *line, size_t length, const char **stem, size_t *stem_length);

#endif
