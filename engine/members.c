/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "members.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static size_t slot_of(const struct pf_members *m, uint32_t parent, const char *name, size_t length)
{
    size_t slot = XXH3_64bits_withSeed(name, length, parent) & (m->index_capacity - 1);
    for (;; slot = (slot + 1) & (m->index_capacity - 1)) {
        uint32_t node = m->index[slot];
        if (node == PF_NODE_NONE)
            return slot;
        const char *other = m->text + m->nodes[node].name;
        if (m->nodes[node].parent == parent && strncmp(other, name, length) == 0 &&
            other[length] == '\0')
            return slot;
    }
}

static int grow_index(struct pf_members *m, struct pf_error *err)
{
    size_t capacity = m->index_capacity ? m->index_capacity * 2 : 64;
    uint32_t *index = malloc(capacity * sizeof *index);
    if (!index)
        return pf_error_memory(err);
    memset(index, 0xff, capacity * sizeof *index);
    free(m->index);
    m->index = index;
    m->index_capacity = capacity;
    for (uint32_t i = 1; i < m->count; i++) {
        const char *name = pf_members_name(m, i);
        m->index[slot_of(m, m->nodes[i].parent, name, strlen(name))] = i;
    }
    return 0;
}

static int append_name(struct pf_members *m, const char *name, size_t length, uint32_t *offset,
                       struct pf_error *err)
{
    if (m->text_length + length + 1 > m->text_capacity) {
        size_t capacity = (m->text_capacity ? m->text_capacity * 2 : 1024) + length;
        char *grown = capacity <= UINT32_MAX ? realloc(m->text, capacity) : NULL;
        if (!grown)
            return pf_error_memory(err);
        m->text = grown;
        m->text_capacity = capacity;
    }
    *offset = (uint32_t)m->text_length;
    memcpy(m->text + m->text_length, name, length);
    m->text[m->text_length + length] = '\0';
    m->text_length += length + 1;
    return 0;
}

static int append_node(struct pf_members *m, uint32_t parent, const char *name, size_t length,
                       struct pf_error *err)
{
    if (m->count == m->node_capacity) {
        uint32_t capacity = m->node_capacity ? m->node_capacity * 2 : 32;
        struct pf_node *grown =
            m->count < UINT32_MAX / 4 ? realloc(m->nodes, capacity * sizeof *grown) : NULL;
        if (!grown)
            return pf_error_memory(err);
        m->nodes = grown;
        m->node_capacity = capacity;
    }
    struct pf_node node = {.parent = parent,
                           .first_child = PF_NODE_NONE,
                           .last_child = PF_NODE_NONE,
                           .next = PF_NODE_NONE,
                           .mode = S_IFDIR | 0755};
    int failed = append_name(m, name, length, &node.name, err);
    if (failed)
        return failed;
    m->nodes[m->count++] = node;
    return 0;
}

int pf_members_init(struct pf_members *m, struct pf_error *err)
{
    *m = (struct pf_members){0};
    int failed = append_node(m, PF_NODE_NONE, "", 0, err);
    return failed ? failed : grow_index(m, err);
}

void pf_members_end(struct pf_members *m)
{
    free(m->nodes);
    free(m->text);
    free(m->index);
    *m = (struct pf_members){0};
}

const char *pf_members_name(const struct pf_members *m, uint32_t node)
{
    return m->text + m->nodes[node].name;
}

uint32_t pf_members_child(const struct pf_members *m, uint32_t parent, const char *name,
                          size_t length)
{
    return m->index[slot_of(m, parent, name, length)];
}

int pf_members_add_child(struct pf_members *m, uint32_t parent, const char *name, size_t length,
                         uint32_t *node, struct pf_error *err)
{
    *node = pf_members_child(m, parent, name, length);
    if (*node != PF_NODE_NONE)
        return 0;
    int failed = (size_t)m->count * 2 >= m->index_capacity ? grow_index(m, err) : 0;
    if (!failed)
        failed = append_node(m, parent, name, length, err);
    if (failed)
        return failed;
    *node = m->count - 1;
    m->index[slot_of(m, parent, name, length)] = *node;
    struct pf_node *above = &m->nodes[parent];
    if (above->last_child == PF_NODE_NONE)
        above->first_child = *node;
    else
        m->nodes[above->last_child].next = *node;
    above->last_child = *node;
    return 0;
}

int pf_members_add_path(struct pf_members *m, const char *path, uint32_t *node,
                        struct pf_error *err)
{
    *node = PF_NODE_ROOT;
    while (*path) {
        size_t length = strcspn(path, "/");
        int failed = pf_members_add_child(m, *node, path, length, node, err);
        if (failed)
            return failed;
        path += length + (path[length] == '/');
    }
    return 0;
}

bool pf_members_is_explicit(const struct pf_members *m, uint32_t node)
{
    return m->nodes[node].sequence != 0;
}

int pf_members_normalise(const char *stored, unsigned max_depth, char *out, struct pf_error *err)
{
    char *end = out;
    unsigned depth = 0;
    if (*stored == '\0')
        return pf_error_set(err, PF_E_CORRUPT, "a member has no name");
    if (*stored == '/')
        return pf_error_set(err, PF_E_CORRUPT, "member %s: the path is absolute", stored);
    for (const char *p = stored; *p; p += strspn(p, "/")) {
        size_t length = strcspn(p, "/");
        if (length == 2 && memcmp(p, "..", 2) == 0)
            return pf_error_set(err, PF_E_CORRUPT, "member %s: the path has a \"..\"", stored);
        if (length > NAME_MAX)
            return pf_error_set(err, PF_E_CORRUPT, "member %.64s…: a name of %zu bytes", stored,
                                length);
        if (!(length == 1 && *p == '.')) {
            if (++depth > max_depth)
                return pf_error_set(err, PF_E_CORRUPT,
                                    "member %.64s…: nested deeper than %u folders", stored,
                                    max_depth);
            if (end != out)
                *end++ = '/';
            memcpy(end, p, length);
            end += length;
        }
        p += length;
    }
    *end = '\0';
    if (end - out >= PATH_MAX)
        return pf_error_set(err, PF_E_CORRUPT, "member %.64s…: a path of %zd bytes", stored,
                            end - out);
    return 0;
}

int pf_members_path(const struct pf_members *m, uint32_t node, char *buffer, size_t size)
{
    size_t length = 0;
    for (uint32_t n = node; n != PF_NODE_ROOT; n = m->nodes[n].parent)
        length += strlen(pf_members_name(m, n)) + 1;
    if (length == 0) {
        if (size == 0)
            return -1;
        buffer[0] = '\0';
        return 0;
    }
    length--; /* no slash before the first component */
    if (length >= size)
        return -1;
    char *end = buffer + length;
    *end = '\0';
    for (uint32_t n = node; n != PF_NODE_ROOT; n = m->nodes[n].parent) {
        const char *name = pf_members_name(m, n);
        size_t n_length = strlen(name);
        end -= n_length;
        memcpy(end, name, n_length);
        if (end > buffer)
            *--end = '/';
    }
    return (int)length;
}
