/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "textedit.h"

#include "fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool contains(const char *line, size_t length, const char *part)
{
    return memmem(line, length, part, strlen(part)) != NULL;
}

static bool begins(const char *line, size_t length, const char *prefix)
{
    size_t n = strlen(prefix);
    return length >= n && memcmp(line, prefix, n) == 0;
}

static bool matches(const struct pf_textedit *edit, const char *line, size_t length)
{
    switch (edit->kind) {
    case PF_TEXTEDIT_COMMENT:
    case PF_TEXTEDIT_DELETE:
        return contains(line, length, edit->match);
    case PF_TEXTEDIT_SUBSTITUTE:
        return contains(line, length, edit->match) &&
               (!edit->where || contains(line, length, edit->where));
    default:
        return begins(line, length, edit->match);
    }
}

static void write_substituted(const struct pf_textedit *edit, const char *line, size_t length,
                              FILE *out)
{
    size_t n = strlen(edit->match);
    const char *found = memmem(line, length, edit->match, n);
    fwrite(line, 1, (size_t)(found - line), out);
    fputs(edit->text, out);
    fwrite(found + n, 1, length - (size_t)(found - line) - n, out);
}

/* One line that matched; it has no newline in it. */
static void write_matched(const struct pf_textedit *edit, const char *line, size_t length,
                          bool newline, FILE *out)
{
    switch (edit->kind) {
    case PF_TEXTEDIT_COMMENT:
        fputc('#', out);
        fwrite(line, 1, length, out);
        break;
    case PF_TEXTEDIT_INSERT_BEFORE:
        fprintf(out, "%s\n", edit->text);
        fwrite(line, 1, length, out);
        break;
    case PF_TEXTEDIT_INSERT_AFTER:
        fwrite(line, 1, length, out);
        fprintf(out, "\n%s", edit->text);
        break;
    case PF_TEXTEDIT_SUBSTITUTE:
        write_substituted(edit, line, length, out);
        break;
    case PF_TEXTEDIT_REPLACE_PREFIX:
        fputs(edit->text, out);
        break;
    default:
        return;
    }
    if (newline)
        fputc('\n', out);
}

/* What a search of lines looks for, or the text whose absence made it find nothing. */
static const char *missing_part(const struct pf_textedit *edit, const char *text, size_t length)
{
    if (edit->kind == PF_TEXTEDIT_SUBSTITUTE && edit->where && !contains(text, length, edit->where))
        return edit->where;
    return edit->match;
}

static void edit_lines(const struct pf_textedit *edit, const char *text, size_t length,
                       struct pf_textedit_result *result, FILE *out)
{
    const char *end = text + length;
    for (const char *p = text; p < end;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t n = newline ? (size_t)(newline - p) : (size_t)(end - p);
        if (matches(edit, p, n)) {
            result->changed++;
            write_matched(edit, p, n, newline != NULL, out);
        } else {
            fwrite(p, 1, n + (newline != NULL), out);
        }
        p += n + 1;
    }
    if (result->changed == 0)
        result->missing = missing_part(edit, text, length);
}

static size_t next_line(const char *text, size_t length, size_t at)
{
    const char *newline = memchr(text + at, '\n', length - at);
    return newline ? (size_t)(newline - text) + 1 : length;
}

/* The beginning of the line before the one that begins at `at`, which is not the first. */
static size_t previous_line(const char *text, size_t at)
{
    const char *newline = at > 1 ? memrchr(text, '\n', at - 1) : NULL;
    return newline ? (size_t)(newline - text) + 1 : 0;
}

/* Where the first line begins that has the prefix, from a line's beginning on; else length. */
static size_t find_line(const char *text, size_t length, size_t at, const char *prefix)
{
    while (at < length && !begins(text + at, length - at, prefix))
        at = next_line(text, length, at);
    return at;
}

static void delete_range(const struct pf_textedit *edit, const char *text, size_t length,
                         size_t from, struct pf_textedit_result *result, FILE *out)
{
    size_t begin = find_line(text, length, from < length ? from : length, edit->match);
    if (begin == length)
        begin = find_line(text, length, 0, edit->match);
    size_t behind = begin < length ? next_line(text, length, begin) : length;
    size_t end = find_line(text, length, behind, edit->until);
    bool found = end < length;
    if (!found)
        result->missing = begin == length ? edit->match : edit->until;
    for (unsigned i = 0; found && i < edit->keep && end > begin; i++)
        end = previous_line(text, end);
    if (!found || end == begin) {
        fwrite(text, 1, length, out);
        return;
    }
    for (size_t at = begin; at < end; at = next_line(text, length, at))
        result->changed++;
    fwrite(text, 1, begin, out);
    fwrite(text + end, 1, length - end, out);
    result->next = next_line(text + end, length - end, 0) + begin;
}

int pf_textedit_apply(const struct pf_textedit *edit, const char *text, size_t length, size_t from,
                      struct pf_textedit_result *out, struct pf_error *err)
{
    *out = (struct pf_textedit_result){0};
    FILE *stream = open_memstream(&out->text, &out->length);
    if (!stream)
        return pf_error_memory(err);
    if (edit->kind == PF_TEXTEDIT_DELETE_RANGE)
        delete_range(edit, text, length, from, out, stream);
    else
        edit_lines(edit, text, length, out, stream);
    if (pf_fs_close_text(stream, &out->text) == 0)
        return 0;
    return pf_error_memory(err);
}

bool pf_textedit_expects_match(const struct pf_textedit *edit)
{
    switch (edit->kind) {
    case PF_TEXTEDIT_COMMENT:
    case PF_TEXTEDIT_DELETE:
    case PF_TEXTEDIT_DELETE_PREFIX:
        return false;
    default:
        return !edit->optional;
    }
}
