/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ftplisting.h"

#include "names.h"

#include <ctype.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A piece of a line; not NUL-terminated. */
struct piece {
    const char *at;
    size_t length;
};

/* What one line says. */
enum verdict {
    LINE_ENTRY,
    LINE_PASSED_OVER, /* understood, but no entry */
    LINE_DROPPED,     /* not understood */
};

struct line {
    struct piece name;
    bool folder;
    bool link;
    int64_t size_bytes;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Takes the next word off the front of rest; what is left begins with the blank behind it. Empty at
   the end. */
static struct piece next_word(struct piece *rest)
{
    while (rest->length && is_blank(*rest->at))
        rest->at++, rest->length--;
    struct piece word = {rest->at, 0};
    while (word.length < rest->length && !is_blank(word.at[word.length]))
        word.length++;
    rest->at += word.length;
    rest->length -= word.length;
    return word;
}

static bool equals(struct piece piece, const char *text)
{
    return piece.length == strlen(text) && strncasecmp(piece.at, text, piece.length) == 0;
}

static bool starts_with(struct piece piece, const char *text)
{
    return piece.length >= strlen(text) && strncasecmp(piece.at, text, strlen(text)) == 0;
}

/* Does the piece have the shape: '9' for a digit, anything else for itself? */
static bool has_shape(struct piece piece, const char *shape)
{
    if (piece.length != strlen(shape))
        return false;
    for (size_t i = 0; i < piece.length; i++) {
        bool fits = shape[i] == '9' ? isdigit((unsigned char)piece.at[i]) != 0
                                    : toupper((unsigned char)piece.at[i]) == shape[i];
        if (!fits)
            return false;
    }
    return true;
}

static bool has_a_shape(struct piece piece, const char *const shapes[])
{
    for (; *shapes; shapes++) {
        if (has_shape(piece, *shapes))
            return true;
    }
    return false;
}

/* A number of digits alone. *value is -1 where it is larger than any file. */
static bool read_size(struct piece piece, int64_t *value)
{
    int64_t n = 0;
    for (size_t i = 0; i < piece.length; i++) {
        if (!isdigit((unsigned char)piece.at[i]))
            return false;
        int digit = piece.at[i] - '0';
        n = n < 0 || n > (INT64_MAX - digit) / 10 ? -1 : n * 10 + digit;
    }
    *value = n;
    return piece.length > 0;
}

static bool is_month(struct piece piece)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    for (size_t i = 0; i < sizeof months / sizeof *months; i++) {
        if (equals(piece, months[i]))
            return true;
    }
    return false;
}

/* Takes a time as `ls -l` writes it off the front of rest: "Jan 31 23:59", "Jan 31  2026",
   "2026-01-31 23:59" and "2026-01-31 23:59:59.000000000 +0900". */
static bool take_time(struct piece *rest)
{
    static const char *const days[] = {"9", "99", NULL};
    static const char *const clocks[] = {"9:99", "99:99", "9999", "99:99:99", NULL};
    struct piece after = *rest;
    struct piece word = next_word(&after);
    if (is_month(word)) {
        if (!has_a_shape(next_word(&after), days) || !has_a_shape(next_word(&after), clocks))
            return false;
    } else if (has_shape(word, "9999-99-99")) {
        word = next_word(&after);
        if (has_shape(word, "99:99:99.999999999")) {
            word = next_word(&after);
            if (!has_shape(word, "+9999") && !has_shape(word, "-9999"))
                return false;
        } else if (!has_shape(word, "99:99") && !has_shape(word, "99:99:99")) {
            return false;
        }
    } else {
        return false;
    }
    *rest = after;
    return true;
}

/* Is it a mode with its type, "-rw-r--r--", perhaps with a mark of more rights behind it? */
static bool is_mode(struct piece word)
{
    if (word.length < 10 || word.length > 11 || !memchr("-dlbcpsD", word.at[0], 8))
        return false;
    for (size_t i = 1; i < 10; i++) {
        if (!memchr("-rwxsStTlL", word.at[i], 10))
            return false;
    }
    return word.length == 10 || memchr("+.@", word.at[10], 3);
}

/* Cuts " -> target" off. The first arrow counts, as for wget; without one it is no link. */
static bool cut_target(struct piece *name)
{
    const char *arrow = memmem(name->at, name->length, " -> ", 4);
    if (arrow)
        name->length = (size_t)(arrow - name->at);
    return arrow != NULL;
}

/* The fields between the mode and the size differ (link count, owner, group, some with blanks in
   them or missing): the size is the first number with a time behind it, but never the link count,
   which an owner called "Jan" would make one. */
static enum verdict read_unix_line(struct piece rest, struct line *line)
{
    struct piece mode = next_word(&rest);
    if (!is_mode(mode))
        return LINE_DROPPED;
    if (!memchr("-dl", mode.at[0], 3))
        return LINE_PASSED_OVER;
    line->folder = mode.at[0] == 'd';
    line->link = mode.at[0] == 'l';
    next_word(&rest);
    for (;;) {
        struct piece word = next_word(&rest);
        if (word.length == 0)
            return LINE_DROPPED;
        if (read_size(word, &line->size_bytes) && take_time(&rest))
            break;
    }
    if (rest.length == 0)
        return LINE_DROPPED;
    line->name = (struct piece){rest.at + 1, rest.length - 1};
    if (line->link && !cut_target(&line->name))
        return LINE_DROPPED;
    /* Servers that list as `ls -F` does mark folders. */
    if (line->folder && line->name.length > 1 && line->name.at[line->name.length - 1] == '/')
        line->name.length--;
    if (line->folder || line->link)
        line->size_bytes = -1;
    return LINE_ENTRY;
}

/* "01-31-26  11:59PM       <DIR>          name", "2026-01-31  23:59                 1234 name". */
static enum verdict read_dos_line(struct piece rest, struct line *line)
{
    static const char *const dates[] = {"99-99-99", "99-99-9999", "9999-99-99", NULL};
    static const char *const clocks[] = {"99:99AM", "99:99PM", "99:99", NULL};
    /* What stands between "<DIR>" and the name; anything more belongs to the name. */
    enum { BLANKS_AFTER_DIR = 10 };
    if (!has_a_shape(next_word(&rest), dates) || !has_a_shape(next_word(&rest), clocks))
        return LINE_DROPPED;
    struct piece size = next_word(&rest);
    line->folder = equals(size, "<DIR>");
    line->size_bytes = -1;
    if (!line->folder && !read_size(size, &line->size_bytes))
        return LINE_DROPPED;
    size_t most = line->folder ? BLANKS_AFTER_DIR : 1, blanks = 0;
    while (blanks < most && blanks < rest.length && is_blank(rest.at[blanks]))
        blanks++;
    line->name = (struct piece){rest.at + blanks, rest.length - blanks};
    return LINE_ENTRY;
}

static enum verdict read_list_line(struct piece text, struct line *line)
{
    struct piece rest = text;
    struct piece first = next_word(&rest);
    if (first.length == 0)
        return LINE_PASSED_OVER;
    int64_t blocks;
    if (equals(first, "total") && read_size(next_word(&rest), &blocks) && rest.length == 0)
        return LINE_PASSED_OVER;
    return isdigit((unsigned char)*first.at) ? read_dos_line(text, line)
                                             : read_unix_line(text, line);
}

/* Reads the value of a "type" fact. */
static enum verdict read_type(struct piece value, struct line *line)
{
    line->folder = equals(value, "dir");
    line->link = starts_with(value, "OS.unix=slink") || starts_with(value, "OS.unix=symlink");
    return line->folder || line->link || equals(value, "file") ? LINE_ENTRY : LINE_PASSED_OVER;
}

static enum verdict read_mlsd_line(struct piece text, struct line *line)
{
    if (text.length == 0)
        return LINE_PASSED_OVER;
    const char *space = memchr(text.at, ' ', text.length);
    if (!space)
        return LINE_DROPPED;
    enum verdict verdict = LINE_DROPPED;
    line->name = (struct piece){space + 1, text.length - (size_t)(space + 1 - text.at)};
    line->size_bytes = -1;
    for (const char *fact = text.at; fact < space;) {
        const char *end = memchr(fact, ';', (size_t)(space - fact));
        end = end ? end : space;
        struct piece whole = {fact, (size_t)(end - fact)};
        if (starts_with(whole, "type="))
            verdict = read_type((struct piece){fact + 5, whole.length - 5}, line);
        else if (starts_with(whole, "size=") &&
                 !read_size((struct piece){fact + 5, whole.length - 5}, &line->size_bytes))
            line->size_bytes = -1;
        fact = end + 1;
    }
    if (line->folder || line->link)
        line->size_bytes = -1;
    return verdict;
}

/* 0 or an error; *dropped goes up where the line's name is none. */
static int add_line(const struct line *line, const char *folder_url, struct pf_names *seen,
                    struct pf_listing *out, size_t *dropped, struct pf_error *err)
{
    char name[NAME_MAX + 1];
    if (!pf_listing_is_name(line->name.at, line->name.length)) {
        *dropped += !equals(line->name, ".") && !equals(line->name, "..");
        return 0;
    }
    memcpy(name, line->name.at, line->name.length);
    name[line->name.length] = '\0';
    struct pf_listing_entry entry = {.name = name,
                                     .folder = line->folder,
                                     .link = line->link,
                                     .size_bytes = line->size_bytes};
    return pf_listing_add_child(out, seen, folder_url, &entry, err);
}

static int parse(const char *text, size_t length, const char *folder_url,
                 enum verdict (*read_line)(struct piece, struct line *), struct pf_listing *out,
                 size_t *dropped, struct pf_error *err)
{
    struct pf_names seen = {0};
    size_t lost = 0;
    *out = (struct pf_listing){0};
    size_t url_length = strlen(folder_url);
    if (url_length == 0 || folder_url[url_length - 1] != '/')
        return pf_error_set(err, PF_E_INVALID, "%s is not the URL of a folder", folder_url);
    int result = 0;
    const char *end = text + length;
    for (const char *at = text; result == 0 && at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        struct piece piece = {at, (size_t)((newline ? newline : end) - at)};
        at += piece.length + 1;
        while (piece.length && piece.at[piece.length - 1] == '\r')
            piece.length--;
        struct line line = {0};
        enum verdict verdict = read_line(piece, &line);
        if (verdict == LINE_ENTRY)
            result = add_line(&line, folder_url, &seen, out, &lost, err);
        lost += verdict == LINE_DROPPED;
    }
    pf_names_end(&seen);
    if (dropped)
        *dropped = lost;
    return result;
}

int pf_ftplisting_parse_list(const char *text, size_t length, const char *folder_url,
                             struct pf_listing *out, size_t *dropped, struct pf_error *err)
{
    return parse(text, length, folder_url, read_list_line, out, dropped, err);
}

int pf_ftplisting_parse_mlsd(const char *text, size_t length, const char *folder_url,
                             struct pf_listing *out, size_t *dropped, struct pf_error *err)
{
    return parse(text, length, folder_url, read_mlsd_line, out, dropped, err);
}

/* The facts by name; of a file and a folder of one name the first counts. */
struct facts {
    struct pf_names names;
    const struct pf_listing_entry **entries; /* by the names' numbers */
};

static int index_facts(struct facts *index, const struct pf_listing *facts, struct pf_error *err)
{
    index->entries = calloc(facts->count + 1, sizeof(*index->entries));
    if (!index->entries)
        return pf_error_memory(err);
    for (size_t i = 0; i < facts->count; i++) {
        size_t number = index->names.count;
        int added = pf_names_add(&index->names, facts->entries[i].name);
        if (added < 0)
            return pf_error_memory(err);
        if (added)
            index->entries[number] = &facts->entries[i];
    }
    return 0;
}

/* Adds the entry of LIST with what the facts say of it. */
static int add_settled(struct pf_listing *out, struct pf_names *seen,
                       const struct pf_listing_entry *entry, const struct pf_listing_entry *fact,
                       struct pf_error *err)
{
    struct pf_listing_entry whole = *entry;
    /* A fact that is itself a link says nothing of the type that LIST does not say. */
    if (fact && !fact->link) {
        whole.folder = fact->folder;
        whole.size_bytes = fact->size_bytes;
    }
    int path_length = (int)strlen(entry->url) - entry->folder;
    if (asprintf(&whole.url, "%.*s%s", path_length, entry->url, whole.folder ? "/" : "") < 0)
        return pf_error_memory(err);
    int result = pf_listing_add(out, seen, &whole, err);
    free(whole.url);
    return result;
}

int pf_ftplisting_settle(struct pf_listing *list, const struct pf_listing *facts,
                         struct pf_error *err)
{
    struct facts index = {0};
    struct pf_names seen = {0};
    struct pf_listing out = {0};
    const struct pf_listing *source = list->count ? list : facts;
    int result = index_facts(&index, facts, err);
    for (size_t i = 0; result == 0 && i < source->count; i++) {
        const struct pf_listing_entry *entry = &source->entries[i];
        int64_t number = pf_names_find(&index.names, entry->name);
        result = add_settled(&out, &seen, entry, number < 0 ? NULL : index.entries[number], err);
    }
    free(index.entries);
    pf_names_end(&index.names);
    pf_names_end(&seen);
    if (result) {
        pf_listing_end(&out);
        return result;
    }
    pf_listing_end(list);
    *list = out;
    return 0;
}
