/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pagedata.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <zlib.h>

#define PIECE_BYTES (64u << 10)

static bool is_gzip(const struct pf_bytes *page)
{
    const unsigned char *p = (const unsigned char *)page->data;
    return page->length > 2 && p[0] == 0x1f && p[1] == 0x8b && p[2] == Z_DEFLATED;
}

static int inflate_all(z_stream *z, size_t max_bytes, struct pf_bytes *out, struct pf_error *err)
{
    unsigned char piece[PIECE_BYTES];
    int status = Z_OK;
    while (status == Z_OK) {
        z->next_out = piece;
        z->avail_out = sizeof piece;
        status = inflate(z, Z_NO_FLUSH);
        size_t length = sizeof piece - z->avail_out;
        if (length > max_bytes - out->length)
            return pf_error_set(err, PF_E_NETWORK, "the page is too large");
        if (pf_bytes_add(out, piece, length) < 0)
            return pf_error_memory(err);
    }
    if (status != Z_STREAM_END || z->avail_in)
        return pf_error_set(err, PF_E_NETWORK,
                            "the page is gzip data, though not asked for so, and is damaged");
    return 0;
}

int pf_pagedata_unpack(struct pf_bytes *page, size_t max_bytes, struct pf_error *err)
{
    struct pf_bytes out = {0};
    if (!is_gzip(page))
        return 0;
    z_stream z = {.next_in = (Bytef *)page->data, .avail_in = (uInt)page->length};
    /* 16: with gzip's own check of what comes out. */
    if (page->length > UINT32_MAX || inflateInit2(&z, 15 + 16) != Z_OK)
        return pf_error_memory(err);
    int rc = inflate_all(&z, max_bytes, &out, err);
    inflateEnd(&z);
    if (rc) {
        free(out.data);
        return rc;
    }
    free(page->data);
    *page = out;
    return 0;
}
