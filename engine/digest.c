/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "digest.h"

#include "cleanup.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

struct pf_digest {
    enum pf_digest_kind kind;
    XXH3_state_t *state; /* of XXH3; the rest is of the others */
    EVP_MD_CTX *context;
    EVP_MD_CTX *copy; /* finished in place of context, so that adding may go on */
    bool failed;
};

static const struct {
    const char *name;
    const char *fetched_as; /* by libcrypto; NULL: not from there */
    size_t text_length;
} kinds[] = {
    [PF_DIGEST_XXH3] = {"XXH3", NULL, 32},
    [PF_DIGEST_MD5] = {"MD5", "MD5", 32},
    [PF_DIGEST_SHA256] = {"SHA-256", "SHA256", 64},
};

size_t pf_digest_text_length(enum pf_digest_kind kind)
{
    return kinds[kind].text_length;
}

const char *pf_digest_name(enum pf_digest_kind kind)
{
    return kinds[kind].name;
}

static bool start(struct pf_digest *digest)
{
    const char *fetched_as = kinds[digest->kind].fetched_as;
    if (!fetched_as) {
        digest->state = XXH3_createState();
        return digest->state && XXH3_128bits_reset(digest->state) == XXH_OK;
    }
    EVP_MD *method = EVP_MD_fetch(NULL, fetched_as, NULL);
    digest->context = EVP_MD_CTX_new();
    digest->copy = EVP_MD_CTX_new();
    bool started = method && digest->context && digest->copy &&
                   EVP_DigestInit_ex2(digest->context, method, NULL);
    EVP_MD_free(method); /* the context holds on to it */
    return started;
}

struct pf_digest *pf_digest_new(enum pf_digest_kind kind)
{
    struct pf_digest *digest = calloc(1, sizeof *digest);
    if (!digest)
        return NULL;
    digest->kind = kind;
    if (!start(digest)) {
        pf_digest_free(digest);
        return NULL;
    }
    return digest;
}

void pf_digest_add(struct pf_digest *digest, const void *data, size_t length)
{
    if (digest->state)
        XXH3_128bits_update(digest->state, data, length);
    else if (!EVP_DigestUpdate(digest->context, data, length))
        digest->failed = true;
}

void pf_digest_text(const struct pf_digest *digest, char text[PF_DIGEST_TEXT_SIZE])
{
    if (digest->state) {
        XXH128_hash_t hash = XXH3_128bits_digest(digest->state);
        snprintf(text, PF_DIGEST_TEXT_SIZE, "%016llx%016llx", (unsigned long long)hash.high64,
                 (unsigned long long)hash.low64);
        return;
    }
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned count = 0;
    *text = '\0';
    if (digest->failed || !EVP_MD_CTX_copy_ex(digest->copy, digest->context) ||
        !EVP_DigestFinal_ex(digest->copy, bytes, &count) ||
        count * 2 != kinds[digest->kind].text_length)
        return;
    for (unsigned i = 0; i < count; i++)
        snprintf(text + (size_t)i * 2, 3, "%02x", bytes[i]);
}

void pf_digest_free(struct pf_digest *digest)
{
    if (!digest)
        return;
    XXH3_freeState(digest->state);
    EVP_MD_CTX_free(digest->context);
    EVP_MD_CTX_free(digest->copy);
    free(digest);
}

int pf_digest_file(int fd, enum pf_digest_kind kind, char text[PF_DIGEST_TEXT_SIZE],
                   struct pf_error *err)
{
    enum { CHUNK = 256 * 1024 };
    struct pf_digest *digest = pf_digest_new(kind);
    pf_auto_free char *buffer = malloc(CHUNK);
    int result = 0;
    if (!digest || !buffer)
        result = pf_error_set(err, PF_E_SYSTEM, "no memory for %s, or not allowed here",
                              pf_digest_name(kind));
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
