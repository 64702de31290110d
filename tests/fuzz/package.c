/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "package.h"

#include "fuzz.h"

#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#define TAR_BLOCK 512

enum { MODE_MENDED, MODE_TAR, MODE_PACKED };

/* Where a header of the tar would stand after this one. */
static size_t next_header(const uint8_t *header)
{
    size_t size = 0;
    for (size_t i = 124; i < 135 && header[i] >= '0' && header[i] <= '7'; i++)
        size = size * 8 + (size_t)(header[i] - '0');
    return TAR_BLOCK + (size + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

static void set_checksum(uint8_t *header)
{
    unsigned sum = 0;
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += header[i];
    snprintf((char *)header + 148, 8, "%06o", sum);
}

static bool is_zero(const uint8_t *block)
{
    return block[0] == 0 && memcmp(block, block + 1, TAR_BLOCK - 1) == 0;
}

/* Fills the last block, puts the two of the end behind it, sets the checksums. */
static uint8_t *mend(const uint8_t *data, size_t size, size_t *length)
{
    size_t blocks = (size + TAR_BLOCK - 1) / TAR_BLOCK;
    *length = (blocks + 2) * TAR_BLOCK;
    uint8_t *tar = calloc(1, *length);
    fuzz_require(tar);
    memcpy(tar, data, size);
    for (size_t at = 0; at < blocks * TAR_BLOCK && !is_zero(tar + at); at += next_header(tar + at))
        set_checksum(tar + at);
    return tar;
}

/* A gzip file of stored blocks (RFC 1952, RFC 1951): quick to make, and as long as its content. */
static void pack(int fd, const uint8_t *tar, size_t length)
{
    static const uint8_t header[10] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
    uLong crc = crc32(0, tar, (uInt)length);
    fuzz_require(write(fd, header, sizeof header) == sizeof header);
    size_t at = 0;
    do {
        size_t n = length - at < 65535 ? length - at : 65535;
        uint8_t block[5] = {at + n == length, (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)~n,
                            (uint8_t)(~n >> 8)};
        fuzz_require(write(fd, block, sizeof block) == sizeof block);
        fuzz_require(write(fd, tar + at, n) == (ssize_t)n);
        at += n;
    } while (at < length);
    uint8_t trailer[8];
    for (unsigned i = 0; i < 4; i++) {
        trailer[i] = (uint8_t)(crc >> (8 * i));
        trailer[4 + i] = (uint8_t)(length >> (8 * i));
    }
    fuzz_require(write(fd, trailer, sizeof trailer) == sizeof trailer);
}

struct package package_of(const uint8_t *data, size_t size)
{
    static const char *const files[] = {"a-1-x86-1.tgz", "a-1-x86-1.tbz", "a-1-x86-1.txz",
                                        "a-1-x86-1.tzst"};
    static int fd = -1;
    unsigned mode = fuzz_take_byte(&data, &size);
    if (fd < 0)
        fd = memfd_create("package", MFD_CLOEXEC);
    fuzz_require(fd >= 0 && ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    size_t length = size;
    uint8_t *mended = mode % 3 == MODE_MENDED ? mend(data, size, &length) : NULL;
    if (mode % 3 == MODE_PACKED)
        fuzz_require(write(fd, data, size) == (ssize_t)size);
    else
        pack(fd, mended ? mended : data, length);
    free(mended);
    return (struct package){.file = files[mode % 3 == MODE_PACKED ? mode / 3 % 4 : 0], .fd = fd};
}

int package_stage(const struct package *package, int dir_fd, struct pf_staged **staged,
                  struct pf_error *err)
{
    const struct pf_stage_limits limits = {
        .decode = {.memory_bytes = 8u << 20,
                   .output_bytes = PACKAGE_OUTPUT_LIMIT,
                   .ratio = 100,
                   .ratio_free_bytes = 256u << 10,
                   .threads = 1,
                   .unchecked = true},
        .members = PACKAGE_MEMBERS,
        .depth = PACKAGE_DEPTH,
        .text_bytes = PACKAGE_TEXT_LIMIT,
        .sparse_free = PACKAGE_SPARSE_FREE,
    };
    *staged = NULL;
    int status = pf_stage_package(package->fd, package->file, dir_fd, &limits, staged, err);
    fuzz_require(status == err->code && (status == 0) == (*staged != NULL));
    return status;
}
