/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nearest: the names that a mistyped one may have meant. Pure. */
#ifndef PF_NEAREST_H
#define PF_NEAREST_H

#include <stddef.h>

/* More than so many are never given. */
#define PF_NEAREST_MOST 16

/* Puts those of names that are near to word into out, which has room for `most`, and returns how
   many: the nearest first, equally near ones in the order of names. Near is a name that takes few
   edits (a letter put in, left out, replaced, or swapped with its neighbour; small and capital
   letters are the same): one for each three letters of the word, and one for a word of two. A
   number in front ("00_" of "00_base") counts as half an edit where word has another or none; a
   name that goes on where the word ends ("libre", "14_libreoffice") counts as one edit. Words
   longer than 64 bytes have no nearest name. */
size_t pf_nearest(const char *word, const char *const *names, size_t count, size_t most,
                  const char **out);

#endif
