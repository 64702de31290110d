/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "owned.h"

#include "jsontext.h"
#include "language.h"
#include "line.h"

#include <stdlib.h>

static const char *kind_word(enum pf_claim_kind kind)
{
    switch (kind) {
    case PF_CLAIM_FOLDER:
        return N_("folder");
    case PF_CLAIM_LINK:
        return N_("link");
    default:
        return N_("file");
    }
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static void print_claim(const struct pf_claim *claim)
{
    char *package = line_escaped_text(claim->package);
    char *target = claim->kind == PF_CLAIM_LINK ? line_escaped_text(claim->target) : NULL;
    if (claim->kind == PF_CLAIM_LINK)
        printf(_("%s (its script links it to %s)"), or_empty(package), or_empty(target));
    else
        printf("%s (%s)", or_empty(package), _(kind_word(claim->kind)));
    putchar('\n');
    free(package);
    free(target);
}

static void print_maker(const struct pf_owned *owned)
{
    if (owned->configured)
        fputs(_("; configuring a container makes or changes it"), stdout);
    if (owned->scripted_by) {
        char *script = line_escaped_text(owned->scripted_by);
        printf(_("; the script of %s names it"), or_empty(script));
        free(script);
    }
}

static void print_nobody(const struct pf_owned *owned)
{
    fputs(owned->present ? _("no package's") : _("no package's, and it is not there"), stdout);
    print_maker(owned);
    if (owned->present && !owned->configured && !owned->scripted_by)
        fputs(_("; a script, the first boot or a user made it"), stdout);
    putchar('\n');
}

void owned_print(const struct pf_owned *owned)
{
    line_escape(stdout, *owned->path ? owned->path : ".");
    fputs(": ", stdout);
    if (owned->winner)
        print_claim(owned->winner);
    else
        print_nobody(owned);
    for (size_t i = owned->count; i-- > 0;) {
        const struct pf_claim *claim = &owned->claims[i];
        if (claim == owned->winner)
            continue;
        fputs(claim->replaced ? _("  replaced: ") : _("  shared with: "), stdout);
        print_claim(claim);
    }
    if (!owned->winner || owned->present)
        return;
    fputs(_("  it is not there"), stdout);
    print_maker(owned);
    putchar('\n');
}

json_t *owned_json(const struct pf_owned *owned)
{
    json_t *claims = json_array();
    for (size_t i = 0; i < owned->count; i++) {
        const struct pf_claim *claim = &owned->claims[i];
        json_array_append_new(claims,
                              json_pack("{s:o, s:s, s:o, s:b}", "package",
                                        json_text(claim->package), "kind", kind_word(claim->kind),
                                        "target", json_text(claim->target), "replaced",
                                        claim->replaced));
    }
    if (json_array_size(claims) != owned->count) {
        json_decref(claims);
        return NULL;
    }
    const char *owner = owned->winner ? owned->winner->package : NULL;
    return json_pack("{s:o, s:b, s:o, s:o, s:o, s:b}", "path", json_text(owned->path), "present",
                     owned->present, "owner", json_text(owner), "claims", claims, "scripted_by",
                     json_text(owned->scripted_by), "configured", owned->configured);
}
