/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "digest.h"

#include "cleanup.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
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

/* Of a hole nothing is read, but its zeros count. */
static int add_hole(struct pf_digest *digest, uint64_t length, _Atomic uint64_t *most,
                    struct pf_error *err)
{
    static const char zeros[64 * 1024];
    uint64_t left = atomic_load(most);
    do {
        if (length > left)
            return pf_error_set(err, PF_E_LIMIT,
                                "holes of more bytes than any package or root has");
    } while (!atomic_compare_exchange_weak(most, &left, left - length));
    while (length > 0) {
        size_t n = length < sizeof zeros ? (size_t)length : sizeof zeros;
        pf_digest_add(digest, zeros, n);
        length -= n;
    }
    return 0;
}

/* Passes over the hole that the file may have at its offset. */
static int pass_hole(int fd, struct pf_digest *digest, _Atomic uint64_t *most, struct pf_error *err)
{
    off_t at = lseek(fd, 0, SEEK_CUR), data = at < 0 ? -1 : lseek(fd, at, SEEK_DATA);
    if (at >= 0 && data < 0 && errno == ENXIO)
        data = lseek(fd, 0, SEEK_END);
    /* No file, or a file system that knows of no holes: all is read. */
    if (data <= at)
        return 0;
    return add_hole(digest, (uint64_t)(data - at), most, err);
}

static int add_file(int fd, struct pf_digest *digest, char *buffer, size_t size,
                    _Atomic uint64_t *most, struct pf_error *err)
{
    struct stat st;
    bool sparse = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_blocks < st.st_size / 512;
    for (;;) {
        int rc = sparse ? pass_hole(fd, digest, most, err) : 0;
        if (rc)
            return rc;
        off_t at = sparse ? lseek(fd, 0, SEEK_CUR) : -1;
        off_t hole = at < 0 ? -1 : lseek(fd, at, SEEK_HOLE);
        if (at >= 0 && lseek(fd, at, SEEK_SET) < 0)
            return pf_error_errno(err, "reading");
        uint64_t left = hole > at ? (uint64_t)(hole - at) : UINT64_MAX;
        ssize_t n = 1;
        while (left > 0) {
            n = read(fd, buffer, left < size ? (size_t)left : size);
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                break;
            pf_digest_add(digest, buffer, (size_t)n);
            left -= (uint64_t)n;
        }
        if (n <= 0)
            return n == 0 ? 0 : pf_error_errno(err, "reading");
    }
}

int pf_digest_file_within(int fd, enum pf_digest_kind kind, _Atomic uint64_t *hole_bytes,
                          char text[PF_DIGEST_TEXT_SIZE], struct pf_error *err)
{
    enum { CHUNK = 256 * 1024 };
    struct pf_digest *digest = pf_digest_new(kind);
    pf_auto_free char *buffer = malloc(CHUNK);
    int rc = 0;
    if (!digest || !buffer)
        rc = pf_error_set(err, PF_E_SYSTEM, "no memory for %s, or not allowed here",
                          pf_digest_name(kind));
    if (!rc)
        rc = add_file(fd, digest, buffer, CHUNK, hole_bytes, err);
    if (!rc)
        pf_digest_text(digest, text);
    pf_digest_free(digest);
    return rc;
}

int pf_digest_file(int fd, enum pf_digest_kind kind, char text[PF_DIGEST_TEXT_SIZE],
                   struct pf_error *err)
{
    _Atomic uint64_t hole_bytes = PF_DIGEST_HOLE_BYTES;
    return pf_digest_file_within(fd, kind, &hole_bytes, text, err);
}
