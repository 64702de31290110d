/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "install.h"

#include "commit.h"
#include "describe.h"
#include "doinst.h"
#include "fs.h"
#include "message.h"
#include "pkgdb.h"
#include "resolve.h"
#include "script.h"
#include "scriptview.h"

#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct pf_install {
    struct pf_install_settings settings;
    int root_fd;
    struct pf_commit *commit;
    struct pf_script_place place;
    size_t tools;  /* the manifest's package of the release's tools; SIZE_MAX: none */
    bool prepared; /* the tools are there, or what stands for them */
    struct pf_pkgdb pkgdb;
    struct pf_descriptions descriptions;
    struct pf_install_stats stats;
};

static const char *file_of(const struct pf_install *install,
                           const struct pf_staging_package *package)
{
    return install->settings.manifest->entries[package->index].file;
}

static bool is_damage(int code)
{
    return code == PF_E_CORRUPT || code == PF_E_LIMIT;
}

/* Without a package of the release's tools the host's serve; a sandbox that cannot show those has
   the host's busybox in their place. */
static int open_with_host(struct pf_install *install, struct pf_error *err)
{
    struct pf_script_place *place = &install->place;
    place->view = PF_SANDBOX_HOST;
    if (install->settings.no_sandbox)
        return 0;
    struct pf_error refusal = {0};
    int rc = pf_script_open_sandbox(place, &refusal);
    if (rc == PF_E_PERMISSION) {
        rc = pf_scripttools_from_busybox(install->settings.work_fd, err);
        place->view = PF_SANDBOX_TOOLS;
        return rc ? rc : pf_script_open_sandbox(place, err);
    }
    if (rc && err)
        *err = refusal;
    return rc;
}

/* Before anything is fetched: without a sandbox nothing can be installed. */
static int open_place(struct pf_install *install, struct pf_error *err)
{
    struct pf_events *events = install->settings.events;
    struct pf_script_place *place = &install->place;
    *place = (struct pf_script_place){.root_fd = install->root_fd,
                                      .view = PF_SANDBOX_TOOLS,
                                      .work_fd = install->settings.work_fd};
    int rc = pf_scriptview_make(install->settings.work_fd, err);
    install->tools = pf_scripttools_find(install->settings.manifest, install->settings.tools);
    bool has_tools = install->tools != SIZE_MAX;
    if (!rc && !has_tools)
        rc = open_with_host(install, err);
    else if (!rc && !install->settings.no_sandbox)
        rc = pf_script_open_sandbox(place, err);
    if (rc)
        return rc;
    if (!place->sandbox)
        pf_events_text(events, PF_EVENT_NOTE, NULL, "package scripts run without a sandbox");
    else
        /* The best one is no news that is to stay. */
        pf_events_text(events,
                       pf_sandbox_rung(place->sandbox) == PF_SANDBOX_NAMESPACES ? PF_EVENT_PHASE
                                                                                : PF_EVENT_NOTE,
                       NULL, "%s", pf_message(pf_sandbox_describe(place->sandbox)));
    if (place->sandbox && !pf_sandbox_has_landlock(place->sandbox))
        pf_events_text(events, PF_EVENT_NOTE, NULL,
                       "the sandbox for package scripts goes without Landlock, which this kernel "
                       "does not support");
    return 0;
}

static void warn_of_host(struct pf_install *install, const char *why)
{
    pf_events_text(install->settings.events, PF_EVENT_WARNING, install->settings.tools->package,
                   "package scripts run with this machine's programs instead of the release's: "
                   "%s",
                   why);
}

/* Before the first script: the release's tools, out of their package, whatever its turn is. */
static int fetch_tools(struct pf_install *install, struct pf_error *err)
{
    const struct pf_install_settings *settings = &install->settings;
    const char *file = install->settings.manifest->entries[install->tools].file;
    struct pf_error why = {0};
    int rc = pf_staging_await(settings->staging, install->tools, err);
    if (rc)
        return rc;
    rc = pf_scripttools_unpack(settings->folder_fd, file, settings->tools,
                               pf_staging_limits(settings->staging), settings->work_fd, &why);
    if (!rc)
        rc = pf_script_try_shell(&install->place, &why);
    if (rc == PF_E_ABSENT || is_damage(rc)) {
        warn_of_host(install, why.text);
        pf_sandbox_close(install->place.sandbox);
        install->place.sandbox = NULL;
        return open_with_host(install, err);
    }
    if (rc && err)
        *err = why;
    return rc;
}

/* What scripts run with, once there is one. */
static int prepare_tools(struct pf_install *install, struct pf_error *err)
{
    if (install->prepared)
        return 0;
    install->prepared = true;
    if (install->tools != SIZE_MAX)
        return fetch_tools(install, err);
    warn_of_host(install, pf_message(N_("no package of the plan has them")));
    return 0;
}

int pf_install_new(const struct pf_install_settings *settings, struct pf_install **out,
                   struct pf_error *err)
{
    struct pf_install *install = calloc(1, sizeof *install);
    if (!install)
        return pf_error_memory(err);
    install->settings = *settings;
    install->root_fd = openat(settings->work_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    install->commit = pf_commit_new(install->root_fd, settings->listed);
    /* First boot runs the initpkg scripts in the order of their times, and some ls know only whole
       seconds: give each package a second of its own, all of them past. */
    install->pkgdb = (struct pf_pkgdb){
        .root_fd = install->root_fd,
        .next_initpkg = time(NULL) - (time_t)pf_staging_count(settings->staging) - 1,
    };
    int failed = 0;
    if (!install->commit)
        failed = pf_error_memory(err);
    else if (install->root_fd < 0)
        failed = pf_error_errno(err, "opening the work folder");
    if (!failed)
        failed = open_place(install, err);
    if (failed) {
        pf_install_free(install);
        return failed;
    }
    *out = install;
    return 0;
}

void pf_install_free(struct pf_install *install)
{
    if (!install)
        return;
    pf_commit_free(install->commit);
    pf_sandbox_close(install->place.sandbox);
    pf_scriptview_remove(install->settings.work_fd, NULL);
    pf_descriptions_end(&install->descriptions);
    pf_close_at(&install->root_fd);
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
    size_t shell_start, shell_length;    /* of rest: what needs a shell; length 0: nothing does */
    struct pf_doinst_ops before, behind; /* the pairs around that */
    bool present;
};

static void free_script(struct script *script)
{
    free(script->rest);
    free(script->initpkg);
    pf_doinst_ops_end(&script->before);
    pf_doinst_ops_end(&script->behind);
}

/* A process for each rm and ln takes longer than all else of most scripts. */
static int read_pairs(struct script *script, struct pf_error *err)
{
    size_t length = script->rest_length;
    int plain = pf_doinst_parse(script->rest, length, &script->before, err);
    if (plain)
        return plain < 0 ? plain : 0;
    plain = pf_doinst_parse_front(script->rest, length, &script->shell_start, &script->before, err);
    if (plain < 0)
        return plain;
    length -= script->shell_start;
    plain = pf_doinst_parse_tail(script->rest + script->shell_start, length, &script->shell_length,
                                 &script->behind, err);
    if (plain == 0)
        script->shell_length = length;
    return plain < 0 ? plain : 0;
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
    return failed ? failed : read_pairs(script, err);
}

/* What the shell runs: the script without its first-boot sections, and without the pairs at its
   beginning and end. */
static char *text_for_shell(const struct script *script, size_t *length)
{
    static const char end[] = PF_DOINST_END;
    size_t end_length = script->behind.count ? sizeof end - 1 : 0;
    char *text = malloc(script->shell_length + sizeof end);
    *length = script->shell_length + end_length;
    if (text) {
        memcpy(text, script->rest + script->shell_start, script->shell_length);
        memcpy(text + script->shell_length, end, end_length);
    }
    return text;
}

/* The shell's way: the script lies in install/ while it runs. *came_to_end: and so the pairs behind
   it are next. */
static int run_shell(struct pf_install *install, const struct pf_staged *staged,
                     const struct script *script, const struct pf_script_output *output,
                     bool *came_to_end, struct pf_error *err)
{
    static const struct pf_script_limits limits = PF_SCRIPT_LIMITS_DEFAULT;
    size_t length;
    pf_auto_free char *text = text_for_shell(script, &length);
    if (!text)
        return pf_error_memory(err);
    pf_auto_fd int fd = pf_resolve_in_root(install->root_fd, "install", O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return pf_error_errno(err, "install");
    int failed = pf_fs_replace_file(fd, "doinst.sh", text, length, 0644, err);
    if (failed)
        return failed;
    int status = 0;
    install->stats.shells++;
    failed = prepare_tools(install, err);
    if (!failed)
        failed =
            pf_script_run(&install->place, &limits, output, install->settings.stop, &status, err);
    *came_to_end = script->behind.count && status == PF_DOINST_END_STATUS;
    if (!failed && status && !*came_to_end)
        pf_events_text(install->settings.events, PF_EVENT_WARNING, staged->name.stem,
                       "its script ended with status %d", status);
    return failed;
}

static int run_script(struct pf_install *install, const struct pf_staged *staged,
                      const struct script *script, struct pf_error *err)
{
    struct script_log log = {.install = install, .stem = staged->name.stem, .err = err};
    struct pf_script_output output = {.fn = on_script_output, .ctx = &log};
    bool came_to_end = false;
    int failed = pf_script_apply(install->root_fd, &script->before, &output, err);
    if (!failed && script->shell_length)
        failed = run_shell(install, staged, script, &output, &came_to_end, err);
    if (!failed && came_to_end)
        failed = pf_script_apply(install->root_fd, &script->behind, &output, err);
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

static int write_records(struct pf_install *install, const struct pf_staging_package *package,
                         struct pf_error *err)
{
    char location[PATH_MAX];
    int n = snprintf(location, sizeof location, "%s/%s", install->settings.location,
                     file_of(install, package));
    if (n < 0 || (size_t)n >= sizeof location)
        return pf_error_set(err, PF_E_LIMIT, "the cache folder's path is too long");
    int failed =
        pf_pkgdb_record(&install->pkgdb, package->staged, location, &install->descriptions, err);
    return failed ? failed : pf_pkgdb_log_install(&install->pkgdb, package->staged->name.stem, err);
}

/* All of one package, from its files to its kept script. */
static int install_package(struct pf_install *install, const struct pf_staging_package *package,
                           struct pf_error *err)
{
    const struct pf_staged *staged = package->staged;
    struct pf_events *events = install->settings.events;
    struct script script;
    int failed = read_script(staged, &script, err);
    int64_t span = pf_span_begin(events);
    if (!failed)
        failed = pf_commit_package(install->commit, staged, script.shell_length > 0, err);
    pf_span_end(events, span, "commit", staged->name.stem);
    span = pf_span_begin(events);
    if (!failed)
        failed = write_records(install, package, err);
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
    if (staged->short_end)
        pf_events_text(events, PF_EVENT_WARNING, staged->name.stem,
                       "its tar ends with one block of zeros instead of two: taken as whole");
    if (staged->skipped_devices)
        pf_events_text(install->settings.events, PF_EVENT_WARNING, staged->name.stem,
                       "%u device nodes left out: this user may not make any",
                       staged->skipped_devices);
    return failed;
}

static int install_or_skip(struct pf_install *install, const struct pf_staging_package *package,
                           struct pf_error *err)
{
    const struct pf_staged *staged = package->staged;
    int failed = pf_pkgdb_prepare(&install->pkgdb, err);
    int has = failed ? failed : pf_pkgdb_has(&install->pkgdb, staged->name.name, err);
    if (has < 0)
        return has;
    if (has) {
        pf_events_text(install->settings.events, PF_EVENT_SKIPPED, staged->name.stem,
                       "a package named %s is installed already", staged->name.name);
        return 0;
    }
    failed = install_package(install, package, err);
    if (failed)
        return pf_error_context(err, "installing %s", staged->name.stem);
    install->stats.installed++;
    pf_events_send(install->settings.events,
                   &(struct pf_event){.type = PF_EVENT_INSTALLED,
                                      .subject = staged->name.stem,
                                      .index = install->stats.decoded,
                                      .count = pf_staging_count(install->settings.staging),
                                      .bytes = staged->unpacked_bytes});
    return 0;
}

/* A package that could not be staged. 0: go on without it. */
static int staging_failed(struct pf_install *install, const struct pf_staging_package *package,
                          struct pf_error *err)
{
    if (is_damage(package->code)) {
        if (install->settings.skip_corrupt) {
            pf_events_text(install->settings.events, PF_EVENT_SKIPPED, file_of(install, package),
                           "%s",
                           package->error ? package->error->text : pf_message(N_("it is damaged")));
            return 0;
        }
        if (install->settings.remove_corrupt)
            unlinkat(install->settings.folder_fd, file_of(install, package), 0);
    }
    if (err && package->error)
        *err = *package->error;
    else
        pf_error_set(err, package->code, "package %s cannot be unpacked",
                     file_of(install, package));
    return package->code;
}

/* Is it the file that was stored? Then, or where nobody knows yet, its digest is noted. */
static int check_digest(struct pf_install *install, const struct pf_staging_package *package,
                        struct pf_error *err)
{
    struct pf_manifest_entry *entry = &install->settings.manifest->entries[package->index];
    if (entry->xxh3[0] && strcmp(entry->xxh3, package->staged->digest) != 0)
        return pf_error_set(err, PF_E_CORRUPT,
                            "package %s: it is whole, but not the file that was downloaded",
                            entry->file);
    memcpy(entry->xxh3, package->staged->digest, sizeof entry->xxh3);
    return 0;
}

static int take_package(struct pf_install *install, struct pf_staging_package *package,
                        struct pf_error *err)
{
    int failed;
    install->stats.decoded++;
    if (package->staged) {
        failed = check_digest(install, package, err);
        if (!failed)
            failed = install_or_skip(install, package, err);
    } else {
        failed = staging_failed(install, package, err);
    }
    return failed ? failed : pf_staging_release(install->settings.staging, package, err);
}

static int finish_commits(struct pf_install *install, struct pf_error *err)
{
    int64_t span = pf_span_begin(install->settings.events);
    int failed = pf_commit_finish(install->commit, err);
    pf_span_end(install->settings.events, span, "commit", "folder times");
    return failed;
}

/* A script has made a hole of this size: whoever reads the file reads so much. No limit of the
   kernel is set for it, as nobody could be told that it was met. */
#define MAX_HOLE_BYTES (INT64_C(4) << 30)

static int look_for_hole(void *ctx, int dir_fd, const char *name)
{
    struct pf_error *err = ctx;
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return pf_error_errno(err, "%s", name);
    if (S_ISREG(st.st_mode) && st.st_size - st.st_blocks * 512 > MAX_HOLE_BYTES)
        return pf_error_set(err, PF_E_LIMIT,
                            "a script has made the file %s with a hole of more than %d GiB", name,
                            (int)(MAX_HOLE_BYTES >> 30));
    if (!S_ISDIR(st.st_mode))
        return 0;
    pf_auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? pf_error_errno(err, "%s", name) : pf_fs_each_name(fd, look_for_hole, err);
}

int pf_install_run(struct pf_install *install, struct pf_install_stats *stats, struct pf_error *err)
{
    int failed = 0;
    struct pf_staging *staging = install->settings.staging;
    size_t count = pf_staging_count(staging);
    pf_events_send(install->settings.events,
                   &(struct pf_event){.type = PF_EVENT_INSTALLING,
                                      .count = count,
                                      .total = install->settings.packed_bytes});
    for (size_t i = 0; i < count && !failed; i++) {
        struct pf_staging_package *package;
        failed = pf_staging_take(staging, &package, err);
        /* Once the first package is ready, so are the texts beside it. */
        if (!failed && i == 0)
            failed = pf_descriptions_load(&install->descriptions, install->settings.folder_fd, err);
        if (!failed)
            failed = take_package(install, package, err);
    }
    if (!failed && install->stats.shells)
        failed = pf_fs_each_name(install->root_fd, look_for_hole, err);
    if (!failed)
        failed = finish_commits(install, err);
    *stats = install->stats;
    return failed;
}
