/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cells.h"

#include <stdio.h>
#include <string.h>
#include <wchar.h>

/* The next character of text: its bytes, and what is shown for it. */
struct cell {
    char shown[8]; /* a multi-byte character, or \xNN */
    size_t length; /* of shown */
    size_t taken;  /* from text */
    unsigned columns;
};

static struct cell next_cell(const char *text)
{
    struct cell cell = {.taken = 1};
    mbstate_t state = {0};
    wchar_t wide;
    size_t n = mbrtowc(&wide, text, strnlen(text, 8), &state);
    int columns = n == 0 || n > sizeof cell.shown - 2 ? -1 : wcwidth(wide);
    if (columns >= 0) {
        memcpy(cell.shown, text, n);
        cell.length = cell.taken = n;
        cell.columns = (unsigned)columns;
        return cell;
    }
    snprintf(cell.shown, sizeof cell.shown, "\\x%02x", (unsigned char)*text);
    cell.length = cell.columns = 4;
    return cell;
}

unsigned cells_width(const char *text)
{
    unsigned columns = 0;
    while (*text) {
        struct cell cell = next_cell(text);
        text += cell.taken;
        columns += cell.columns;
    }
    return columns;
}

size_t cells_fit(char *out, size_t size, const char *text, unsigned columns)
{
    size_t used = 0;
    unsigned at = 0;
    unsigned most = cells_width(text) <= columns ? columns : columns ? columns - 1 : 0;
    while (*text) {
        struct cell cell = next_cell(text);
        if (at + cell.columns > most || used + cell.length + 2 > size)
            break;
        memcpy(out + used, cell.shown, cell.length);
        used += cell.length;
        at += cell.columns;
        text += cell.taken;
    }
    if (*text && at < columns && used + 1 < size) {
        out[used++] = '~';
        at++;
    }
    for (; at < columns && used + 1 < size; at++)
        out[used++] = ' ';
    out[used] = '\0';
    return used;
}

/* The unit that shows an amount with few digits. */
static const char *unit_of(double amount, double *divisor)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB"};
    size_t i = 0;
    *divisor = 1e3;
    while (i < 3 && amount >= 999.95 * *divisor) {
        *divisor *= 1e3;
        i++;
    }
    return units[i];
}

void cells_bytes(char *out, size_t size, uint64_t bytes, uint64_t total)
{
    double divisor;
    const char *unit = unit_of((double)(total ? total : bytes), &divisor);
    if (total)
        snprintf(out, size, "%.1f/%.1f %s", (double)bytes / divisor, (double)total / divisor, unit);
    else
        snprintf(out, size, "%.1f %s", (double)bytes / divisor, unit);
}

void cells_rate(char *out, size_t size, double bytes_per_s)
{
    double divisor;
    *out = '\0';
    if (bytes_per_s < 0)
        return;
    const char *unit = unit_of(bytes_per_s, &divisor);
    snprintf(out, size, "%.1f %s/s", bytes_per_s / divisor, unit);
}

void cells_time(char *out, size_t size, double seconds)
{
    /* Upwards: "0:00" is only said when nothing is left. */
    unsigned long whole = seconds < 0 ? 0 : (unsigned long)(seconds + 0.999);
    if (seconds < 0)
        snprintf(out, size, "-:--");
    else if (whole < 3600)
        snprintf(out, size, "%lu:%02lu", whole / 60, whole % 60);
    else
        snprintf(out, size, "%lu:%02lu:%02lu", whole / 3600, whole / 60 % 60, whole % 60);
}
