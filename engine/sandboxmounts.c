/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandboxmounts.h"

#include "cleanup.h"
#include "message.h"
#include "scriptview.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char host_etc[] = ".etc";

/* What the host's programs read of /etc, none of it secret. Each job finds links to these, so that
   it may replace them for itself. */
static const char *const etc_names[PF_SANDBOX_ETC_NAMES] = {"alternatives", "group",
                                                            "ld.so.cache",  "ld.so.conf",
                                                            "ld.so.conf.d", "localtime",
                                                            "login.defs",   "nsswitch.conf",
                                                            "passwd",       "shells"};

/* A part of this mount tree as a tree of its own, nowhere yet, of which the host hears nothing. */
static int clone_tree(int dir_fd, const char *path, unsigned flags, uint64_t attributes)
{
    struct mount_attr attr = {.attr_set = attributes | MOUNT_ATTR_NOSUID,
                              .propagation = MS_PRIVATE};
    int fd = open_tree(dir_fd, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
    if (fd >= 0 &&
        mount_setattr(fd, "", AT_EMPTY_PATH | (flags & AT_RECURSIVE), &attr, sizeof attr) < 0)
        pf_close_at(&fd);
    return fd;
}

static int put_tree(int tree_fd, const char *name)
{
    return move_mount(tree_fd, "", AT_FDCWD, name, MOVE_MOUNT_F_EMPTY_PATH);
}

static struct pf_sandbox_shown *add_shown(struct pf_sandbox_sight *sight, const char *name)
{
    if (sight->count == PF_SANDBOX_MAX_SHOWN) {
        errno = ENOSPC;
        return NULL;
    }
    struct pf_sandbox_shown *shown = &sight->shown[sight->count];
    *shown = (struct pf_sandbox_shown){.name = name, .tree_fd = -1};
    return shown;
}

/* Takes a file or directory of the host. 0 where the host has none. */
static int take(struct pf_sandbox_sight *sight, const char *path, const char *name, unsigned flags,
                uint64_t attributes)
{
    struct stat st;
    struct pf_sandbox_shown *shown = add_shown(sight, name);
    if (!shown)
        return -1;
    if (stat(path, &st) < 0)
        return errno == ENOENT || errno == ELOOP || errno == ENOTDIR ? 0 : -1;
    shown->is_directory = S_ISDIR(st.st_mode);
    shown->tree_fd = clone_tree(AT_FDCWD, path, flags, attributes);
    if (shown->tree_fd < 0)
        return -1;
    sight->count++;
    return 0;
}

/* The host's programs. Where /usr has them all, /bin and the like are links into it. */
static int take_programs(struct pf_sandbox_sight *sight)
{
    static const char *const paths[] = {"/usr",   "/bin",   "/sbin",  "/lib",
                                        "/lib32", "/lib64", "/libx32"};
    int rc = 0;
    for (size_t i = 0; i < sizeof paths / sizeof *paths && !rc; i++) {
        struct pf_sandbox_shown *shown = add_shown(sight, paths[i] + 1);
        ssize_t length = shown ? readlink(paths[i], shown->link, sizeof shown->link - 1) : -1;
        if (length > 0) {
            shown->link[length] = '\0';
            sight->count++;
        } else {
            rc = take(sight, paths[i], paths[i] + 1, AT_RECURSIVE,
                      MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV);
        }
    }
    return rc;
}

static int take_etc(struct pf_sandbox_sight *sight)
{
    char path[64];
    int rc = 0;
    for (size_t i = 0; i < PF_SANDBOX_ETC_NAMES && !rc; i++) {
        stpcpy(stpcpy(path, "/etc/"), etc_names[i]);
        stpcpy(stpcpy(stpcpy(sight->etc[i], host_etc), "/"), etc_names[i]);
        rc = take(sight, path, sight->etc[i], AT_RECURSIVE,
                  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    }
    return rc;
}

/* Read-only, or a script could change the modes of the host's own nodes; writing to a device is not
   writing to where its node is. */
static int take_devices(struct pf_sandbox_sight *sight)
{
    char path[64];
    int rc = 0;
    for (size_t i = 0; i < PF_SANDBOX_DEVICES && !rc; i++) {
        stpcpy(stpcpy(sight->devices[i], "dev/"), pf_sandbox_devices[i].name);
        stpcpy(stpcpy(path, "/"), sight->devices[i]);
        rc = take(sight, path, sight->devices[i], 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC);
    }
    return rc;
}

void pf_sandboxmounts_take(const struct pf_sandboxhelper *helper, struct pf_sandbox_sight *sight)
{
    const char *root = helper->has_work ? "root" : ".";
    if (take(sight, root, "root", 0, MOUNT_ATTR_NODEV) < 0)
        pf_sandboxhelper_refuse(helper, N_("mounting the root"));
    if (helper->view == PF_SANDBOX_HOST) {
        if (take_programs(sight) < 0)
            pf_sandboxhelper_refuse(helper, N_("mounting the host's programs"));
        if (take_etc(sight) < 0)
            pf_sandboxhelper_refuse(helper, N_("mounting the host's /etc"));
    }
    sight->base_fd = -1;
    if (helper->view == PF_SANDBOX_TOOLS) {
        sight->base_fd = clone_tree(AT_FDCWD, PF_SCRIPTVIEW_NAME, 0, MOUNT_ATTR_NODEV);
        if (sight->base_fd < 0)
            pf_sandboxhelper_refuse(helper, N_("mounting the release's tools"));
    }
    if (take_devices(sight) < 0)
        pf_sandboxhelper_refuse(helper, N_("mounting the host's devices"));
    /* In a user namespace the kernel lets only those mount a /proc who see a whole one already. A
       job that sees one covers it with its own; of the others it is hidden below /tmp. */
    bool sees_proc = helper->view == PF_SANDBOX_HOST;
    if (take(sight, "/proc", sees_proc ? "proc" : "tmp", AT_RECURSIVE, 0) < 0)
        pf_sandboxhelper_refuse(helper, N_("mounting /proc"));
    if (helper->has_work && take(sight, PF_SCRIPTVIEW_NAME "/tmp", "tmp", 0, MOUNT_ATTR_NODEV) < 0)
        pf_sandboxhelper_refuse(helper, N_("mounting /tmp"));
}

static int make_place(const struct pf_sandbox_shown *shown)
{
    if (shown->tree_fd < 0)
        return symlink(shown->link, shown->name);
    if (shown->is_directory)
        return mkdir(shown->name, 0755) < 0 && errno != EEXIST ? -1 : 0;
    pf_auto_fd int fd = open(shown->name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    return fd < 0 ? -1 : 0;
}

/* The directories of a "/" that begins empty. */
static int make_directories(const struct pf_sandboxhelper *helper)
{
    static const char *const names[] = {"root", "tmp", "dev", "etc", ".etc", "run", "var"};
    static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
                                           {"/proc/self/fd/0", "dev/stdin"},
                                           {"/proc/self/fd/1", "dev/stdout"},
                                           {"/proc/self/fd/2", "dev/stderr"},
                                           {"/tmp", "dev/shm"},
                                           {"../tmp", "var/tmp"}};
    int rc = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names && !rc; i++)
        rc = mkdir(names[i], 0755);
    for (size_t i = 0; i < sizeof links / sizeof *links && !rc; i++)
        rc = helper->view == PF_SANDBOX_HOST ? symlink(links[i][0], links[i][1]) : 0;
    return rc;
}

/* A directory that every root file system has, and which will not be seen again. */
static const char *mount_new_root(const struct pf_sandbox_sight *sight)
{
    static const char *const places[] = {"/tmp", "/proc", "/dev", "/run", "/mnt", "/etc"};
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        int rc = sight->base_fd >= 0 ? put_tree(sight->base_fd, places[i])
                                     : mount("plamo-fast", places[i], "tmpfs", MS_NOSUID | MS_NODEV,
                                             "mode=755,size=1m");
        if (rc == 0)
            return places[i];
        if (errno != ENOENT && errno != ENOTDIR)
            return NULL;
    }
    return NULL;
}

void pf_sandboxmounts_enter(const struct pf_sandboxhelper *helper,
                            const struct pf_sandbox_sight *sight)
{
    const char *place = mount_new_root(sight);
    if (!place || chdir(place) < 0)
        pf_sandboxhelper_refuse(helper, N_("mounting a new /"));
    if (sight->base_fd < 0 && make_directories(helper) < 0)
        pf_sandboxhelper_refuse(helper, N_("making the new /"));
    for (size_t i = 0; i < sight->count; i++) {
        const struct pf_sandbox_shown *shown = &sight->shown[i];
        if (make_place(shown) < 0 ||
            (shown->tree_fd >= 0 && put_tree(shown->tree_fd, shown->name) < 0))
            pf_sandboxhelper_refuse(helper, N_("mounting what scripts see"));
        if (shown->tree_fd >= 0)
            close(shown->tree_fd);
    }
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ||
        mount_setattr(AT_FDCWD, "/", 0, &read_only, sizeof read_only) < 0)
        pf_sandboxhelper_refuse(helper, N_("entering it"));
}

int pf_sandboxmounts_put_etc(void)
{
    char path[64], name[64];
    if (mount("etc", "/etc", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m,nr_inodes=1k") < 0)
        return -1;
    for (size_t i = 0; i < PF_SANDBOX_ETC_NAMES; i++) {
        stpcpy(stpcpy(stpcpy(stpcpy(path, "/"), host_etc), "/"), etc_names[i]);
        stpcpy(stpcpy(name, "/etc/"), etc_names[i]);
        if (access(path, F_OK) == 0 && symlink(path, name) < 0)
            return -1;
    }
    return 0;
}

bool pf_sandboxmounts_open_devices(void)
{
    bool opened = false;
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    pf_auto_fd int root_fd = open(PF_SCRIPTVIEW_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
    pf_auto_fd int dev_fd = (int)syscall(SYS_openat2, root_fd, "dev", &how, sizeof how);
    for (size_t i = 0; dev_fd >= 0 && i < PF_SANDBOX_DEVICES; i++) {
        const struct pf_sandbox_device *device = &pf_sandbox_devices[i];
        struct mount_attr attr = {.attr_clr = MOUNT_ATTR_NODEV};
        struct stat st;
        pf_auto_fd int fd = openat(dev_fd, device->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0 || fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
            st.st_rdev != makedev(device->major_number, device->minor_number))
            continue;
        pf_auto_fd int tree =
            open_tree(fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        if (tree >= 0 && mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof attr) == 0 &&
            move_mount(tree, "", fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0)
            opened = true;
    }
    return opened;
}
