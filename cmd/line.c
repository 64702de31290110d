/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "line.h"

#include "screen.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Set once, before any other thread runs. */
static const char *program_name = "plamo-fast";

void line_init(const char *program)
{
    program_name = program;
}

const char *line_program(void)
{
    return program_name;
}

bool line_has_terminal(void)
{
    const char *term = getenv("TERM");
    return isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
}

bool line_has_colour(void)
{
    const char *no_color = getenv("NO_COLOR");
    return line_has_terminal() && (!no_color || !*no_color);
}

void line_escape(FILE *stream, const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        /* C0, DEL, and C1 as UTF-8 has it. */
        if (*p < 0x20 || *p == 0x7f) {
            fprintf(stream, "\\x%02x", *p);
        } else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) {
            fprintf(stream, "\\x%02x\\x%02x", p[0], p[1]);
            p++;
        } else {
            putc(*p, stream);
        }
    }
}

char *line_escaped_text(const char *text)
{
    char *escaped = NULL;
    size_t length;
    FILE *stream = open_memstream(&escaped, &length);
    if (!stream)
        return NULL;
    line_escape(stream, text);
    if (fclose(stream) == 0)
        return escaped;
    free(escaped);
    return NULL;
}

static void put_kind(FILE *stream, enum line_tone tone, const char *kind)
{
    static const char *const colours[] = {
        [LINE_GOOD] = "\x1b[32m", [LINE_WARNING] = "\x1b[33m", [LINE_ERROR] = "\x1b[1;31m"};
    bool coloured = colours[tone] && line_has_colour();
    fprintf(stream, "%s%s%s", coloured ? colours[tone] : "", kind, coloured ? "\x1b[0m" : "");
}

static void put_line(FILE *stream, enum line_tone tone, const char *kind, const char *subject,
                     const char *text)
{
    fprintf(stream, "%s: ", program_name);
    put_kind(stream, tone, kind);
    if (subject) {
        line_escape(stream, subject);
        fputs(": ", stream);
    }
    line_escape(stream, text);
    putc('\n', stream);
}

void line_print(enum line_tone tone, const char *kind, const char *subject, const char *text)
{
    char *line = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&line, &length);
    bool whole = false;
    if (stream) {
        put_line(stream, tone, kind, subject, text);
        bool good = !ferror(stream);
        whole = fclose(stream) == 0 && good && line;
    }
    if (!whole) {
        /* Memory is short, and that is what is to be said: as it comes, over any bars. */
        flockfile(stderr);
        put_line(stderr, tone, kind, subject, text);
        funlockfile(stderr);
    } else if (!screen_print(line, length)) {
        fwrite(line, 1, length, stderr);
    }
    free(line);
}
