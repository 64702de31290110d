/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verify.h"

#include "array.h"
#include "fs.h"
#include "message.h"
#include "names.h"
#include "packagecheck.h"
#include "pkgname.h"
#include "resolve.h"
#include "tarread.h"
#include "treediff.h"
#include "workers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Packages that may be read ahead of the one whose findings are told next. */
#define WINDOW 48

/* One package file. The worker that runs it owns it, then the caller's thread. */
struct item {
    const struct pf_manifest_entry *entry;
    struct pf_packagecheck_result result;
    int code;
    struct pf_error *error;
};

struct run {
    const struct pf_verify *verify;
    struct pf_verified *result;
    struct pf_manifest manifest;
    struct pf_packagecheck check;
    int folder_fd;
    struct pf_error *err;
};

bool pf_verify_is_configured(const struct pf_profile *profile, const char *path)
{
    /* Accounts are the user's from the first day on. */
    static const char *const always[] = {"etc/passwd", "etc/shadow", "etc/group"};
    for (size_t i = 0; i < sizeof always / sizeof *always; i++) {
        if (strcmp(path, always[i]) == 0)
            return true;
    }
    for (const struct pf_edit *edit = profile ? profile->edits : NULL; edit && edit->path; edit++) {
        bool of_program = edit->kind == PF_EDIT_RUN || edit->kind == PF_EDIT_GENERATE;
        if ((!of_program && strcmp(edit->path, path) == 0) ||
            (edit->makes && strcmp(edit->makes, path) == 0) ||
            (edit->kind == PF_EDIT_RENAME && strcmp(edit->text, path) == 0))
            return true;
    }
    return false;
}

static int tell(struct run *r, const struct pf_finding *finding)
{
    if (finding->reason)
        r->result->explained++;
    else
        r->result->damaged++;
    return r->verify->fn(r->verify->ctx, finding);
}

/* Of a path of the root: perhaps a script or configuration did it. */
static int tell_of_root(struct run *r, const char *path, const char *package, const char *text)
{
    char reason[NAME_MAX + 64];
    const char *script = pf_ownership_scripted_by(r->verify->ownership, path);
    struct pf_finding finding = {.subject = path, .package = package, .text = text};
    if (pf_verify_is_configured(r->verify->profile, path)) {
        finding.reason = pf_message(N_("configuring a container changes it"));
    } else if (script) {
        snprintf(reason, sizeof reason, pf_message(N_("the script of %s names it")), script);
        finding.reason = reason;
    }
    return tell(r, &finding);
}

static const char *wrong_kind(const struct pf_claim *winner, const struct pf_entry *there)
{
    switch (winner->kind) {
    case PF_CLAIM_FOLDER:
        return S_ISDIR(there->mode) ? NULL : N_("something else instead of a folder");
    case PF_CLAIM_FILE:
        return S_ISDIR(there->mode) ? N_("a folder instead of a file") : NULL;
    case PF_CLAIM_LINK:
        if (!there->target)
            return N_("something else instead of a link");
        return strcmp(there->target, winner->target) == 0 ? NULL
                                                          : N_("a link that leads elsewhere");
    }
    return NULL;
}

/* One path that stands by the records. */
static int check_path(void *ctx, const struct pf_owned *owned)
{
    struct run *r = ctx;
    char path[PATH_MAX], target[PATH_MAX];
    struct pf_entry there;
    const atomic_bool *stop = r->verify->stop;
    if (stop && atomic_load(stop))
        return pf_error_set(r->err, PF_E_CANCELLED, "stopped");
    r->result->files++;
    if (!owned->present)
        return tell_of_root(r, owned->path, owned->winner->package, pf_message(N_("missing")));
    if (*owned->path == '\0')
        return 0;
    const char *slash = strrchr(owned->path, '/');
    snprintf(path, sizeof path, "%.*s", slash ? (int)(slash - owned->path) : 1,
             slash ? owned->path : ".");
    pf_auto_fd int fd = pf_resolve_beneath(r->verify->root_fd, path, O_PATH | O_DIRECTORY, 0);
    if (fd < 0 || pf_treediff_entry(fd, slash ? slash + 1 : owned->path, &there, target) < 0)
        return errno == ENOENT ? 0 : pf_error_errno(r->err, "%s", owned->path);
    const char *text = wrong_kind(owned->winner, &there);
    return text ? tell_of_root(r, owned->path, owned->winner->package, pf_message(text)) : 0;
}

static uint64_t check_item(void *ctx, void *arg)
{
    const struct run *r = ctx;
    struct item *item = arg;
    struct pf_error err = {0};
    item->code = pf_packagecheck_run(&r->check, item->entry, &item->result, &err);
    if (item->code == 0)
        return 0;
    item->error = malloc(sizeof err);
    if (item->error)
        *item->error = err;
    return 0;
}

static bool is_damage(int code)
{
    return code == PF_E_CORRUPT || code == PF_E_LIMIT;
}

/* What was found about one package file, and about what the root has of it. */
static int tell_of_item(struct run *r, const struct item *item)
{
    struct pf_pkgname name;
    bool package = pf_pkgname_parse(item->entry->file, &name) == 0;
    if (item->code && !is_damage(item->code)) {
        if (item->error)
            *r->err = *item->error;
        else
            pf_error_memory(r->err);
        return item->code;
    }
    r->result->packages += package;
    if (item->code) {
        struct pf_finding finding = {
            .subject = item->entry->file,
            .text = item->error ? item->error->text : pf_message(N_("damaged")),
            .reason =
                r->verify->of_root ? pf_message(N_("the root was not compared with it")) : NULL};
        return tell(r, &finding);
    }
    r->result->contents += item->result.compared;
    int status = 0;
    for (size_t i = 0; !status && i < item->result.count; i++) {
        const struct pf_packagecheck_finding *finding = &item->result.findings[i];
        if (finding->text)
            status = tell_of_root(r, finding->path, name.stem, finding->text);
    }
    return status;
}

/* Is the package one of the root's? */
static bool is_installed(const struct pf_names *stems, const char *file)
{
    struct pf_pkgname name;
    return pf_pkgname_parse(file, &name) == 0 && pf_names_find(stems, name.stem) >= 0;
}

static int choose_items(struct run *r, struct item *items, size_t *count)
{
    const struct pf_installed *installed = r->verify->installed;
    struct pf_names stems = {0};
    int failed = 0;
    *count = 0;
    for (size_t i = 0; r->verify->of_root && !failed && i < installed->count; i++) {
        if (pf_names_add(&stems, installed->packages[i].record.stem) < 0)
            failed = pf_error_memory(r->err);
    }
    for (size_t i = 0; !failed && i < r->manifest.count; i++) {
        const struct pf_manifest_entry *entry = &r->manifest.entries[i];
        if (!r->verify->of_root || is_installed(&stems, entry->file))
            items[(*count)++] = (struct item){.entry = entry};
    }
    pf_names_end(&stems);
    return failed;
}

static int check_packages(struct run *r)
{
    size_t count;
    struct item *items = calloc(r->manifest.count + 1, sizeof *items);
    if (!items)
        return pf_error_memory(r->err);
    int status = choose_items(r, items, &count);
    struct pf_workers_settings pool = {
        .threads = r->verify->jobs, .count = count, .fn = check_item, .ctx = r, .window = WINDOW};
    struct pf_workers *workers = status ? NULL : pf_workers_new(&pool);
    if (!status && !workers)
        status = pf_error_errno(r->err, "starting the workers");
    for (size_t i = 0; !status && i < count; i++)
        pf_workers_submit(workers, i, &items[i], 0);
    for (size_t i = 0; !status && i < count; i++) {
        status = tell_of_item(r, pf_workers_take(workers));
        pf_packagecheck_end(&items[i].result);
    }
    pf_workers_free(workers);
    for (size_t i = 0; i < count; i++) {
        pf_packagecheck_end(&items[i].result);
        free(items[i].error);
    }
    free(items);
    return status;
}

struct extras {
    const struct pf_names *known;
    char **names;
    size_t count;
};

static int take_extra(void *ctx, int fd, const char *name)
{
    struct extras *extras = ctx;
    (void)fd;
    /* The manifest is one of those with a dot. */
    if (*name == '.' || pf_names_find(extras->known, name) >= 0)
        return 0;
    char *copy = strdup(name);
    if (!copy || pf_array_room(&extras->names, extras->count, sizeof *extras->names) < 0) {
        free(copy);
        errno = ENOMEM;
        return -1;
    }
    extras->names[extras->count++] = copy;
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Files that the manifest does not name. */
static int check_extras(struct run *r)
{
    struct pf_names known = {0};
    struct extras extras = {.known = &known};
    int status = 0;
    for (size_t i = 0; !status && i < r->manifest.count; i++) {
        if (pf_names_add(&known, r->manifest.entries[i].file) < 0)
            status = pf_error_memory(r->err);
    }
    if (!status && pf_fs_each_name(r->folder_fd, take_extra, &extras))
        status =
            pf_error_errno(r->err, "%s/%s", r->verify->cache->base, r->verify->cache->complete);
    if (extras.count)
        qsort(extras.names, extras.count, sizeof *extras.names, by_text);
    for (size_t i = 0; !status && i < extras.count; i++) {
        struct pf_finding finding = {.subject = extras.names[i],
                                     .text = pf_message(
                                         N_("nobody noted it when the cache was filled"))};
        status = tell(r, &finding);
    }
    for (size_t i = 0; i < extras.count; i++)
        free(extras.names[i]);
    free(extras.names);
    pf_names_end(&known);
    return status;
}

static int check_cache(struct run *r)
{
    const struct pf_cache *cache = r->verify->cache;
    pf_auto_fd int fd = pf_cache_open_folder(cache, cache->complete, r->err);
    if (fd < 0)
        return fd;
    int noted = pf_cache_read_manifest(cache, &r->manifest, r->err);
    if (noted < 0)
        return noted;
    int status = noted ? 0 : pf_cache_read(cache, &r->manifest, NULL, r->err);
    locale_t names = pf_tarread_locale();
    r->folder_fd = fd;
    r->check = (struct pf_packagecheck){.folder_fd = fd,
                                        .limits = &r->verify->limits,
                                        .names = names,
                                        .root_fd = r->verify->root_fd,
                                        .ownership = r->verify->ownership,
                                        .stop = r->verify->stop};
    if (!status && !noted && !r->verify->of_root)
        status =
            tell(r,
                 &(struct pf_finding){
                     .subject = cache->complete,
                     .text = pf_message(N_("it has no manifest: sizes and digests are not known")),
                     .reason = pf_message(N_("lxc-plamo filled it, or an earlier version"))});
    if (!status)
        status = check_packages(r);
    if (!status && noted && !r->verify->of_root)
        status = check_extras(r);
    if (names != (locale_t)0)
        freelocale(names);
    return status;
}

int pf_verify_run(const struct pf_verify *verify, struct pf_verified *result, struct pf_error *err)
{
    struct pf_error local = {0};
    struct run r = {.verify = verify, .result = result, .err = err ? err : &local};
    *result = (struct pf_verified){0};
    int status = 0;
    if (verify->root_fd >= 0)
        status = pf_ownership_each(verify->ownership, check_path, &r, r.err);
    if (!status && verify->cache)
        status = check_cache(&r);
    pf_manifest_end(&r.manifest);
    return status;
}
