/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nearest.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

enum {
    MAX_LENGTH = 64,
    EDIT = 2, /* the cost of one edit; a number in front costs half of one */
    TOO_FAR = 2 * EDIT * (MAX_LENGTH + 1),
};

static char lower(char c)
{
    return (char)tolower((unsigned char)c);
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Edits between two texts of at most MAX_LENGTH bytes each: Damerau-Levenshtein, restricted (no
   piece is edited twice). */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][MAX_LENGTH + 1];
    unsigned *before = rows[0], *last = rows[1], *row = rows[2];
    size_t b_length = strlen(b);
    for (size_t j = 0; j <= b_length; j++)
        last[j] = (unsigned)j;
    for (size_t i = 1; a[i - 1]; i++) {
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            char x = lower(a[i - 1]), y = lower(b[j - 1]);
            row[j] = smaller(last[j - 1] + (x != y), smaller(last[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]))
                row[j] = smaller(row[j], before[j - 2] + 1);
        }
        unsigned *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b_length];
}

/* What follows a number in front: "base" of "00_base". */
static const char *after_number(const char *name)
{
    size_t digits = strspn(name, "0123456789");
    return digits && name[digits] == '_' && name[digits + 1] ? name + digits + 1 : name;
}

/* TOO_FAR where the lengths alone cost more than `most`. */
static unsigned cost_between(const char *word, const char *name, unsigned most)
{
    size_t a = strlen(word), b = strlen(name);
    if (a > MAX_LENGTH || b > MAX_LENGTH)
        return TOO_FAR;
    unsigned least = EDIT * (unsigned)(a > b ? a - b : b - a);
    return least > most ? TOO_FAR : EDIT * distance(word, name);
}

static unsigned cost_of(const char *word, const char *name, unsigned most)
{
    enum { LEAST_BEGINNING = 3 };
    const char *word_core = after_number(word), *name_core = after_number(name);
    unsigned cost = cost_between(word, name, most);
    if (word_core != word || name_core != name)
        cost = smaller(cost, cost_between(word_core, name_core, most) + EDIT / 2);
    size_t length = strlen(word_core);
    if (length >= LEAST_BEGINNING && strncasecmp(word_core, name_core, length) == 0)
        cost = smaller(cost, EDIT + (word_core != word || name_core != name ? EDIT / 2 : 0));
    return cost;
}

size_t pf_nearest(const char *word, const char *const *names, size_t count, size_t most,
                  const char **out)
{
    unsigned costs[PF_NEAREST_MOST];
    size_t found = 0, length = strnlen(word, MAX_LENGTH + 1);
    if (length == 0 || length > MAX_LENGTH)
        return 0;
    if (most > PF_NEAREST_MOST)
        most = PF_NEAREST_MOST;
    size_t core = strlen(after_number(word));
    unsigned edits = core >= 3 ? (unsigned)core / 3 : core == 2;
    unsigned limit = EDIT * edits + EDIT / 2;
    for (size_t i = 0; i < count; i++) {
        unsigned cost = cost_of(word, names[i], limit);
        if (cost > limit || most == 0 || (found == most && cost >= costs[most - 1]))
            continue;
        size_t at = found < most ? found++ : most - 1;
        for (; at > 0 && costs[at - 1] > cost; at--) {
            costs[at] = costs[at - 1];
            out[at] = out[at - 1];
        }
        costs[at] = cost;
        out[at] = names[i];
    }
    return found;
}
