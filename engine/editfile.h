/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* editfile: reads a text file of a root and puts a changed one in its place, owner and mode kept.
 */
#ifndef PF_EDITFILE_H
#define PF_EDITFILE_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

/* A configuration file larger than this is none. */
#define PF_EDITFILE_MAX_BYTES (16u << 20)

struct pf_editfile {
    char *text; /* NUL behind it */
    size_t length;
    struct stat st;
};

/* Reads the regular file PATH inside the root. 1: there is none that could be read, errno tells why
   (ENOENT, ENOTDIR, ELOOP, ENXIO for something that is no regular file); nothing is to be ended
   then. PF_E_LIMIT where it is larger than PF_EDITFILE_MAX_BYTES. */
int pf_editfile_read(int root_fd, const char *path, struct pf_editfile *out, struct pf_error *err);

/* Puts a file with the new text and the old one's owner and mode under the name, at once. As `sed
   -i` has it, a link under that name gives way to the file, and other hard links keep the old text.
   keep_links is ed's way instead: where there are such links, what they lead to is written. */
int pf_editfile_replace(int root_fd, const char *path, const struct stat *old, bool keep_links,
                        const char *text, size_t length, struct pf_error *err);

/* Overwrites the text in memory, which may hold secrets, and frees it. */
void pf_editfile_end(struct pf_editfile *file);

#endif
