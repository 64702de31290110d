/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "verify.h"

#include "array.h"
#include "configured.h"
#include "fs.h"
#include "livemount.h"
#include "message.h"
#include "names.h"
#include "packagecheck.h"
#include "pkgname.h"
#include "resolve.h"
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
    struct pf_livemount mount; /* of the root */
    int folder_fd;
    struct pf_error *err;
};

static int tell(struct run *r, const struct pf_finding *finding)
{
    if (finding->reason)
        r->result->explained++;
    else
        r->result->damaged++;
    return r->verify->fn(r->verify->ctx, finding);
}

/* Of a path of the root that differs in `what`: perhaps a script, configuration or a running
   container did it. */
static int tell_of_root(struct run *r, const struct pf_finding *found, unsigned what,
                        const struct pf_entry *there)
{
    char reason[NAME_MAX + 64];
    const struct pf_verify *verify = r->verify;
    struct pf_finding finding = *found;
    const char *path = finding.subject;
    const char *script;
    int failed = pf_ownership_scripted_by(verify->ownership, path, what & PF_DIFFERS_REMOVED,
                                          &script, r->err);
    if (failed)
        return failed;
    if (pf_livemount_covers_path(&r->mount, verify->root_fd, path)) {
        finding.reason = pf_message(N_("a pseudo file system is mounted there"));
    } else if (pf_configured_explains(verify->profile, verify->root_fd, path, what, there)) {
        finding.reason = pf_message(N_("configuring a container changes it"));
    } else if (script) {
        snprintf(reason, sizeof reason, pf_message(N_("the script of %s names it")), script);
        finding.reason = reason;
    }
    return tell(r, &finding);
}

static unsigned wrong_kind(const struct pf_claim *winner, const struct pf_entry *there,
                           const char **text)
{
    switch (winner->kind) {
    case PF_CLAIM_FOLDER:
        *text = N_("something else instead of a folder");
        return S_ISDIR(there->mode) ? 0 : PF_DIFFERS_TYPE;
    case PF_CLAIM_FILE:
        *text = N_("a folder instead of a file");
        return S_ISDIR(there->mode) ? PF_DIFFERS_TYPE : 0;
    case PF_CLAIM_LINK:
        if (!there->target) {
            *text = N_("something else instead of a link");
            return PF_DIFFERS_TYPE;
        }
        *text = N_("a link that leads elsewhere");
        return strcmp(there->target, winner->target) == 0 ? 0 : PF_DIFFERS_TARGET;
    }
    return 0;
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
    struct pf_finding finding = {.subject = owned->path, .package = owned->winner->package};
    if (!owned->present) {
        finding.text = pf_message(N_("missing"));
        return tell_of_root(r, &finding, PF_DIFFERS_REMOVED, NULL);
    }
    if (*owned->path == '\0')
        return 0;
    const char *slash = strrchr(owned->path, '/');
    snprintf(path, sizeof path, "%.*s", slash ? (int)(slash - owned->path) : 1,
             slash ? owned->path : ".");
    pf_auto_fd int fd = pf_resolve_beneath(r->verify->root_fd, path, O_PATH | O_DIRECTORY, 0);
    if (fd < 0 || pf_treediff_entry(fd, slash ? slash + 1 : owned->path, &there, target) < 0)
        return errno == ENOENT ? 0 : pf_error_errno(r->err, "%s", owned->path);
    const char *text;
    unsigned what = wrong_kind(owned->winner, &there, &text);
    if (!what)
        return 0;
    finding.text = pf_message(text);
    return tell_of_root(r, &finding, what, &there);
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
        const struct pf_packagecheck_finding *f = &item->result.findings[i];
        struct pf_finding finding = {.subject = f->path, .package = name.stem, .text = f->text};
        if (f->text)
            status = tell_of_root(r, &finding, f->what, &f->there);
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
    r->folder_fd = fd;
    r->check = (struct pf_packagecheck){.folder_fd = fd,
                                        .limits = &r->verify->limits,
                                        .root_fd = r->verify->root_fd,
                                        .is_closed = !r->verify->of_root,
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
    return status;
}

int pf_verify_run(const struct pf_verify *verify, struct pf_verified *result, struct pf_error *err)
{
    struct pf_error local = {0};
    struct run r = {.verify = verify, .result = result, .err = err ? err : &local};
    *result = (struct pf_verified){0};
    int status = 0;
    if (verify->root_fd >= 0 && pf_livemount_init(&r.mount, verify->root_fd) < 0)
        status = pf_error_errno(r.err, "the root");
    if (!status && verify->root_fd >= 0)
        status = pf_ownership_each(verify->ownership, check_path, &r, r.err);
    if (!status && verify->cache)
        status = check_cache(&r);
    pf_manifest_end(&r.manifest);
    return status;
}
