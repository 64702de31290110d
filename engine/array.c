/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "array.h"

#include <stdlib.h>
#include <string.h>

int pf_array_room(void *array, size_t count, size_t item_bytes)
{
    /* There is room for the next power of two. */
    if (count & (count - 1))
        return 0;
    void *items;
    memcpy(&items, array, sizeof items);
    void *grown = reallocarray(items, count ? count * 2 : 1, item_bytes);
    if (!grown)
        return -1;
    memcpy(array, &grown, sizeof grown);
    return 0;
}
