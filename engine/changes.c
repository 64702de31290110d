/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "changes.h"

#include "names.h"
#include "pkgname.h"

#include <stdint.h>
#include <stdlib.h>

#define NONE SIZE_MAX

/* Tables by the old files' places and by the packages' numbers. */
struct tables {
    struct pf_names files;    /* old file names; the number is the place */
    struct pf_names packages; /* NAMEs of old files that the new list has not */
    bool *kept;               /* old: the new list has a file of this name, or an update */
    size_t *partner;          /* new: the old file of the same name, or NONE */
    size_t *first;            /* package: its next old file to find a new one for, or NONE */
    size_t *next;             /* old: the next one of the same package, or NONE */
};

static int tables_init(struct tables *tables, size_t old_count, size_t new_count,
                       struct pf_error *err)
{
    tables->kept = calloc(old_count + 1, sizeof *tables->kept);
    tables->partner = calloc(new_count + 1, sizeof *tables->partner);
    tables->first = calloc(old_count + 1, sizeof *tables->first);
    tables->next = calloc(old_count + 1, sizeof *tables->next);
    if (!tables->kept || !tables->partner || !tables->first || !tables->next)
        return pf_error_memory(err);
    return 0;
}

static void tables_end(struct tables *tables)
{
    pf_names_end(&tables->files);
    pf_names_end(&tables->packages);
    free(tables->kept);
    free(tables->partner);
    free(tables->first);
    free(tables->next);
}

/* Finds the files that both lists have. */
static int match_files(struct tables *tables, const char *const *old_names, size_t old_count,
                       const char *const *new_names, size_t new_count, struct pf_changes *out,
                       struct pf_error *err)
{
    for (size_t i = 0; i < old_count; i++) {
        if (pf_names_add(&tables->files, old_names[i]) < 0)
            return pf_error_memory(err);
    }
    size_t matched = 0;
    bool in_order = true;
    for (size_t i = 0; i < new_count; i++) {
        int64_t place = pf_names_find(&tables->files, new_names[i]);
        tables->partner[i] = place < 0 ? NONE : (size_t)place;
        if (place < 0)
            continue;
        tables->kept[place] = true;
        in_order = in_order && (size_t)place == i;
        matched++;
    }
    out->reordered = matched == old_count && matched == new_count && !in_order;
    return 0;
}

/* Queues the old files that are left by package, each queue in the old order. */
static int queue_packages(struct tables *tables, const char *const *old_names, size_t old_count,
                          struct pf_error *err)
{
    /* From the end, so that each goes in front. */
    for (size_t i = old_count; i-- > 0;) {
        struct pf_pkgname package;
        if (tables->kept[i] || pf_pkgname_parse(old_names[i], &package) < 0)
            continue;
        size_t number = tables->packages.count;
        int added = pf_names_add(&tables->packages, package.name);
        if (added < 0)
            return pf_error_memory(err);
        if (added)
            tables->first[number] = NONE;
        else
            number = (size_t)pf_names_find(&tables->packages, package.name);
        tables->next[i] = tables->first[number];
        tables->first[number] = i;
    }
    return 0;
}

/* Takes the old file that the new one is another version of; NONE where there is none. */
static size_t take_older(struct tables *tables, const char *new_name)
{
    struct pf_pkgname package;
    if (pf_pkgname_parse(new_name, &package) < 0)
        return NONE;
    int64_t number = pf_names_find(&tables->packages, package.name);
    size_t place = number < 0 ? NONE : tables->first[number];
    if (place == NONE)
        return NONE;
    tables->first[number] = tables->next[place];
    tables->kept[place] = true;
    return place;
}

static void add(struct pf_changes *out, enum pf_change_kind kind, const char *old_name,
                const char *new_name)
{
    out->items[out->count++] =
        (struct pf_change){.kind = kind, .old_name = old_name, .new_name = new_name};
}

int pf_changes_find(const char *const *old_names, size_t old_count, const char *const *new_names,
                    const bool *changed, size_t new_count, struct pf_changes *out,
                    struct pf_error *err)
{
    struct tables tables = {0};
    *out = (struct pf_changes){0};
    out->items = calloc(old_count + new_count + 1, sizeof *out->items);
    int result =
        out->items ? tables_init(&tables, old_count, new_count, err) : pf_error_memory(err);
    if (result == 0)
        result = match_files(&tables, old_names, old_count, new_names, new_count, out, err);
    if (result == 0)
        result = queue_packages(&tables, old_names, old_count, err);
    for (size_t i = 0; result == 0 && i < new_count; i++) {
        size_t place = tables.partner[i];
        if (place != NONE) {
            if (changed && changed[i])
                add(out, PF_CHANGE_CHANGED, old_names[place], new_names[i]);
            continue;
        }
        place = take_older(&tables, new_names[i]);
        if (place == NONE)
            add(out, PF_CHANGE_ADDED, NULL, new_names[i]);
        else
            add(out, PF_CHANGE_UPDATED, old_names[place], new_names[i]);
    }
    for (size_t i = 0; result == 0 && i < old_count; i++) {
        if (!tables.kept[i])
            add(out, PF_CHANGE_REMOVED, old_names[i], NULL);
    }
    tables_end(&tables);
    return result;
}

void pf_changes_end(struct pf_changes *changes)
{
    free(changes->items);
    *changes = (struct pf_changes){0};
}
