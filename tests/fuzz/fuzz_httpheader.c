/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A line of an HTTP header. Promises: a value has no blank around it and no control character in
   it; a range's numbers are not negative, and its start is within the whole. */
#include "fuzz.h"

#include "httpheader.h"

#include <string.h>
#include <strings.h>

static void check_range(const char *value)
{
    struct pf_httpheader_range range = pf_httpheader_read_range(value);
    fuzz_require(range.start >= -1 && range.total >= -1);
    fuzz_require(range.start < 0 || range.total < 0 || range.start < range.total);
    fuzz_require((range.start < 0 && range.total < 0) || strncasecmp(value, "bytes ", 6) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"Content-Range", "ETag", "Last-Modified"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *value = pf_httpheader_value((const char *)data, size, names[i]);
        if (!value)
            continue;
        size_t length = strlen(value);
        fuzz_require(length == 0 ||
                     (!strchr(" \t", value[0]) && !strchr(" \t\r\n", value[length - 1])));
        for (size_t k = 0; k < length; k++)
            fuzz_require((unsigned char)value[k] >= 0x20 && value[k] != 0x7f);
        check_range(value);
        free(value);
    }
    char *text = fuzz_text(data, size);
    check_range(text);
    free(text);
    return 0;
}
