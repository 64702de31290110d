/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bytes.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 4096

int pf_bytes_add(struct pf_bytes *bytes, const void *piece, size_t length)
{
    if (length >= SIZE_MAX / 2 - bytes->length) {
        errno = ENOMEM;
        return -1;
    }
    size_t needed = bytes->length + length + 1;
    if (needed > bytes->capacity) {
        size_t capacity = bytes->capacity ? bytes->capacity * 2 : FIRST_CAPACITY;
        if (capacity < needed)
            capacity = needed;
        char *grown = realloc(bytes->data, capacity);
        if (!grown)
            return -1;
        bytes->data = grown;
        bytes->capacity = capacity;
    }
    memcpy(bytes->data + bytes->length, piece, length);
    bytes->length += length;
    bytes->data[bytes->length] = '\0';
    return 0;
}
