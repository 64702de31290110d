/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "answers.h"

#include "changes.h"
#include "configured.h"
#include "fs.h"
#include "installed.h"
#include "lock.h"
#include "names.h"
#include "ownership.h"
#include "run.h"
#include "treediff.h"
#include "verify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pf_records {
    int root_fd;
    struct pf_installed installed;
    struct pf_ownership *ownership; /* of `installed` */
    const struct pf_profile *profile;
};

int pf_records_open(int root_fd, const struct pf_profile *profile, const atomic_bool *stop,
                    struct pf_records **out, struct pf_error *err)
{
    struct pf_records *records = calloc(1, sizeof *records);
    if (!records) {
        close(root_fd);
        return pf_error_memory(err);
    }
    records->root_fd = root_fd;
    records->profile = profile;
    int failed = pf_installed_read(root_fd, profile->listed, stop, &records->installed, err);
    if (!failed)
        failed = pf_ownership_new(root_fd, &records->installed, stop, &records->ownership, err);
    if (failed) {
        pf_records_free(records);
        return failed;
    }
    *out = records;
    return 0;
}

void pf_records_free(struct pf_records *records)
{
    if (!records)
        return;
    pf_ownership_free(records->ownership);
    pf_installed_end(&records->installed);
    pf_close_at(&records->root_fd);
    free(records);
}

int pf_records_owners(struct pf_records *records, const char *path, struct pf_owned *out,
                      struct pf_error *err)
{
    int failed = pf_ownership_find(records->ownership, path, out, err);
    if (!failed)
        out->configured = pf_configured_touches(records->profile, out->path);
    return failed;
}

int pf_records_overlaps(struct pf_records *records, pf_owned_fn fn, void *ctx, struct pf_error *err)
{
    return pf_ownership_each_overlap(records->ownership, fn, ctx, err);
}

int pf_answers_verify(const struct pf_settled *settings, const struct pf_cache *cache,
                      const struct pf_records *records, bool of_root, const atomic_bool *stop,
                      pf_finding_fn fn, void *ctx, struct pf_verified *result, struct pf_error *err)
{
    struct pf_verify verify = {
        .cache = cache,
        .of_root = of_root,
        .root_fd = records ? records->root_fd : -1,
        .installed = records ? &records->installed : NULL,
        .ownership = records ? records->ownership : NULL,
        .profile = settings->profile,
        .jobs = settings->jobs == 1 ? 0 : settings->jobs,
        .limits = pf_run_stage_limits(&settings->limits),
        .stop = stop,
        .fn = fn,
        .ctx = ctx,
    };
    return pf_verify_run(&verify, result, err);
}

/* Two lockfiles being compared. */
struct lock_diff {
    const struct pf_lockfile *a, *b;
    pf_lock_difference_fn fn;
    void *ctx;
};

static int tell(const struct lock_diff *d, const char *what, const char *old_file,
                const char *new_file)
{
    return d->fn(d->ctx, &(struct pf_lock_difference){.what = what,
                                                      .old_file = old_file,
                                                      .new_file = new_file});
}

/* "categories 00_base 02_devel" */
static char *setting_text(const char *name, char **list)
{
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        return NULL;
    fputs(name, out);
    for (size_t i = 0; list[i]; i++)
        fprintf(out, " %s", list[i]);
    return pf_fs_close_text(out, &text) < 0 ? NULL : text;
}

static int compare_setting(const struct lock_diff *d, const char *name, char **a, char **b,
                           struct pf_error *err)
{
    pf_auto_free char *old_text = setting_text(name, a), *new_text = setting_text(name, b);
    if (!old_text || !new_text)
        return pf_error_memory(err);
    return strcmp(old_text, new_text) == 0 ? 0 : tell(d, "setting", old_text, new_text);
}

static int compare_settings(const struct lock_diff *d, struct pf_error *err)
{
    int status = compare_setting(d, "release", (char *[]){d->a->release, NULL},
                                 (char *[]){d->b->release, NULL}, err);
    if (!status)
        status = compare_setting(d, "arch", (char *[]){d->a->arch, NULL},
                                 (char *[]){d->b->arch, NULL}, err);
    if (!status)
        status = compare_setting(d, "categories", d->a->categories, d->b->categories, err);
    if (!status)
        status = compare_setting(d, "contrib", d->a->contrib, d->b->contrib, err);
    if (!status)
        status = compare_setting(d, "addons", d->a->addons, d->b->addons, err);
    return status ? status : compare_setting(d, "ignore", d->a->ignore, d->b->ignore, err);
}

static int tell_changes(const struct lock_diff *d, const struct pf_changes *changes)
{
    static const char *const words[] = {
        [PF_CHANGE_ADDED] = "added",
        [PF_CHANGE_REMOVED] = "removed",
        [PF_CHANGE_UPDATED] = "updated",
        [PF_CHANGE_CHANGED] = "changed",
    };
    int status = 0;
    for (size_t i = 0; !status && i < changes->count; i++) {
        const struct pf_change *change = &changes->items[i];
        status = tell(d, words[change->kind], change->old_name, change->new_name);
    }
    return status || !changes->reordered ? status : tell(d, "reordered", NULL, NULL);
}

static int compare_files(const struct lock_diff *d, struct pf_error *err)
{
    size_t old_count = d->a->count, new_count = d->b->count;
    pf_auto_free const char **names = calloc(old_count + new_count + 1, sizeof *names);
    pf_auto_free bool *changed = calloc(new_count + 1, sizeof *changed);
    struct pf_names old = {0};
    struct pf_changes changes = {0};
    if (!names || !changed)
        return pf_error_memory(err);
    int status = 0;
    for (size_t i = 0; !status && i < old_count; i++) {
        names[i] = d->a->entries[i].file;
        if (pf_names_add(&old, names[i]) < 0)
            status = pf_error_memory(err);
    }
    for (size_t i = 0; !status && i < new_count; i++) {
        const struct pf_lockfile_entry *entry = &d->b->entries[i];
        int64_t number = pf_names_find(&old, entry->file);
        names[old_count + i] = entry->file;
        changed[i] = number >= 0 && strcmp(d->a->entries[number].sha256, entry->sha256) != 0;
    }
    if (!status)
        status =
            pf_changes_find(names, old_count, names + old_count, changed, new_count, &changes, err);
    if (!status)
        status = tell_changes(d, &changes);
    pf_changes_end(&changes);
    pf_names_end(&old);
    return status;
}

static int diff_locks(const char *a, const char *b, pf_lock_difference_fn fn, void *ctx,
                      struct pf_error *err)
{
    struct pf_lockfile old, new;
    struct lock_diff d = {.a = &old, .b = &new, .fn = fn, .ctx = ctx};
    int status = pf_lock_open(a, NULL, &old, err);
    if (!status) {
        status = pf_lock_open(b, NULL, &new, err);
        if (!status)
            status = compare_settings(&d, err);
        if (!status)
            status = compare_files(&d, err);
        pf_lockfile_end(&new);
    }
    pf_lockfile_end(&old);
    return status;
}

static int diff_roots(const char *a, const char *b, pf_difference_fn fn, void *ctx,
                      struct pf_error *err)
{
    pf_auto_fd int a_fd = open(a, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (a_fd < 0)
        return pf_error_errno(err, "%s", a);
    pf_auto_fd int b_fd = open(b, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (b_fd < 0)
        return pf_error_errno(err, "%s", b);
    return pf_treediff(a_fd, b_fd, fn, ctx, NULL, err);
}

int pf_engine_diff(const char *a, const char *b, pf_difference_fn of_roots,
                   pf_lock_difference_fn of_locks, void *ctx, struct pf_error *err)
{
    struct stat a_st, b_st;
    if (stat(a, &a_st) < 0)
        return pf_error_errno(err, "%s", a);
    if (stat(b, &b_st) < 0)
        return pf_error_errno(err, "%s", b);
    if (S_ISDIR(a_st.st_mode) && S_ISDIR(b_st.st_mode))
        return diff_roots(a, b, of_roots, ctx, err);
    if (S_ISREG(a_st.st_mode) && S_ISREG(b_st.st_mode))
        return diff_locks(a, b, of_locks, ctx, err);
    return pf_error_set(err, PF_E_INVALID,
                        "%s and %s are neither two folders nor two lockfiles: there is nothing to "
                        "compare",
                        a, b);
}
