/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "installed.h"

#include "array.h"
#include "fs.h"
#include "names.h"
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* All of Plamo, every category together, has 60 MB of records. */
#define MAX_BYTES    (256u << 20)
#define MAX_PACKAGES 20000

#define PACKAGES "var/log/packages"
#define SCRIPTS  "var/log/scripts"
#define LOG      "var/log/install.log"

struct reading {
    struct pf_installed *installed;
    enum pf_record_names names;
    int scripts_fd; /* -1: there are none */
    const atomic_bool *stop;
    struct pf_error *err;
    int failed;
};

/* Reads a regular file; *text is NULL where there is none of that name. */
static int read_file(struct pf_installed *installed, int dir_fd, const char *name, char **text,
                     size_t *length, struct timespec *mtime, struct pf_error *err)
{
    struct stat st;
    *text = NULL;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : pf_error_errno(err, "%s", name);
    if (!S_ISREG(st.st_mode))
        return 0;
    pf_auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return pf_error_errno(err, "%s", name);
    int failed = pf_fs_read_fd(fd, MAX_BYTES - installed->bytes, text, length, err);
    if (failed)
        return pf_error_context(err, "%s", name);
    installed->bytes += *length;
    *mtime = st.st_mtim;
    return 0;
}

/* The pairs of a script that a shell ran: the lines that are one each, as far as they can be told.
 */
static int pairs_of_shell(const char *script, size_t length, struct pf_doinst_ops *out,
                          struct pf_error *err)
{
    pf_auto_free char *lines = malloc(length + 2);
    if (!lines)
        return pf_error_memory(err);
    size_t used = 0;
    for (const char *p = script; *p;) {
        size_t n = strcspn(p, "\n");
        struct pf_doinst_ops one;
        int plain = pf_doinst_parse_kept(p, n, &one, err);
        if (plain < 0)
            return plain;
        if (plain && one.count) {
            memcpy(lines + used, p, n);
            used += n;
            lines[used++] = '\n';
        }
        pf_doinst_ops_end(&one);
        p += n + (p[n] == '\n');
    }
    int plain = pf_doinst_parse_kept(lines, used, out, err);
    return plain < 0 ? plain : 0;
}

static int read_script(struct reading *r, struct pf_installed_package *package)
{
    size_t length;
    struct timespec ignored;
    if (r->scripts_fd < 0)
        return 0;
    int failed = read_file(r->installed, r->scripts_fd, package->name, &package->script, &length,
                           &ignored, r->err);
    if (failed || !package->script)
        return failed ? pf_error_context(r->err, SCRIPTS) : 0;
    int plain = pf_doinst_parse_kept(package->script, length, &package->pairs, r->err);
    package->needs_shell = plain == 0;
    return plain ? (plain < 0 ? plain : 0)
                 : pairs_of_shell(package->script, length, &package->pairs, r->err);
}

static int read_package(struct reading *r, int fd, const char *name)
{
    struct pf_installed *installed = r->installed;
    pf_auto_free char *text = NULL;
    size_t length;
    struct timespec mtime;
    if (r->stop && atomic_load(r->stop))
        return pf_error_set(r->err, PF_E_CANCELLED, "stopped");
    int failed = read_file(installed, fd, name, &text, &length, &mtime, r->err);
    if (failed || !text)
        return failed ? pf_error_context(r->err, PACKAGES) : 0;
    if (installed->count == MAX_PACKAGES)
        return pf_error_set(r->err, PF_E_LIMIT, PACKAGES ": more than %d records", MAX_PACKAGES);
    if (pf_array_room(&installed->packages, installed->count, sizeof *installed->packages) < 0)
        return pf_error_memory(r->err);
    struct pf_installed_package *package = &installed->packages[installed->count++];
    *package = (struct pf_installed_package){.name = strdup(name), .place = SIZE_MAX};
    if (!package->name)
        return pf_error_memory(r->err);
    package->mtime = mtime;
    failed = pf_record_read(text, length, r->names, &package->record, r->err);
    if (failed)
        return pf_error_context(r->err, PACKAGES "/%s", name);
    return read_script(r, package);
}

static int on_name(void *ctx, int fd, const char *name)
{
    struct reading *r = ctx;
    r->failed = read_package(r, fd, name);
    return r->failed;
}

/* Notes of each package where the log last tells of it: it may have been removed and installed
   anew. */
static int note_places(struct pf_installed *installed, const char *log, struct pf_error *err)
{
    struct pf_names stems = {0};
    pf_auto_free struct pf_installed_package **named =
        calloc(installed->count + 1, sizeof(struct pf_installed_package *));
    if (!named)
        return pf_error_memory(err);
    int failed = 0;
    for (size_t i = 0; !failed && i < installed->count; i++) {
        int added = pf_names_add(&stems, installed->packages[i].record.stem);
        if (added < 0)
            failed = pf_error_memory(err);
        else if (added)
            named[stems.count - 1] = &installed->packages[i];
    }
    size_t place = 0;
    for (const char *line = log; !failed && *line; place++) {
        size_t length = strcspn(line, "\n"), stem_length;
        const char *stem;
        char text[NAME_MAX + 1];
        if (pf_record_log_line(line, length, &stem, &stem_length) && stem_length < sizeof text) {
            memcpy(text, stem, stem_length);
            text[stem_length] = '\0';
            int64_t number = pf_names_find(&stems, text);
            if (number >= 0)
                named[number]->place = place;
        }
        line += length + (line[length] == '\n');
    }
    pf_names_end(&stems);
    return failed;
}

static int by_place(const void *a, const void *b)
{
    const struct pf_installed_package *x = a, *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    if (x->mtime.tv_sec != y->mtime.tv_sec)
        return x->mtime.tv_sec < y->mtime.tv_sec ? -1 : 1;
    if (x->mtime.tv_nsec != y->mtime.tv_nsec)
        return x->mtime.tv_nsec < y->mtime.tv_nsec ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int put_in_order(int root_fd, struct pf_installed *installed, struct pf_error *err)
{
    pf_auto_free char *log = NULL;
    size_t length;
    int failed = 0;
    pf_auto_fd int fd = pf_resolve_regular(root_fd, LOG, O_RDONLY, 0);
    if (fd >= 0)
        failed = pf_fs_read_fd(fd, MAX_BYTES - installed->bytes, &log, &length, err);
    if (failed)
        return pf_error_context(err, LOG);
    if (log)
        failed = note_places(installed, log, err);
    if (!failed && installed->count)
        qsort(installed->packages, installed->count, sizeof *installed->packages, by_place);
    return failed;
}

int pf_installed_read(int root_fd, enum pf_record_names names, const atomic_bool *stop,
                      struct pf_installed *out, struct pf_error *err)
{
    struct pf_error local = {0};
    struct reading r = {.installed = out, .names = names, .stop = stop, .err = err ? err : &local};
    *out = (struct pf_installed){0};
    pf_auto_fd int fd = pf_resolve_in_root(root_fd, PACKAGES, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return pf_error_set(err, PF_E_ABSENT,
                            "there is no %s: not a root that packages were installed in", PACKAGES);
    if (fd < 0)
        return pf_error_errno(err, PACKAGES);
    pf_auto_fd int scripts_fd = pf_resolve_in_root(root_fd, SCRIPTS, O_RDONLY | O_DIRECTORY, 0);
    r.scripts_fd = scripts_fd;
    if (pf_fs_each_name(fd, on_name, &r) && !r.failed)
        return pf_error_errno(err, PACKAGES);
    return r.failed ? r.failed : put_in_order(root_fd, out, err);
}

void pf_installed_end(struct pf_installed *installed)
{
    for (size_t i = 0; i < installed->count; i++) {
        struct pf_installed_package *package = &installed->packages[i];
        free(package->name);
        free(package->script);
        pf_record_end(&package->record);
        pf_doinst_ops_end(&package->pairs);
    }
    free(installed->packages);
    *installed = (struct pf_installed){0};
}
