/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bulkcheck.h"

#include "fs.h"
#include "lxcconfig.h"
#include "lxcline.h"
#include "lxcprobe.h"
#include "message.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A check on its way. */
struct check {
    const struct pf_containers *wish;
    const char *defaults;
    struct pf_bulkcheck *out;
    bool asked;
    struct pf_error *err;
};

int pf_bulkcheck_name(const char *name, struct pf_error *err)
{
    if (*name != '.' && *name != '-')
        return 0;
    return pf_error_set(err, PF_E_INVALID,
                        "\"%s\" cannot be a container's name: it begins with \"%c\"", name, *name);
}

/* LXC itself passes over a line that is no setting. */
static int check_lines(const char *name, const char *lines, struct pf_error *err)
{
    for (const char *p = lines; p && *p;) {
        size_t length = strcspn(p, "\n");
        if (length > 0 && (strncmp(p, "lxc.", 4) != 0 || !memchr(p, '=', length)))
            return pf_error_set(err, PF_E_INVALID,
                                "\"%.*s\" is no line for %s's configuration: lxc.KEY = VALUE is",
                                (int)length, p, name);
        p += length + (p[length] == '\n');
    }
    return 0;
}

/* Do the lines say whose ids the container has, or may they? */
static bool says_map(const char *lines)
{
    static const char *const keys[] = {"lxc.idmap", "lxc.id_map", "lxc.include", NULL};
    struct pf_lxcline line;
    while (pf_lxcline_next(&lines, &line)) {
        if (pf_lxcline_is(&line, keys))
            return true;
    }
    return false;
}

/* What the configuration of a container begins with, after nothing or another's, then its lines. */
static void put_config(FILE *stream, const char *defaults, const char *lines)
{
    fprintf(stream, "lxc.net =\nlxc.idmap =\n%s\n", defaults);
    pf_lxcconfig_put_includes(stream, false);
    fprintf(stream, "%s\n", lines ? lines : "");
}

/* Which map it is in the end. */
static int add_map(struct check *check, const struct pf_idmap *map, size_t *index)
{
    struct pf_bulkcheck *out = check->out;
    for (size_t i = 0; i < out->map_count; i++) {
        *index = i;
        if (pf_idmap_same(&out->maps[i], map))
            return 0;
    }
    struct pf_idmap *grown = reallocarray(out->maps, out->map_count + 1, sizeof *grown);
    if (!grown)
        return pf_error_memory(check->err);
    out->maps = grown;
    grown[out->map_count] = *map;
    *index = out->map_count++;
    return 0;
}

static int probe(struct check *check, const char *lines, size_t *map)
{
    struct pf_idmap found;
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    if (!stream)
        return pf_error_memory(check->err);
    put_config(stream, check->defaults, lines);
    if (pf_fs_close_text(stream, &text) < 0)
        return pf_error_memory(check->err);
    int rc = pf_lxcprobe_config(text, &check->asked, &found, check->err);
    free(text);
    return rc ? rc : add_map(check, &found, map);
}

/* Those that say something of their own, each like the one before or not. */
static int probe_each(struct check *check, bool all)
{
    const char *before = NULL;
    size_t map = 0;
    for (size_t i = 0; i < check->wish->count; i++) {
        const struct pf_container *c = &check->wish->containers[i];
        if (!c->config || (!all && !says_map(c->config)))
            continue;
        int rc = before && strcmp(before, c->config) == 0 ? 0 : probe(check, c->config, &map);
        if (rc)
            return pf_error_context(check->err, "%s", c->name);
        before = c->config;
        check->out->map_of[i] = map;
    }
    return 0;
}

/* All the others in one question: a hundred of them may have lines of their own. */
static int probe_rest(struct check *check)
{
    const char *before = NULL;
    char *text = NULL;
    size_t length;
    struct pf_idmap map;
    FILE *stream = open_memstream(&text, &length);
    if (!stream)
        return pf_error_memory(check->err);
    for (size_t i = 0; i < check->wish->count; i++) {
        const char *lines = check->wish->containers[i].config;
        if (!lines || says_map(lines) || (before && strcmp(before, lines) == 0))
            continue;
        put_config(stream, check->defaults, lines);
        before = lines;
    }
    if (pf_fs_close_text(stream, &text) < 0)
        return pf_error_memory(check->err);
    int rc = before ? pf_lxcprobe_config(text, &check->asked, &map, check->err) : 0;
    free(text);
    return rc == PF_E_INVALID ? probe_each(check, true) : rc;
}

static int check_maps(const struct check *check, const char *lxcpath)
{
    const struct pf_bulkcheck *out = check->out;
    size_t count = check->wish->count;
    int rc = 0;
    for (size_t i = 0; !rc && check->asked && i < out->map_count; i++)
        rc = pf_lxcprobe_map(&out->maps[i], lxcpath, check->err);
    for (size_t i = 1; !rc && check->wish->backing == PF_BACKING_OVERLAY && i < count; i++) {
        if (out->map_of[i] != out->map_of[0])
            rc = pf_error_advise(check->err, PF_E_INVALID,
                                 N_("make them one after the other, or with --backing dir"),
                                 "%s and %s have different lxc.idmap, and overlays of one run have "
                                 "one",
                                 check->wish->containers[0].name, check->wish->containers[i].name);
    }
    return rc;
}

int pf_bulkcheck_configs(const struct pf_containers *wish, const char *defaults,
                         const char *lxcpath, struct pf_events *events, struct pf_bulkcheck *out,
                         struct pf_error *err)
{
    struct check check = {.wish = wish, .defaults = defaults, .out = out, .err = err};
    size_t map = 0;
    int rc = 0;
    out->map_of = calloc(wish->count, sizeof *out->map_of);
    if (!out->map_of)
        return pf_error_memory(err);
    for (size_t i = 0; !rc && i < wish->count; i++)
        rc = check_lines(wish->containers[i].name, wish->containers[i].config, err);
    if (!rc)
        rc = probe(&check, NULL, &map);
    if (!rc)
        rc = probe_each(&check, false);
    if (!rc)
        rc = probe_rest(&check);
    if (!rc && !check.asked)
        pf_events_text(events, PF_EVENT_WARNING, NULL,
                       "LXC's tools are not here: nobody has looked whether it takes the "
                       "containers' configurations");
    return rc ? rc : check_maps(&check, lxcpath);
}

const struct pf_idmap *pf_bulkcheck_map(const struct pf_bulkcheck *check, size_t index)
{
    const struct pf_idmap *map = &check->maps[check->map_of[index]];
    return map->count ? map : NULL;
}

void pf_bulkcheck_end(struct pf_bulkcheck *check)
{
    free(check->maps);
    free(check->map_of);
    *check = (struct pf_bulkcheck){0};
}
