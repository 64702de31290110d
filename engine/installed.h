/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* installed: which packages a root has, in install order, by its records under var/log. */
#ifndef PF_INSTALLED_H
#define PF_INSTALLED_H

#include "doinst.h"
#include "error.h"
#include "record.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct pf_installed_package {
    char *name; /* of its record */
    struct pf_record record;
    char *script; /* var/log/scripts/NAME; NULL: it has none */
    /* The script's link pairs. Those of a script that needs a shell are the lines that look like
       one: whether they ran is not known. */
    struct pf_doinst_ops pairs;
    bool needs_shell;
    size_t place;          /* in install.log; SIZE_MAX: not there */
    struct timespec mtime; /* of the record */
};

/* Zero-initialise it. */
struct pf_installed {
    struct pf_installed_package *packages; /* in the order of install.log; then by their times */
    size_t count;
    size_t bytes; /* read so far */
};

/* Reads the records of a root, whose release lists names as `names` says. What it has there is
   somebody else's: nothing outside the root is opened, no device or fifo is waited for, and
   PF_E_LIMIT comes where there are more bytes than any installation has. PF_E_ABSENT: it has no
   var/log/packages. PF_E_CORRUPT names a record that is none. stop may be NULL. The caller ends
   *out with pf_installed_end, also after an error. */
int pf_installed_read(int root_fd, enum pf_record_names names, const atomic_bool *stop,
                      struct pf_installed *out, struct pf_error *err);
void pf_installed_end(struct pf_installed *installed);

#endif
