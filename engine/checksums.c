/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "checksums.h"

#include "array.h"
#include "cleanup.h"
#include "listing.h"

#include <ctype.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A mirror's whole architecture folder has a few thousand files. */
#define MAX_SUMS 500000

/* What a line says; the pieces are not NUL-terminated. */
struct sum_line {
    enum pf_digest_kind kind;
    const char *hex;
    const char *name; /* NULL: there is only the sum */
    size_t name_length;
    bool escaped; /* by a backslash at the line's start */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_hex(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (!isxdigit((unsigned char)text[i]))
            return false;
    }
    return true;
}

/* "HEX  NAME", "HEX *NAME", "HEX NAME", "HEX" */
static bool read_plain(const char *text, size_t length, struct sum_line *line)
{
    size_t digits = pf_digest_text_length(line->kind);
    if (length < digits || !is_hex(text, digits))
        return false;
    line->hex = text;
    size_t at = digits, end = length;
    while (end > at && is_blank(text[end - 1]))
        end--;
    if (at == end)
        return true;
    if (!is_blank(text[at++]))
        return false;
    if (text[at] == ' ' || text[at] == '*')
        at++;
    line->name = text + at;
    line->name_length = length - at;
    return true;
}

/* "MD5 (NAME) = HEX", "SHA256(NAME)= HEX": a name may have parentheses in it, the sum has none. */
static bool read_tagged(const char *text, size_t length, struct sum_line *line)
{
    static const struct {
        const char *tag;
        enum pf_digest_kind kind;
    } tags[] = {{"MD5", PF_DIGEST_MD5},
                {"SHA256", PF_DIGEST_SHA256},
                {"SHA2-256", PF_DIGEST_SHA256}};
    const char *open = memchr(text, '(', length);
    if (!open)
        return false;
    size_t tag_length = (size_t)(open - text);
    while (tag_length && is_blank(text[tag_length - 1]))
        tag_length--;
    size_t i = 0, count = sizeof tags / sizeof *tags;
    while (i < count &&
           (strlen(tags[i].tag) != tag_length || memcmp(tags[i].tag, text, tag_length)))
        i++;
    if (i == count)
        return false;
    while (length && is_blank(text[length - 1]))
        length--;
    size_t digits = pf_digest_text_length(tags[i].kind);
    const char *end = text + length;
    if ((size_t)(end - open) < digits + 3 || !is_hex(end - digits, digits))
        return false;
    line->kind = tags[i].kind;
    line->hex = end - digits;
    for (end = line->hex; end > open && is_blank(end[-1]);)
        end--;
    if (end[-1] != '=')
        return false;
    for (end--; end > open && is_blank(end[-1]);)
        end--;
    if (end - open < 2 || end[-1] != ')')
        return false;
    line->name = open + 1;
    line->name_length = (size_t)(end - 1 - line->name);
    return true;
}

/* Undoes the escapes of coreutils: "\\", "\n" and "\r". The copy is NUL-terminated; NULL where
   there is another escape, or no room. */
static char *copy_name(const struct sum_line *line, char name[PATH_MAX])
{
    size_t used = 0;
    for (size_t i = 0; i < line->name_length; i++) {
        char c = line->name[i];
        if (line->escaped && c == '\\') {
            char code = ++i < line->name_length ? line->name[i] : '\0';
            c = code == '\\' ? '\\' : code == 'n' ? '\n' : code == 'r' ? '\r' : '\0';
        }
        if (c == '\0' || used == PATH_MAX - 1)
            return NULL;
        name[used++] = c;
    }
    name[used] = '\0';
    return name;
}

/* Joins a list's name to its folder, component by component. False where it is no name of a file
   below the folder. */
static bool join(const char *folder, const char *name, char path[PATH_MAX])
{
    size_t used = strlen(folder);
    while (used && folder[used - 1] == '/')
        used--;
    size_t length = strlen(name);
    if (used >= PATH_MAX || length == 0 || *name == '/' || name[length - 1] == '/')
        return false;
    memcpy(path, folder, used);
    bool has_component = false;
    for (const char *p = name; *p;) {
        size_t n = strcspn(p, "/");
        bool nothing = n == 0 || (n == 1 && *p == '.');
        if (!nothing) {
            if (!pf_listing_is_name(p, n) || used + n + 2 > PATH_MAX)
                return false;
            if (used)
                path[used++] = '/';
            memcpy(path + used, p, n);
            used += n;
        }
        has_component = !nothing;
        p += n + (p[n] == '/');
    }
    path[used] = '\0';
    return has_component;
}

static int store(struct pf_checksums *sums, const char *path, const struct sum_line *line,
                 struct pf_error *err)
{
    struct pf_checksum sum = {.kind = line->kind};
    for (size_t i = 0; i < pf_digest_text_length(line->kind); i++)
        sum.hex[i] = (char)tolower((unsigned char)line->hex[i]);
    int64_t number = pf_names_find(&sums->paths, path);
    if (number >= 0) {
        struct pf_checksum *known = &sums->items[number];
        if (known->kind == PF_DIGEST_SHA256 && sum.kind == PF_DIGEST_MD5)
            return 0;
        sums->conflicts += known->kind == sum.kind && strcmp(known->hex, sum.hex) != 0;
        *known = sum;
        return 0;
    }
    if (sums->count == MAX_SUMS)
        return pf_error_set(err, PF_E_LIMIT, "more than %d checksums", MAX_SUMS);
    if (pf_array_room(&sums->items, sums->count, sizeof *sums->items) < 0 ||
        pf_names_add(&sums->paths, path) < 0)
        return pf_error_memory(err);
    sums->items[sums->count++] = sum;
    return 0;
}

int pf_checksums_add(struct pf_checksums *sums, const char *text, size_t length,
                     enum pf_digest_kind kind, const char *folder, const char *of_file,
                     struct pf_error *err)
{
    if (kind != PF_DIGEST_MD5 && kind != PF_DIGEST_SHA256)
        return pf_error_set(err, PF_E_INVALID, "%s is no kind of a list", pf_digest_name(kind));
    const char *end = text + length;
    for (const char *at = text; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t n = (size_t)((newline ? newline : end) - at);
        const char *start = at;
        at += n + 1;
        if (n && start[n - 1] == '\r')
            n--;
        struct sum_line line = {.kind = kind, .escaped = n && *start == '\\'};
        start += line.escaped, n -= line.escaped;
        if (!read_plain(start, n, &line) && !read_tagged(start, n, &line))
            continue;
        char copy[PATH_MAX], path[PATH_MAX];
        const char *name = line.name ? copy_name(&line, copy) : of_file;
        if (!name || !join(folder, name, path))
            continue;
        int failed = store(sums, path, &line, err);
        if (failed)
            return failed;
    }
    return 0;
}

const struct pf_checksum *pf_checksums_find(const struct pf_checksums *sums, const char *path)
{
    int64_t number = pf_names_find(&sums->paths, path);
    return number < 0 ? NULL : &sums->items[number];
}

void pf_checksums_end(struct pf_checksums *sums)
{
    pf_names_end(&sums->paths);
    free(sums->items);
    *sums = (struct pf_checksums){0};
}
