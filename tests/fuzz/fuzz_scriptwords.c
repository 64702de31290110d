/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A path, a newline, a script. Promises: it ends, and a script that is the path alone names it,
   where a shell takes the path as it stands. */
#include "fuzz.h"

#include "scriptwords.h"

#include <ctype.h>
#include <string.h>

static bool is_plain(const char *path)
{
    size_t length = strlen(path);
    if (length == 0 || length > 255 || strcmp(path, "cd") == 0 || path[length - 1] == '/')
        return false;
    for (const char *p = path; *p; p++) {
        if (!isalnum((unsigned char)*p) && (*p != '/' || p == path))
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    char *newline = strchr(text, '\n');
    if (newline) {
        *newline = '\0';
        pf_scriptwords_name(newline + 1, text);
    }
    if (is_plain(text))
        fuzz_require(pf_scriptwords_name(text, text));
    free(text);
    return 0;
}
