/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lxcconfig.h"

#include "fs.h"
#include "resolve.h"

#include <fcntl.h>
#include <pwd.h>
#include <shadow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMON_CONFIG PF_LXC_CONFIG_DIR "/plamo.common.conf"
#define USERNS_CONFIG PF_LXC_CONFIG_DIR "/plamo.userns.conf"
#define MAX_CONFIG    (16u << 20)
#define LOOKUP_BUFFER 16384

static char *config_path(const char *path)
{
    char *config = NULL;
    return asprintf(&config, "%s/config", path) < 0 ? NULL : config;
}

/* Appends in one write; the file is made where it is missing. */
static int append(int dir_fd, const char *file, const char *text, struct pf_error *err)
{
    pf_auto_fd int fd = openat(dir_fd, file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || pf_fs_write_all(fd, text, strlen(text)) < 0 || close(pf_steal_fd(&fd)) < 0)
        return pf_error_errno(err, "writing %s", file);
    return 0;
}

int pf_lxcconfig_append(const char *path, const char *name, const char *arch, bool mapped,
                        struct pf_error *err)
{
    pf_auto_free char *file = config_path(path);
    pf_auto_free char *text = NULL;
    bool common = access(COMMON_CONFIG, F_OK) == 0;
    bool userns = mapped && access(USERNS_CONFIG, F_OK) == 0;
    if (!file || asprintf(&text, "lxc.uts.name = %s\nlxc.arch = %s\n%s%s", name, arch,
                          common ? "\nlxc.include = " COMMON_CONFIG "\n" : "",
                          userns ? "lxc.include = " USERNS_CONFIG "\n" : "") < 0) {
        text = NULL;
        return pf_error_set(err, PF_E_SYSTEM, "out of memory");
    }
    return append(AT_FDCWD, file, text, err);
}

/* The value of a "lxc.rootfs.path = …" line, or NULL. */
static char *rootfs_of_line(const char *line, size_t length)
{
    static const char key[] = "lxc.rootfs.path";
    const char *end = line + length;
    if (length < sizeof key || strncmp(line, key, sizeof key - 1) != 0)
        return NULL;
    const char *p = line + sizeof key - 1;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    if (p == end || *p++ != '=')
        return NULL;
    while (p < end && (*p == ' ' || *p == '\t'))
        p++;
    while (end > p && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (end - p > 4 && strncmp(p, "dir:", 4) == 0)
        p += 4;
    return p < end ? strndup(p, (size_t)(end - p)) : NULL;
}

int pf_lxcconfig_rootfs(const char *path, char **rootfs, struct pf_error *err)
{
    pf_auto_free char *file = config_path(path);
    pf_auto_free char *text = NULL;
    size_t length = 0;
    if (!file)
        return pf_error_set(err, PF_E_SYSTEM, "out of memory");
    pf_auto_fd int fd = open(file, O_RDONLY | O_CLOEXEC);
    int failed = fd < 0 ? 0 : pf_fs_read_fd(fd, MAX_CONFIG, &text, &length, err);
    if (failed)
        return pf_error_context(err, "%s", file);
    *rootfs = NULL;
    for (const char *p = text; p && *p && !*rootfs;) {
        size_t n = strcspn(p, "\n");
        *rootfs = rootfs_of_line(p, n);
        p += n + (p[n] == '\n');
    }
    if (!*rootfs && asprintf(rootfs, "%s/rootfs", path) < 0)
        return pf_error_set(err, PF_E_SYSTEM, "out of memory");
    return 0;
}

static int append_in_root(int root_fd, const char *file, const char *line, struct pf_error *err)
{
    pf_auto_fd int fd = pf_resolve_regular(root_fd, file, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (fd < 0 || pf_fs_write_all(fd, line, strlen(line)) < 0)
        return pf_error_errno(err, "writing %s in the root", file);
    return 0;
}

static int append_passwd(int root_fd, const struct passwd *pw, struct pf_error *err)
{
    pf_auto_free char *line = NULL;
    if (asprintf(&line, "%s:%s:%u:%u:%s:%s:%s\n", pw->pw_name, pw->pw_passwd, pw->pw_uid,
                 pw->pw_gid, pw->pw_gecos, pw->pw_dir, pw->pw_shell) < 0) {
        line = NULL;
        return pf_error_set(err, PF_E_SYSTEM, "out of memory");
    }
    return append_in_root(root_fd, "etc/passwd", line, err);
}

static int append_shadow(int root_fd, const char *user, struct pf_error *err)
{
    struct spwd entry, *found = NULL;
    char buffer[LOOKUP_BUFFER];
    char *line = NULL;
    size_t length;
    /* Without the right to read the host's shadow file there is no line to copy. */
    if (getspnam_r(user, &entry, buffer, sizeof buffer, &found) != 0 || !found)
        return 0;
    FILE *stream = open_memstream(&line, &length);
    int failed = !stream || putspent(found, stream) < 0;
    if (stream && fclose(stream) != 0)
        failed = -1;
    failed = failed ? pf_error_set(err, PF_E_SYSTEM, "out of memory")
                    : append_in_root(root_fd, "etc/shadow", line, err);
    free(line);
    return failed;
}

int pf_lxcconfig_bindhome(const char *path, const char *rootfs, int root_fd, const char *user,
                          struct pf_error *err)
{
    struct passwd entry, *pw = NULL;
    char buffer[LOOKUP_BUFFER];
    if (getpwnam_r(user, &entry, buffer, sizeof buffer, &pw) != 0 || !pw)
        return pf_error_set(err, PF_E_INVALID, "this host has no user \"%s\" to bind the home of",
                            user);
    if (pf_fs_make_folders_in_root(root_fd, pw->pw_dir + strspn(pw->pw_dir, "/"), 0755) < 0)
        return pf_error_errno(err, "making %s in the root", pw->pw_dir);
    pf_auto_free char *file = config_path(path);
    pf_auto_free char *text = NULL;
    if (!file || asprintf(&text, "lxc.mount.entry = %s %s/%s none bind 0 0\n", pw->pw_dir, rootfs,
                          pw->pw_dir) < 0) {
        text = NULL;
        return pf_error_set(err, PF_E_SYSTEM, "out of memory");
    }
    int failed = append(AT_FDCWD, file, text, err);
    if (!failed)
        failed = append_passwd(root_fd, pw, err);
    return failed ? failed : append_shadow(root_fd, user, err);
}
