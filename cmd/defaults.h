/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* defaults: what a file of shell assignments, like /etc/default/lxc, sets; read without a shell. */
#ifndef PF_CMD_DEFAULTS_H
#define PF_CMD_DEFAULTS_H

#include <stddef.h>

/* lxc-plamo sources /etc/default/lxc. Of such a file the plain assignments to known variables are
   taken, of whatever quoting; what else is in it is passed over. A value that only a shell can work
   out ($X, `command`), or that is set under a condition, is noted as unreadable. */
struct defaults_value {
    const char *name; /* the caller's */
    char *value;      /* NULL: unreadable */
    unsigned line;    /* from 1 */
};

/* Each variable once, as its last assignment has it. Zero-initialise it. */
struct defaults {
    struct defaults_value *values;
    size_t count;
};

/* Reads a text that ends with a NUL. known: the variables, ended by NULL; they need to last as long
   as defaults. 0, or -1 where memory is short. The caller ends defaults in any case. */
int defaults_parse(const char *text, const char *const *known, struct defaults *defaults);

/* The same of a file, of at most 256 KiB. As for the shell template, one that is absent or
   unreadable sets nothing. */
int defaults_read(const char *file, const char *const *known, struct defaults *defaults);

/* NULL: it is not set there. */
const struct defaults_value *defaults_find(const struct defaults *defaults, const char *name);

void defaults_end(struct defaults *defaults);

#endif
