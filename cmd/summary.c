/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "summary.h"

#include "cells.h"
#include "language.h"
#include "line.h"

#include <stdio.h>

/* Nobody counts what is in a snapshot. */
static void describe_roots(char *text, size_t size, const struct pf_stats *stats)
{
    if (stats->snapshots)
        snprintf(text, size, P_("%llu snapshot", "%llu snapshots", stats->snapshots),
                 (unsigned long long)stats->snapshots);
    else
        snprintf(text, size, _("%llu entries %s"), (unsigned long long)stats->cloned_entries,
                 stats->reflinked ? _("reflinked") : _("copied"));
}

/* Programs read this line, in the C locale: there it stays as it is. */
static void print_done(const struct pf_stats *stats)
{
    char text[512], roots[128];
    describe_roots(roots, sizeof roots, stats);
    snprintf(text, sizeof text,
             _("%llu requests, %llu bytes received, %llu packages decoded, %llu installed, %llu "
               "scripts by sh (%.2f s); %s (%.2f s)"),
             (unsigned long long)stats->requests, (unsigned long long)stats->received_bytes,
             (unsigned long long)stats->decoded, (unsigned long long)stats->installed,
             (unsigned long long)stats->shells, stats->fetch_install_s, roots, stats->clone_s);
    line_print(LINE_GOOD, _("done: "), NULL, text);
}

static void print_cache(const struct pf_stats *stats)
{
    char text[256], amount[32], rate[32] = "";
    if (stats->root_was_cached) {
        line_print(LINE_PLAIN, _("cache: "), NULL, _("the cached root was used as it is"));
        return;
    }
    unsigned long long fetched = stats->files - stats->cached_files;
    cells_bytes(amount, sizeof amount, stats->received_bytes, 0);
    if (stats->fetch_s > 0)
        cells_rate(rate, sizeof rate, (double)stats->received_bytes / stats->fetch_s);
    int n = snprintf(text, sizeof text, _("%llu of %llu files were there, %llu fetched"),
                     (unsigned long long)stats->cached_files, (unsigned long long)stats->files,
                     fetched);
    if (stats->received_bytes)
        snprintf(text + n, sizeof text - (size_t)n, ": %s%s%s", amount, *rate ? ", " : "", rate);
    line_print(LINE_PLAIN, _("cache: "), NULL, text);
}

static void print_times(const struct pf_stats *stats)
{
    const struct {
        const char *stage;
        double seconds;
    } stages[] = {
        {N_("plan"), stats->plan_s},           {N_("fetch"), stats->fetch_s},
        {N_("install"), stats->install_s},     {N_("copy"), stats->clone_s},
        {N_("configure"), stats->configure_s},
    };
    char text[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        if (stages[i].seconds > 0)
            used += (size_t)snprintf(text + used, sizeof text - used, _("%s%s %.2f s"),
                                     used ? ", " : "", _(stages[i].stage), stages[i].seconds);
    }
    if (used)
        line_print(LINE_PLAIN, _("time: "), NULL, text);
}

void summary_print(const struct pf_stats *stats)
{
    print_done(stats);
    print_cache(stats);
    print_times(stats);
}
