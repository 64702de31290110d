/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pkgdb.h"

#include "fs.h"
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *path;
    mode_t mode;
} folders[] = {
    {"var/log/packages", 0755},        {"var/log/removed_packages", 0755},
    {"var/log/removed_scripts", 0755}, {"var/log/scripts", 0755},
    {"var/log/setup", 0755},           {"var/log/initpkg", 0755},
    {"var/log/setup/tmp", 0700},
};

int pf_pkgdb_prepare(struct pf_pkgdb *db, struct pf_error *err)
{
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        const char *path = folders[i].path;
        pf_auto_fd int there = pf_resolve_in_root(db->root_fd, path, O_PATH | O_DIRECTORY, 0);
        if (there >= 0)
            continue;
        if (errno != ENOENT && errno != ENOTDIR && errno != ELOOP)
            return pf_error_errno(err, "opening %s", path);
        const char *leaf;
        if (pf_fs_make_folders_in_root(db->root_fd, "var/log", 0755) < 0)
            return pf_error_errno(err, "making var/log");
        pf_auto_fd int parent = pf_resolve_parent(db->root_fd, path, &leaf);
        /* A file or a dangling link of that name makes way, as installpkg has it. */
        if (parent < 0 || pf_fs_remove_tree(parent, leaf, err) ||
            mkdirat(parent, leaf, folders[i].mode) < 0)
            return pf_error_errno(err, "making %s", path);
    }
    return 0;
}

/* A descriptor, or a code. */
static int open_folder(struct pf_pkgdb *db, const char *path, struct pf_error *err)
{
    int fd = pf_resolve_in_root(db->root_fd, path, O_RDONLY | O_DIRECTORY, 0);
    return fd < 0 ? pf_error_errno(err, "opening %s", path) : fd;
}

int pf_pkgdb_has(struct pf_pkgdb *db, const char *name, struct pf_error *err)
{
    pf_auto_fd int fd = open_folder(db, "var/log/packages", err);
    if (fd < 0)
        return fd;
    if (faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return 1;
    return errno == ENOENT ? 0 : pf_error_errno(err, "looking for the record of %s", name);
}

static int keep_file(struct pf_pkgdb *db, const char *folder, const char *name, const char *data,
                     size_t length, mode_t mode, struct pf_error *err)
{
    pf_auto_fd int fd = open_folder(db, folder, err);
    if (fd < 0)
        return fd;
    int failed = pf_fs_replace_file(fd, name, data, length, mode, err);
    return failed ? pf_error_context(err, "%s", folder) : 0;
}

int pf_pkgdb_record(struct pf_pkgdb *db, const struct pf_staged *staged, const char *location,
                    const struct pf_descriptions *descriptions, struct pf_error *err)
{
    const struct pf_pkgname *name = &staged->name;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out)
        return pf_error_memory(err);
    fprintf(out,
            "PACKAGE NAME:     %s\n"
            "COMPRESSED PACKAGE SIZE:     %" PRIu64 " K\n"
            "UNCOMPRESSED PACKAGE SIZE:     %" PRIu64 " K\n"
            "PACKAGE LOCATION: %s\n"
            "PACKAGE DESCRIPTION:\n",
            name->stem, staged->packed_bytes / 1024, staged->unpacked_bytes / 1024, location);
    int failed = pf_descriptions_write(descriptions, staged, out, err);
    fputs("FILE LIST:\n", out);
    if (staged->file_list_length)
        fwrite(staged->file_list, 1, staged->file_list_length, out);
    if (pf_fs_close_text(out, &text) < 0 && !failed)
        failed = pf_error_memory(err);
    if (!failed)
        failed = keep_file(db, "var/log/packages", name->name, text, length, 0644, err);
    free(text);
    return failed;
}

int pf_pkgdb_log_text(struct pf_pkgdb *db, const char *text, size_t length, struct pf_error *err)
{
    pf_auto_fd int fd =
        pf_resolve_regular(db->root_fd, "var/log/install.log", O_WRONLY | O_APPEND | O_CREAT, 0644);
    if (fd < 0 || pf_fs_write_all(fd, text, length) < 0)
        return pf_error_errno(err, "writing var/log/install.log");
    return 0;
}

int pf_pkgdb_log_install(struct pf_pkgdb *db, const char *stem, struct pf_error *err)
{
    /* date(1) in the C locale: strftime would follow the program's. */
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t now = time(NULL);
    struct tm tm;
    char line[NAME_MAX + 128];
    if (!localtime_r(&now, &tm))
        return pf_error_errno(err, "reading the clock");
    int length = snprintf(line, sizeof line, "i %s %s %2d %02d:%02d:%02d %s %d: %s\n",
                          days[tm.tm_wday], months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min,
                          tm.tm_sec, tm.tm_zone, tm.tm_year + 1900, stem);
    return pf_pkgdb_log_text(db, line, (size_t)length, err);
}

int pf_pkgdb_keep_script(struct pf_pkgdb *db, const char *name, const char *script, size_t length,
                         struct pf_error *err)
{
    return keep_file(db, "var/log/scripts", name, script, length, 0755, err);
}

int pf_pkgdb_keep_initpkg(struct pf_pkgdb *db, const char *name, const char *script, size_t length,
                          struct pf_error *err)
{
    pf_auto_fd int fd = open_folder(db, "var/log/initpkg", err);
    if (fd < 0)
        return fd;
    if (length == 0) {
        if (unlinkat(fd, name, 0) < 0 && errno != ENOENT)
            return pf_error_errno(err, "removing var/log/initpkg/%s", name);
        return 0;
    }
    int failed = pf_fs_replace_file(fd, name, script, length, 0644, err);
    struct timespec time = {.tv_sec = db->next_initpkg++};
    if (!failed && utimensat(fd, name, (struct timespec[2]){time, time}, AT_SYMLINK_NOFOLLOW) < 0)
        failed = pf_error_errno(err, "setting the time of var/log/initpkg/%s", name);
    return failed;
}
