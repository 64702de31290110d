/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "namelist.h"

#include "language.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHY_SIZE 256
/* No container's name is as long; it leaves room to say so. */
#define MAX_NAME   255
#define MAX_DIGITS 9

/* A word while it is expanded: what its beginning stands for so far. */
struct expansion {
    struct namelist *names;
    char *why;
    char text[MAX_NAME + 1];
};

static int tell_why(struct expansion *e, const char *what)
{
    snprintf(e->why, WHY_SIZE, "%s", _(what));
    return -1;
}

static int add_name(struct expansion *e, size_t length)
{
    struct namelist *names = e->names;
    char *name = strndup(e->text, length);
    char **grown = realloc(names->names, (names->count + 1) * sizeof *grown);
    if (grown)
        names->names = grown;
    if (!name || !grown) {
        free(name);
        return tell_why(e, "out of memory");
    }
    grown[names->count++] = name;
    return names->count <= NAMELIST_MAX ? 0 : tell_why(e, "more than 10000 names");
}

static int expand(struct expansion *e, size_t length, const char *rest);

/* Puts a piece behind what there is and goes on. */
static int expand_piece(struct expansion *e, size_t length, const char *piece, size_t piece_length,
                        const char *rest)
{
    if (length + piece_length > MAX_NAME)
        return tell_why(e, "it stands for a name that is too long");
    memcpy(e->text + length, piece, piece_length);
    return expand(e, length + piece_length, rest);
}

/* "001..100": 1 where it is a range. */
static int read_range(const char *item, size_t length, unsigned long *from, unsigned long *to,
                      int *width)
{
    const char *dots = memmem(item, length, "..", 2);
    size_t first = dots ? (size_t)(dots - item) : 0, second = dots ? length - first - 2 : 0;
    if (!dots || first == 0 || second == 0 || first > MAX_DIGITS || second > MAX_DIGITS ||
        strspn(item, "0123456789") != first || strspn(dots + 2, "0123456789") != second)
        return 0;
    bool padded = (*item == '0' && first > 1) || (dots[2] == '0' && second > 1);
    *from = strtoul(item, NULL, 10);
    *to = strtoul(dots + 2, NULL, 10);
    *width = padded ? (int)(first > second ? first : second) : 1;
    return 1;
}

static int expand_item(struct expansion *e, size_t length, const char *item, size_t item_length,
                       const char *rest)
{
    unsigned long from, to;
    int width;
    if (!read_range(item, item_length, &from, &to, &width)) {
        if (item_length == 0 || memmem(item, item_length, "..", 2))
            return tell_why(e, "a brace takes numbers like {001..100} and words like {a,b}");
        return expand_piece(e, length, item, item_length, rest);
    }
    int failed = 0;
    for (unsigned long i = from; !failed; i = from < to ? i + 1 : i - 1) {
        char number[MAX_DIGITS + 2];
        int digits = snprintf(number, sizeof number, "%0*lu", width, i);
        failed = expand_piece(e, length, number, (size_t)digits, rest);
        if (i == to)
            break;
    }
    return failed;
}

/* text holds what the word stands for up to rest. */
static int expand(struct expansion *e, size_t length, const char *rest)
{
    size_t plain = strcspn(rest, "{}");
    if (length + plain > MAX_NAME)
        return tell_why(e, "it stands for a name that is too long");
    memcpy(e->text + length, rest, plain);
    length += plain;
    rest += plain;
    if (*rest == '\0')
        return add_name(e, length);
    const char *end = *rest == '{' ? strpbrk(rest + 1, "{}") : NULL;
    if (!end || *end == '{')
        return tell_why(e, "its braces do not match");
    int failed = 0;
    for (const char *item = rest + 1; !failed; item += strcspn(item, ",}") + 1) {
        size_t item_length = strcspn(item, ",}");
        failed = expand_item(e, length, item, item_length, end + 1);
        if (item + item_length == end)
            break;
    }
    return failed;
}

int namelist_add(struct namelist *names, const char *word, char why[WHY_SIZE])
{
    struct expansion e = {.names = names, .why = why};
    return expand(&e, 0, word);
}

int namelist_add_numbered(struct namelist *names, const char *prefix, unsigned count,
                          char why[WHY_SIZE])
{
    struct expansion e = {.names = names, .why = why};
    if (strlen(prefix) + MAX_DIGITS > MAX_NAME)
        return tell_why(&e, "the prefix is too long");
    int failed = 0;
    for (unsigned i = 1; !failed && i <= count; i++)
        failed = add_name(&e, (size_t)snprintf(e.text, sizeof e.text, "%s%u", prefix, i));
    return failed;
}

static int add_line(struct namelist *names, char *line, char why[WHY_SIZE])
{
    static const char blanks[] = " \t\r\n";
    char *state = NULL;
    line[strcspn(line, "#")] = '\0';
    for (char *word = strtok_r(line, blanks, &state); word; word = strtok_r(NULL, blanks, &state)) {
        if (namelist_add(names, word, why) < 0)
            return -1;
    }
    return 0;
}

int namelist_add_file(struct namelist *names, const char *file, char why[WHY_SIZE])
{
    char *line = NULL, reason[WHY_SIZE];
    size_t size = 0;
    int failed = 0;
    bool standard = strcmp(file, "-") == 0;
    FILE *stream = standard ? stdin : fopen(file, "re");
    if (!stream) {
        snprintf(why, WHY_SIZE, "%s: %s", file, strerror(errno));
        return -1;
    }
    for (unsigned number = 1; !failed && getline(&line, &size, stream) > 0; number++) {
        failed = add_line(names, line, reason);
        if (failed)
            snprintf(why, WHY_SIZE, "%.100s:%u: %.100s", file, number, reason);
    }
    if (!failed && ferror(stream)) {
        snprintf(why, WHY_SIZE, "%s: %s", file, strerror(errno));
        failed = -1;
    }
    free(line);
    if (!standard)
        fclose(stream);
    return failed;
}

void namelist_end(struct namelist *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->names[i]);
    free(names->names);
    *names = (struct namelist){0};
}
