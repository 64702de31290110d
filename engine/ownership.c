/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ownership.h"

#include "cleanup.h"
#include "ownertree.h"
#include "scriptwords.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define NONE PF_NODE_NONE

/* Bytes of scripts that are looked through, again for each path: less than a minute. Plamo's base
   has 60 kB of them. */
#define MAX_SCANNED (UINT64_C(4) << 30)

struct pf_ownership {
    struct pf_ownertree tree;
    /* What the last answer points to: */
    struct pf_claim *shown;
    size_t shown_room;
    char path[PATH_MAX];
    uint64_t scanned_bytes; /* of scripts, so far */
};

int pf_ownership_new(int root_fd, const struct pf_installed *installed, const atomic_bool *stop,
                     struct pf_ownership **out, struct pf_error *err)
{
    struct pf_ownership *o = calloc(1, sizeof *o);
    if (!o)
        return pf_error_memory(err);
    int failed = pf_ownertree_build(&o->tree, root_fd, installed, stop, err);
    if (failed) {
        pf_ownership_free(o);
        return failed;
    }
    *out = o;
    return 0;
}

void pf_ownership_free(struct pf_ownership *o)
{
    if (!o)
        return;
    pf_ownertree_end(&o->tree);
    free(o->shown);
    free(o);
}

int pf_ownership_scripted_by(struct pf_ownership *o, const char *path, bool gone, const char **stem,
                             struct pf_error *err)
{
    *stem = NULL;
    for (size_t i = o->tree.installed->count; *path && i-- > 0;) {
        const struct pf_installed_package *package = &o->tree.installed->packages[i];
        if (!package->needs_shell)
            continue;
        o->scanned_bytes += strlen(package->script);
        if (o->scanned_bytes > MAX_SCANNED)
            return pf_error_set(err, PF_E_LIMIT,
                                "too many paths differ for all of its scripts to be asked");
        if ((!gone || pf_scriptwords_removes(package->script)) &&
            pf_scriptwords_name(package->script, path)) {
            *stem = package->record.stem;
            return 0;
        }
    }
    return 0;
}

/* Fills `shown` with the claims to a node. */
static int show(struct pf_ownership *o, uint32_t node, struct pf_owned *out, struct pf_error *err)
{
    size_t count = 0;
    for (uint32_t c = o->tree.places[node].first_claim; c != NONE; c = o->tree.claims[c].next)
        count++;
    if (count > o->shown_room) {
        struct pf_claim *grown = reallocarray(o->shown, count, sizeof *grown);
        if (!grown)
            return pf_error_memory(err);
        o->shown = grown;
        o->shown_room = count;
    }
    *out = (struct pf_owned){.path = o->path, .claims = o->shown, .count = count};
    size_t i = 0;
    for (uint32_t c = o->tree.places[node].first_claim; c != NONE;
         c = o->tree.claims[c].next, i++) {
        const struct pf_ownertree_claim *from = &o->tree.claims[c];
        o->shown[i] = (struct pf_claim){
            .package = o->tree.installed->packages[from->package].record.stem,
            .kind = from->kind,
            .target = from->target == NONE ? NULL : o->tree.targets + from->target,
            .replaced = from->replaced,
        };
        if (!from->replaced)
            out->winner = &o->shown[i];
    }
    char target[PATH_MAX];
    struct stat st;
    if (pf_members_path(&o->tree.names, node, o->path, sizeof o->path) < 0)
        return pf_error_set(err, PF_E_INVALID, "a path that is too long");
    out->present = pf_ownertree_look(&o->tree, node, target, &st) == 0;
    return 0;
}

int pf_ownership_find(struct pf_ownership *o, const char *path, struct pf_owned *out,
                      struct pf_error *err)
{
    /* A name that no package brought becomes one of the tree, too: what is on the way to it may be
       a link, and it has a path of its own. */
    struct pf_ownertree_walk w = {.tree = &o->tree, .make = true, .err = err};
    uint32_t node;
    int failed = pf_ownertree_walk(&w, path, &node);
    if (!failed)
        failed = show(o, node, out, err);
    if (!failed && (!out->winner || !out->present))
        failed = pf_ownership_scripted_by(o, o->path, !out->present, &out->scripted_by, err);
    return failed;
}

bool pf_ownership_is_winner(const struct pf_ownership *o, const char *path, bool folder,
                            const char *stem, char *real)
{
    /* The walk changes nothing without `make`. */
    struct pf_ownertree_walk w = {.tree = (struct pf_ownertree *)&o->tree, .follow = folder};
    uint32_t node, winner = NONE;
    if (pf_ownertree_is_control(path) || pf_ownertree_walk(&w, path, &node) || node == NONE)
        return false;
    for (uint32_t c = o->tree.places[node].first_claim; c != NONE; c = o->tree.claims[c].next)
        winner = o->tree.claims[c].replaced ? winner : c;
    if (winner == NONE || o->tree.claims[winner].kind == PF_CLAIM_LINK ||
        (o->tree.claims[winner].kind == PF_CLAIM_FOLDER) != folder)
        return false;
    const char *owner = o->tree.installed->packages[o->tree.claims[winner].package].record.stem;
    return strcmp(owner, stem) == 0 && pf_members_path(&o->tree.names, node, real, PATH_MAX) >= 0;
}

static int compare_paths(const void *a, const void *b, void *ctx)
{
    const struct pf_members *tree = ctx;
    char x[PATH_MAX], y[PATH_MAX];
    if (pf_members_path(tree, *(const uint32_t *)a, x, sizeof x) < 0 ||
        pf_members_path(tree, *(const uint32_t *)b, y, sizeof y) < 0)
        return (*(const uint32_t *)a > *(const uint32_t *)b) ? 1 : -1;
    return strcmp(x, y);
}

static bool is_overlap(const struct pf_ownership *o, uint32_t node)
{
    bool others = false, more_than_folder = false;
    uint32_t first = o->tree.places[node].first_claim;
    for (uint32_t c = first; c != NONE; c = o->tree.claims[c].next) {
        others = others || o->tree.claims[c].package != o->tree.claims[first].package;
        more_than_folder = more_than_folder || o->tree.claims[c].kind != PF_CLAIM_FOLDER;
    }
    return others && more_than_folder;
}

static bool stands(const struct pf_ownership *o, uint32_t node)
{
    for (uint32_t c = o->tree.places[node].first_claim; c != NONE; c = o->tree.claims[c].next) {
        if (!o->tree.claims[c].replaced)
            return true;
    }
    return false;
}

static int each(struct pf_ownership *o, bool (*takes)(const struct pf_ownership *o, uint32_t node),
                pf_owned_fn fn, void *ctx, struct pf_error *err)
{
    pf_auto_free uint32_t *nodes = malloc(o->tree.place_count * sizeof *nodes);
    size_t count = 0;
    if (!nodes)
        return pf_error_memory(err);
    for (uint32_t i = 0; i < o->tree.place_count; i++) {
        if (takes(o, i))
            nodes[count++] = i;
    }
    qsort_r(nodes, count, sizeof *nodes, compare_paths, &o->tree.names);
    int status = 0;
    for (size_t i = 0; !status && i < count; i++) {
        struct pf_owned owned;
        status = show(o, nodes[i], &owned, err);
        if (!status)
            status = fn(ctx, &owned);
    }
    return status;
}

int pf_ownership_each(struct pf_ownership *o, pf_owned_fn fn, void *ctx, struct pf_error *err)
{
    return each(o, stands, fn, ctx, err);
}

int pf_ownership_each_overlap(struct pf_ownership *o, pf_owned_fn fn, void *ctx,
                              struct pf_error *err)
{
    return each(o, is_overlap, fn, ctx, err);
}
