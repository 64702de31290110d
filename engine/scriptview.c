/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scriptview.h"

#include "devicenodes.h"
#include "fs.h"
#include "resolve.h"
#include "sandboxhelper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME             PF_SCRIPTVIEW_NAME
#define TMP              NAME "/tmp"
#define MAX_PASSWD_BYTES (4u << 20)

static const struct {
    const char *name;
    mode_t mode;
} directories[] = {{NAME, 0755},        {NAME "/bin", 0755},  {NAME "/dev", 0755},
                   {NAME "/etc", 0755}, {NAME "/root", 0755}, {NAME "/run", 0755},
                   {TMP, 01777},        {NAME "/sbin", 0755}, {NAME PF_SCRIPTVIEW_TOOLS, 0755},
                   {NAME "/var", 0755}};

int pf_scriptview_make(int work_fd, struct pf_error *err)
{
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        if (mkdirat(work_fd, directories[i].name, 0700) < 0)
            return pf_error_errno(err, "making %s", directories[i].name);
        pf_auto_fd int fd =
            openat(work_fd, directories[i].name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || pf_fs_own_folder(fd, directories[i].mode) < 0)
            return pf_error_errno(err, "making %s", directories[i].name);
    }
    /* Scripts that name their shell, and tools that start one, want it here. */
    if (symlinkat(PF_SCRIPTVIEW_SHELL, work_fd, NAME "/bin/sh") < 0 ||
        symlinkat("../tmp", work_fd, NAME "/var/tmp") < 0)
        return pf_error_errno(err, "making %s", NAME "/bin/sh");
    return 0;
}

static int open_directory(int work_fd, const char *name, struct pf_error *err)
{
    int fd = openat(work_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? pf_error_errno(err, "opening %s", name) : fd;
}

int pf_scriptview_open_tools(int work_fd, struct pf_error *err)
{
    return open_directory(work_fd, NAME PF_SCRIPTVIEW_TOOLS, err);
}

/* A file of the root becomes one of the view. */
static int copy_names(int etc_fd, int root_fd, const char *path, const char *otherwise,
                      struct pf_error *err)
{
    pf_auto_free char *text = NULL, *old = NULL;
    size_t length, old_length = 0;
    const char *name = strrchr(path, '/') + 1;
    pf_auto_fd int fd = pf_resolve_regular(root_fd, path, O_RDONLY, 0);
    if (fd < 0 || pf_fs_read_fd(fd, MAX_PASSWD_BYTES, &text, &length, NULL)) {
        text = strdup(otherwise);
        if (!text)
            return pf_error_memory(err);
        length = strlen(text);
    }
    pf_auto_fd int old_fd = openat(etc_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (old_fd >= 0 && pf_fs_read_fd(old_fd, MAX_PASSWD_BYTES, &old, &old_length, NULL) == 0 &&
        old_length == length && memcmp(old, text, length) == 0)
        return 0;
    return pf_fs_replace_file(etc_fd, name, text, length, 0644, err);
}

/* Where no mount is read-only, a script may have changed owners and modes, if not the content. */
static int reset_mode(void *ctx, int dir_fd, const char *name)
{
    const mode_t *mode = ctx;
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    if (S_ISLNK(st.st_mode) || (st.st_uid == geteuid() && (st.st_mode & 07777) == *mode))
        return 0;
    return fchownat(dir_fd, name, geteuid(), getegid(), AT_SYMLINK_NOFOLLOW) < 0 ||
                   fchmodat(dir_fd, name, *mode, 0) < 0
               ? -1
               : 0;
}

static int reset_modes(int work_fd, struct pf_error *err)
{
    mode_t tool_mode = 0755, device_mode = 0666;
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        mode_t mode = directories[i].mode;
        bool is_root = strcmp(directories[i].name, NAME "/root") == 0;
        if (!is_root && reset_mode(&mode, work_fd, directories[i].name) < 0)
            return pf_error_errno(err, "%s", directories[i].name);
    }
    pf_auto_fd int tools_fd = open_directory(work_fd, NAME PF_SCRIPTVIEW_TOOLS, err);
    pf_auto_fd int dev_fd = tools_fd < 0 ? -1 : open_directory(work_fd, NAME "/dev", err);
    if (dev_fd < 0)
        return tools_fd < 0 ? tools_fd : dev_fd;
    if (pf_fs_each_name(tools_fd, reset_mode, &tool_mode) < 0 ||
        pf_fs_each_name(dev_fd, reset_mode, &device_mode) < 0)
        return pf_error_errno(err, "resetting the release's tools");
    return 0;
}

int pf_scriptview_begin(int work_fd, int root_fd, struct pf_error *err)
{
    int reset = reset_modes(work_fd, err);
    if (reset)
        return reset;
    pf_auto_fd int etc_fd = open_directory(work_fd, NAME "/etc", err);
    if (etc_fd < 0)
        return etc_fd;
    int rc = copy_names(etc_fd, root_fd, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", err);
    return rc ? rc : copy_names(etc_fd, root_fd, "etc/group", "root:x:0:\n", err);
}

struct usage {
    uint64_t bytes, entries;
    unsigned depth;
};

/* Deeper than any script goes by intent; what lies below counts as too much. */
#define MAX_DEPTH 200

static int add_usage(void *ctx, int dir_fd, const char *name)
{
    struct usage *usage = ctx;
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0; /* it goes while we look */
    usage->entries++;
    usage->bytes += (uint64_t)st.st_blocks * 512;
    if (usage->depth > MAX_DEPTH)
        usage->entries = UINT64_MAX;
    if (usage->entries > PF_SCRIPTVIEW_TMP_ENTRIES || usage->bytes > PF_SCRIPTVIEW_TMP_BYTES)
        return 1;
    if (!S_ISDIR(st.st_mode))
        return 0;
    pf_auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    usage->depth++;
    int rc = fd < 0 ? 0 : pf_fs_each_name(fd, add_usage, usage);
    usage->depth--;
    return rc > 0;
}

int pf_scriptview_check(int work_fd, struct pf_error *err)
{
    struct usage usage = {0};
    pf_auto_fd int fd = open_directory(work_fd, TMP, err);
    if (fd < 0)
        return fd;
    if (pf_fs_each_name(fd, add_usage, &usage) <= 0)
        return 0;
    return pf_error_set(err, PF_E_LIMIT, "its script has more than %u GiB or %u files in /tmp",
                        (unsigned)(PF_SCRIPTVIEW_TMP_BYTES >> 30),
                        (unsigned)PF_SCRIPTVIEW_TMP_ENTRIES);
}

int pf_scriptview_finish(int work_fd, struct pf_error *err)
{
    int rc = pf_scriptview_check(work_fd, err);
    pf_auto_fd int fd = open_directory(work_fd, TMP, rc ? NULL : err);
    if (fd < 0)
        return rc ? rc : fd;
    int emptied = pf_fs_empty_folder(fd, rc ? NULL : err);
    if (!rc && !emptied && fchmod(fd, 01777) < 0)
        return pf_error_errno(err, "emptying /tmp");
    return rc ? rc : emptied;
}

int pf_scriptview_take_root(int work_fd, struct pf_error *err)
{
    static const char script[] = "#!" PF_SCRIPTVIEW_SHELL "\n"
                                 "read status </run/$$\n"
                                 "exit $status\n";
    pf_auto_fd int fd = open_directory(work_fd, NAME, err);
    int rc = fd < 0 ? fd
                    : pf_fs_replace_file(fd, &PF_SCRIPTVIEW_END[1], script, sizeof script - 1, 0755,
                                         err);
    if (rc)
        return rc;
    if (pf_fs_rename(work_fd, "root", work_fd, NAME "/root", 0) < 0)
        return pf_error_errno(err, "moving the root to where scripts see it");
    return 0;
}

int pf_scriptview_give_root_back(int work_fd, struct pf_error *err)
{
    if (pf_fs_rename(work_fd, NAME "/root", work_fd, "root", 0) < 0)
        return pf_error_errno(err, "moving the root back to its place");
    return 0;
}

int pf_scriptview_make_devices(int work_fd, bool *held, struct pf_error *err)
{
    pf_auto_fd int dev_fd = open_directory(work_fd, NAME "/dev", err);
    if (dev_fd < 0)
        return dev_fd;
    for (size_t i = 0; i < PF_SANDBOX_DEVICES; i++) {
        const struct pf_sandbox_device *device = &pf_sandbox_devices[i];
        /* Another sandbox of the same view may have made it. */
        if (unlinkat(dev_fd, device->name, 0) < 0 && errno != ENOENT)
            return pf_error_errno(err, "making /dev/%s for scripts", device->name);
        int made =
            pf_devicenodes_make(dev_fd, device->name, device->major_number, device->minor_number);
        if (made < 0)
            return pf_error_errno(err, "making /dev/%s for scripts", device->name);
        if (made || i > 0)
            continue;
        pf_auto_fd int fd = openat(dev_fd, device->name, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0)
            return pf_error_errno(err, "making /dev/%s for scripts", device->name);
    }
    return pf_devicenodes_are_held(dev_fd, held, err);
}

int pf_scriptview_remove(int work_fd, struct pf_error *err)
{
    return pf_fs_remove_tree(work_fd, NAME, err);
}
