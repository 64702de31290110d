/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lxcconfig.h"

#include "fs.h"
#include "lxcline.h"
#include "message.h"
#include "resolve.h"

#include <fcntl.h>
#include <pwd.h>
#include <shadow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* Appends to a file that may end without a newline. */
static int write_lines(int fd, const char *text)
{
    struct stat st;
    char last = '\n';
    if (fstat(fd, &st) < 0 || (st.st_size > 0 && pread(fd, &last, 1, st.st_size - 1) < 0))
        return -1;
    if (*text && last != '\n' && pf_fs_write_all(fd, "\n", 1) < 0)
        return -1;
    return pf_fs_write_all(fd, text, strlen(text));
}

/* The file is made where it is missing. */
static int append(const char *file, const char *text, struct pf_error *err)
{
    pf_auto_fd int fd = open(file, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || write_lines(fd, text) < 0 || close(pf_steal_fd(&fd)) < 0)
        return pf_error_errno(err, "writing %s", file);
    return 0;
}

/* The whole of PATH/config; an empty text where there is none. */
static int read_config(const char *file, char **text, struct pf_error *err)
{
    size_t length;
    *text = NULL;
    pf_auto_fd int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        *text = strdup("");
        return *text ? 0 : pf_error_memory(err);
    }
    int failed = pf_fs_read_fd(fd, MAX_CONFIG, text, &length, err);
    return failed ? pf_error_context(err, "%s", file) : 0;
}

/* Did an LXC before 2.1 begin this configuration? */
static bool is_legacy(const char *text)
{
    static const char *const old_keys[] = {"lxc.rootfs", "lxc.utsname",    "lxc.network.",
                                           "lxc.mount",  "lxc.id_map",     "lxc.tty",
                                           "lxc.pts",    "lxc.aa_profile", NULL};
    static const char *const new_keys[] = {"lxc.rootfs.path", "lxc.uts.name",  "lxc.net.",
                                           "lxc.mount.fstab", "lxc.idmap",     "lxc.tty.",
                                           "lxc.pty.",        "lxc.apparmor.", NULL};
    struct pf_lxcline line;
    bool old = false;
    while (pf_lxcline_next(&text, &line)) {
        if (pf_lxcline_is(&line, new_keys))
            return false;
        old = old || pf_lxcline_is(&line, old_keys);
    }
    return old;
}

/* An empty file beside the configuration; what is in one that is there stays. */
static int make_fstab(const char *path, struct pf_error *err)
{
    pf_auto_free char *file = NULL;
    if (asprintf(&file, "%s/fstab", path) < 0) {
        file = NULL;
        return pf_error_memory(err);
    }
    return append(file, "", err);
}

void pf_lxcconfig_put_includes(FILE *stream, bool mapped)
{
    if (access(COMMON_CONFIG, F_OK) == 0)
        fputs("\nlxc.include = " COMMON_CONFIG "\n", stream);
    if (mapped && access(USERNS_CONFIG, F_OK) == 0)
        fputs("lxc.include = " USERNS_CONFIG "\n", stream);
}

int pf_lxcconfig_append(const char *path, const struct pf_lxcconfig_container *container,
                        struct pf_error *err)
{
    pf_auto_free char *file = config_path(path);
    pf_auto_free char *before = NULL;
    char *text = NULL;
    size_t length;
    if (!file)
        return pf_error_memory(err);
    int failed = read_config(file, &before, err);
    if (failed)
        return failed;
    bool legacy = is_legacy(before);
    if (container->fstab && (failed = make_fstab(path, err)))
        return failed;
    FILE *stream = open_memstream(&text, &length);
    if (!stream)
        return pf_error_memory(err);
    fprintf(stream, "%s = %s\n", legacy ? "lxc.utsname" : "lxc.uts.name", container->name);
    if (container->fstab)
        fprintf(stream, "%s = %s/fstab\n", legacy ? "lxc.mount" : "lxc.mount.fstab",
                container->home ? container->home : path);
    fprintf(stream, "lxc.arch = %s\n", container->arch);
    pf_lxcconfig_put_includes(stream, container->mapped);
    failed = pf_fs_close_text(stream, &text) < 0 ? pf_error_memory(err) : append(file, text, err);
    free(text);
    return failed;
}

int pf_lxcconfig_add(const char *path, const char *lines, struct pf_error *err)
{
    pf_auto_free char *file = config_path(path);
    return file ? append(file, lines, err) : pf_error_memory(err);
}

/* The folder that a value of lxc.rootfs.path means: "[TYPE:]SOURCE", where only of two types the
   source is the folder itself. An absolute path may have a colon in it. Empty: NULL. */
static int rootfs_of_value(const struct pf_lxcline *line, char **rootfs, struct pf_error *err)
{
    static const char *const folder_types[] = {"dir:", "btrfs:", NULL};
    const char *value = line->value;
    size_t length = line->value_length;
    const char *colon = length && *value != '/' ? memchr(value, ':', length) : NULL;
    if (colon) {
        size_t n = (size_t)(colon + 1 - value);
        const char *const *type = folder_types;
        while (*type && (strlen(*type) != n || memcmp(value, *type, n) != 0))
            type++;
        if (!*type)
            return pf_error_advise(
                err, PF_E_INVALID, N_("--rootfs must say where its root is"),
                "the container's root lies on \"%.*s\", which is not mounted here", (int)length,
                value);
        value += n;
        length -= n;
    }
    if (length == 0)
        return 0;
    *rootfs = strndup(value, length);
    return *rootfs ? 0 : pf_error_memory(err);
}

int pf_lxcconfig_rootfs(const char *path, char **rootfs, struct pf_error *err)
{
    static const char *const keys[] = {"lxc.rootfs.path", "lxc.rootfs", NULL};
    pf_auto_free char *file = config_path(path);
    pf_auto_free char *text = NULL;
    struct pf_lxcline line, last = {0};
    *rootfs = NULL;
    if (!file)
        return pf_error_memory(err);
    int failed = read_config(file, &text, err);
    /* As for LXC, the last one counts, whatever those before it say. */
    for (const char *p = text; !failed && pf_lxcline_next(&p, &line);) {
        if (pf_lxcline_is(&line, keys))
            last = line;
    }
    if (!failed && last.value)
        failed = rootfs_of_value(&last, rootfs, err);
    if (failed)
        return failed == PF_E_INVALID ? pf_error_context(err, "%s", file) : failed;
    if (!*rootfs && asprintf(rootfs, "%s/rootfs", path) < 0) {
        *rootfs = NULL;
        return pf_error_memory(err);
    }
    return 0;
}

static int append_in_root(int root_fd, const char *file, const char *line, struct pf_error *err)
{
    pf_auto_fd int fd = pf_resolve_regular(root_fd, file, O_RDWR | O_APPEND | O_CREAT, 0600);
    if (fd < 0 || write_lines(fd, line) < 0)
        return pf_error_errno(err, "writing %s in the root", file);
    return 0;
}

static int append_passwd(int root_fd, const struct passwd *pw, struct pf_error *err)
{
    pf_auto_free char *line = NULL;
    if (asprintf(&line, "%s:%s:%u:%u:%s:%s:%s\n", pw->pw_name, pw->pw_passwd, pw->pw_uid,
                 pw->pw_gid, pw->pw_gecos, pw->pw_dir, pw->pw_shell) < 0) {
        line = NULL;
        return pf_error_memory(err);
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
    if (stream && pf_fs_close_text(stream, &line) < 0)
        failed = -1;
    failed = failed ? pf_error_memory(err) : append_in_root(root_fd, "etc/shadow", line, err);
    free(line);
    return failed;
}

/* Writes a path as fstab(5) wants it: blanks and backslashes in octal. */
static void put_escaped(FILE *stream, const char *path)
{
    for (; *path; path++)
        fprintf(stream, strchr(" \t\n\\", *path) ? "\\%03o" : "%c", (unsigned char)*path);
}

/* The home's place in the container: below rootfs where the configuration has the root there, which
   is how lxc-plamo writes it. Where LXC had the root mounted for its making only (loop and others),
   it would pass such an entry over later; a relative path is below whatever the root is then
   (lxc.container.conf(5)). */
static char *mount_entry(const char *path, const char *rootfs, const char *home)
{
    char *configured = NULL, *text = NULL;
    size_t length;
    bool same =
        pf_lxcconfig_rootfs(path, &configured, NULL) == 0 && strcmp(configured, rootfs) == 0;
    free(configured);
    FILE *stream = open_memstream(&text, &length);
    if (!stream)
        return NULL;
    fputs("lxc.mount.entry = ", stream);
    put_escaped(stream, home);
    fputc(' ', stream);
    if (same) {
        put_escaped(stream, rootfs);
        fputc('/', stream);
    }
    put_escaped(stream, same ? home : home + strspn(home, "/"));
    fputs(" none bind 0 0\n", stream);
    pf_fs_close_text(stream, &text);
    return text;
}

int pf_lxcconfig_bindhome(const char *path, const char *rootfs, int root_fd, const char *user,
                          struct pf_error *err)
{
    struct passwd entry, *pw = NULL;
    char buffer[LOOKUP_BUFFER];
    if (getpwnam_r(user, &entry, buffer, sizeof buffer, &pw) != 0 || !pw)
        return pf_error_set(err, PF_E_INVALID, "this host has no user \"%s\" to bind the home of",
                            user);
    const char *home = pw->pw_dir;
    /* The host's root, bound over the container's, would give it the host's files. */
    if (*home != '/' || home[strspn(home, "/.")] == '\0')
        return pf_error_set(err, PF_E_INVALID, "the home of \"%s\", \"%s\", cannot be bound", user,
                            home);
    if (pf_fs_make_folders_in_root(root_fd, home + strspn(home, "/"), 0755) < 0)
        return pf_error_errno(err, "making %s in the root", home);
    pf_auto_free char *file = config_path(path);
    pf_auto_free char *text = mount_entry(path, rootfs, home);
    if (!file || !text)
        return pf_error_memory(err);
    int failed = append(file, text, err);
    if (!failed)
        failed = append_passwd(root_fd, pw, err);
    return failed ? failed : append_shadow(root_fd, user, err);
}
