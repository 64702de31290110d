/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record.h"

#include "members.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define NAME_LINE "PACKAGE NAME:"
#define LIST_LINE "\nFILE LIST:\n"

/* Of a path; deeper ones than a package may have come of scripts' names alone. */
#define MAX_DEPTH (PATH_MAX / 2)

/* The letters that C has for control characters, and the characters. */
static const char letters[] = "abtnvfr\\", meant[] = "\a\b\t\n\v\f\r\\";

size_t pf_record_write_name(enum pf_record_names names, const char *stored, char *out)
{
    char *end = out;
    bool plain = names == PF_RECORD_NAMES_PLAIN;
    for (const char *p = stored; *p; p++) {
        unsigned char byte = (unsigned char)*p;
        const char *letter = strchr(meant, *p);
        if (plain && *p != '\n') {
            *end++ = *p;
        } else if (letter) {
            *end++ = '\\';
            *end++ = letters[letter - meant];
        } else if (byte < ' ' || byte > '~') {
            *end++ = '\\';
            *end++ = (char)('0' + (byte >> 6));
            *end++ = (char)('0' + (byte >> 3 & 7));
            *end++ = (char)('0' + (byte & 7));
        } else {
            *end++ = *p;
        }
    }
    return (size_t)(end - out);
}

static bool is_octal(const char *p, size_t digits)
{
    return strspn(p, "01234567") >= digits;
}

void pf_record_read_name(enum pf_record_names names, char *name)
{
    char *end = name;
    if (names == PF_RECORD_NAMES_PLAIN)
        return;
    for (const char *p = name; *p;) {
        const char *letter = *p == '\\' && p[1] ? strchr(letters, p[1]) : NULL;
        /* A byte is three digits, none of them all zeros. */
        bool octal = *p == '\\' && p[1] <= '3' && is_octal(p + 1, 3) && memcmp(p + 1, "000", 3);
        if (letter) {
            *end++ = meant[letter - letters];
            p += 2;
        } else if (octal) {
            *end++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
            p += 4;
        } else {
            *end++ = *p++;
        }
    }
    *end = '\0';
}

/* Unescapes and normalises in place: the result is never longer. */
static int add_file(struct pf_record *record, char *line, enum pf_record_names names,
                    struct pf_error *err)
{
    pf_record_read_name(names, line);
    size_t length = strlen(line);
    bool folder = line[length - 1] == '/';
    if (length >= PATH_MAX)
        return pf_error_set(err, PF_E_CORRUPT, "member %.64s…: a path of %zu bytes", line, length);
    char path[PATH_MAX];
    int failed = pf_members_normalise(line, MAX_DEPTH, path, err);
    if (failed)
        return failed;
    memcpy(line, path, strlen(path) + 1);
    record->files[record->count++] =
        (struct pf_record_file){.path = line, .folder = folder || *path == '\0'};
    return 0;
}

static int read_list(struct pf_record *record, char *list, enum pf_record_names names,
                     struct pf_error *err)
{
    size_t lines = 1;
    for (const char *p = list; *p; p++)
        lines += *p == '\n';
    record->files = calloc(lines, sizeof *record->files);
    if (!record->files)
        return pf_error_memory(err);
    int failed = 0;
    for (char *line = list; !failed && *line;) {
        size_t length = strcspn(line, "\n");
        char *next = line + length + (line[length] == '\n');
        line[length] = '\0';
        /* A name may have had a newline at its end. */
        if (length)
            failed = add_file(record, line, names, err);
        line = next;
    }
    return failed;
}

int pf_record_read(const char *text, size_t length, enum pf_record_names names,
                   struct pf_record *out, struct pf_error *err)
{
    *out = (struct pf_record){0};
    if (memchr(text, '\0', length))
        return pf_error_set(err, PF_E_CORRUPT, "not a package's record: it has a NUL byte");
    out->text = malloc(length + 1);
    if (!out->text)
        return pf_error_memory(err);
    memcpy(out->text, text, length);
    out->text[length] = '\0';
    char *list = strstr(out->text, LIST_LINE);
    if (strncmp(out->text, NAME_LINE, strlen(NAME_LINE)) != 0 || !list)
        return pf_error_set(err, PF_E_CORRUPT,
                            "not a package's record: \"PACKAGE NAME:\" or \"FILE LIST:\" is not "
                            "there");
    char *stem = out->text + strlen(NAME_LINE);
    stem += strspn(stem, " \t");
    char *end = stem + strcspn(stem, "\n");
    char *files = list + strlen(LIST_LINE);
    while (end > stem && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (end == stem || memchr(stem, '/', (size_t)(end - stem)))
        return pf_error_set(err, PF_E_CORRUPT, "not a package's record: it names no package");
    *end = '\0';
    out->stem = stem;
    return read_list(out, files, names, err);
}

void pf_record_end(struct pf_record *record)
{
    free(record->files);
    free(record->text);
    *record = (struct pf_record){0};
}

/* Is there "i Wed Nov 25 02:00:00 UTC 2026: ", as date(1) writes it in the C locale? The number of
   its bytes, or 0. */
static size_t stamp_length(const char *text, size_t length)
{
    static const char shape[] = "i Www Mmm dd 00:00:00 ";
    size_t n = sizeof shape - 1, zone = 0;
    if (length < n)
        return 0;
    for (size_t i = 0; i < n; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        /* Letters but the first stand for anything. */
        if (strchr(": i", shape[i]) ? text[i] != shape[i] : shape[i] == '0' && !digit)
            return 0;
    }
    while (n + zone < length && text[n + zone] != ' ')
        zone++;
    n += zone + 1;
    if (zone == 0 || length < n + 6)
        return 0;
    for (size_t i = 0; i < 4; i++) {
        if (text[n + i] < '0' || text[n + i] > '9')
            return 0;
    }
    return memcmp(text + n + 4, ": ", 2) == 0 ? n + 6 : 0;
}

bool pf_record_log_line(const char *line, size_t length, const char **stem, size_t *stem_length)
{
    /* A script may have left its last line open. */
    for (size_t i = 0; i < length; i++) {
        size_t stamp = stamp_length(line + i, length - i);
        if (stamp == 0 || i + stamp == length)
            continue;
        *stem = line + i + stamp;
        *stem_length = length - i - stamp;
        return true;
    }
    return false;
}
