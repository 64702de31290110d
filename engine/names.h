/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* names: a set of strings, each with a number, in constant time a look-up. */
#ifndef PF_NAMES_H
#define PF_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct pf_name; /* a string, its hash and its number */

/* Embedded; zero-initialise it. */
struct pf_names {
    struct pf_name *slots;
    size_t capacity; /* a power of two, or 0 */
    size_t count;
};

/* Adds a string (it is copied). 1: it is new, and its number is `count` before the call; 0: it was
   there; -1: out of memory. */
int pf_names_add(struct pf_names *names, const char *text);

/* The number that a string got, or -1 if it is not in the set. */
int64_t pf_names_find(const struct pf_names *names, const char *text);

void pf_names_end(struct pf_names *names);

#endif
