/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* members: what one package puts into the root, as a tree in memory. Pure. */
#ifndef PF_MEMBERS_H
#define PF_MEMBERS_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

/* Index of a node; PF_NODE_NONE is "no such node", PF_NODE_ROOT the package's "./". */
#define PF_NODE_NONE UINT32_MAX
#define PF_NODE_ROOT 0u

/* One name of the package. Children stand in the order in which they first appeared. */
struct pf_node {
    uint32_t parent, first_child, last_child, next;
    uint32_t name;     /* offset into the tree's text */
    uint32_t sequence; /* number of the (last) member that gave it; folders without one: 0 */
    mode_t mode;       /* with the file type */
    uid_t uid;
    gid_t gid;
    struct timespec mtime;
};

struct pf_members {
    struct pf_node *nodes; /* nodes[0] is the root of the package */
    uint32_t count;
    char *text; /* names, each NUL-terminated */
    size_t text_length, text_capacity;
    uint32_t *index; /* hash of (parent, name) → node */
    size_t index_capacity;
    uint32_t node_capacity;
    uint32_t sequence; /* members so far */
};

int pf_members_init(struct pf_members *members, struct pf_error *err);
void pf_members_end(struct pf_members *members);

const char *pf_members_name(const struct pf_members *members, uint32_t node);

/* The child of that name, or PF_NODE_NONE. name need not be terminated. */
uint32_t pf_members_child(const struct pf_members *members, uint32_t parent, const char *name,
                          size_t length);

/* The child of that name, made as a folder without a member (0755) where it is not there. */
int pf_members_add_child(struct pf_members *members, uint32_t parent, const char *name,
                         size_t length, uint32_t *node, struct pf_error *err);

/* Goes down from the root along a normalised path ("a/b/c"; "" is the root), making missing nodes
   as pf_members_add_child does. */
int pf_members_add_path(struct pf_members *members, const char *path, uint32_t *node,
                        struct pf_error *err);

/* True where an archive member described the node (and not only something below it). */
bool pf_members_is_explicit(const struct pf_members *members, uint32_t node);

/* Makes "a/b/c" of a member's name as stored: drops "./", "//" and slashes at the end. out has room
   for strlen(stored) + 1. Returns 0, or PF_E_CORRUPT for an absolute path, a "..", a component or
   path that is too long, or more than max_depth components. */
int pf_members_normalise(const char *stored, unsigned max_depth, char *out, struct pf_error *err);

/* Writes a node's path ("a/b/c") into buffer. Returns its length, or -1 if it does not fit. */
int pf_members_path(const struct pf_members *members, uint32_t node, char *buffer, size_t size);

#endif
