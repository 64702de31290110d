/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "defaults.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES (1u << 18)
#define BLANKS    " \t\r"
#define ENDS      " \t\r\n;"

/* Where the reader is. */
struct reader {
    const char *p;
    const char *const *known;
    struct defaults *defaults;
    unsigned line;
    unsigned depth; /* of conditions, loops and functions */
};

/* One word of a value on its way. */
struct word {
    char *text;
    size_t length;
    bool needs_shell;
};

static bool is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* The known variable that an assignment at p sets; NULL: it is of no interest to us. */
static const char *known_name(const struct reader *r, const char *p, size_t length)
{
    const char *const *name = r->known;
    while (*name && (strlen(*name) != length || memcmp(*name, p, length) != 0))
        name++;
    return *name;
}

/* Takes value over, also where it fails. */
static int put(struct reader *r, const char *name, char *value, unsigned line)
{
    struct defaults *defaults = r->defaults;
    for (size_t i = 0; i < defaults->count; i++) {
        if (defaults->values[i].name != name)
            continue;
        free(defaults->values[i].value);
        defaults->values[i].value = value;
        defaults->values[i].line = line;
        return 0;
    }
    struct defaults_value *grown =
        reallocarray(defaults->values, defaults->count + 1, sizeof *grown);
    if (!grown) {
        free(value);
        return -1;
    }
    defaults->values = grown;
    grown[defaults->count++] = (struct defaults_value){.name = name, .value = value, .line = line};
    return 0;
}

static void take_single_quoted(struct reader *r, struct word *word)
{
    for (r->p++; *r->p && *r->p != '\''; r->p++) {
        r->line += *r->p == '\n';
        word->text[word->length++] = *r->p;
    }
    if (*r->p)
        r->p++;
    else
        word->needs_shell = true;
}

/* A backslash keeps its meaning before few characters there (POSIX, Shell Command Language 2.2.3).
 */
static void take_double_quoted(struct reader *r, struct word *word)
{
    for (r->p++; *r->p && *r->p != '"'; r->p++) {
        bool escapes = *r->p == '\\' && r->p[1] && strchr("$`\"\\\n", r->p[1]);
        word->needs_shell = word->needs_shell || *r->p == '$' || *r->p == '`';
        r->p += escapes;
        r->line += *r->p == '\n';
        if (!escapes || *r->p != '\n')
            word->text[word->length++] = *r->p;
    }
    if (*r->p)
        r->p++;
    else
        word->needs_shell = true;
}

/* Reads a word as the shell does, up to what ends it. */
static void take_word(struct reader *r, struct word *word)
{
    word->needs_shell = *r->p == '~';
    while (*r->p && !strchr(ENDS, *r->p)) {
        if (*r->p == '\'') {
            take_single_quoted(r, word);
        } else if (*r->p == '"') {
            take_double_quoted(r, word);
        } else if (*r->p == '\\' && r->p[1]) {
            if (r->p[1] == '\n')
                r->line++;
            else
                word->text[word->length++] = r->p[1];
            r->p += 2;
        } else {
            word->needs_shell = word->needs_shell || strchr("$`()&|<>", *r->p);
            word->text[word->length++] = *r->p++;
        }
    }
    word->text[word->length] = '\0';
}

/* NAME=WORD: its length up to the equals sign, or 0. */
static size_t name_length(const char *p)
{
    size_t n = 0;
    while (is_name_byte(p[n]))
        n++;
    return n > 0 && !isdigit((unsigned char)*p) && p[n] == '=' ? n : 0;
}

/* The assignment at r->p. */
static int take_assignment(struct reader *r, size_t length)
{
    const char *name = known_name(r, r->p, length);
    unsigned line = r->line;
    r->p += length + 1;
    struct word word = {.text = malloc(strlen(r->p) + 1)};
    if (!word.text)
        return -1;
    take_word(r, &word);
    if (!name || word.needs_shell || r->depth) {
        free(word.text);
        word.text = NULL;
    }
    return name ? put(r, name, word.text, line) : 0;
}

/* Does the word stand at p? */
static bool is_word(const char *p, const char *word)
{
    size_t n = strlen(word);
    return strncmp(p, word, n) == 0 && (!p[n] || strchr(ENDS, p[n]));
}

static bool is_one_of(const char *p, const char *const *words)
{
    while (*words && !is_word(p, *words))
        words++;
    return *words;
}

/* Any other command, up to the line's end. One that sets a known variable somewhere in it does so
   under a condition, for a function or for a command alone. */
static int pass_command(struct reader *r)
{
    static const char *const open[] = {"if", "case", "for", "while", "until", "select", NULL};
    static const char *const close[] = {"fi", "esac", "done", "}", NULL};
    const char *end = r->p + strcspn(r->p, "\n"), *last = end;
    int failed = 0;
    for (const char *p = r->p; !failed && p < end; p++) {
        size_t length = p == r->p || !is_name_byte(p[-1]) ? name_length(p) : 0;
        const char *name = length ? known_name(r, p, length) : NULL;
        if (name)
            failed = put(r, name, NULL, r->line);
    }
    while (last > r->p && strchr(ENDS, last[-1]))
        last--;
    const char *word = last;
    while (word > r->p && !strchr(ENDS, word[-1]))
        word--;
    bool closes = is_one_of(word, close);
    if (is_one_of(r->p, close))
        r->depth -= r->depth > 0;
    else if (!closes && (is_one_of(r->p, open) || (last > r->p && last[-1] == '{')))
        r->depth++;
    r->p = end;
    return failed;
}

/* Assignments in a row count where no command follows that they are for alone. */
static bool is_for_a_command(const struct reader *r)
{
    struct reader probe = *r;
    const char *const nothing[] = {NULL};
    size_t length;
    probe.known = nothing;
    while ((length = name_length(probe.p))) {
        if (take_assignment(&probe, length) < 0)
            return false;
        probe.p += strspn(probe.p, BLANKS);
    }
    return *probe.p && !strchr("\n;#", *probe.p);
}

static int take_statement(struct reader *r)
{
    bool exported = is_word(r->p, "export");
    if (exported) {
        r->p += strlen("export");
        r->p += strspn(r->p, BLANKS);
    }
    if (!name_length(r->p) || (!exported && is_for_a_command(r)))
        return pass_command(r);
    for (size_t length; (length = name_length(r->p));) {
        if (take_assignment(r, length) < 0)
            return -1;
        r->p += strspn(r->p, BLANKS);
    }
    return *r->p && !strchr("\n;#", *r->p) ? pass_command(r) : 0;
}

int defaults_parse(const char *text, const char *const *known, struct defaults *defaults)
{
    struct reader r = {.p = text, .known = known, .defaults = defaults, .line = 1};
    *defaults = (struct defaults){0};
    while (*r.p) {
        if (*r.p == '\n') {
            r.line++;
            r.p++;
        } else if (strchr(ENDS, *r.p)) {
            r.p++;
        } else if (*r.p == '#') {
            r.p += strcspn(r.p, "\n");
        } else if (take_statement(&r) < 0) {
            return -1;
        }
    }
    return 0;
}

int defaults_read(const char *file, const char *const *known, struct defaults *defaults)
{
    *defaults = (struct defaults){0};
    FILE *stream = fopen(file, "re");
    if (!stream)
        return 0;
    char *text = malloc(MAX_BYTES + 1);
    size_t length = text ? fread(text, 1, MAX_BYTES, stream) : 0;
    int failed = text ? 0 : -1;
    if (text && !ferror(stream)) {
        text[length] = '\0';
        failed = defaults_parse(text, known, defaults);
    }
    free(text);
    fclose(stream);
    return failed;
}

const struct defaults_value *defaults_find(const struct defaults *defaults, const char *name)
{
    for (size_t i = 0; i < defaults->count; i++) {
        if (strcmp(defaults->values[i].name, name) == 0)
            return &defaults->values[i];
    }
    return NULL;
}

void defaults_end(struct defaults *defaults)
{
    for (size_t i = 0; i < defaults->count; i++)
        free(defaults->values[i].value);
    free(defaults->values);
    *defaults = (struct defaults){0};
}
