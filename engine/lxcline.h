/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lxcline: the lines of LXC's configuration files (pure). */
#ifndef PF_LXCLINE_H
#define PF_LXCLINE_H

#include <stdbool.h>
#include <stddef.h>

/* One line "KEY = VALUE" of a configuration. The pointers are into its text. */
struct pf_lxcline {
    const char *key, *value;
    size_t key_length, value_length;
};

/* Reads the next line that sets something, as LXC does (parse_line in its confile.c), and moves *p
   behind it. Returns false at the end. */
bool pf_lxcline_next(const char **p, struct pf_lxcline *line);

/* Does it set one of the keys? Those that end in a dot stand for all that begin so. keys ends with
   NULL. */
bool pf_lxcline_is(const struct pf_lxcline *line, const char *const *keys);

#endif
