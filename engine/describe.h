/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* describe: finds the description lines that go into a package's record. */
#ifndef PF_DESCRIBE_H
#define PF_DESCRIBE_H

#include "error.h"
#include "stage.h"

#include <stdio.h>

/* The description files that stand beside the packages and are about many of them. */
struct pf_descriptions {
    int cache_fd; /* the caller's: the folder with the packages */
    struct pf_description_file {
        char *name;
        char *text;
        size_t length;
    } * files; /* disk*, edisk* (each sorted by name), package_descriptions */
    size_t count;
};

/* Reads them, once a build. What is no regular file, or too large, counts as absent. */
int pf_descriptions_load(struct pf_descriptions *descriptions, int cache_fd, struct pf_error *err);
void pf_descriptions_end(struct pf_descriptions *descriptions);

/* Writes the package's lines to out: first "NAME:…", then (where it differs) "STEM:…", of the last
   of disk*, edisk*, package_descriptions, STEM.txt, NAME.txt that has any; else of
   install/slack-desc in the package. */
int pf_descriptions_write(const struct pf_descriptions *descriptions,
                          const struct pf_staged *staged, FILE *out, struct pf_error *err);

#endif
