/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ownertree.h"

#include "array.h"
#include "fs.h"
#include "members.h"
#include "names.h"
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* As the kernel's MAXSYMLINKS. */
#define MAX_LINKS 40

/* All of Plamo, every category together, has half a million names. */
#define MAX_NAMES 4000000

/* Claims and names gone through, which scripts can make happen over and over. */
#define MAX_STEPS 1000000000u

static int keep_target(struct pf_ownertree *tree, const char *target, uint32_t *offset,
                       struct pf_error *err)
{
    size_t length = strlen(target) + 1;
    if (tree->targets_length + length > tree->targets_capacity) {
        size_t capacity = tree->targets_capacity * 2 + length + 1024;
        char *grown = capacity < UINT32_MAX ? realloc(tree->targets, capacity) : NULL;
        if (!grown)
            return pf_error_memory(err);
        tree->targets = grown;
        tree->targets_capacity = capacity;
    }
    *offset = (uint32_t)tree->targets_length;
    memcpy(tree->targets + tree->targets_length, target, length);
    tree->targets_length += length;
    return 0;
}

static int count_step(struct pf_ownertree *tree, struct pf_error *err)
{
    if (++tree->steps <= MAX_STEPS)
        return 0;
    return pf_error_set(err, PF_E_LIMIT, "the records and scripts take too long to follow");
}

/* One place for each node. */
static int add_places(struct pf_ownertree *tree, struct pf_error *err)
{
    if (tree->names.count > MAX_NAMES)
        return pf_error_set(err, PF_E_LIMIT, "the records have more than %d names", MAX_NAMES);
    while (tree->place_count < tree->names.count) {
        if (pf_array_room(&tree->places, tree->place_count, sizeof *tree->places) < 0)
            return pf_error_memory(err);
        tree->places[tree->place_count++] =
            (struct pf_ownertree_place){.kind = PF_OWNERTREE_NOTHING,
                                        .first_claim = PF_NODE_NONE,
                                        .last_claim = PF_NODE_NONE};
    }
    return 0;
}

int pf_ownertree_look(const struct pf_ownertree *tree, uint32_t node, char *target, struct stat *st)
{
    char path[PATH_MAX];
    *target = '\0';
    if (node == PF_NODE_ROOT)
        return fstat(tree->root_fd, st);
    if (pf_members_path(&tree->names, tree->names.nodes[node].parent, path, sizeof path) < 0)
        return -1;
    pf_auto_fd int fd =
        pf_resolve_beneath(tree->root_fd, *path ? path : ".", O_PATH | O_DIRECTORY, 0);
    const char *name = pf_members_name(&tree->names, node);
    if (fd < 0 || fstatat(fd, name, st, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    ssize_t n = S_ISLNK(st->st_mode) ? readlinkat(fd, name, target, PATH_MAX - 1) : 0;
    target[n > 0 ? n : 0] = '\0';
    return 0;
}

/* A folder or file on the way that is a link in the root, though no pair makes it one: a package
   has it as a member, or a script made it. */
static int find_link(struct pf_ownertree *tree, uint32_t node, struct pf_error *err)
{
    struct pf_ownertree_place *place = &tree->places[node];
    char target[PATH_MAX], path[PATH_MAX];
    struct stat st;
    if (place->looked || place->kind == PF_OWNERTREE_LINK)
        return 0;
    place->looked = true;
    if (pf_members_path(&tree->names, node, path, sizeof path) < 0 ||
        pf_names_find(&tree->linked, path) >= 0 || pf_ownertree_look(tree, node, target, &st) < 0 ||
        !*target)
        return 0;
    place->kind = PF_OWNERTREE_LINK;
    return keep_target(tree, target, &place->link, err);
}

static int too_long(const struct pf_ownertree_walk *w, const char *path)
{
    return pf_error_set(w->err, PF_E_INVALID, "%.64s…: too long, or a loop of links", path);
}

/* Steps to one name. *node is PF_NODE_NONE where it is not there. */
static int step(const struct pf_ownertree_walk *w, uint32_t *node, const char *name, size_t length)
{
    struct pf_ownertree *tree = w->tree;
    if (length == 1 && *name == '.')
        return 0;
    if (length == 2 && memcmp(name, "..", 2) == 0) {
        if (*node != PF_NODE_ROOT)
            *node = tree->names.nodes[*node].parent;
        return 0;
    }
    if (!w->make) {
        *node = pf_members_child(&tree->names, *node, name, length);
        return 0;
    }
    int failed = pf_members_add_child(&tree->names, *node, name, length, node, w->err);
    return failed ? failed : add_places(tree, w->err);
}

int pf_ownertree_walk(const struct pf_ownertree_walk *w, const char *path, uint32_t *node)
{
    struct pf_ownertree *tree = w->tree;
    char text[PATH_MAX * 2];
    unsigned links = 0;
    if (strlen(path) >= PATH_MAX)
        return too_long(w, path);
    memcpy(text, path, strlen(path) + 1);
    *node = PF_NODE_ROOT;
    for (char *p = text + strspn(text, "/"); *p;) {
        size_t length = strcspn(p, "/");
        char *rest = p + length + strspn(p + length, "/");
        uint32_t above = *node;
        int failed = length > NAME_MAX ? too_long(w, path) : step(w, node, p, length);
        if (failed || *node == PF_NODE_NONE)
            return failed;
        p = rest;
        bool is_up =
            *node == above || (above != PF_NODE_ROOT && *node == tree->names.nodes[above].parent);
        if (is_up || (!*rest && !w->follow))
            continue;
        /* Without `make`, nothing is changed: all that is on a way was looked at when it was made.
         */
        failed = w->make ? find_link(tree, *node, w->err) : 0;
        if (failed)
            return failed;
        struct pf_ownertree_place *place = &tree->places[*node];
        if (place->kind != PF_OWNERTREE_LINK) {
            if (w->make && *rest)
                place->kind = PF_OWNERTREE_FOLDER;
            continue;
        }
        char next[PATH_MAX * 2];
        const char *target = tree->targets + place->link;
        int n = snprintf(next, sizeof next, "%s/%s", target, rest);
        if (++links > MAX_LINKS || n < 0 || n >= PATH_MAX)
            return too_long(w, path);
        *node = *target == '/' ? PF_NODE_ROOT : above;
        memcpy(text, next, (size_t)n + 1);
        p = text + strspn(text, "/");
    }
    return 0;
}

/* A claim to a node; what a file or a link takes the place of is replaced. */
static int claim(struct pf_ownertree *tree, uint32_t node, uint32_t package,
                 enum pf_claim_kind kind, uint32_t target, struct pf_error *err)
{
    struct pf_ownertree_place *place = &tree->places[node];
    int failed = 0;
    for (uint32_t c = place->first_claim; !failed && c != PF_NODE_NONE; c = tree->claims[c].next) {
        struct pf_ownertree_claim *other = &tree->claims[c];
        if (other->package == package && other->kind == kind && other->target == target &&
            !other->replaced)
            return 0;
        if (kind != PF_CLAIM_FOLDER)
            other->replaced = true;
        failed = count_step(tree, err);
    }
    if (failed)
        return failed;
    if (tree->claim_count == MAX_NAMES)
        return pf_error_set(err, PF_E_LIMIT, "the records have more than %d names", MAX_NAMES);
    if (pf_array_room(&tree->claims, tree->claim_count, sizeof *tree->claims) < 0)
        return pf_error_memory(err);
    uint32_t number = tree->claim_count++;
    tree->claims[number] = (struct pf_ownertree_claim){.package = package,
                                                       .next = PF_NODE_NONE,
                                                       .target = target,
                                                       .kind = kind};
    if (place->last_claim == PF_NODE_NONE)
        place->first_claim = number;
    else
        tree->claims[place->last_claim].next = number;
    place->last_claim = number;
    return 0;
}

bool pf_ownertree_is_control(const char *path)
{
    return strcmp(path, "install") == 0 || strcmp(path, "install/doinst.sh") == 0 ||
           strncmp(path, "install/slack-", 14) == 0;
}

static int add_member(struct pf_ownertree *tree, uint32_t package,
                      const struct pf_record_file *file, struct pf_error *err)
{
    struct pf_ownertree_walk w = {.tree = tree, .make = true, .follow = file->folder, .err = err};
    uint32_t node;
    if (pf_ownertree_is_control(file->path))
        return 0;
    int failed = pf_ownertree_walk(&w, file->path, &node);
    /* No package was ever installed through a loop: it came later, and where it led is not known.
     */
    if (failed)
        return failed == PF_E_INVALID ? 0 : failed;
    tree->places[node].kind = file->folder ? PF_OWNERTREE_FOLDER : PF_OWNERTREE_FILE;
    return claim(tree, node, package, file->folder ? PF_CLAIM_FOLDER : PF_CLAIM_FILE, PF_NODE_NONE,
                 err);
}

/* rm -rf: the names stay in the tree, with claims that are replaced. Not by recursion: a record may
   nest as deep as a path is long. */
static int remove_node(struct pf_ownertree *tree, uint32_t top, struct pf_error *err)
{
    const struct pf_node *nodes = tree->names.nodes;
    uint32_t node = top;
    for (;;) {
        int failed = count_step(tree, err);
        for (uint32_t c = tree->places[node].first_claim; !failed && c != PF_NODE_NONE;
             c = tree->claims[c].next) {
            tree->claims[c].replaced = true;
            failed = count_step(tree, err);
        }
        if (failed)
            return failed;
        tree->places[node].kind = PF_OWNERTREE_NOTHING;
        if (nodes[node].first_child != PF_NODE_NONE) {
            node = nodes[node].first_child;
            continue;
        }
        while (node != top && nodes[node].next == PF_NODE_NONE)
            node = nodes[node].parent;
        if (node == top)
            return 0;
        node = nodes[node].next;
    }
}

/* The folder that a pair works in. Where there is none the shell stays in the root. */
static int enter(struct pf_ownertree *tree, const char *folder, uint32_t *node,
                 struct pf_error *err)
{
    struct pf_ownertree_walk w = {.tree = tree, .follow = true, .err = err};
    int failed = pf_ownertree_walk(&w, folder, node);
    if (!failed && *node != PF_NODE_NONE &&
        (*node == PF_NODE_ROOT || tree->places[*node].kind == PF_OWNERTREE_FOLDER))
        return 0;
    if (failed && failed != PF_E_INVALID)
        return failed;
    /* A script may have made it. */
    pf_auto_fd int fd = pf_resolve_in_root(tree->root_fd, folder, O_PATH | O_DIRECTORY, 0);
    w.make = true;
    failed = fd < 0 ? PF_E_INVALID : pf_ownertree_walk(&w, folder, node);
    if (failed == PF_E_INVALID)
        *node = PF_NODE_ROOT;
    else if (!failed)
        tree->places[*node].kind = PF_OWNERTREE_FOLDER;
    return failed == PF_E_INVALID ? 0 : failed;
}

static int enter_name(struct pf_ownertree *tree, const struct pf_doinst_op *op, uint32_t *node,
                      const char **leaf, struct pf_error *err)
{
    char path[PATH_MAX];
    const char *slash = strrchr(op->name, '/');
    *leaf = slash ? slash + 1 : op->name;
    int n = snprintf(path, sizeof path, "%s/%.*s", *op->name == '/' ? "" : op->folder,
                     slash ? (int)(slash - op->name) : 0, op->name);
    if (n < 0 || (size_t)n >= sizeof path)
        return pf_error_set(err, PF_E_INVALID, "%.64s…: too long", op->folder);
    return enter(tree, path, node, err);
}

static int make_link(struct pf_ownertree *tree, uint32_t package, const struct pf_doinst_op *op,
                     uint32_t node, struct pf_error *err)
{
    struct pf_ownertree_walk w = {.tree = tree, .make = true, .err = err};
    /* ln puts it into a folder that is there, or that a link which is there leads to. */
    char path[PATH_MAX];
    struct pf_ownertree_walk follow = {.tree = tree, .follow = true, .err = err};
    uint32_t behind = node;
    if (tree->places[node].kind == PF_OWNERTREE_LINK &&
        pf_members_path(&tree->names, node, path, sizeof path) >= 0 &&
        pf_ownertree_walk(&follow, path, &behind) == 0 && behind != PF_NODE_NONE &&
        tree->places[behind].kind == PF_OWNERTREE_FOLDER)
        node = behind;
    if (tree->places[node].kind == PF_OWNERTREE_FOLDER) {
        const char *slash = strrchr(op->target, '/'), *name = slash ? slash + 1 : op->target;
        int failed = *name ? step(&w, &node, name, strlen(name)) : 0;
        if (failed)
            return failed;
    }
    uint32_t target;
    int failed = keep_target(tree, op->target, &target, err);
    if (failed)
        return failed;
    tree->places[node].kind = PF_OWNERTREE_LINK;
    tree->places[node].link = target;
    return claim(tree, node, package, PF_CLAIM_LINK, target, err);
}

static int apply_pair(struct pf_ownertree *tree, uint32_t package, const struct pf_doinst_op *op,
                      struct pf_error *err)
{
    struct pf_ownertree_walk w = {.tree = tree, .make = true, .err = err};
    bool sure = !tree->installed->packages[package].needs_shell;
    char target[PATH_MAX];
    const char *leaf;
    uint32_t node;
    struct stat st;
    if (!sure && !op->link)
        return 0;
    int failed = enter_name(tree, op, &node, &leaf, err);
    if (!failed)
        failed = step(&w, &node, leaf, strlen(leaf));
    if (failed || node == PF_NODE_ROOT)
        return failed == PF_E_INVALID ? 0 : failed;
    /* Whether a shell came by a line is only known where what it makes is there. */
    if (!sure &&
        (pf_ownertree_look(tree, node, target, &st) < 0 || strcmp(target, op->target) != 0))
        return 0;
    if (!sure || !op->link)
        failed = remove_node(tree, node, err);
    if (failed)
        return failed;
    return op->link ? make_link(tree, package, op, node, err) : 0;
}

static int note_linked(struct pf_ownertree *tree, const struct pf_installed_package *package,
                       struct pf_error *err)
{
    for (size_t i = 0; i < package->pairs.count; i++) {
        const struct pf_doinst_op *op = &package->pairs.ops[i];
        char joined[PATH_MAX], path[PATH_MAX];
        int n = snprintf(joined, sizeof joined, "%s/%s", op->folder, op->name);
        const char *start = joined + strspn(joined, "/");
        if (!op->link || n < 0 || (size_t)n >= sizeof joined ||
            pf_members_normalise(start, PATH_MAX / 2, path, NULL))
            continue;
        if (pf_names_add(&tree->linked, path) < 0)
            return pf_error_memory(err);
    }
    return 0;
}

static int add_package(struct pf_ownertree *tree, uint32_t number, struct pf_error *err)
{
    const struct pf_installed_package *package = &tree->installed->packages[number];
    int failed = 0;
    for (size_t i = 0; !failed && i < package->record.count; i++)
        failed = add_member(tree, number, &package->record.files[i], err);
    for (size_t i = 0; !failed && i < package->pairs.count; i++)
        failed = apply_pair(tree, number, &package->pairs.ops[i], err);
    return failed;
}

int pf_ownertree_build(struct pf_ownertree *tree, int root_fd, const struct pf_installed *installed,
                       const atomic_bool *stop, struct pf_error *err)
{
    *tree = (struct pf_ownertree){.root_fd = root_fd, .installed = installed};
    int failed = pf_members_init(&tree->names, err);
    if (!failed)
        failed = add_places(tree, err);
    if (!failed)
        tree->places[PF_NODE_ROOT].kind = PF_OWNERTREE_FOLDER;
    for (size_t i = 0; !failed && i < installed->count; i++)
        failed = note_linked(tree, &installed->packages[i], err);
    for (size_t i = 0; !failed && i < installed->count; i++)
        failed = stop && atomic_load(stop) ? pf_error_set(err, PF_E_CANCELLED, "stopped")
                                           : add_package(tree, (uint32_t)i, err);
    return failed;
}

void pf_ownertree_end(struct pf_ownertree *tree)
{
    pf_members_end(&tree->names);
    pf_names_end(&tree->linked);
    free(tree->places);
    free(tree->claims);
    free(tree->targets);
    *tree = (struct pf_ownertree){0};
}
