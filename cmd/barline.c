/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "barline.h"

#include "cells.h"
#include "language.h"

#include <stdio.h>
#include <string.h>

#define STAGE_LABEL_COLUMNS 8
#define FILE_LABEL_COLUMNS  16 /* at the least, before fields are left out */
#define MOST_FILE_COLUMNS   40
#define LEAST_BAR_COLUMNS   10
#define MOST_BAR_COLUMNS    50

/* In the order in which they stand. */
enum { PERCENT, ITEMS, AMOUNT, RATE, REMAINING, FIELDS };

struct field {
    char text[48];
    unsigned columns; /* with the blank before it; 0: it is not shown */
};

/* Each keeps its width while numbers grow, so that nothing jumps: that of its longest text. */
static void widen(struct field *field, const char *longest)
{
    unsigned width = cells_width(field->text), least = cells_width(longest);
    field->columns = width > least ? width : least;
    field->columns += field->columns > 0;
}

static void fill_fields(const struct barline *line, struct field fields[FIELDS])
{
    char time[16], items[48] = "", amount[48] = "999.9 MB", remaining[48];
    memset(fields, 0, FIELDS * sizeof *fields);
    if (line->fraction >= 0)
        snprintf(fields[PERCENT].text, sizeof fields[PERCENT].text, "%d%%",
                 (int)(line->fraction * 100));
    if (line->count) {
        snprintf(fields[ITEMS].text, sizeof fields[ITEMS].text, "%llu/%llu",
                 (unsigned long long)line->items, (unsigned long long)line->count);
        snprintf(items, sizeof items, "%llu/%llu", (unsigned long long)line->count,
                 (unsigned long long)line->count);
    } else if (line->items) {
        snprintf(fields[ITEMS].text, sizeof fields[ITEMS].text, "%llu",
                 (unsigned long long)line->items);
    }
    cells_bytes(fields[AMOUNT].text, sizeof fields[AMOUNT].text, line->bytes, line->total);
    if (line->total)
        cells_bytes(amount, sizeof amount, line->total, line->total);
    cells_rate(fields[RATE].text, sizeof fields[RATE].text, line->bytes_per_s);
    cells_time(time, sizeof time, line->remaining_s);
    if (line->has_remaining)
        snprintf(fields[REMAINING].text, sizeof fields[REMAINING].text, _("%s left"), time);
    snprintf(remaining, sizeof remaining, _("%s left"), "59:59");
    widen(&fields[PERCENT], "100%");
    widen(&fields[ITEMS], items);
    widen(&fields[AMOUNT], amount);
    widen(&fields[RATE], "999.9 MB/s");
    widen(&fields[REMAINING], line->is_stage ? remaining : "");
}

/* Leaves out what has no room beside that many columns of label. Returns what is left over. */
static unsigned choose(struct field fields[FIELDS], unsigned columns, unsigned label)
{
    static const int importance[] = {PERCENT, REMAINING, ITEMS, AMOUNT, RATE};
    unsigned left = columns > label ? columns - label : 0;
    bool full = false;
    for (size_t i = 0; i < FIELDS; i++) {
        struct field *field = &fields[importance[i]];
        full = full || field->columns > left;
        if (full)
            field->columns = 0;
        left -= field->columns;
    }
    return left;
}

static size_t put_bar(char *out, unsigned columns, double fraction, bool colour)
{
    unsigned inner = columns - 3, done = fraction > 0 ? (unsigned)(fraction * inner) : 0;
    size_t used = 0;
    out[used++] = ' ';
    out[used++] = '[';
    if (colour)
        used += (size_t)sprintf(out + used, "\x1b[32m");
    for (unsigned i = 0; i < inner; i++)
        out[used++] = i < done ? '=' : i == done && fraction > 0 ? '>' : ' ';
    if (colour)
        used += (size_t)sprintf(out + used, "\x1b[0m");
    out[used++] = ']';
    return used;
}

void barline_format(char out[BARLINE_SIZE], const struct barline *line, unsigned columns,
                    bool colour)
{
    struct field fields[FIELDS];
    if (columns > BARLINE_MAX_COLUMNS)
        columns = BARLINE_MAX_COLUMNS;
    unsigned indent = line->is_stage || columns < FILE_LABEL_COLUMNS ? 0 : 2;
    unsigned label = line->is_stage ? STAGE_LABEL_COLUMNS : indent + FILE_LABEL_COLUMNS;
    if (label > columns)
        label = columns;
    fill_fields(line, fields);
    unsigned left = choose(fields, columns, label);
    unsigned bar = 0;
    if (line->is_stage && line->fraction >= 0 && left >= LEAST_BAR_COLUMNS)
        bar = left < MOST_BAR_COLUMNS ? left : MOST_BAR_COLUMNS;
    else if (!line->is_stage)
        label += left < MOST_FILE_COLUMNS - FILE_LABEL_COLUMNS
                     ? left
                     : MOST_FILE_COLUMNS - FILE_LABEL_COLUMNS;
    memset(out, ' ', indent);
    size_t used = indent;
    used += cells_fit(out + used, BARLINE_SIZE - used, line->label, label - indent);
    if (bar)
        used += put_bar(out + used, bar, line->fraction, colour);
    for (size_t i = 0; i < FIELDS; i++) {
        if (fields[i].columns) {
            unsigned blanks = fields[i].columns - cells_width(fields[i].text);
            used += (size_t)snprintf(out + used, BARLINE_SIZE - used, "%*s%s", (int)blanks, "",
                                     fields[i].text);
        }
    }
    out[used] = '\0';
}
