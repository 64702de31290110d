/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unverified.h"

#include <lzma.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

/* ZSTD_d_forceIgnoreChecksum is no part of the stable interface. */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

#define IN_SIZE  (128 * 1024)
#define OUT_SIZE (256 * 1024)

struct buffers {
    unsigned char in[IN_SIZE], out[OUT_SIZE];
};

static int decode_xz(int fd, struct buffers *b, size_t length, struct pf_error *err)
{
    lzma_stream xz = LZMA_STREAM_INIT;
    lzma_ret status = lzma_stream_decoder(&xz, UINT64_MAX, LZMA_IGNORE_CHECK);
    xz.next_in = b->in;
    xz.avail_in = length;
    while (status == LZMA_OK) {
        xz.next_out = b->out;
        xz.avail_out = OUT_SIZE;
        status = lzma_code(&xz, LZMA_RUN);
        if (status == LZMA_OK && xz.avail_in == 0) {
            ssize_t n = read(fd, b->in, IN_SIZE);
            if (n <= 0)
                break;
            xz.next_in = b->in;
            xz.avail_in = (size_t)n;
        }
    }
    lzma_end(&xz);
    return status == LZMA_STREAM_END ? 0 : pf_error_set(err, PF_E_CORRUPT, "no xz data");
}

static int decode_zstd(int fd, struct buffers *b, size_t length, struct pf_error *err)
{
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    ZSTD_DCtx_setParameter(zstd, ZSTD_d_forceIgnoreChecksum, ZSTD_d_ignoreChecksum);
    ZSTD_inBuffer in = {.src = b->in, .size = length};
    size_t hint = 1;
    while (hint != 0 && !ZSTD_isError(hint)) {
        ZSTD_outBuffer out = {.dst = b->out, .size = OUT_SIZE};
        hint = ZSTD_decompressStream(zstd, &out, &in);
        if (in.pos < in.size || out.pos == out.size || hint == 0)
            continue;
        ssize_t n = read(fd, b->in, IN_SIZE);
        if (n <= 0)
            break;
        in = (ZSTD_inBuffer){.src = b->in, .size = (size_t)n};
    }
    ZSTD_freeDCtx(zstd);
    return hint == 0 ? 0 : pf_error_set(err, PF_E_CORRUPT, "no zstd data");
}

int unverified_decode(int fd, struct pf_error *err)
{
    struct buffers *b = malloc(sizeof *b);
    ssize_t n = b ? read(fd, b->in, IN_SIZE) : 0;
    int failed = -1;
    if (!b)
        failed = pf_error_memory(err);
    else if (n <= 0)
        failed = pf_error_set(err, PF_E_CORRUPT, "the file is empty");
    else if (b->in[0] == 0xfd)
        failed = decode_xz(fd, b, (size_t)n, err);
    else
        failed = decode_zstd(fd, b, (size_t)n, err);
    free(b);
    return failed;
}
