/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "containers.h"

#include "language.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHY_SIZE  512
#define MAX_BYTES (16u << 20)

static const char blanks[] = " \t\r";

/* Where a file is being read. */
struct reader {
    struct containers *containers;
    const char *file;
    char *why;
    unsigned line;
    const char *patterns;
};

static int tell_why(const struct reader *r, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static int tell_why(const struct reader *r, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int length = snprintf(r->why, WHY_SIZE, "%.200s:%u: ", r->file, r->line);
    vsnprintf(r->why + length, WHY_SIZE - (size_t)length, _(fmt), args);
    va_end(args);
    return -1;
}

/* The text less the blanks around it, which are overwritten. */
static char *trim(char *text)
{
    text += strspn(text, blanks);
    size_t length = strlen(text);
    while (length > 0 && strchr(blanks, text[length - 1]))
        length--;
    text[length] = '\0';
    return text;
}

static int check_value(const struct reader *r, const char *key, const char *value)
{
    static const char *const keys[] = {"timezone", "network", "root_password", "autostart",
                                       "config"};
    size_t i = 0;
    while (i < sizeof keys / sizeof *keys && strcmp(key, keys[i]) != 0)
        i++;
    if (i == sizeof keys / sizeof *keys)
        return tell_why(
            r, "there are timezone, network, root_password, autostart and config; no %.200s", key);
    if (!*value)
        return tell_why(r, "there is no value for %.200s", key);
    if (strcmp(key, "autostart") == 0 && strcmp(value, "yes") != 0 && strcmp(value, "no") != 0)
        return tell_why(r, "autostart is yes or no, not %.200s", value);
    if (strcmp(key, "network") == 0 && strcmp(value, "dhcp") != 0 && strcmp(value, "none") != 0)
        return tell_why(r, "network is dhcp or none, not %.200s", value);
    if (strcmp(key, "config") == 0 && (strncmp(value, "lxc.", 4) != 0 || !strchr(value, '=')))
        return tell_why(r, "config takes lxc.KEY = VALUE, not %.200s", value);
    return 0;
}

static int read_heading(struct reader *r, char *line)
{
    size_t length = strlen(line);
    if (line[length - 1] != ']')
        return tell_why(r, "a heading ends with ]");
    line[length - 1] = '\0';
    r->patterns = trim(line + 1);
    return *r->patterns ? 0 : tell_why(r, "the heading names no container");
}

static int read_setting(struct reader *r, char *line)
{
    struct containers *containers = r->containers;
    char *equals = strchr(line, '=');
    if (!equals)
        return tell_why(r, "this is neither KEY = VALUE nor a [heading]");
    *equals = '\0';
    const char *key = trim(line), *value = trim(equals + 1);
    if (check_value(r, key, value) < 0)
        return -1;
    struct setting *grown =
        reallocarray(containers->settings, containers->count + 1, sizeof *grown);
    if (!grown)
        return tell_why(r, "out of memory");
    containers->settings = grown;
    grown[containers->count++] =
        (struct setting){.patterns = r->patterns, .key = key, .value = value, .line = r->line};
    return 0;
}

int containers_parse(struct containers *containers, const char *file, const char *text,
                     size_t length, char why[WHY_SIZE])
{
    struct reader r = {.containers = containers, .file = file, .why = why, .line = 1};
    if (memchr(text, '\0', length))
        return tell_why(&r, "this is no text");
    containers->text = strndup(text, length);
    if (!containers->text)
        return tell_why(&r, "out of memory");
    containers->length = length;
    int failed = 0;
    for (char *next = containers->text; !failed && next; r.line++) {
        char *line = trim(strsep(&next, "\n"));
        if (*line == '[')
            failed = read_heading(&r, line);
        else if (*line && *line != '#' && *line != ';')
            failed = read_setting(&r, line);
    }
    return failed;
}

int containers_read(struct containers *containers, const char *file, char why[WHY_SIZE])
{
    FILE *stream = fopen(file, "re");
    char *text = stream ? malloc(MAX_BYTES + 1) : NULL;
    size_t length = text ? fread(text, 1, MAX_BYTES + 1, stream) : 0;
    int failed = -1;
    if (!text || ferror(stream))
        snprintf(why, WHY_SIZE, "%.300s: %s", file, strerror(errno));
    else if (length > MAX_BYTES)
        snprintf(why, WHY_SIZE, _("%.300s: this is too large for settings of containers"), file);
    else
        failed = containers_parse(containers, file, text, length, why);
    if (text)
        explicit_bzero(text, length);
    free(text);
    if (stream)
        fclose(stream);
    return failed;
}

static int matches(const char *patterns, const char *name)
{
    char one[256];
    for (const char *p = patterns; p && *p; p += strspn(p, " \t")) {
        size_t length = strcspn(p, " \t");
        snprintf(one, sizeof one, "%.*s", (int)length, p);
        if (length < sizeof one && fnmatch(one, name, 0) == 0)
            return 1;
        p += length;
    }
    return !patterns;
}

int containers_apply(struct containers *containers, struct pf_container *container, char **config)
{
    size_t length = 0;
    *config = NULL;
    for (size_t i = 0; i < containers->count; i++) {
        struct setting *s = &containers->settings[i];
        if (!matches(s->patterns, container->name))
            continue;
        s->used = true;
        if (strcmp(s->key, "timezone") == 0) {
            container->timezone = s->value;
        } else if (strcmp(s->key, "network") == 0) {
            container->network = s->value;
        } else if (strcmp(s->key, "root_password") == 0) {
            container->root_password = s->value;
        } else if (strcmp(s->key, "autostart") == 0) {
            container->autostart = strcmp(s->value, "yes") == 0;
        } else {
            char *grown = realloc(*config, length + strlen(s->value) + 2);
            if (!grown)
                return -1;
            length += (size_t)sprintf(grown + length, "%s\n", s->value);
            *config = grown;
        }
    }
    container->config = *config;
    return 0;
}

void containers_end(struct containers *containers)
{
    /* There may be passwords in it. */
    if (containers->text)
        explicit_bzero(containers->text, containers->length);
    free(containers->settings);
    free(containers->text);
    *containers = (struct containers){0};
}
