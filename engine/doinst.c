/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "doinst.h"

#include <stdlib.h>
#include <string.h>

static bool starts_with(const char *line, size_t length, const char *prefix)
{
    size_t n = strlen(prefix);
    return length >= n && memcmp(line, prefix, n) == 0;
}

/* Length of the line at p, its newline included. */
static size_t line_length(const char *p, const char *end)
{
    const char *newline = memchr(p, '\n', (size_t)(end - p));
    return newline ? (size_t)(newline - p) + 1 : (size_t)(end - p);
}

int pf_doinst_split(const char *script, size_t length, char **rest, size_t *rest_length,
                    char **initpkg, size_t *initpkg_length, struct pf_error *err)
{
    char *out = malloc(length + 1);
    char *init = malloc(length + 1);
    if (!out || !init) {
        free(out);
        free(init);
        return pf_error_memory(err);
    }
    size_t out_used = 0, init_used = 0;
    const char *end = script + length;
    bool inside = false;
    for (const char *p = script; p < end;) {
        size_t n = line_length(p, end);
        /* sed looks for the end from the line after the beginning on. */
        bool closes = inside && starts_with(p, n, "#%% end");
        if (!inside && starts_with(p, n, "#%% begin"))
            inside = true;
        if (inside) {
            memcpy(init + init_used, p, n);
            init_used += n;
        } else {
            memcpy(out + out_used, p, n);
            out_used += n;
        }
        if (closes)
            inside = false;
        p += n;
    }
    out[out_used] = '\0';
    init[init_used] = '\0';
    *rest = out;
    *rest_length = out_used;
    *initpkg = init;
    *initpkg_length = init_used;
    return 0;
}

/* Bytes that stand for themselves in every position of an argument. */
static bool is_plain(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("./_-+,:@%=", c) != NULL || c >= 0x80;
}

static bool is_plain_word(const char *word)
{
    if (*word == '\0' || *word == '-')
        return false;
    for (; *word; word++) {
        if (!is_plain((unsigned char)*word))
            return false;
    }
    return true;
}

/* rm refuses these, and a slash at the end changes what it and ln do: leave them to the real ones.
 */
static bool is_plain_name(const char *word)
{
    size_t length = strlen(word);
    if (!is_plain_word(word) || word[length - 1] == '/')
        return false;
    const char *slash = strrchr(word, '/');
    const char *leaf = slash ? slash + 1 : word;
    return strcmp(leaf, ".") != 0 && strcmp(leaf, "..") != 0;
}

/* A shell takes ".." after a link back by the text, the kernel by the tree: leave it to the shell.
 */
static bool is_plain_folder(const char *word)
{
    if (!is_plain_word(word))
        return false;
    for (const char *p = word; *p; p += strspn(p, "/")) {
        size_t n = strcspn(p, "/");
        if (n == 2 && memcmp(p, "..", 2) == 0)
            return false;
        p += n;
    }
    return true;
}

static bool is_in_install(const char *word)
{
    while (word[0] == '.' && word[1] == '/')
        word += 2 + strspn(word + 2, "/");
    return strncmp(word, "install", 7) == 0 && (word[7] == '/' || word[7] == '\0');
}

/* The package system's own folder is there while a script runs, but not while pairs are applied.
   Where FOLDER is missing the shell stays in the root, so that before it ran NAME alone may mean
   that folder. */
static bool means_install(const char *folder, const char *name, bool has_run)
{
    bool in_root = folder[strspn(folder, "./")] == '\0';
    return is_in_install(folder) || ((in_root || !has_run) && is_in_install(name));
}

/* More words than any of the two forms has. */
#define MAX_WORDS 10

/* Cuts the line into words at blanks, in place. */
static size_t split_words(char *line, char *words[MAX_WORDS])
{
    size_t count = 0;
    char *state = NULL;
    for (char *w = strtok_r(line, " \t", &state); w; w = strtok_r(NULL, " \t", &state)) {
        if (count == MAX_WORDS)
            return MAX_WORDS;
        words[count++] = w;
    }
    return count;
}

/* "( cd FOLDER ; rm -rf NAME )" has 8 words, "( cd FOLDER ; ln -sf TARGET NAME )" 9. */
static bool parse_line(char *line, bool has_run, struct pf_doinst_op *op)
{
    char *w[MAX_WORDS];
    size_t n = split_words(line, w);
    if ((n != 8 && n != 9) || strcmp(w[0], "(") != 0 || strcmp(w[1], "cd") != 0 ||
        strcmp(w[3], ";") != 0 || strcmp(w[n - 1], ")") != 0 || !is_plain_folder(w[2]) ||
        !is_plain_name(w[n - 2]) || means_install(w[2], w[n - 2], has_run))
        return false;
    bool link = n == 9;
    if (strcmp(w[4], link ? "ln" : "rm") != 0 || strcmp(w[5], link ? "-sf" : "-rf") != 0)
        return false;
    if (link && !is_plain_word(w[6]))
        return false;
    *op = (struct pf_doinst_op){.link = link,
                                .folder = w[2],
                                .target = link ? w[6] : NULL,
                                .name = w[n - 2]};
    return true;
}

static int parse(const char *script, size_t length, bool has_run, struct pf_doinst_ops *out,
                 struct pf_error *err)
{
    *out = (struct pf_doinst_ops){0};
    /* A NUL byte would end a line for us and not for a shell. */
    if (memchr(script, '\0', length))
        return 0;
    size_t capacity = 1;
    for (size_t i = 0; i < length; i++)
        capacity += script[i] == '\n';
    out->text = malloc(length + 1);
    out->ops = calloc(capacity, sizeof *out->ops);
    if (!out->text || !out->ops) {
        pf_doinst_ops_end(out);
        return pf_error_memory(err);
    }
    memcpy(out->text, script, length);
    out->text[length] = '\0';
    char *state = NULL;
    for (char *line = strtok_r(out->text, "\n", &state); line;
         line = strtok_r(NULL, "\n", &state)) {
        const char *first = line + strspn(line, " \t");
        if (*first == '\0' || *first == '#')
            continue;
        if (!parse_line(line, has_run, &out->ops[out->count])) {
            pf_doinst_ops_end(out);
            return 0;
        }
        out->count++;
    }
    return 1;
}

int pf_doinst_parse(const char *script, size_t length, struct pf_doinst_ops *out,
                    struct pf_error *err)
{
    return parse(script, length, false, out, err);
}

int pf_doinst_parse_kept(const char *script, size_t length, struct pf_doinst_ops *out,
                         struct pf_error *err)
{
    return parse(script, length, true, out, err);
}

/* Words of a head that may change what a pair behind it means. */
static const char *const changing_words[] = {".",       "CDPATH", "PATH",   "alias", "builtin",
                                             "cd",      "enable", "eval",   "exec",  "function",
                                             "set",     "shopt",  "source", "trap",  "ulimit",
                                             "unalias", NULL};

static bool is_of_word(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-' || c == '/' || c >= 0x80;
}

static bool is_changing_word(const char *word, size_t length)
{
    const char *const *known = changing_words;
    while (*known && (strlen(*known) != length || memcmp(*known, word, length) != 0))
        known++;
    return *known != NULL;
}

/* "rm ()", with or without the blank. */
static bool defines_command(const char *word, size_t length, const char *end)
{
    const char *behind = word + length;
    while (behind < end && (*behind == ' ' || *behind == '\t'))
        behind++;
    return length == 2 && (memcmp(word, "rm", 2) == 0 || memcmp(word, "ln", 2) == 0) &&
           behind < end && *behind == '(';
}

/* Does a command of this line go on in the next one: nothing but a comment behind "&&", "||", "|"?
 */
static bool goes_on(const char *line, const char *end)
{
    for (const char *p = line; p < end; p++) {
        const char *behind = p + 1;
        while (behind < end && strchr(" \t\r\n", *behind))
            behind++;
        if ((*p == '&' || *p == '|') && (behind == end || *behind == '#'))
            return true;
    }
    return false;
}

static bool is_quote(char c)
{
    return c == '\'' || c == '"';
}

/* Is a word put together there, so that nobody finds it by looking for it: c\d, c''d, "c"d? */
static bool hides_word(const char *line, const char *p, const char *end)
{
    if (*p == '\\')
        return true;
    return is_quote(*p) && p > line && p + 1 < end &&
           (is_quote(p[-1]) || is_of_word((unsigned char)p[-1])) &&
           (is_quote(p[1]) || is_of_word((unsigned char)p[1]));
}

/* By its words alone, wherever they stand: who is in doubt leaves all to the shell. A text up to a
   mark ("<<") and what runs beside ("&") are left to it, too. */
static bool may_change_pairs(const char *line, size_t length)
{
    const char *end = line + length;
    for (const char *p = line; p < end;) {
        const char *word = p;
        while (p < end && is_of_word((unsigned char)*p))
            p++;
        size_t n = (size_t)(p - word);
        if (n > 0 && (is_changing_word(word, n) || defines_command(word, n, end)))
            return true;
        if (n > 0)
            continue;
        bool doubled = p + 1 < end && p[1] == *p;
        bool duplicates = *p == '&' && p > line && (p[-1] == '>' || p[-1] == '<');
        if (*p == '\0' || (*p == '<' && doubled) || (*p == '&' && !doubled && !duplicates) ||
            hides_word(line, p, end))
            return true;
        p += *p == '&' && doubled ? 2 : 1;
    }
    return goes_on(line, end);
}

/* Is the line at p a pair's, or one that says nothing? */
static bool is_pair_line(const char *p, size_t length, bool *pair)
{
    char line[4096], *first;
    struct pf_doinst_op op;
    if (length >= sizeof line || memchr(p, '\0', length))
        return false;
    memcpy(line, p, length);
    line[length] = '\0';
    line[strcspn(line, "\n")] = '\0';
    first = line + strspn(line, " \t");
    *pair = *first && *first != '#';
    return !*pair || parse_line(line, false, &op);
}

int pf_doinst_parse_front(const char *script, size_t length, size_t *front_length,
                          struct pf_doinst_ops *out, struct pf_error *err)
{
    const char *end = script + length, *p = script;
    bool any = false, pair = false;
    *out = (struct pf_doinst_ops){0};
    for (size_t n; p < end && is_pair_line(p, n = line_length(p, end), &pair); p += n)
        any = any || pair;
    *front_length = any ? (size_t)(p - script) : 0;
    return any ? pf_doinst_parse(script, *front_length, out, err) : 0;
}

int pf_doinst_parse_tail(const char *script, size_t length, size_t *head_length,
                         struct pf_doinst_ops *out, struct pf_error *err)
{
    const char *end = script + length, *tail = NULL;
    bool doubt = false;
    *out = (struct pf_doinst_ops){0};
    for (const char *p = script; p < end;) {
        size_t n = line_length(p, end);
        bool pair = false;
        if (!is_pair_line(p, n, &pair)) {
            doubt = doubt || may_change_pairs(p, n);
            tail = NULL;
        } else if (pair && !tail) {
            tail = p;
        }
        p += n;
    }
    *head_length = tail ? (size_t)(tail - script) : 0;
    if (*head_length == 0 || doubt)
        return 0;
    return pf_doinst_parse(tail, length - *head_length, out, err);
}

void pf_doinst_ops_end(struct pf_doinst_ops *ops)
{
    free(ops->ops);
    free(ops->text);
    *ops = (struct pf_doinst_ops){0};
}
