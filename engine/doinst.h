/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* doinst: takes a package's doinst.sh apart: first-boot sections, and link pairs. Pure. */
#ifndef PF_DOINST_H
#define PF_DOINST_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>

/* Splits a script as installpkg's sed does: the lines from each "#%% begin" to the next "#%% end",
   both included (to the end of the script where there is none), go to *initpkg, all others to
   *rest. Both are NUL-terminated and the caller's to free; a missing final newline stays missing.
 */
int pf_doinst_split(const char *script, size_t length, char **rest, size_t *rest_length,
                    char **initpkg, size_t *initpkg_length, struct pf_error *err);

/* One half of a pair as makepkg writes them. The strings belong to the list. */
struct pf_doinst_op {
    bool link; /* ( cd FOLDER ; ln -sf TARGET NAME ), else ( cd FOLDER ; rm -rf NAME ) */
    const char *folder;
    const char *target; /* links only */
    const char *name;
};

struct pf_doinst_ops {
    struct pf_doinst_op *ops;
    size_t count;
    char *text; /* what the strings point into */
};

/* Reads a script that consists of nothing but such lines (and blank lines and comments), with plain
   words that no shell would change. Returns 1 and fills *out (end it with pf_doinst_ops_end), 0 if
   the script needs a shell, or a negative code. */
int pf_doinst_parse(const char *script, size_t length, struct pf_doinst_ops *out,
                    struct pf_error *err);

/* The same of a script that has run and is kept: what its lines did is known where a shell had to
   do it because a name, as in bin/install, could mean the package system's own folder. */
int pf_doinst_parse_kept(const char *script, size_t length, struct pf_doinst_ops *out,
                         struct pf_error *err);

/* The same of the lines before all else, of *front_length bytes: a shell that begins behind them
   knows no difference. Returns 1, or 0 if there are none. */
int pf_doinst_parse_front(const char *script, size_t length, size_t *front_length,
                          struct pf_doinst_ops *out, struct pf_error *err);

/* The same of the lines behind all else: what is before them, which needs a shell, has *head_length
   bytes. Returns 1; 0 if there are none, or if the head may change what they mean: the shell's
   folder, its commands rm and ln, whether it goes on. That it came to its end at all, and not
   within a text or a condition, only the shell can tell (PF_DOINST_END). */
int pf_doinst_parse_tail(const char *script, size_t length, size_t *head_length,
                         struct pf_doinst_ops *out, struct pf_error *err);

/* A line to put behind such a head, and the status that a shell which comes there ends with. */
#define PF_DOINST_END        "\nexit 93\n"
#define PF_DOINST_END_STATUS 93

void pf_doinst_ops_end(struct pf_doinst_ops *ops);

#endif
