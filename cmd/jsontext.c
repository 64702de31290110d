/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "jsontext.h"

#include "report.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *json_text(const char *text)
{
    if (!text)
        return json_null();
    json_t *string = json_string(text);
    if (string)
        return string;
    size_t length = strlen(text);
    char *hex = malloc(2 * length + 1);
    if (!hex)
        return NULL;
    for (size_t i = 0; i < length; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned char)text[i]);
    json_t *object = json_pack("{s:s}", "hex", hex);
    free(hex);
    return object;
}

/* How many bytes of text are one character that is escaped, and which; 0: none. Only strings have
   such, and jansson wants them to be UTF-8. */
static size_t special(const unsigned char *p, unsigned *character)
{
    if (p[0] < 0xc2) {
        *character = p[0];
        return p[0] == 0x7f;
    }
    if (p[0] == 0xc2) {
        *character = p[1];
        return p[1] < 0xa0 ? 2 : 0;
    }
    if (p[0] != 0xe2)
        return 0;
    *character = 0x2000 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
    bool turns = (*character >= 0x200e && *character <= 0x200f) ||
                 (*character >= 0x2028 && *character <= 0x202e) ||
                 (*character >= 0x2066 && *character <= 0x2069);
    return turns ? 3 : 0;
}

char *json_plain(const json_t *value, size_t flags)
{
    char *raw = json_dumps(value, flags), *plain = NULL;
    size_t length;
    FILE *stream = raw ? open_memstream(&plain, &length) : NULL;
    for (const char *p = raw; stream && *p;) {
        unsigned character;
        size_t n = special((const unsigned char *)p, &character);
        if (n)
            fprintf(stream, "\\u%04X", character);
        else
            putc(*p, stream);
        p += n ? n : 1;
    }
    free(raw);
    if (stream && fclose(stream) == 0)
        return plain;
    free(plain);
    return NULL;
}

int json_print(json_t *value)
{
    char *text = value ? json_plain(value, JSON_INDENT(1)) : NULL;
    bool failed = !text || fputs(text, stdout) < 0;
    free(text);
    json_decref(value);
    putchar('\n');
    /* What became of standard output is for command_flush to say. */
    if (failed && !ferror(stdout))
        report_error("the answer cannot be written as JSON");
    return failed && !ferror(stdout) ? -1 : 0;
}
