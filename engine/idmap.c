/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "idmap.h"

#include <stdio.h>
#include <string.h>

static bool lookup(const struct pf_idmap *map, char type, uint32_t inside, uint32_t *outside)
{
    *outside = inside;
    for (size_t i = 0; i < map->count; i++) {
        const struct pf_idmap_range *r = &map->ranges[i];
        if (r->type != type || inside < r->inside || inside - r->inside >= r->count)
            continue;
        *outside = r->outside + (inside - r->inside);
        return true;
    }
    return map->count == 0;
}

bool pf_idmap_uid(const struct pf_idmap *map, uint32_t inside, uint32_t *outside)
{
    return lookup(map, 'u', inside, outside);
}

bool pf_idmap_gid(const struct pf_idmap *map, uint32_t inside, uint32_t *outside)
{
    return lookup(map, 'g', inside, outside);
}

/* One line's range. 1: the line says nothing. */
static int parse_range(const char *line, struct pf_idmap_range *range)
{
    static const char key[] = "lxc.idmap =";
    char end;
    if (strncmp(line, key, sizeof key - 1) == 0)
        line += sizeof key - 1;
    line += strspn(line, " \t");
    if (!*line)
        return 1;
    if (sscanf(line, "%c %u %u %u %c", &range->type, &range->inside, &range->outside, &range->count,
               &end) != 4 ||
        (range->type != 'u' && range->type != 'g') || range->count == 0)
        return -1;
    return range->count - 1 > UINT32_MAX - range->inside ||
                   range->count - 1 > UINT32_MAX - range->outside
               ? -1
               : 0;
}

static int check_root(const struct pf_idmap *map, struct pf_error *err)
{
    uint32_t uid, gid;
    if (map->count == 0)
        return 0;
    if (!pf_idmap_uid(map, 0, &uid) || !pf_idmap_gid(map, 0, &gid))
        return pf_error_set(err, PF_E_INVALID,
                            "lxc.idmap maps no user, or no group, for the container's root");
    return 0;
}

int pf_idmap_parse(const char *text, struct pf_idmap *map, struct pf_error *err)
{
    char line[256];
    *map = (struct pf_idmap){0};
    while (*text) {
        size_t length = strcspn(text, "\n");
        struct pf_idmap_range range;
        snprintf(line, sizeof line, "%.*s", (int)(length < sizeof line ? length : sizeof line - 1),
                 text);
        int status = parse_range(line, &range);
        if (status < 0)
            return pf_error_set(err, PF_E_INVALID, "\"%s\" is no mapping of ids", line);
        if (status == 0 && map->count == PF_IDMAP_RANGES)
            return pf_error_set(err, PF_E_INVALID, "lxc.idmap has more than %d mappings",
                                PF_IDMAP_RANGES);
        if (status == 0)
            map->ranges[map->count++] = range;
        text += length + (text[length] == '\n');
    }
    return check_root(map, err);
}

bool pf_idmap_same(const struct pf_idmap *a, const struct pf_idmap *b)
{
    if (a->count != b->count)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct pf_idmap_range *x = &a->ranges[i], *y = &b->ranges[i];
        if (x->type != y->type || x->inside != y->inside || x->outside != y->outside ||
            x->count != y->count)
            return false;
    }
    return true;
}
