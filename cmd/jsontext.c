/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "jsontext.h"

#include "report.h"

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

int json_print(json_t *value)
{
    int failed = !value || json_dumpf(value, stdout, JSON_INDENT(1)) < 0;
    json_decref(value);
    putchar('\n');
    if (failed)
        report_error("the answer cannot be written as JSON");
    return failed ? -1 : 0;
}
