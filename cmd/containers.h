/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* containers: a file with settings of containers, by their names. */
#ifndef PF_CMD_CONTAINERS_H
#define PF_CMD_CONTAINERS_H

#include "engine.h"

#include <stdbool.h>
#include <stddef.h>

/* The format: lines "KEY = VALUE", blank ones, and ones that begin with "#" or ";". Those before
   the first heading are for all containers; those below a heading "[PATTERN…]" for the ones whose
   name matches one of the patterns (glob(7)). What stands further down counts, also against the
   command line. Keys:

     timezone       a name like Europe/Berlin
     network        dhcp or none
     root_password  keep, locked, password:TEXT, file:PATH or hash:CRYPT
     autostart      yes or no
     config         a line lxc.KEY = VALUE for the end of LXC's configuration; each adds one

   Blanks around keys and values do not count. */

/* What a file says, in its order. Zero-initialise it. */
struct containers {
    char *text; /* owned; the pointers below are into it */
    size_t length;
    struct setting {
        const char *patterns; /* the last heading's; NULL: for all */
        const char *key, *value;
        unsigned line;
        bool used; /* for some container */
    } * settings;
    size_t count;
};

/* Reads a text of `length` bytes. 0; -1 where it makes no sense, with "FILE:LINE: …" in why. */
int containers_parse(struct containers *containers, const char *file, const char *text,
                     size_t length, char why[512]);

/* The same of a file. */
int containers_read(struct containers *containers, const char *file, char why[512]);

/* Puts what the file says of a container into it. config gets a text that the caller frees. -1
   where memory is short. */
int containers_apply(struct containers *containers, struct pf_container *container, char **config);

void containers_end(struct containers *containers);

#endif
