/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pkgdb: the package records under the root's var/log, as installpkg writes them. */
#ifndef PF_PKGDB_H
#define PF_PKGDB_H

#include "describe.h"
#include "error.h"
#include "stage.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct pf_pkgdb {
    int root_fd; /* the caller's */
    /* initpkg scripts run at first boot in the order of their times: each gets the next second. */
    time_t next_initpkg;
};

/* Makes var/log/{packages,removed_packages,removed_scripts,scripts,setup,initpkg} (0755) and
   var/log/setup/tmp (0700) where they are missing. Before each package, for a script may have taken
   them away. */
int pf_pkgdb_prepare(struct pf_pkgdb *db, struct pf_error *err);

/* 1: a package of that name is recorded; 0: none is. */
int pf_pkgdb_has(struct pf_pkgdb *db, const char *name, struct pf_error *err);

/* Writes packages/NAME. location is the path of the package file that stands in the record. */
int pf_pkgdb_record(struct pf_pkgdb *db, const struct pf_staged *staged, const char *location,
                    const struct pf_descriptions *descriptions, struct pf_error *err);

/* Appends "i DATE: STEM" to install.log. */
int pf_pkgdb_log_install(struct pf_pkgdb *db, const char *stem, struct pf_error *err);

/* Appends what a script printed to install.log. */
int pf_pkgdb_log_text(struct pf_pkgdb *db, const char *text, size_t length, struct pf_error *err);

/* Keeps a script as scripts/NAME (0755). */
int pf_pkgdb_keep_script(struct pf_pkgdb *db, const char *name, const char *script, size_t length,
                         struct pf_error *err);

/* Keeps a first-boot section as initpkg/NAME, with a time after all earlier ones. Empty: removes
 * it. */
int pf_pkgdb_keep_initpkg(struct pf_pkgdb *db, const char *name, const char *script, size_t length,
                          struct pf_error *err);

#endif
