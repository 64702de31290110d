/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A compressed file; the first byte chooses the format, the limit that is met first, and whether a
   checksum is asked for that it has not. Promises: it ends, no more comes out than the limits
   allow, and never is a file with another checksum taken for whole. */
#include "fuzz.h"

#include "decode.h"

#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#define OUTPUT_LIMIT (1u << 20)
#define RATIO_FREE   (256u << 10)

static int input_file(const uint8_t *data, size_t size)
{
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("input", MFD_CLOEXEC);
    fuzz_require(fd >= 0 && ftruncate(fd, 0) == 0);
    fuzz_require(pwrite(fd, data, size, 0) == (ssize_t)size);
    return fd;
}

/* Reads to the end. True where the file is whole. */
static bool read_all(struct pf_decode *decode, unsigned ratio, size_t size)
{
    uint64_t total = 0;
    for (;;) {
        const void *piece;
        size_t length;
        struct pf_error err = {0};
        int status = pf_decode_next(decode, &piece, &length, &err);
        fuzz_require(status == err.code);
        if (status) {
            fuzz_require(status == PF_E_CORRUPT || status == PF_E_LIMIT);
            return false;
        }
        if (length == 0)
            return true;
        total += length;
        fuzz_require(total <= OUTPUT_LIMIT);
        fuzz_require(total <= RATIO_FREE || total / ratio <= size);
        fuzz_require(pf_decode_output_bytes(decode) == total);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pf_checksum other = {.kind = PF_DIGEST_MD5,
                                             .hex = "00000000000000000000000000000000"};
    unsigned mode = fuzz_take_byte(&data, &size);
    enum pf_format format = PF_FORMAT_GZIP + mode % 4;
    struct pf_decode_limits limits = {
        .memory_bytes = 8u << 20,
        .output_bytes = OUTPUT_LIMIT,
        .ratio = mode & 4 ? 1u << 20 : 100,
        .ratio_free_bytes = RATIO_FREE,
        .threads = 1,
        .checksum = mode & 8 ? &other : NULL,
    };
    struct pf_decode *decode = NULL;
    struct pf_error err = {0};
    int status = pf_decode_new(input_file(data, size), format, &limits, &decode, &err);
    fuzz_require(status == err.code && (status == 0 || status == PF_E_CORRUPT));
    if (status == 0)
        fuzz_require(!read_all(decode, limits.ratio, size) || !limits.checksum);
    pf_decode_free(decode);
    return 0;
}
