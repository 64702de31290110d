/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "digest.h"

#include "fs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

struct pf_digest {
    XXH3_state_t *state;
};

struct pf_digest *pf_digest_new(void)
{
    struct pf_digest *digest = calloc(1, sizeof *digest);
    if (!digest)
        return NULL;
    digest->state = XXH3_createState();
    if (!digest->state) {
        free(digest);
        return NULL;
    }
    XXH3_128bits_reset(digest->state);
    return digest;
}

void pf_digest_add(struct pf_digest *digest, const void *data, size_t length)
{
    XXH3_128bits_update(digest->state, data, length);
}

void pf_digest_text(const struct pf_digest *digest, char text[PF_DIGEST_TEXT_SIZE])
{
    XXH128_hash_t hash = XXH3_128bits_digest(digest->state);
    snprintf(text, PF_DIGEST_TEXT_SIZE, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
}

void pf_digest_free(struct pf_digest *digest)
{
    if (!digest)
        return;
    XXH3_freeState(digest->state);
    free(digest);
}

int pf_digest_file(int fd, char text[PF_DIGEST_TEXT_SIZE], struct pf_error *err)
{
    enum { CHUNK = 256 * 1024 };
    struct pf_digest *digest = pf_digest_new();
    pf_auto_free char *buffer = malloc(CHUNK);
    int result = 0;
    if (!digest || !buffer)
        result = pf_error_set(err, PF_E_SYSTEM, "out of memory");
    while (result == 0) {
        ssize_t n = read(fd, buffer, CHUNK);
        if (n == 0)
            break;
        if (n > 0)
            pf_digest_add(digest, buffer, (size_t)n);
        else if (errno != EINTR)
            result = pf_error_errno(err, "reading");
    }
    if (result == 0)
        pf_digest_text(digest, text);
    pf_digest_free(digest);
    return result;
}
