/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scriptwords: may a shell script have changed a path? By its words, without running it. Pure. */
#ifndef PF_SCRIPTWORDS_H
#define PF_SCRIPTWORDS_H

#include <stdbool.h>

/* Does a word of the script, seen from the root or from a folder that it enters by cd, stand for
   the path ("a/b/c") or for a folder above it that little else is in? Patterns and variables in a
   word stand for anything; a word of nothing else says nothing, nor does the word that cd has. A
   guess to both sides: what a script makes of its words only a shell knows. */
bool pf_scriptwords_name(const char *script, const char *path);

/* Does the script use a command that takes a name away: rm, mv and their like, by whatever path? */
bool pf_scriptwords_removes(const char *script);

#endif
