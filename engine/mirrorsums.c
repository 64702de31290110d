/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mirrorsums.h"

#include "cleanup.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LIST_BYTES (64u << 20)

static const char md5_list[] = "CHECKSUMS.md5";
static const char sha256_suffix[] = ".sha256";

/* A list that has been asked for. */
struct pf_mirrorsums_list {
    struct pf_mirrorsums_list *next;
    struct pf_mirrorsums *sums;
    enum pf_digest_kind kind;
    char *place;
    char *of_file; /* the file that a sum without a name is of, or NULL */
};

/* "x.txz" of "x.txz.sha256"; 0 where the name has another end. */
static size_t stem_length(const char *file)
{
    size_t length = strlen(file), suffix = sizeof sha256_suffix - 1;
    return length > suffix && strcmp(file + length - suffix, sha256_suffix) == 0 ? length - suffix
                                                                                 : 0;
}

static int on_list(void *ctx, const struct pf_fetch_result *result)
{
    const struct pf_mirrorsums_list *list = ctx;
    struct pf_mirrorsums *sums = list->sums;
    bool refused = result->status >= 400 && result->status < 600 && result->error.code != 0 &&
                   result->error.code != PF_E_SYSTEM;
    if (result->error.code == PF_E_ABSENT)
        return 0;
    if (refused) {
        pf_events_text(sums->events, PF_EVENT_NOTE, result->url, "not used: %s",
                       result->error.text);
        return 0;
    }
    if (result->error.code) {
        sums->error = result->error;
        sums->unsafe = result->unsafe;
        return sums->error.code;
    }
    int failed = pf_checksums_add(&sums->sums, result->data ? result->data : "", result->length,
                                  list->kind, list->place, list->of_file, &sums->error);
    return failed ? pf_error_context(&sums->error, "%s", result->url) : 0;
}

int pf_mirrorsums_ask(struct pf_mirrorsums *sums, const char *url, const char *place,
                      const char *file, struct pf_error *err)
{
    size_t stem = stem_length(file);
    struct pf_mirrorsums_list *list = calloc(1, sizeof *list);
    if (!list)
        return pf_error_memory(err);
    list->next = sums->lists;
    sums->lists = list;
    list->sums = sums;
    list->kind = stem ? PF_DIGEST_SHA256 : PF_DIGEST_MD5;
    list->place = strdup(place);
    list->of_file = stem ? strndup(file, stem) : NULL;
    if (!list->place || (stem && !list->of_file))
        return pf_error_memory(err);
    struct pf_fetch_page page = {.url = url,
                                 .max_bytes = MAX_LIST_BYTES,
                                 .attempts = sums->attempts,
                                 .done = on_list,
                                 .ctx = list};
    return pf_fetch_page(sums->fetch, &page, err);
}

static bool has_file(const struct pf_listing *listing, const char *name, size_t length)
{
    for (size_t i = 0; i < listing->count; i++) {
        const struct pf_listing_entry *entry = &listing->entries[i];
        if (!entry->folder && strncmp(entry->name, name, length) == 0 &&
            entry->name[length] == '\0')
            return true;
    }
    return false;
}

/* Is the list worth fetching? */
static bool is_wanted(const char *file, const struct pf_listing *listing,
                      const struct pf_plan *plan)
{
    if (strcmp(file, md5_list) == 0)
        return true;
    size_t length = stem_length(file);
    if (length == 0 || length > NAME_MAX)
        return false;
    char stem[NAME_MAX + 1];
    memcpy(stem, file, length);
    stem[length] = '\0';
    return pf_names_find(&plan->files, stem) >= 0 || !has_file(listing, stem, length);
}

int pf_mirrorsums_ask_folder(struct pf_mirrorsums *sums, const struct pf_listing *listing,
                             const char *place, const struct pf_plan *plan, struct pf_error *err)
{
    for (size_t i = 0; i < listing->count; i++) {
        const struct pf_listing_entry *entry = &listing->entries[i];
        if (entry->folder || !is_wanted(entry->name, listing, plan))
            continue;
        int failed = pf_mirrorsums_ask(sums, entry->url, place, entry->name, err);
        if (failed)
            return failed;
    }
    return 0;
}

int pf_mirrorsums_apply(struct pf_mirrorsums *sums, struct pf_plan *plan, struct pf_error *err)
{
    if (sums->sums.conflicts)
        pf_events_text(sums->events, PF_EVENT_WARNING, NULL,
                       "the mirror's checksum lists contradict each other for %zu files",
                       sums->sums.conflicts);
    for (size_t i = 0; i < plan->count; i++) {
        struct pf_plan_entry *entry = &plan->entries[i];
        pf_auto_free char *path = NULL;
        if (asprintf(&path, "%s/%s", entry->place, entry->file) < 0) {
            path = NULL;
            return pf_error_memory(err);
        }
        const struct pf_checksum *sum = pf_checksums_find(&sums->sums, path);
        if (sum)
            entry->checksum = *sum;
    }
    return 0;
}

void pf_mirrorsums_end(struct pf_mirrorsums *sums)
{
    while (sums->lists) {
        struct pf_mirrorsums_list *next = sums->lists->next;
        free(sums->lists->place);
        free(sums->lists->of_file);
        free(sums->lists);
        sums->lists = next;
    }
    pf_checksums_end(&sums->sums);
}
