/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mirrors: the mirrors of a run in the user's order, and which of them to ask next. Pure. */
#ifndef PF_MIRRORS_H
#define PF_MIRRORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PF_MIRRORS_MAX 32

struct pf_mirror {
    const char *url; /* the caller's; the folder above "Plamo-RELEASE", no slash at its end */
    bool https;
    bool secure;           /* https, or a folder of this machine */
    unsigned failures;     /* since it last did what was asked of it */
    int64_t rest_until_ms; /* after a failure it is left alone for a while */
};

struct pf_mirrors {
    struct pf_mirror list[PF_MIRRORS_MAX];
    size_t count;
};

/* urls ends with NULL and has at most PF_MIRRORS_MAX; it must outlive the mirrors. */
void pf_mirrors_init(struct pf_mirrors *mirrors, const char *const *urls);

/* What a mirror did. now_ms as pf_clock_ms has it. After the nth failure in a row it rests 1, 2, 4
   … at most 64 seconds. */
void pf_mirrors_worked(struct pf_mirrors *mirrors, size_t mirror);
void pf_mirrors_failed(struct pf_mirrors *mirrors, size_t mirror, int64_t now_ms);

/* The mirror to ask: `home` where it is well, else the first in the user's order that is; where all
   rest, the one that is ready first, and *ready_ms tells when (else it is 0). Mirrors whose bit is
   set in `without` do not count. Returns mirrors->count where none is left. */
size_t pf_mirrors_choose(const struct pf_mirrors *mirrors, size_t home, uint32_t without,
                         int64_t now_ms, int64_t *ready_ms);

/* The bits of the mirrors that must not be asked in the place of that one: none that is not secure
   in the place of an https one, whose failing may be somebody's doing. */
uint32_t pf_mirrors_below(const struct pf_mirrors *mirrors, size_t mirror);

/* The bits of all mirrors that are not secure. */
uint32_t pf_mirrors_insecure(const struct pf_mirrors *mirrors);

#endif
