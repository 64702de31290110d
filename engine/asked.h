/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* asked: when a mirror was last asked what has changed, and for which settings. */
#ifndef PF_ASKED_H
#define PF_ASKED_H

#include "settings.h"

#include <stdbool.h>

/* It is noted in the builder's lock file, whose descriptor is passed and whose lock is held: one
   line "asked TIME DIGEST", with the seconds since 1970 and the XXH3 of what decides on the
   packages. */

/* Has an update with the same settings asked less than max_age_s ago? Not where that is 0, where a
   lockfile says what is wanted, and where the clock has been set back since. */
bool pf_asked_lately(const struct pf_settled *settings, int fd);

/* Notes that one has just ended well. Where that cannot be noted (a full disk, a file that somebody
   else planted) the next one asks. */
void pf_asked_note(const struct pf_settled *settings, int fd);

#endif
