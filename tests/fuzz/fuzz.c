/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz.h"

#include <limits.h>
#include <string.h>

char *fuzz_text(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    fuzz_require(text);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

unsigned fuzz_take_byte(const uint8_t **data, size_t *size)
{
    if (*size == 0)
        return 0;
    (*size)--;
    return *(*data)++;
}

bool fuzz_is_name(const char *name, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c < ' ' || c == 0x7f || c == '/')
            return false;
    }
    bool dots = (length == 1 || length == 2) && strspn(name, ".") >= length;
    return length > 0 && length <= NAME_MAX && !dots;
}
