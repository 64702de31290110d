/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A text of the root, edited as a release has it; the first byte chooses the file whose edits they
   are (the text comes from packages, the edits do not). Promises: the number of lines afterwards,
   and nothing left of what is to go. */
#include "fuzz.h"

#include "profile.h"
#include "textedit.h"

#include <stdbool.h>
#include <string.h>

static size_t count_lines(const char *text, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += text[i] == '\n';
    return count + (length && text[length - 1] != '\n');
}

static bool has_line_with(const char *text, size_t length, const char *part, bool at_start)
{
    size_t n = strlen(part);
    for (const char *p = text, *end = text + length; p < end;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t line = (size_t)((newline ? newline : end) - p);
        if (at_start ? line >= n && memcmp(p, part, n) == 0 : memmem(p, line, part, n) != NULL)
            return true;
        p += line + 1;
    }
    return false;
}

static void check_lines(const struct pf_textedit *edit, size_t before,
                        const struct pf_textedit_result *result)
{
    size_t lines = count_lines(result->text, result->length);
    switch (edit->kind) {
    case PF_TEXTEDIT_DELETE:
    case PF_TEXTEDIT_DELETE_PREFIX:
        fuzz_require(!has_line_with(result->text, result->length, edit->match,
                                    edit->kind == PF_TEXTEDIT_DELETE_PREFIX));
        fuzz_require(lines + result->changed == before);
        break;
    case PF_TEXTEDIT_DELETE_RANGE:
        fuzz_require(lines + result->changed == before);
        break;
    case PF_TEXTEDIT_INSERT_BEFORE:
    case PF_TEXTEDIT_INSERT_AFTER:
        fuzz_require(lines == before + result->changed);
        break;
    default:
        fuzz_require(lines == before);
    }
}

static void apply_all(const struct pf_textedit *edit, const char *text, size_t length)
{
    size_t from = 0;
    for (; edit->match; edit++) {
        struct pf_textedit_result result;
        struct pf_error err = {0};
        fuzz_require(pf_textedit_apply(edit, text, length, from, &result, &err) == 0);
        fuzz_require((result.changed == 0) == (result.missing != NULL) ||
                     edit->kind == PF_TEXTEDIT_DELETE_RANGE);
        fuzz_require(result.changed || (result.length == length &&
                                        (!length || memcmp(result.text, text, length) == 0)));
        fuzz_require(result.next <= result.length);
        check_lines(edit, count_lines(text, length), &result);
        from = result.next;
        free(result.text);
    }
}

/* The edits of the nth file that any release edits by line, or NULL. */
static const struct pf_textedit *find_edits(unsigned n)
{
    static const char *const releases[] = {"5.x", "6.x", "7.x"};
    for (size_t i = 0; i < sizeof releases / sizeof *releases; i++) {
        const struct pf_profile *profile = pf_profile_find(releases[i]);
        fuzz_require(profile);
        for (const struct pf_edit *edit = profile->edits; edit->path; edit++) {
            if (edit->lines && n-- == 0)
                return edit->lines;
        }
    }
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned count = 0;
    while (find_edits(count))
        count++;
    unsigned number = fuzz_take_byte(&data, &size) % count;
    apply_all(find_edits(number), (const char *)data, size);
    return 0;
}
