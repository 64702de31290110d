/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scriptwords.h"

#include <ctype.h>
#include <fnmatch.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

/* Longer words, and more patterns in one, are no path; the latter also take long to match. */
#define MAX_WORD     512
#define MAX_PATTERNS 4

/* Folders that a script enters, at most; of more, the last ones count. */
#define MAX_FOLDERS 8

struct words {
    char folders[MAX_FOLDERS][MAX_WORD + 1]; /* "a/b/" */
    size_t folder_count;
    bool entering; /* the word before was cd */
};

static bool ends_word(char c)
{
    return c == '\0' || strchr(" \t\n\"'`;()<>|&=,", c) != NULL;
}

/* Makes a pattern of a word: variables become "*", and "./" and slashes before it go. False where
   it says nothing. */
static bool make_pattern(const char *word, size_t length, char pattern[MAX_WORD])
{
    size_t used = 0;
    unsigned wild = 0;
    bool says = false;
    while (length && (*word == '/' || (length > 1 && word[0] == '.' && word[1] == '/'))) {
        word++;
        length--;
    }
    for (size_t i = 0; i < length; i++) {
        char c = word[i];
        if (used == MAX_WORD - 1)
            return false;
        if (c == '$') {
            bool braced = i + 1 < length && word[i + 1] == '{';
            for (i += braced; i + 1 < length; i++) {
                char next = word[i + 1];
                if (!isalnum((unsigned char)next) && next != '_' && !braced)
                    break;
                if (next == '}') {
                    i++;
                    break;
                }
            }
            c = '*';
        }
        wild += c == '*' || c == '?' || c == '[';
        says = says || isalnum((unsigned char)c);
        pattern[used++] = c;
    }
    while (used && pattern[used - 1] == '/')
        used--;
    pattern[used] = '\0';
    return says && wild <= MAX_PATTERNS;
}

/* A folder that much else is in: who names it need not mean what is below. */
static bool is_wide(const char *path)
{
    bool below = strncmp(path, "usr/", 4) == 0 || strncmp(path, "var/", 4) == 0;
    const char *slash = strchr(path, '/');
    return !slash || (below && !strchr(slash + 1, '/'));
}

/* Does the pattern, seen from a folder ("" or "a/b/"), stand for the path or for one above it? */
static bool stands_for(const char *pattern, const char *folder, const char *path)
{
    char above[PATH_MAX];
    size_t length = strlen(path), start = strlen(folder);
    if (length >= sizeof above || strncmp(path, folder, start) != 0)
        return false;
    memcpy(above, path, length + 1);
    while (strlen(above) > start) {
        if (fnmatch(pattern, above + start, FNM_PATHNAME) == 0)
            return true;
        char *slash = strrchr(above, '/');
        if (!slash)
            return false;
        *slash = '\0';
        if (is_wide(above))
            return false;
    }
    return false;
}

static bool match(const struct words *w, const char *pattern, const char *path)
{
    bool found = stands_for(pattern, "", path);
    for (size_t i = 0; !found && i < w->folder_count && i < MAX_FOLDERS; i++)
        found = stands_for(pattern, w->folders[i], path);
    return found;
}

/* Remembers a folder that is entered, with a slash behind it. */
static void enter(struct words *w, const char *folder)
{
    char *kept = w->folders[w->folder_count++ % MAX_FOLDERS];
    size_t length = strlen(folder);
    memcpy(kept, folder, length);
    memcpy(kept + length, "/", 2);
}

bool pf_scriptwords_name(const char *script, const char *path)
{
    struct words w = {.folder_count = 0};
    for (const char *p = script; *p;) {
        size_t length = 0;
        while (!ends_word(p[length]))
            length++;
        char pattern[MAX_WORD];
        if (w.entering && length && make_pattern(p, length, pattern))
            enter(&w, pattern);
        else if (!w.entering && length && make_pattern(p, length, pattern) &&
                 match(&w, pattern, path))
            return true;
        if (length)
            w.entering = length == 2 && memcmp(p, "cd", 2) == 0;
        p += length;
        p += *p != '\0';
    }
    return false;
}

static bool is_remover(const char *word, size_t length)
{
    static const char *const commands[] = {"rm", "mv", "rmdir", "unlink", "rename", "find"};
    const char *slash = memrchr(word, '/', length);
    const char *name = slash ? slash + 1 : word;
    length -= (size_t)(name - word);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strlen(commands[i]) == length && memcmp(commands[i], name, length) == 0)
            return true;
    }
    return false;
}

bool pf_scriptwords_removes(const char *script)
{
    for (const char *p = script; *p; p += *p != '\0') {
        size_t length = 0;
        while (!ends_word(p[length]))
            length++;
        if (is_remover(p, length))
            return true;
        p += length;
    }
    return false;
}
