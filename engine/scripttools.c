/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scripttools.h"

#include "copyfile.h"
#include "fs.h"
#include "pkgname.h"
#include "resolve.h"
#include "scriptview.h"

#include <ctype.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNPACKED "tools"

static bool is_named(const char *name, const char *package)
{
    size_t length = strlen(package);
    if (strncmp(name, package, length) != 0)
        return false;
    return name[length + strspn(name + length, "0123456789.")] == '\0';
}

size_t pf_scripttools_find(const struct pf_manifest *manifest,
                           const struct pf_profile_tools *source)
{
    for (size_t i = 0; i < manifest->count; i++) {
        struct pf_pkgname name;
        if (pf_pkgname_parse(manifest->entries[i].file, &name) == 0 &&
            is_named(name.name, source->package))
            return i;
    }
    return SIZE_MAX;
}

static int move_tool(void *ctx, int dir_fd, const char *name)
{
    const int *tools_fd = ctx;
    return pf_fs_rename(dir_fd, name, *tools_fd, name, 0);
}

/* lxc-plamo gives zstd its name itself: `ln -sf zstd-* zstd`. */
static int link_zstd(void *ctx, int dir_fd, const char *name)
{
    (void)ctx;
    if (strncmp(name, "zstd-", 5) != 0)
        return 0;
    return symlinkat(name, dir_fd, "zstd") < 0 && errno != EEXIST ? -1 : 1;
}

static int take_tools(int tree_fd, const struct pf_profile_tools *source, int work_fd,
                      struct pf_error *err)
{
    pf_auto_fd int tools_fd = pf_scriptview_open_tools(work_fd, err);
    if (tools_fd < 0)
        return tools_fd;
    pf_auto_fd int from_fd =
        pf_resolve_beneath(tree_fd, source->directory, O_RDONLY | O_DIRECTORY, 0);
    if (from_fd < 0)
        return pf_error_set(err, PF_E_ABSENT, "it has no %s", source->directory);
    if (pf_fs_each_name(from_fd, move_tool, &tools_fd) < 0 ||
        pf_fs_each_name(tools_fd, link_zstd, NULL) < 0)
        return pf_error_errno(err, "taking the release's tools");
    if (faccessat(tools_fd, "sh", X_OK, AT_EACCESS) < 0)
        return pf_error_set(err, PF_E_ABSENT, "it has no %s/sh", source->directory);
    return 0;
}

int pf_scripttools_unpack(int folder_fd, const char *file, const struct pf_profile_tools *source,
                          const struct pf_stage_limits *limits, int work_fd, struct pf_error *err)
{
    struct pf_staged *staged;
    pf_auto_fd int fd = openat(folder_fd, file, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return pf_error_errno(err, "opening %s", file);
    if (mkdirat(work_fd, UNPACKED, 0700) < 0)
        return pf_error_errno(err, "making a directory to unpack %s in", file);
    pf_auto_fd int dir_fd =
        openat(work_fd, UNPACKED, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    pf_auto_fd int tree_fd = dir_fd < 0 ? -1 : fcntl(dir_fd, F_DUPFD_CLOEXEC, 0);
    if (tree_fd < 0)
        return pf_error_errno(err, "making a directory to unpack %s in", file);
    int rc = pf_stage_package(fd, file, pf_steal_fd(&dir_fd), limits, &staged, err);
    if (!rc) {
        pf_staged_free(staged);
        rc = take_tools(tree_fd, source, work_fd, err);
        if (rc)
            pf_error_context(err, "%s", file);
    }
    int removed = pf_fs_remove_tree(work_fd, UNPACKED, rc ? NULL : err);
    return rc ? rc : removed;
}

/* A program that needs no loader; of this machine's class, as it is going to be run. */
static bool is_static(int fd)
{
    unsigned char ident[EI_NIDENT];
    Elf64_Ehdr header;
    if (pread(fd, ident, sizeof ident, 0) != sizeof ident || memcmp(ident, ELFMAG, SELFMAG) != 0)
        return false;
    if (ident[EI_CLASS] != ELFCLASS64)
        return sizeof(void *) == 4;
    if (pread(fd, &header, sizeof header, 0) != sizeof header)
        return false;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr part;
        off_t at = (off_t)(header.e_phoff + (Elf64_Off)i * header.e_phentsize);
        if (pread(fd, &part, sizeof part, at) != sizeof part || part.p_type == PT_INTERP)
            return false;
    }
    return true;
}

/* Reads what `busybox --list` says. */
static char *list_applets(const char *path)
{
    static char *const environment[] = {NULL};
    char *argv[] = {(char *)path, (char *)"--list", NULL};
    posix_spawn_file_actions_t actions;
    char *text = NULL;
    size_t length = 0, used = 0;
    int ends[2], status;
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return NULL;
    pf_auto_fd int reading = ends[0], writing = ends[1];
    if (posix_spawn_file_actions_init(&actions))
        return NULL;
    posix_spawn_file_actions_adddup2(&actions, writing, 1);
    int number = posix_spawn(&pid, path, &actions, NULL, argv, environment);
    posix_spawn_file_actions_destroy(&actions);
    close(pf_steal_fd(&writing));
    FILE *stream = number ? NULL : fdopen(reading, "r");
    if (stream) {
        pf_steal_fd(&reading);
        ssize_t got = getdelim(&text, &length, '\0', stream);
        used = got > 0 ? (size_t)got : 0;
        fclose(stream);
    }
    while (!number && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!used) {
        free(text);
        return NULL;
    }
    return text;
}

static int link_applets(int tools_fd, char *names, struct pf_error *err)
{
    char *rest = names;
    for (char *name; (name = strsep(&rest, "\n"));) {
        if (*name && !strchr(name, '/') && *name != '.' &&
            linkat(tools_fd, "busybox", tools_fd, name, 0) < 0 && errno != EEXIST)
            return pf_error_errno(err, "naming the applet %s", name);
    }
    return 0;
}

/* Copies DIRECTORY/busybox, as a file of our own. 0, or -1 with errno. */
static int copy_busybox(const char *directory, int tools_fd, const struct stat *st)
{
    struct pf_copyfile copyfile;
    struct stat own = *st;
    pf_auto_fd int from_fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (from_fd < 0)
        return -1;
    own.st_uid = geteuid();
    own.st_gid = getegid();
    own.st_mode = S_IFREG | 0755;
    pf_copyfile_init(&copyfile);
    return pf_copyfile_regular(&copyfile, from_fd, tools_fd, "busybox", &own);
}

int pf_scripttools_from_busybox(int work_fd, struct pf_error *err)
{
    static const char *const directories[] = {"/bin", "/usr/bin", "/sbin"};
    char path[32];
    pf_auto_fd int tools_fd = pf_scriptview_open_tools(work_fd, err);
    if (tools_fd < 0)
        return tools_fd;
    /* What another package's tools have left. */
    int rc = pf_fs_empty_folder(tools_fd, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        struct stat st;
        snprintf(path, sizeof path, "%s/busybox", directories[i]);
        pf_auto_fd int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !is_static(fd))
            continue;
        pf_auto_free char *names = list_applets(path);
        if (!names || copy_busybox(directories[i], tools_fd, &st) < 0)
            return pf_error_errno(err, "copying %s", path);
        return link_applets(tools_fd, names, err);
    }
    return pf_error_set(err, PF_E_ABSENT,
                        "the plan has no package with the release's tools for scripts, and this "
                        "machine no static busybox to take their place");
}
