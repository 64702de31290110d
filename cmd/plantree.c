/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plantree.h"

#include "line.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A folder, or a file of the plan. Nodes point to each other by number, for the array grows. */
struct node {
    const char *name; /* within the plan's strings */
    size_t length;
    size_t parent, first, last, next; /* 0: none; node 0 is the top */
    int64_t bytes;
    size_t files; /* at or below it */
    bool unsized, folder;
};

struct tree {
    struct node *nodes;
    size_t count, room;
};

static int add_node(struct tree *tree, size_t parent, struct node node, size_t *number)
{
    if (tree->count == tree->room) {
        size_t room = tree->room ? tree->room * 2 : 256;
        struct node *grown = reallocarray(tree->nodes, room, sizeof *grown);
        if (!grown)
            return -1;
        tree->nodes = grown;
        tree->room = room;
    }
    *number = tree->count++;
    node.parent = parent;
    tree->nodes[*number] = node;
    if (*number == 0)
        return 0;
    struct node *above = &tree->nodes[parent];
    if (above->last)
        tree->nodes[above->last].next = *number;
    else
        above->first = *number;
    above->last = *number;
    return 0;
}

static int enter(struct tree *tree, size_t *number, const char *name, size_t length)
{
    const struct node *nodes = tree->nodes;
    for (size_t c = nodes[*number].first; c; c = nodes[c].next) {
        if (nodes[c].folder && nodes[c].length == length &&
            memcmp(nodes[c].name, name, length) == 0) {
            *number = c;
            return 0;
        }
    }
    return add_node(tree, *number, (struct node){.name = name, .length = length, .folder = true},
                    number);
}

/* The part of a URL that begins with "Plamo-", else what is behind its host. */
static const char *folder_of(const char *url)
{
    if (!url)
        return "";
    const char *place = strstr(url, "/Plamo-");
    if (place)
        return place + 1;
    const char *host = strstr(url, "://");
    const char *path = strchr(host ? host + 3 : url, '/');
    return path ? path + 1 : "";
}

static int add_file(struct tree *tree, const struct pf_plan_file *file)
{
    size_t number = 0;
    const char *p = folder_of(file->url);
    for (const char *slash; (slash = strchr(p, '/')); p = slash + 1) {
        if (slash > p && enter(tree, &number, p, (size_t)(slash - p)) < 0)
            return -1;
    }
    struct node leaf = {.name = file->file, .length = strlen(file->file)};
    if (add_node(tree, number, leaf, &number) < 0)
        return -1;
    for (size_t n = number;; n = tree->nodes[n].parent) {
        tree->nodes[n].files++;
        if (file->size_bytes < 0)
            tree->nodes[n].unsized = true;
        else
            tree->nodes[n].bytes += file->size_bytes;
        if (n == 0)
            return 0;
    }
}

static void print_line(const struct node *node, unsigned depth)
{
    char name[256];
    if (node->unsized && !node->folder)
        printf("%14s  ", "-");
    else
        printf("%13" PRId64 "%c  ", node->bytes, node->unsized ? '+' : ' ');
    printf("%*s", (int)depth * 2, "");
    snprintf(name, sizeof name, "%.*s", (int)node->length, node->name);
    line_escape(stdout, name);
    if (node->folder)
        printf("/  %zu files", node->files);
    putchar('\n');
}

static void print_tree(const struct tree *tree)
{
    unsigned depth = 0;
    for (size_t n = tree->nodes[0].first; n;) {
        const struct node *node = &tree->nodes[n];
        print_line(node, depth);
        if (node->first) {
            depth++;
            n = node->first;
            continue;
        }
        while (!node->next && node->parent) {
            node = &tree->nodes[node->parent];
            depth--;
        }
        n = node->next;
    }
}

int plantree_print(const struct pf_plan_file *files, size_t count)
{
    struct tree tree = {0};
    size_t top;
    int failed = add_node(&tree, 0, (struct node){.name = "", .folder = true}, &top);
    for (size_t i = 0; !failed && i < count; i++)
        failed = add_file(&tree, &files[i]);
    if (!failed) {
        print_tree(&tree);
        printf("%13" PRId64 "%c  %zu files in all\n", tree.nodes[0].bytes,
               tree.nodes[0].unsized ? '+' : ' ', count);
    }
    free(tree.nodes);
    return failed;
}
