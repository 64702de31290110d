/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* namelist: lists of containers' names, from words with ranges and from files. */
#ifndef PF_CMD_NAMELIST_H
#define PF_CMD_NAMELIST_H

#include <stddef.h>

/* More than this in one run is a mistyped range. */
#define NAMELIST_MAX 10000

/* Zero-initialise it. */
struct namelist {
    char **names;
    size_t count;
};

/* Adds the names that a word stands for: "web{001..100}" for web001 to web100, as many digits as
   the longer end has where one begins with 0 (as in bash), "{a,b,3..5}" for each in turn; several
   braces give every combination, the last one running fastest. The order of numbers may be
   downwards. 0; -1 where it makes no sense, with the reason in why. */
int namelist_add(struct namelist *names, const char *word, char why[256]);

/* Adds PREFIX1 to PREFIXcount. */
int namelist_add_numbered(struct namelist *names, const char *prefix, unsigned count,
                          char why[256]);

/* Adds the words of a file ("-": standard input), with "#" and what follows it left out. What makes
   no sense is told as "FILE:LINE: …" in why. */
int namelist_add_file(struct namelist *names, const char *file, char why[256]);

void namelist_end(struct namelist *names);

#endif
