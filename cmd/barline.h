/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* barline: one line of progress, for a terminal of any width. Pure, but for the locale. */
#ifndef PF_CMD_BARLINE_H
#define PF_CMD_BARLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room for a line of that many columns. */
#define BARLINE_MAX_COLUMNS 300
#define BARLINE_SIZE        (4 * BARLINE_MAX_COLUMNS + 64)

struct barline {
    const char *label;
    bool is_stage;         /* has a bar; else a file, indented, whose label may be long */
    double fraction;       /* 0 to 1; below 0: not known */
    uint64_t items, count; /* count 0: not known */
    uint64_t bytes, total; /* total 0: not known */
    double bytes_per_s;    /* below 0: not known */
    bool has_remaining;    /* remaining_s is said, else nothing */
    double remaining_s;    /* below 0: not known */
};

/* Writes the line in at most that many columns. What has no room is left out: first the rate,
   then the amount, the items, the remaining time; a bar fills what is left over, if that is enough
   for one; the label is cut at last. */
void barline_format(char out[BARLINE_SIZE], const struct barline *line, unsigned columns,
                    bool colour);

#endif
