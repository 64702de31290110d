/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* treedigest: one SHA-256 over a finished tree, the same wherever, whenever and by however many
   threads it was made of the same packages.

   It is the SHA-256 of "plamo-fast-tree 1" and, for everything below the root in the byte order of
   the paths, these fields, each ended by a NUL, and one NUL more:

     TYPE MODE UID GID   "f", "d", "l", "b", "c", "p" or "s"; the mode's lower 12 bits as octal
                         digits ("-" for a link, whose mode means nothing); the owner as this
                         process sees it; with blanks between them
     PATH                without a slash before it
     of f                SIZE, SHA256 of the content
     of l                where it leads
     of b and c          MAJOR:MINOR
     of f and d          NAME=VALUE in hexadecimal digits, for each extended attribute that belongs
                         to the tree: security.capability and user.*, in the byte order of the names

   A file that has several names is described at the first; the others are "h", PATH, FIRST PATH.

   What is left out, as it is of the run or the machine and not of the tree:
   - all times. Those of records, of links, of what scripts and the configuration write, and of
     folders that they write in are the moment of the build, and afterwards nobody can tell them
     from those of packages' files, which the packages' own digests fix.
   - the size of folders and how many names they have, which is the file system's affair.
   - other extended attributes: labels of the host's policy, access lists that a folder above left.
   - the root's own folder, which belongs to whoever made it.
   - the content of var/log/install.log, which is dates and what scripts said.
   - in records (var/log/packages, var/log/removed_packages) the line "PACKAGE LOCATION:", which
     names this machine's cache folder.
   - what is mounted below the root.

   A script that writes the time of day or random bytes into a file makes each build another tree.
 */
#ifndef PF_TREEDIGEST_H
#define PF_TREEDIGEST_H

#include "digest.h"
#include "error.h"

#include <stdatomic.h>

struct pf_treedigest_settings {
    unsigned threads;          /* that read files; 0: the caller's alone */
    const atomic_bool *cancel; /* may be NULL */
};

/* Reads the whole tree, which nobody may change meanwhile. PF_E_CANCELLED, or the error of whatever
   could not be read. */
int pf_treedigest(int root_fd, const struct pf_treedigest_settings *settings,
                  char text[PF_DIGEST_TEXT_SIZE], struct pf_error *err);

#endif
