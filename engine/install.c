/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "install.h"

#include "clock.h"
#include "commit.h"
#include "describe.h"
#include "doinst.h"
#include "fs.h"
#include "message.h"
#include "pkgdb.h"
#include "pkgname.h"
#include "resolve.h"
#include "script.h"
#include "stage.h"
#include "tarread.h"
#include "workers.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Packages that may be staged ahead of the commits: so many, and large ones from further on as long
   as all that wait takes no more memory than this. */
#define WINDOW           48
#define MAX_AHEAD_MEMORY (UINT64_C(32) << 20)

/* One package on its way. The worker that runs it owns it, then the coordinator. */
struct item {
    struct pf_install *install;
    size_t index;             /* in the manifest */
    struct pf_staged *staged; /* NULL: it could not be staged */
    int code;                 /* why not */
    struct pf_error *error;   /* the same in words; only then in memory */
    uint64_t packed_bytes;    /* of the file */
    int64_t told_ms;          /* when its progress was last told */
};

struct pf_install {
    struct pf_install_settings settings;
    int stage_fd, root_fd;
    struct pf_stage_limits limits;
    struct item *items; /* the packages, in order */
    size_t *item_of;    /* manifest index → item; SIZE_MAX: no package */
    size_t item_count;
    struct pf_workers *workers;
    /* The coordinator's: */
    struct pf_commit *commit;
    struct pf_script_place place;
    struct pf_pkgdb pkgdb;
    struct pf_descriptions descriptions;
    struct pf_install_stats stats;
};

static const char *file_of(const struct item *item)
{
    return item->install->settings.manifest->entries[item->index].file;
}

static void stage_name(const struct item *item, char name[32])
{
    snprintf(name, 32, "%zu", item->index);
}

static int open_stage_folder(const struct item *item, struct pf_error *err)
{
    char name[32];
    stage_name(item, name);
    int fd = openat(item->install->stage_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? pf_error_errno(err, "opening the folder to unpack %s in", file_of(item)) : fd;
}

static int make_stage_folder(const struct item *item, struct pf_error *err)
{
    char name[32];
    stage_name(item, name);
    if (mkdirat(item->install->stage_fd, name, 0700) < 0)
        return pf_error_errno(err, "making a folder to unpack %s in", file_of(item));
    return open_stage_folder(item, err);
}

static void tell(const struct item *item, enum pf_event_type type, uint64_t bytes)
{
    pf_events_send(item->install->settings.events, &(struct pf_event){.type = type,
                                                                      .subject = file_of(item),
                                                                      .bytes = bytes,
                                                                      .total = item->packed_bytes});
}

static void on_read(void *ctx, uint64_t bytes)
{
    struct item *item = ctx;
    int64_t now = pf_clock_ms();
    if (now - item->told_ms < PF_EVENT_INTERVAL_MS)
        return;
    item->told_ms = now;
    tell(item, PF_EVENT_DECODING, bytes);
}

static void begin_telling(struct item *item, int fd)
{
    struct stat st;
    item->packed_bytes = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    item->told_ms = pf_clock_ms();
    tell(item, PF_EVENT_DECODING, 0);
}

/* On a worker: nothing here touches the root. */
static int stage_file(const struct pf_install *install, struct item *item, struct pf_error *err)
{
    if (atomic_load(install->settings.stop))
        return pf_error_set(err, PF_E_CANCELLED, "stopped");
    pf_auto_fd int fd =
        openat(install->settings.folder_fd, file_of(item), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return pf_error_errno(err, "package %s", file_of(item));
    int folder = make_stage_folder(item, err);
    if (folder < 0)
        return folder;
    const struct pf_checksum *expected = &install->settings.manifest->entries[item->index].expected;
    struct pf_stage_limits limits = install->limits;
    limits.decode.checksum = expected->hex[0] ? expected : NULL;
    limits.decode.on_read = on_read;
    limits.decode.ctx = item;
    begin_telling(item, fd);
    int failed = pf_stage_package(fd, file_of(item), folder, &limits, &item->staged, err);
    tell(item, PF_EVENT_DECODED, failed ? 0 : item->staged->unpacked_bytes);
    return failed;
}

/* Many may wait to be committed, and descriptors are few. */
static uint64_t park(struct item *item)
{
    pf_close_at(&item->staged->dir_fd);
    return pf_staged_memory(item->staged);
}

static int unpark(struct item *item, struct pf_error *err)
{
    int fd = open_stage_folder(item, err);
    item->staged->dir_fd = fd < 0 ? -1 : fd;
    return fd < 0 ? fd : 0;
}

static uint64_t stage_item(void *ctx, void *arg)
{
    struct item *item = arg;
    struct pf_events *events = item->install->settings.events;
    struct pf_error err = {0};
    int64_t span = pf_span_begin(events);
    item->code = stage_file(ctx, item, &err);
    pf_span_end(events, span, "stage", file_of(item));
    if (item->code == 0) {
        pf_span_sum(events, span, item->staged->decode_ns, "decode", file_of(item));
        return park(item);
    }
    item->error = malloc(sizeof err);
    if (item->error)
        *item->error = err;
    return 0;
}

/* Before anything is fetched: without one nothing can be installed. */
static int open_place(struct pf_install *install, struct pf_error *err)
{
    struct pf_events *events = install->settings.events;
    install->place.root_fd = install->root_fd;
    if (install->settings.no_sandbox) {
        pf_events_text(events, PF_EVENT_NOTE, NULL, "package scripts run without a sandbox");
        return 0;
    }
    int failed = pf_script_open_sandbox(install->root_fd, &install->place.sandbox, err);
    if (!failed && !pf_sandbox_has_landlock(install->place.sandbox))
        pf_events_text(events, PF_EVENT_NOTE, NULL,
                       "the sandbox for package scripts goes without Landlock, which this kernel "
                       "has not got");
    return failed;
}

int pf_install_new(const struct pf_install_settings *settings, struct pf_install **out,
                   struct pf_error *err)
{
    struct pf_install *install = calloc(1, sizeof *install);
    if (!install)
        return pf_error_memory(err);
    size_t count = settings->manifest->count;
    install->settings = *settings;
    install->stage_fd = openat(settings->work_fd, "stage", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    install->root_fd = openat(settings->work_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    install->limits = settings->limits;
    install->limits.cancel = settings->stop;
    install->limits.names = pf_tarread_locale();
    install->limits.inherits = install->stage_fd >= 0 && pf_fs_inherits(install->stage_fd) != 0;
    install->items = calloc(count ? count : 1, sizeof *install->items);
    install->item_of = calloc(count ? count : 1, sizeof *install->item_of);
    install->commit = pf_commit_new(install->root_fd);
    int failed = 0;
    if (!install->items || !install->item_of || !install->commit)
        failed = pf_error_memory(err);
    else if (install->stage_fd < 0 || install->root_fd < 0)
        failed = pf_error_errno(err, "opening the work folder");
    for (size_t i = 0; !failed && i < count; i++) {
        bool package = pf_pkgname_format(settings->manifest->entries[i].file) != PF_FORMAT_NONE;
        install->item_of[i] = package ? install->item_count : SIZE_MAX;
        if (package)
            install->items[install->item_count++] = (struct item){.install = install, .index = i};
    }
    if (!failed)
        failed = open_place(install, err);
    if (!failed) {
        /* First boot runs the initpkg scripts in the order of their times, and some ls know only
           whole seconds: give each package a second of its own, all of them past. */
        install->pkgdb = (struct pf_pkgdb){
            .root_fd = install->root_fd,
            .next_initpkg = time(NULL) - (time_t)install->item_count - 1,
        };
        install->workers = pf_workers_new(&(struct pf_workers_settings){
            .threads = settings->jobs,
            .count = install->item_count,
            .fn = stage_item,
            .ctx = install,
            .window = WINDOW,
            .max_weight = MAX_AHEAD_MEMORY,
        });
        if (!install->workers)
            failed = pf_error_errno(err, "starting the workers");
    }
    if (failed) {
        pf_install_free(install);
        return failed;
    }
    *out = install;
    return 0;
}

void pf_install_ready(struct pf_install *install, size_t index)
{
    size_t i = install->item_of[index];
    if (i == SIZE_MAX)
        return;
    /* What it takes to decode grows with the packed bytes. */
    struct stat st;
    const char *file = install->settings.manifest->entries[index].file;
    bool known = fstatat(install->settings.folder_fd, file, &st, AT_SYMLINK_NOFOLLOW) == 0;
    pf_workers_submit(install->workers, i, &install->items[i], known ? (uint64_t)st.st_size : 0);
}

void pf_install_give_up(struct pf_install *install)
{
    pf_workers_stop(install->workers);
}

static void free_item(struct item *item)
{
    pf_staged_free(item->staged);
    free(item->error);
    item->staged = NULL;
    item->error = NULL;
}

void pf_install_free(struct pf_install *install)
{
    if (!install)
        return;
    pf_workers_free(install->workers);
    for (size_t i = 0; install->items && i < install->item_count; i++)
        free_item(&install->items[i]);
    free(install->items);
    free(install->item_of);
    pf_commit_free(install->commit);
    pf_sandbox_close(install->place.sandbox);
    pf_descriptions_end(&install->descriptions);
    pf_close_at(&install->stage_fd);
    pf_close_at(&install->root_fd);
    if (install->limits.names != (locale_t)0)
        freelocale(install->limits.names);
    free(install);
}

/* Where a script's output goes: the install log, and the caller line by line. */
struct script_log {
    struct pf_install *install;
    const char *stem;
    struct pf_error *err;
    int failed;
    char line[512];
    size_t length;
};

static void flush_line(struct script_log *log)
{
    if (log->length == 0)
        return;
    log->line[log->length] = '\0';
    log->length = 0;
    pf_events_text(log->install->settings.events, PF_EVENT_SCRIPT, log->stem, "%s", log->line);
}

static void on_script_output(void *ctx, const char *text, size_t length)
{
    struct script_log *log = ctx;
    if (!log->failed)
        log->failed = pf_pkgdb_log_text(&log->install->pkgdb, text, length, log->err);
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n' || log->length == sizeof log->line - 1)
            flush_line(log);
        if (text[i] != '\n')
            log->line[log->length++] = text[i];
    }
}

/* A package's script, taken apart. */
struct script {
    char *rest, *initpkg;
    size_t rest_length, initpkg_length;
    struct pf_doinst_ops ops;
    bool present;
    bool needs_shell;
};

static void free_script(struct script *script)
{
    free(script->rest);
    free(script->initpkg);
    pf_doinst_ops_end(&script->ops);
}

static int read_script(const struct pf_staged *staged, struct script *script, struct pf_error *err)
{
    *script = (struct script){0};
    const struct pf_control_file *file = pf_staged_control(staged, "doinst.sh");
    if (!file)
        return 0;
    script->present = true;
    int failed = pf_doinst_split(file->data, file->length, &script->rest, &script->rest_length,
                                 &script->initpkg, &script->initpkg_length, err);
    if (failed)
        return failed;
    int plain = pf_doinst_parse(script->rest, script->rest_length, &script->ops, err);
    script->needs_shell = plain == 0;
    return plain < 0 ? plain : 0;
}

/* The shell's way: the script without its first-boot sections lies in install/ while it runs. */
static int run_shell(struct pf_install *install, const struct pf_staged *staged,
                     const struct script *script, const struct pf_script_output *output,
                     struct pf_error *err)
{
    static const struct pf_script_limits limits = PF_SCRIPT_LIMITS_DEFAULT;
    pf_auto_fd int fd = pf_resolve_in_root(install->root_fd, "install", O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return pf_error_errno(err, "install");
    int failed = pf_fs_replace_file(fd, "doinst.sh", script->rest, script->rest_length, 0644, err);
    if (failed)
        return failed;
    int status = 0;
    install->stats.shells++;
    failed = pf_script_run(&install->place, &limits, output, install->settings.stop, &status, err);
    if (!failed && status)
        pf_events_text(install->settings.events, PF_EVENT_WARNING, staged->name.stem,
                       "its script ended with status %d", status);
    return failed;
}

static int run_script(struct pf_install *install, const struct pf_staged *staged,
                      const struct script *script, struct pf_error *err)
{
    struct script_log log = {.install = install, .stem = staged->name.stem, .err = err};
    struct pf_script_output output = {.fn = on_script_output, .ctx = &log};
    int failed = script->needs_shell
                     ? run_shell(install, staged, script, &output, err)
                     : pf_script_apply(install->root_fd, &script->ops, &output, err);
    flush_line(&log);
    return failed ? failed : log.failed;
}

/* install/doinst.sh and install/slack-* do not stay, nor install/ itself where nothing else is in
 * it. */
static int remove_control(void *ctx, int fd, const char *name)
{
    (void)ctx;
    if (strcmp(name, "doinst.sh") == 0 || strncmp(name, "slack-", 6) == 0)
        unlinkat(fd, name, 0);
    return 0;
}

static void clean_install_folder(struct pf_install *install)
{
    pf_auto_fd int fd = pf_resolve_in_root(install->root_fd, "install", O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return;
    pf_fs_each_name(fd, remove_control, NULL);
    unlinkat(install->root_fd, "install", AT_REMOVEDIR); /* fails where something is left: right */
}

static int write_records(struct pf_install *install, const struct item *item, struct pf_error *err)
{
    char location[PATH_MAX];
    int n = snprintf(location, sizeof location, "%s/%s", install->settings.location, file_of(item));
    if (n < 0 || (size_t)n >= sizeof location)
        return pf_error_set(err, PF_E_LIMIT, "the cache folder's path is too long");
    int failed =
        pf_pkgdb_record(&install->pkgdb, item->staged, location, &install->descriptions, err);
    return failed ? failed : pf_pkgdb_log_install(&install->pkgdb, item->staged->name.stem, err);
}

/* All of one package, from its files to its kept script. */
static int install_package(struct pf_install *install, const struct item *item,
                           struct pf_error *err)
{
    const struct pf_staged *staged = item->staged;
    struct pf_events *events = install->settings.events;
    struct script script;
    int failed = read_script(staged, &script, err);
    int64_t span = pf_span_begin(events);
    if (!failed)
        failed = pf_commit_package(install->commit, staged, script.needs_shell, err);
    pf_span_end(events, span, "commit", staged->name.stem);
    span = pf_span_begin(events);
    if (!failed)
        failed = write_records(install, item, err);
    pf_span_end(events, span, "record", staged->name.stem);
    span = pf_span_begin(events);
    if (!failed && script.present) {
        failed = pf_pkgdb_keep_initpkg(&install->pkgdb, staged->name.name, script.initpkg,
                                       script.initpkg_length, err);
        if (!failed)
            failed = run_script(install, staged, &script, err);
        if (!failed)
            failed = pf_pkgdb_prepare(&install->pkgdb, err);
        if (!failed)
            failed = pf_pkgdb_keep_script(&install->pkgdb, staged->name.name, script.rest,
                                          script.rest_length, err);
        pf_span_end(events, span, "script", staged->name.stem);
    }
    if (!failed)
        clean_install_folder(install);
    free_script(&script);
    if (staged->skipped_devices)
        pf_events_text(install->settings.events, PF_EVENT_WARNING, staged->name.stem,
                       "%u device nodes left out: this user may not make any",
                       staged->skipped_devices);
    return failed;
}

static int install_or_skip(struct pf_install *install, struct item *item, struct pf_error *err)
{
    const struct pf_staged *staged = item->staged;
    int failed = pf_pkgdb_prepare(&install->pkgdb, err);
    int has = failed ? failed : pf_pkgdb_has(&install->pkgdb, staged->name.name, err);
    if (has < 0)
        return has;
    if (has) {
        pf_events_text(install->settings.events, PF_EVENT_SKIPPED, staged->name.stem,
                       "a package named %s is installed already", staged->name.name);
        return 0;
    }
    failed = install_package(install, item, err);
    if (failed)
        return pf_error_context(err, "installing %s", staged->name.stem);
    install->stats.installed++;
    pf_events_send(install->settings.events,
                   &(struct pf_event){.type = PF_EVENT_INSTALLED,
                                      .subject = staged->name.stem,
                                      .index = (uint64_t)(item - install->items) + 1,
                                      .count = install->item_count,
                                      .bytes = staged->unpacked_bytes});
    return 0;
}

static bool is_damage(int code)
{
    return code == PF_E_CORRUPT || code == PF_E_LIMIT;
}

/* A package that could not be staged. 0: go on without it. */
static int staging_failed(struct pf_install *install, const struct item *item, struct pf_error *err)
{
    if (is_damage(item->code)) {
        if (install->settings.skip_corrupt) {
            pf_events_text(install->settings.events, PF_EVENT_SKIPPED, file_of(item), "%s",
                           item->error ? item->error->text : pf_message(N_("it is damaged")));
            return 0;
        }
        if (install->settings.remove_corrupt)
            unlinkat(install->settings.folder_fd, file_of(item), 0);
    }
    if (err && item->error)
        *err = *item->error;
    else
        pf_error_set(err, item->code, "package %s cannot be unpacked", file_of(item));
    return item->code;
}

/* Is it the file that was stored? Then, or where nobody knows yet, its digest is noted. */
static int check_digest(struct pf_install *install, const struct item *item, struct pf_error *err)
{
    struct pf_manifest_entry *entry = &install->settings.manifest->entries[item->index];
    if (entry->xxh3[0] && strcmp(entry->xxh3, item->staged->digest) != 0)
        return pf_error_set(err, PF_E_CORRUPT,
                            "package %s: it is whole, but not the file that was downloaded",
                            entry->file);
    memcpy(entry->xxh3, item->staged->digest, sizeof entry->xxh3);
    return 0;
}

static int finish_item(struct pf_install *install, struct item *item, struct pf_error *err)
{
    char name[32];
    int failed;
    install->stats.decoded++;
    if (item->staged) {
        failed = check_digest(install, item, err);
        if (!failed)
            failed = unpark(item, err);
        if (!failed)
            failed = install_or_skip(install, item, err);
    } else {
        failed = staging_failed(install, item, err);
    }
    free_item(item);
    stage_name(item, name);
    int64_t span = pf_span_begin(install->settings.events);
    if (!failed)
        failed = pf_fs_remove_tree(install->stage_fd, name, err);
    pf_span_end(install->settings.events, span, "tidy", file_of(item));
    return failed;
}

static int finish_commits(struct pf_install *install, struct pf_error *err)
{
    int64_t span = pf_span_begin(install->settings.events);
    int failed = pf_commit_finish(install->commit, err);
    pf_span_end(install->settings.events, span, "commit", "folder times");
    return failed;
}

int pf_install_run(struct pf_install *install, struct pf_install_stats *stats, struct pf_error *err)
{
    int failed = 0;
    pf_events_send(install->settings.events,
                   &(struct pf_event){.type = PF_EVENT_INSTALLING,
                                      .count = install->item_count,
                                      .total = install->settings.packed_bytes});
    for (size_t i = 0; i < install->item_count && !failed; i++) {
        int64_t span = pf_span_begin(install->settings.events);
        struct item *item = pf_workers_take(install->workers);
        if (install->settings.jobs)
            pf_span_end(install->settings.events, span, "wait", item ? file_of(item) : NULL);
        if (!item || atomic_load(install->settings.stop)) {
            failed = pf_error_set(err, PF_E_CANCELLED, "stopped");
            break;
        }
        /* Once the first package is ready, so are the texts beside it. */
        if (i == 0)
            failed = pf_descriptions_load(&install->descriptions, install->settings.folder_fd, err);
        if (!failed)
            failed = finish_item(install, item, err);
    }
    if (!failed)
        failed = finish_commits(install, err);
    *stats = install->stats;
    return failed;
}
