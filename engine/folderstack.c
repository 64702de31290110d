/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "folderstack.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int top(const struct pf_folderstack *stack)
{
    return stack->count ? stack->open[stack->count - 1].fd : stack->top_fd;
}

static uint32_t top_node(const struct pf_folderstack *stack)
{
    return stack->count ? stack->open[stack->count - 1].node : PF_NODE_ROOT;
}

static void pop(struct pf_folderstack *stack)
{
    close(stack->open[--stack->count].fd);
}

static bool is_at_or_above(const struct pf_members *members, uint32_t above, uint32_t node)
{
    while (node != above && node != PF_NODE_ROOT)
        node = members->nodes[node].parent;
    return node == above;
}

bool pf_folderstack_has(const struct pf_folderstack *stack, uint32_t node)
{
    return node == PF_NODE_ROOT || (node < stack->made_count && stack->made[node]);
}

static int note_made(struct pf_folderstack *stack, const struct pf_members *members, uint32_t node)
{
    if (node >= stack->made_count) {
        unsigned char *grown = realloc(stack->made, members->node_capacity);
        if (!grown)
            return -1;
        memset(grown + stack->made_count, 0, members->node_capacity - stack->made_count);
        stack->made = grown;
        stack->made_count = members->node_capacity;
    }
    stack->made[node] = 1;
    return 0;
}

/* Goes down by one, to a child of the folder at the top. */
static int push(struct pf_folderstack *stack, const struct pf_members *members, uint32_t node)
{
    const char *name = pf_members_name(members, node);
    if (!pf_folderstack_has(stack, node) && mkdirat(top(stack), name, 0755) < 0 && errno != EEXIST)
        return -1;
    pf_auto_fd int fd = openat(top(stack), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || note_made(stack, members, node) < 0)
        return -1;
    if (stack->count == PF_FOLDERSTACK_DEPTH)
        pop(stack);
    stack->open[stack->count].node = node;
    stack->open[stack->count++].fd = pf_steal_fd(&fd);
    return 0;
}

/* The top is at or above the node. */
static int go_down(struct pf_folderstack *stack, const struct pf_members *members, uint32_t node)
{
    if (node == top_node(stack))
        return 0;
    if (go_down(stack, members, members->nodes[node].parent) < 0)
        return -1;
    return push(stack, members, node);
}

int pf_folderstack_open(struct pf_folderstack *stack, const struct pf_members *members,
                        uint32_t node)
{
    while (!is_at_or_above(members, top_node(stack), node))
        pop(stack);
    return go_down(stack, members, node) < 0 ? -1 : top(stack);
}

void pf_folderstack_end(struct pf_folderstack *stack)
{
    while (stack->count > 0)
        pop(stack);
    free(stack->made);
    stack->made = NULL;
    stack->made_count = 0;
}
