/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "crawl.h"

#include "array.h"
#include "cleanup.h"
#include "clock.h"
#include "folderlist.h"
#include "message.h"
#include "mirrorpath.h"
#include "mirrorsums.h"
#include "names.h"
#include "nearest.h"
#include "pkgname.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* With other mirrors to ask, one that does not answer is not waited for. */
#define HASTY_ATTEMPTS 2

/* How many names a message offers. */
#define MAX_OFFERED 3

/* One folder of the mirror. */
struct folder {
    struct crawl *crawl;
    char *place; /* below the architecture's folder */
    char *url;
    struct folder **children; /* top folders: the sub-folders, in the listing's order */
    size_t child_count;
    struct pf_folderlist list;
    bool is_top;
};

/* One category, contrib group or add-on. */
struct group {
    struct folder *top;
    struct pf_plan_rule rule;
    char *pattern;    /* owns rule.pattern */
    const char *name; /* as the user wrote it */
};

/* A walk over one mirror. */
struct crawl {
    struct pf_fetch *fetch;
    const struct pf_crawl_wish *wish;
    const char *mirror;
    struct pf_folderlist_server server;
    struct pf_mirrorsums sums;
    unsigned attempts;
    struct pf_events *events;
    struct pf_error *err;
    bool unsafe;                  /* it failed because the server could not prove who it is */
    const struct folder *missing; /* a top folder that the mirror does not have */
    struct group *groups;
    size_t group_count;
};

static void free_folder(struct folder *folder)
{
    if (!folder)
        return;
    for (size_t i = 0; i < folder->child_count; i++)
        free_folder(folder->children[i]);
    free(folder->children);
    pf_folderlist_end(&folder->list);
    free(folder->place);
    free(folder->url);
    free(folder);
}

static int on_listed(void *ctx, const struct pf_error *error, bool unsafe);

/* MIRROR/Plamo-RELEASE/ARCH/PLACE/ */
static char *folder_url(const struct crawl *crawl, const char *place)
{
    pf_auto_free char *path = pf_mirrorpath(crawl->wish->release, crawl->wish->arch, place, NULL);
    char *url = NULL;
    if (!path || asprintf(&url, "%s/%s", crawl->mirror, path) < 0)
        return NULL;
    return url;
}

/* url NULL: where the place is on the mirror. *out is the caller's to free, also after an error. */
static int ask_for(struct crawl *crawl, const char *place, const char *url, struct folder **out)
{
    struct folder *folder = calloc(1, sizeof *folder);
    *out = folder;
    if (!folder)
        return pf_error_memory(crawl->err);
    folder->crawl = crawl;
    folder->is_top = !url;
    folder->place = strdup(place);
    folder->url = url ? strdup(url) : folder_url(crawl, place);
    if (!folder->place || !folder->url)
        return pf_error_set(crawl->err, PF_E_INVALID, "\"%s\" cannot be made into a URL", place);
    return pf_folderlist_ask(&folder->list, crawl->fetch, &crawl->server, folder->url,
                             crawl->attempts, on_listed, folder, crawl->err);
}

/* wget does not go through links while it recurses, where it can see them (over FTP). */
static bool is_followed(const struct pf_listing_entry *entry)
{
    return entry->folder && !entry->link && strcmp(entry->name, "old") != 0;
}

/* Two levels are taken: below a sub-folder nothing is followed. */
static int ask_for_children(struct folder *folder)
{
    const struct pf_listing *listing = &folder->list.listing;
    struct crawl *crawl = folder->crawl;
    folder->children = calloc(listing->count ? listing->count : 1, sizeof *folder->children);
    if (!folder->children)
        return pf_error_memory(crawl->err);
    for (size_t i = 0; i < listing->count; i++) {
        if (!is_followed(&listing->entries[i]))
            continue;
        pf_auto_free char *place = NULL;
        if (asprintf(&place, "%s/%s", folder->place, listing->entries[i].name) < 0) {
            place = NULL;
            return pf_error_memory(crawl->err);
        }
        int failed = ask_for(crawl, place, listing->entries[i].url,
                             &folder->children[folder->child_count++]);
        if (failed)
            return failed;
    }
    return 0;
}

static int on_listed(void *ctx, const struct pf_error *error, bool unsafe)
{
    struct folder *folder = ctx;
    struct crawl *crawl = folder->crawl;
    if (error->code == 0)
        return folder->is_top ? ask_for_children(folder) : 0;
    *crawl->err = *error;
    crawl->unsafe = unsafe;
    if (folder->is_top && error->code == PF_E_ABSENT)
        crawl->missing = folder;
    return error->code;
}

static int start_group(struct crawl *crawl, const char *above, const char *folder,
                       struct group *group)
{
    if (*folder == '\0' || pf_mirrorpath_has_dots(folder))
        return pf_error_set(crawl->err, PF_E_INVALID, "\"%s\" is not the name of a folder", folder);
    pf_auto_free char *place = NULL;
    if (asprintf(&place, "%s%s%s", above, *above ? "/" : "", folder) < 0) {
        place = NULL;
        return pf_error_memory(crawl->err);
    }
    return ask_for(crawl, place, NULL, &group->top);
}

static int start_categories(struct crawl *crawl, const char *above, const char *const *names)
{
    for (; *names; names++) {
        struct group *group = &crawl->groups[crawl->group_count++];
        group->name = *names;
        group->rule.ignore = crawl->wish->ignore;
        int failed = start_group(crawl, above, *names, group);
        if (failed)
            return failed;
    }
    return 0;
}

static int start_addons(struct crawl *crawl)
{
    for (const char *const *addon = crawl->wish->addons; *addon; addon++) {
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
            return pf_error_memory(crawl->err);
        }
        group->rule.pattern = group->pattern;
        int failed = start_group(crawl, "", folder, group);
        free(folder);
        if (failed)
            return failed;
    }
    return 0;
}

static int run(struct crawl *crawl)
{
    int failed = pf_fetch_run(crawl->fetch, NULL, NULL, crawl->err);
    if (failed && crawl->sums.error.code) {
        *crawl->err = crawl->sums.error;
        crawl->unsafe = crawl->sums.unsafe;
    }
    return failed;
}

static size_t count_names(const char *const *names)
{
    size_t count = 0;
    while (names && names[count])
        count++;
    return count;
}

/* A link that leads to no file is none: wget asks for it, hears that, and goes on. */
static int on_link(void *ctx, const struct pf_fetch_result *result)
{
    struct pf_listing_entry *entry = ctx;
    if (result->error.code == PF_E_ABSENT)
        entry->folder = true;
    else if (result->error.code == 0)
        entry->size_bytes = result->size_bytes;
    return 0;
}

/* Over FTP a listing may show a link and not where it leads. */
static int ask_for_links(struct crawl *crawl, const struct pf_plan_rule *rule,
                         struct pf_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        struct pf_listing_entry *entry = &listing->entries[i];
        if (!entry->link || entry->folder || entry->size_bytes >= 0 ||
            !pf_plan_takes(rule, entry->name))
            continue;
        int failed = pf_fetch_size(crawl->fetch, entry->url, on_link, entry, crawl->err);
        if (failed)
            return failed;
    }
    return 0;
}

static int settle_links(struct crawl *crawl)
{
    for (size_t g = 0; g < crawl->group_count; g++) {
        struct group *group = &crawl->groups[g];
        int failed = ask_for_links(crawl, &group->rule, &group->top->list.listing);
        for (size_t i = 0; !failed && i < group->top->child_count; i++)
            failed = ask_for_links(crawl, &group->rule, &group->top->children[i]->list.listing);
        if (failed)
            return failed;
    }
    return run(crawl);
}

static int on_parent_listed(void *ctx, const struct pf_error *error, bool unsafe)
{
    (void)ctx;
    (void)unsafe;
    return error->code;
}

/* The folders beside one that is missing, or NULL where the mirror cannot be asked. The caller
   frees the array; its names are the listing's. */
static const char **folders_of(struct crawl *crawl, const char *place, struct pf_folderlist *list,
                               size_t *count)
{
    pf_auto_free char *url = folder_url(crawl, place);
    *count = 0;
    if (!url ||
        pf_folderlist_ask(list, crawl->fetch, &crawl->server, url, HASTY_ATTEMPTS, on_parent_listed,
                          NULL, NULL) ||
        pf_fetch_run(crawl->fetch, NULL, NULL, NULL))
        return NULL;
    const struct pf_listing *listing = &list->listing;
    const char **names = calloc(listing->count + 1, sizeof *names);
    for (size_t i = 0; names && i < listing->count; i++) {
        if (listing->entries[i].folder)
            names[(*count)++] = listing->entries[i].name;
    }
    return names;
}

static bool has_name(const char *const *names, const char *name)
{
    for (; names && *names; names++) {
        if (strcmp(*names, name) == 0)
            return true;
    }
    return false;
}

/* Puts the names near to a mistyped one into text, or nothing. */
static size_t nearest_text(const char *name, const char *const *names, size_t count, char text[512])
{
    const char *nearest[MAX_OFFERED];
    size_t n = pf_nearest(name, names, count, MAX_OFFERED, nearest);
    *text = '\0';
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(text);
        snprintf(text + length, 512 - length, "%s%s", i ? ", " : "", nearest[i]);
    }
    return n;
}

static void offer(struct crawl *crawl, const char *name, const char *const *names, size_t count,
                  const char *parent)
{
    char text[512];
    size_t n = nearest_text(name, names, count, text);
    pf_error_set(crawl->err, PF_E_ABSENT, "%s has no folder \"%s\"", parent, name);
    if (n)
        pf_error_hint(crawl->err, "did you mean %s?", text);
}

/* Says of a top folder that is not there which ones there are. */
static void name_the_nearest(struct crawl *crawl)
{
    const struct folder *folder = crawl->missing;
    const char *slash = strrchr(folder->place, '/');
    if (!slash)
        return;
    pf_auto_free char *parent = strndup(folder->place, (size_t)(slash - folder->place));
    pf_auto_free char *parent_url = parent ? folder_url(crawl, parent) : NULL;
    if (!parent_url)
        return;
    struct pf_folderlist list = {0};
    size_t count;
    const char **found = folders_of(crawl, parent, &list, &count);
    const char *const *names = found;
    if (!found) {
        names = strcmp(parent, "plamo") == 0 ? crawl->wish->known_categories
                                             : crawl->wish->known_contrib;
        count = count_names(names);
    }
    /* A name that the release has: then it is not the name that is wrong. */
    if (found || !has_name(names, slash + 1))
        offer(crawl, slash + 1, names, count, parent_url);
    free(found);
    pf_folderlist_end(&list);
}

/* Calls fn for each file of a group's folders until it returns non-zero, which is returned. */
static int each_file(const struct group *group, int (*fn)(void *ctx, const char *file), void *ctx)
{
    int result = 0;
    for (size_t f = 0; !result && f < group->top->child_count + 1; f++) {
        const struct folder *folder = f ? group->top->children[f - 1] : group->top;
        const struct pf_listing *listing = &folder->list.listing;
        for (size_t i = 0; !result && i < listing->count; i++) {
            if (!listing->entries[i].folder)
                result = fn(ctx, listing->entries[i].name);
        }
    }
    return result;
}

static int is_taken(void *ctx, const char *file)
{
    const struct pf_plan_rule *rule = ctx;
    return pf_plan_takes(rule, file);
}

/* The names of packages, each once. */
struct package_names {
    struct pf_names seen;
    char **names;
    size_t count;
};

static int add_name(void *ctx, const char *file)
{
    struct package_names *all = ctx;
    struct pf_pkgname package;
    if (pf_pkgname_parse(file, &package) < 0 || pf_names_add(&all->seen, package.name) != 1)
        return 0;
    char *name = strdup(package.name);
    if (!name || pf_array_room(&all->names, all->count, sizeof *all->names) < 0) {
        free(name);
        return 1;
    }
    all->names[all->count++] = name;
    return 0;
}

/* Of an add-on that is not in its folder: which ones have a name like it. */
static int refuse_addon(struct crawl *crawl, const struct group *group)
{
    struct package_names all = {0};
    const char *name = strrchr(group->name, '/') + 1;
    char text[512];
    each_file(group, add_name, &all);
    size_t n = nearest_text(name, (const char *const *)all.names, all.count, text);
    for (size_t i = 0; i < all.count; i++)
        free(all.names[i]);
    free(all.names);
    pf_names_end(&all.seen);
    pf_error_set(crawl->err, PF_E_ABSENT, "%s has no package \"%s\"", group->top->url, name);
    if (n)
        pf_error_hint(crawl->err, "did you mean %s?", text);
    return PF_E_ABSENT;
}

static int make_plan(struct crawl *crawl, struct pf_plan *plan)
{
    for (size_t g = 0; g < crawl->group_count; g++) {
        const struct group *group = &crawl->groups[g];
        const struct folder *top = group->top;
        size_t before = plan->count;
        int failed =
            pf_plan_add_folder(plan, &group->rule, &top->list.listing, top->place, crawl->err);
        for (size_t i = 0; !failed && i < top->child_count; i++)
            failed = pf_plan_add_folder(plan, &group->rule, &top->children[i]->list.listing,
                                        top->children[i]->place, crawl->err);
        if (failed)
            return failed;
        if (group->rule.pattern && !each_file(group, is_taken, (void *)&group->rule))
            return refuse_addon(crawl, group);
        if (plan->count == before && !group->rule.pattern)
            pf_events_text(crawl->events, PF_EVENT_WARNING, group->name,
                           "the mirror has no package for it that was not planned already");
    }
    return 0;
}

/* The list of all sums, where a mirror has one, lies at the top. */
static int ask_for_top_sums(struct crawl *crawl)
{
    static const char file[] = "CHECKSUMS.md5";
    if (!crawl->wish->checksums)
        return 0;
    pf_auto_free char *path = pf_mirrorpath(crawl->wish->release, crawl->wish->arch, "", file);
    pf_auto_free char *url = NULL;
    if (!path || asprintf(&url, "%s/%s", crawl->mirror, path) < 0) {
        url = NULL;
        return pf_error_memory(crawl->err);
    }
    return pf_mirrorsums_ask(&crawl->sums, url, "", file, crawl->err);
}

/* The lists that lie beside the packages. */
static int ask_for_sums(struct crawl *crawl, const struct pf_plan *plan)
{
    for (size_t g = 0; g < crawl->group_count; g++) {
        const struct folder *top = crawl->groups[g].top;
        int failed = pf_mirrorsums_ask_folder(&crawl->sums, &top->list.listing, top->place, plan,
                                              crawl->err);
        for (size_t i = 0; !failed && i < top->child_count; i++)
            failed = pf_mirrorsums_ask_folder(&crawl->sums, &top->children[i]->list.listing,
                                              top->children[i]->place, plan, crawl->err);
        if (failed)
            return failed;
    }
    return 0;
}

static int add_sums(struct crawl *crawl, struct pf_plan *plan)
{
    if (!crawl->wish->checksums)
        return 0;
    int failed = ask_for_sums(crawl, plan);
    if (!failed)
        failed = run(crawl);
    return failed ? failed : pf_mirrorsums_apply(&crawl->sums, plan, crawl->err);
}

static int start_all(struct crawl *crawl)
{
    int failed = start_categories(crawl, "plamo", crawl->wish->categories);
    if (!failed)
        failed = start_categories(crawl, "contrib", crawl->wish->contrib);
    if (!failed)
        failed = start_addons(crawl);
    if (!failed)
        failed = ask_for_top_sums(crawl);
    return failed;
}

static void end_walk(struct crawl *crawl)
{
    for (size_t i = 0; i < crawl->group_count; i++) {
        free_folder(crawl->groups[i].top);
        free(crawl->groups[i].pattern);
    }
    free(crawl->groups);
    pf_mirrorsums_end(&crawl->sums);
}

static bool has_package(const struct pf_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->entries[i].package)
            return true;
    }
    return false;
}

/* A mirror without any package of it is none, whatever its pages say. */
static int check_plan(struct crawl *crawl, const struct pf_plan *plan)
{
    const struct pf_crawl_wish *wish = crawl->wish;
    if (has_package(plan))
        return 0;
    return pf_error_set(crawl->err, PF_E_ABSENT,
                        "the mirror %s has no package of Plamo %s for %s in what was asked for",
                        crawl->mirror, wish->release, wish->arch);
}

/* Walks one mirror. */
static int walk(struct crawl *crawl, struct pf_plan *plan)
{
    size_t groups = count_names(crawl->wish->categories) + count_names(crawl->wish->contrib) +
                    count_names(crawl->wish->addons);
    crawl->groups = calloc(groups ? groups : 1, sizeof *crawl->groups);
    if (!crawl->groups)
        return pf_error_memory(crawl->err);
    int failed = start_all(crawl);
    if (failed)
        pf_fetch_drop(crawl->fetch);
    else
        failed = run(crawl);
    if (failed == PF_E_ABSENT && crawl->missing)
        name_the_nearest(crawl);
    if (!failed)
        failed = settle_links(crawl);
    if (!failed)
        failed = make_plan(crawl, plan);
    if (!failed)
        failed = check_plan(crawl, plan);
    if (!failed)
        failed = add_sums(crawl, plan);
    end_walk(crawl);
    return failed;
}

/* Marks the mirror as out of the question, and those that are less safe than one that could not
   prove who it is. */
static uint32_t rule_out(struct pf_mirrors *mirrors, size_t mirror, bool unsafe)
{
    pf_mirrors_failed(mirrors, mirror, pf_clock_ms());
    return UINT32_C(1) << mirror | pf_mirrors_below(mirrors, mirror) |
           (unsafe ? pf_mirrors_insecure(mirrors) : 0);
}

int pf_crawl(struct pf_fetch *fetch, const struct pf_crawl_wish *wish, struct pf_plan *plan,
             struct pf_events *events, struct pf_error *err)
{
    struct pf_mirrors *mirrors = wish->mirrors;
    struct pf_error local = {0};
    uint32_t without = pf_mirrors_below(mirrors, 0);
    int64_t ready_ms;
    err = err ? err : &local;
    for (;;) {
        size_t mirror = pf_mirrors_choose(mirrors, 0, without, pf_clock_ms(), &ready_ms);
        struct crawl crawl = {.fetch = fetch,
                              .wish = wish,
                              .mirror = mirrors->list[mirror].url,
                              .attempts = mirrors->count > 1 ? HASTY_ATTEMPTS : 0,
                              .events = events,
                              .err = err};
        crawl.sums =
            (struct pf_mirrorsums){.fetch = fetch, .attempts = crawl.attempts, .events = events};
        pf_plan_end(plan);
        plan->home = mirror;
        int failed = walk(&crawl, plan);
        if (failed != PF_E_NETWORK && failed != PF_E_ABSENT)
            return failed;
        if (pf_fetch_is_late(fetch))
            return failed;
        without |= rule_out(mirrors, mirror, crawl.unsafe);
        if (pf_mirrors_choose(mirrors, 0, without, 0, &ready_ms) == mirrors->count)
            return failed;
        pf_events_text(events, PF_EVENT_WARNING, mirrors->list[mirror].url,
                       "%s; asking another mirror", err->text);
    }
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
