/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "textedit.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static bool matches(const struct pf_textedit *edit, const char *line, size_t length)
{
    size_t n = strlen(edit->match);
    if (edit->kind == PF_TEXTEDIT_COMMENT || edit->kind == PF_TEXTEDIT_DELETE)
        return memmem(line, length, edit->match, n) != NULL;
    return length >= n && memcmp(line, edit->match, n) == 0;
}

/* One line that matched; it has no newline in it. */
static void write_matched(const struct pf_textedit *edit, const char *line, size_t length,
                          bool newline, FILE *out)
{
    switch (edit->kind) {
    case PF_TEXTEDIT_DELETE:
    case PF_TEXTEDIT_DELETE_PREFIX:
        return;
    case PF_TEXTEDIT_COMMENT:
        fputc('#', out);
        break;
    case PF_TEXTEDIT_INSERT_BEFORE:
        fprintf(out, "%s\n", edit->text);
        break;
    case PF_TEXTEDIT_INSERT_AFTER:
        fwrite(line, 1, length, out);
        fprintf(out, "\n%s%s", edit->text, newline ? "\n" : "");
        return;
    }
    fwrite(line, 1, length, out);
    if (newline)
        fputc('\n', out);
}

int pf_textedit_apply(const struct pf_textedit *edit, const char *text, size_t length, char **out,
                      size_t *out_length, size_t *changed, struct pf_error *err)
{
    *out = NULL;
    *changed = 0;
    FILE *stream = open_memstream(out, out_length);
    if (!stream)
        return pf_error_set(err, PF_E_SYSTEM, "out of memory");
    const char *end = text + length;
    for (const char *p = text; p < end;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t n = newline ? (size_t)(newline - p) : (size_t)(end - p);
        if (matches(edit, p, n)) {
            ++*changed;
            write_matched(edit, p, n, newline != NULL, stream);
        } else {
            fwrite(p, 1, n + (newline != NULL), stream);
        }
        p += n + 1;
    }
    if (fclose(stream) != 0)
        return pf_error_set(err, PF_E_SYSTEM, "out of memory");
    return 0;
}
