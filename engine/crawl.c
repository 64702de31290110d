/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "crawl.h"

#include "listing.h"

#include <curl/curl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An index page of a folder with a hundred thousand packages is smaller than this. */
#define MAX_PAGE_BYTES (32u << 20)

/* The index page of one folder. */
struct folder {
    struct crawl *crawl;
    struct folder **children; /* top folders: the sub-folders, in page order */
    size_t child_count;
    struct pf_listing listing;
    bool is_top;
};

/* One category, contrib group or add-on. */
struct group {
    struct folder *top;
    struct pf_plan_rule rule;
    char *pattern;    /* owns rule.pattern */
    const char *name; /* as the user wrote it */
};

struct crawl {
    struct pf_fetch *fetch;
    struct pf_events *events;
    struct pf_error *err;
    struct group *groups;
    size_t group_count;
};

static int out_of_memory(struct crawl *crawl)
{
    return pf_error_set(crawl->err, PF_E_SYSTEM, "out of memory");
}

static void free_folder(struct folder *folder)
{
    if (!folder)
        return;
    for (size_t i = 0; i < folder->child_count; i++)
        free_folder(folder->children[i]);
    free(folder->children);
    pf_listing_end(&folder->listing);
    free(folder);
}

static int on_page(void *ctx, const struct pf_fetch_result *result);

static int ask_for(struct crawl *crawl, const char *url, bool is_top, struct folder **out)
{
    struct folder *folder = calloc(1, sizeof *folder);
    *out = folder;
    if (!folder)
        return out_of_memory(crawl);
    folder->crawl = crawl;
    folder->is_top = is_top;
    return pf_fetch_page(crawl->fetch, url, MAX_PAGE_BYTES, on_page, folder, crawl->err);
}

/* Two levels are taken: below a sub-folder nothing is followed. */
static int ask_for_children(struct folder *folder)
{
    const struct pf_listing *listing = &folder->listing;
    folder->children = calloc(listing->count ? listing->count : 1, sizeof *folder->children);
    if (!folder->children)
        return out_of_memory(folder->crawl);
    for (size_t i = 0; i < listing->count; i++) {
        const struct pf_listing_entry *entry = &listing->entries[i];
        if (!entry->folder || strcmp(entry->name, "old") == 0)
            continue;
        int failed =
            ask_for(folder->crawl, entry->url, false, &folder->children[folder->child_count++]);
        if (failed)
            return failed;
    }
    return 0;
}

static int on_page(void *ctx, const struct pf_fetch_result *result)
{
    struct folder *folder = ctx;
    struct crawl *crawl = folder->crawl;
    if (result->error.code) {
        *crawl->err = result->error;
        return pf_error_context(crawl->err, "the mirror's index");
    }
    int failed = pf_listing_parse_html(result->data ? result->data : "", result->length,
                                       result->effective_url, &folder->listing, crawl->err);
    /* A page or an address that cannot be used is the mirror's fault. */
    if (failed == PF_E_LIMIT || failed == PF_E_INVALID)
        failed = crawl->err->code = PF_E_NETWORK;
    if (failed)
        return pf_error_context(crawl->err, "index page %s", result->url);
    return folder->is_top ? ask_for_children(folder) : 0;
}

/* Appends "/component" for each component of path, percent-encoded. */
static int append_path(FILE *url, const char *path)
{
    for (const char *p = path + strspn(path, "/"); *p; p += strspn(p, "/")) {
        size_t length = strcspn(p, "/");
        char *escaped = length > NAME_MAX ? NULL : curl_easy_escape(NULL, p, (int)length);
        if (!escaped)
            return -1;
        fprintf(url, "/%s", escaped);
        curl_free(escaped);
        p += length;
    }
    return 0;
}

/* MIRROR/Plamo-RELEASE/ARCH/ABOVE/FOLDER/ */
static char *folder_url(const struct pf_crawl_wish *wish, const char *above, const char *folder)
{
    char *text = NULL;
    size_t size;
    size_t mirror_length = strlen(wish->mirror);
    while (mirror_length && wish->mirror[mirror_length - 1] == '/')
        mirror_length--;
    FILE *url = open_memstream(&text, &size);
    if (!url)
        return NULL;
    fprintf(url, "%.*s/Plamo-%s", (int)mirror_length, wish->mirror, wish->release);
    int failed =
        append_path(url, wish->arch) || append_path(url, above) || append_path(url, folder);
    fputc('/', url);
    if (fclose(url) != 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

static bool has_dots(const char *path)
{
    for (const char *p = path; *p; p += strspn(p, "/")) {
        size_t length = strcspn(p, "/");
        if ((length == 1 && *p == '.') || (length == 2 && p[0] == '.' && p[1] == '.'))
            return true;
        p += length;
    }
    return false;
}

static int start_group(struct crawl *crawl, const struct pf_crawl_wish *wish, const char *above,
                       const char *folder, struct group *group)
{
    if (*folder == '\0' || has_dots(folder))
        return pf_error_set(crawl->err, PF_E_INVALID, "\"%s\" is not the name of a folder", folder);
    char *url = folder_url(wish, above, folder);
    if (!url)
        return pf_error_set(crawl->err, PF_E_INVALID, "\"%s\" cannot be made into a URL", folder);
    int failed = ask_for(crawl, url, true, &group->top);
    free(url);
    return failed;
}

static int start_categories(struct crawl *crawl, const struct pf_crawl_wish *wish,
                            const char *above, const char *const *names)
{
    for (; *names; names++) {
        struct group *group = &crawl->groups[crawl->group_count++];
        group->name = *names;
        group->rule.ignore = wish->ignore;
        int failed = start_group(crawl, wish, above, *names, group);
        if (failed)
            return failed;
    }
    return 0;
}

static int start_addons(struct crawl *crawl, const struct pf_crawl_wish *wish)
{
    for (const char *const *addon = wish->addons; *addon; addon++) {
        struct group *group = &crawl->groups[crawl->group_count++];
        const char *slash = strrchr(*addon, '/');
        group->name = *addon;
        if (!slash || slash == *addon || slash[1] == '\0')
            return pf_error_set(crawl->err, PF_E_INVALID,
                                "add-on \"%s\": write it as FOLDER/NAME, like contrib/DB/sqlite",
                                *addon);
        char *folder = strndup(*addon, (size_t)(slash - *addon));
        if (!folder || asprintf(&group->pattern, "%s-*", slash + 1) < 0) {
            free(folder);
            return out_of_memory(crawl);
        }
        group->rule.pattern = group->pattern;
        int failed = start_group(crawl, wish, "", folder, group);
        free(folder);
        if (failed)
            return failed;
    }
    return 0;
}

static size_t count_names(const char *const *names)
{
    size_t count = 0;
    while (names[count])
        count++;
    return count;
}

static int make_plan(struct crawl *crawl, struct pf_plan *plan)
{
    for (size_t g = 0; g < crawl->group_count; g++) {
        const struct group *group = &crawl->groups[g];
        size_t before = plan->count;
        int failed = pf_plan_add_folder(plan, &group->rule, &group->top->listing, crawl->err);
        for (size_t i = 0; !failed && i < group->top->child_count; i++)
            failed = pf_plan_add_folder(plan, &group->rule, &group->top->children[i]->listing,
                                        crawl->err);
        if (failed)
            return failed;
        if (plan->count == before)
            pf_events_text(crawl->events, PF_EVENT_WARNING, group->name,
                           "the mirror has no package for it that was not planned already");
    }
    return 0;
}

int pf_crawl(struct pf_fetch *fetch, const struct pf_crawl_wish *wish, struct pf_plan *plan,
             struct pf_events *events, struct pf_error *err)
{
    struct pf_error local = {0};
    struct crawl crawl = {.fetch = fetch, .events = events, .err = err ? err : &local};
    size_t groups =
        count_names(wish->categories) + count_names(wish->contrib) + count_names(wish->addons);
    crawl.groups = calloc(groups ? groups : 1, sizeof *crawl.groups);
    if (!crawl.groups)
        return out_of_memory(&crawl);
    int failed = start_categories(&crawl, wish, "plamo", wish->categories);
    if (!failed)
        failed = start_categories(&crawl, wish, "contrib", wish->contrib);
    if (!failed)
        failed = start_addons(&crawl, wish);
    if (!failed)
        failed = pf_fetch_run(fetch, NULL, NULL, crawl.err);
    if (!failed)
        failed = make_plan(&crawl, plan);
    for (size_t i = 0; i < crawl.group_count; i++) {
        free_folder(crawl.groups[i].top);
        free(crawl.groups[i].pattern);
    }
    free(crawl.groups);
    return failed;
}

static int on_size(void *ctx, const struct pf_fetch_result *result)
{
    struct pf_plan_entry *entry = ctx;
    if (result->error.code == 0)
        entry->size_bytes = result->size_bytes;
    return 0;
}

int pf_crawl_sizes(struct pf_fetch *fetch, struct pf_plan *plan, struct pf_error *err)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct pf_plan_entry *entry = &plan->entries[i];
        int failed =
            entry->size_bytes >= 0 ? 0 : pf_fetch_size(fetch, entry->url, on_size, entry, err);
        if (failed)
            return failed;
    }
    return pf_fetch_run(fetch, NULL, NULL, err);
}
