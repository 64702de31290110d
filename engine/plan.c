/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan.h"

#include "array.h"
#include "pkgname.h"

#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_ignored(const char *const *ignore, const char *file)
{
    for (; ignore && *ignore; ignore++) {
        char glob[NAME_MAX + 3];
        int n = snprintf(glob, sizeof glob, "%s-*", *ignore);
        if (n > 0 && (size_t)n < sizeof glob && fnmatch(glob, file, 0) == 0)
            return true;
    }
    return false;
}

bool pf_plan_takes(const struct pf_plan_rule *rule, const char *file)
{
    if (rule->pattern)
        return fnmatch(rule->pattern, file, 0) == 0;
    /* installpkg knows .tbz, but the shell template never asks a category for it. */
    enum pf_format format = pf_pkgname_format(file);
    return format != PF_FORMAT_NONE && format != PF_FORMAT_BZIP2 && !is_ignored(rule->ignore, file);
}

int pf_plan_add(struct pf_plan *plan, const char *file, const char *url, int64_t size_bytes,
                struct pf_error *err)
{
    int added = pf_names_add(&plan->files, file);
    if (added == 0)
        return 0;
    char *own_file = strdup(file);
    char *own_url = url ? strdup(url) : NULL;
    if (added < 0 || !own_file || (url && !own_url) ||
        pf_array_room(&plan->entries, plan->count, sizeof *plan->entries) < 0) {
        free(own_file);
        free(own_url);
        return pf_error_memory(err);
    }
    plan->entries[plan->count++] = (struct pf_plan_entry){
        .file = own_file,
        .url = own_url,
        .package = pf_pkgname_format(file) != PF_FORMAT_NONE,
        .size_bytes = size_bytes,
    };
    return 0;
}

int pf_plan_add_folder(struct pf_plan *plan, const struct pf_plan_rule *rule,
                       const struct pf_listing *listing, const char *place, struct pf_error *err)
{
    for (size_t i = 0; i < listing->count; i++) {
        const struct pf_listing_entry *entry = &listing->entries[i];
        if (entry->folder || !pf_plan_takes(rule, entry->name))
            continue;
        size_t before = plan->count;
        int failed = pf_plan_add(plan, entry->name, entry->url, entry->size_bytes, err);
        if (failed)
            return failed;
        if (plan->count == before)
            continue;
        struct pf_plan_entry *added = &plan->entries[before];
        added->about_bytes = entry->about_bytes;
        added->place = strdup(place);
        if (!added->place)
            return pf_error_memory(err);
    }
    return 0;
}

int64_t pf_plan_about_bytes(const struct pf_plan_entry *entry)
{
    if (entry->size_bytes >= 0 || entry->about_bytes == 0)
        return entry->size_bytes;
    return (int64_t)entry->about_bytes;
}

void pf_plan_end(struct pf_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        free(plan->entries[i].file);
        free(plan->entries[i].url);
        free(plan->entries[i].place);
    }
    free(plan->entries);
    pf_names_end(&plan->files);
    *plan = (struct pf_plan){0};
}
