/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A release's name, which becomes part of paths and URLs. Promise: one that is known begins with
   the release's number and has no slash. */
#include "fuzz.h"

#include "profile.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *release = fuzz_text(data, size);
    const struct pf_profile *profile = pf_profile_find(release);
    if (profile) {
        fuzz_require(!strchr(release, '/') && strchr(release, '.'));
        fuzz_require(profile->first_major <= strtoul(release, NULL, 10) &&
                     strtoul(release, NULL, 10) <= profile->last_major);
    }
    free(release);
    return 0;
}
