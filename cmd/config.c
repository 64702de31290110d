/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "language.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES (1u << 20)
#define BLANKS    " \t\r"

/* Where the parser is. */
struct parser {
    const char *name;
    const char *const *known;
    struct config *config;
    unsigned line;
    bool open; /* the line before was a key and its value, which a blank in front goes on with */
    char *error;
};

static int fail(const struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(const struct parser *p, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int length = snprintf(p->error, CONFIG_ERROR_SIZE, "%s:%u: ", p->name, p->line);
    if (length > 0 && length < CONFIG_ERROR_SIZE)
        vsnprintf(p->error + length, CONFIG_ERROR_SIZE - (size_t)length, _(fmt), args);
    va_end(args);
    return -1;
}

static int no_memory(const struct parser *p)
{
    return fail(p, "out of memory");
}

/* The text between two places, without the blanks around it. NULL where memory is short. */
static char *trimmed(const char *start, const char *end)
{
    while (start < end && strchr(BLANKS, *start))
        start++;
    while (end > start && strchr(BLANKS, end[-1]))
        end--;
    return strndup(start, (size_t)(end - start));
}

/* Takes name over, also where it fails. */
static int begin_section(struct parser *p, char *name)
{
    struct config *config = p->config;
    struct config_section *grown =
        realloc(config->sections, (config->count + 1) * sizeof *config->sections);
    if (!grown) {
        free(name);
        return no_memory(p);
    }
    config->sections = grown;
    grown[config->count++] = (struct config_section){.name = name, .line = p->line};
    return 0;
}

static int take_section(struct parser *p, const char *start, const char *end)
{
    const char *close = memchr(start, ']', (size_t)(end - start));
    if (!close || strspn(close + 1, BLANKS) != (size_t)(end - close - 1))
        return fail(p, "a section's line is [NAME] and nothing else");
    char *name = trimmed(start + 1, close);
    if (!name)
        return no_memory(p);
    for (size_t i = 1; *name && i < p->config->count; i++) {
        if (strcmp(p->config->sections[i].name, name) != 0)
            continue;
        fail(p, "section [%.100s] is there already, at line %u", name, p->config->sections[i].line);
        free(name);
        return -1;
    }
    if (*name)
        return begin_section(p, name);
    free(name);
    return fail(p, "a section needs a name: [NAME]");
}

static int check_key(const struct parser *p, const char *key)
{
    for (const char *const *known = p->known; *known; known++) {
        if (strcmp(*known, key) == 0)
            return 0;
    }
    const char *near = pf_engine_nearest(key, p->known);
    if (near)
        return fail(p, "there is no key \"%.100s\"; did you mean \"%s\"?", key, near);
    return fail(p, "there is no key \"%.100s\"", key);
}

static int take_entry(struct parser *p, const char *start, const char *end)
{
    const char *equals = memchr(start, '=', (size_t)(end - start));
    if (!equals)
        return fail(p, "neither KEY = VALUE nor [NAME]");
    struct config_section *section = &p->config->sections[p->config->count - 1];
    struct config_entry *grown =
        realloc(section->entries, (section->count + 1) * sizeof *section->entries);
    if (!grown)
        return no_memory(p);
    section->entries = grown;
    struct config_entry *entry = &grown[section->count++];
    *entry = (struct config_entry){.key = trimmed(start, equals),
                                   .value = trimmed(equals + 1, end),
                                   .line = p->line};
    if (!entry->key || !entry->value)
        return no_memory(p);
    p->open = true;
    return check_key(p, entry->key);
}

static int go_on(struct parser *p, const char *start, const char *end)
{
    struct config_section *section = &p->config->sections[p->config->count - 1];
    if (!p->open)
        return fail(p, "a blank in front goes on with the value of the line before; there is none");
    struct config_entry *entry = &section->entries[section->count - 1];
    char *more = trimmed(start, end), *whole = NULL;
    const char *blank = *entry->value ? " " : "";
    if (!more || asprintf(&whole, "%s%s%s", entry->value, blank, more) < 0) {
        free(more);
        return no_memory(p);
    }
    free(more);
    free(entry->value);
    entry->value = whole;
    return 0;
}

static int take_line(struct parser *p, const char *start, const char *end)
{
    size_t blanks = strspn(start, BLANKS);
    const char *first = start + blanks;
    bool nothing = first >= end;
    if (nothing || *first == '#' || *first == ';') {
        p->open = p->open && !nothing;
        return 0;
    }
    if (blanks)
        return go_on(p, first, end);
    p->open = false;
    return *first == '[' ? take_section(p, first, end) : take_entry(p, first, end);
}

int config_parse(const char *text, size_t length, const char *name, const char *const *known,
                 struct config *config, char error[CONFIG_ERROR_SIZE])
{
    struct parser p = {.name = name, .known = known, .config = config, .line = 1, .error = error};
    *config = (struct config){0};
    if (begin_section(&p, NULL) < 0)
        return -1;
    const char *end = text + length;
    for (const char *line = text; line < end; p.line++) {
        const char *line_end = memchr(line, '\n', (size_t)(end - line));
        if (!line_end)
            line_end = end;
        if (memchr(line, '\0', (size_t)(line_end - line)))
            return fail(&p, "a NUL byte; this is no text");
        if (take_line(&p, line, line_end) < 0)
            return -1;
        line = line_end + (line_end < end);
    }
    return 0;
}

int config_read(const char *path, const char *const *known, struct config *config,
                char error[CONFIG_ERROR_SIZE])
{
    *config = (struct config){0};
    FILE *file = fopen(path, "re");
    char *text = file ? malloc(MAX_BYTES + 2) : NULL;
    size_t length = text ? fread(text, 1, MAX_BYTES + 1, file) : 0;
    int status = -1;
    if (!file || !text || ferror(file)) {
        snprintf(error, CONFIG_ERROR_SIZE, "%s: %s", path, strerror(errno));
    } else if (length > MAX_BYTES) {
        snprintf(error, CONFIG_ERROR_SIZE, _("%s: larger than 1 MiB"), path);
    } else {
        text[length] = '\0';
        status = config_parse(text, length, path, known, config, error);
    }
    free(text);
    if (file)
        fclose(file);
    return status;
}

void config_end(struct config *config)
{
    for (size_t i = 0; i < config->count; i++) {
        struct config_section *section = &config->sections[i];
        for (size_t j = 0; j < section->count; j++) {
            free(section->entries[j].key);
            free(section->entries[j].value);
        }
        free(section->entries);
        free(section->name);
    }
    free(config->sections);
    *config = (struct config){0};
}
