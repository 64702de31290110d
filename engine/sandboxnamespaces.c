/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The helper of the upper rungs: namespaces, and a "/" that is put together of mounts. */
#include "sandboxhelper.h"

#include "cleanup.h"
#include "clock.h"
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
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MOST_NUMBERS "4096"

static const char host_etc[] = ".etc";

/* What the host's programs read of /etc, none of it secret. Each job finds links to these, so that
   it may replace them for itself. */
static const char *const etc_names[] = {"alternatives", "group",     "ld.so.cache", "ld.so.conf",
                                        "ld.so.conf.d", "localtime", "login.defs",  "nsswitch.conf",
                                        "passwd",       "shells"};

/* One name of the new "/": taken while the helper still sees the host, put there later. */
struct shown {
    const char *name; /* below the new "/" */
    int tree_fd;      /* a mount that is nowhere yet; -1: `link` is a symbolic link's target */
    bool is_directory;
    char link[128];
};

#define MAX_SHOWN 40

struct sight {
    struct shown shown[MAX_SHOWN];
    size_t count;
    int base_fd; /* what the new "/" is; -1: an empty file system */
};

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

static struct shown *add_shown(struct sight *sight, const char *name)
{
    if (sight->count == MAX_SHOWN) {
        errno = ENOSPC;
        return NULL;
    }
    struct shown *shown = &sight->shown[sight->count];
    *shown = (struct shown){.name = name, .tree_fd = -1};
    return shown;
}

/* Takes a file or directory of the host. 0 where the host has none. */
static int take(struct sight *sight, const char *path, const char *name, unsigned flags,
                uint64_t attributes)
{
    struct stat st;
    struct shown *shown = add_shown(sight, name);
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
static int take_programs(struct sight *sight)
{
    static const char *const paths[] = {"/usr",   "/bin",   "/sbin",  "/lib",
                                        "/lib32", "/lib64", "/libx32"};
    int rc = 0;
    for (size_t i = 0; i < sizeof paths / sizeof *paths && !rc; i++) {
        struct shown *shown = add_shown(sight, paths[i] + 1);
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

static int take_etc(struct sight *sight, char names[][64])
{
    char path[64];
    int rc = 0;
    for (size_t i = 0; i < sizeof etc_names / sizeof *etc_names && !rc; i++) {
        stpcpy(stpcpy(path, "/etc/"), etc_names[i]);
        stpcpy(stpcpy(stpcpy(names[i], host_etc), "/"), etc_names[i]);
        rc = take(sight, path, names[i], AT_RECURSIVE,
                  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    }
    return rc;
}

/* Read-only, or a script could change the modes of the host's own nodes; writing to a device is not
   writing to where its node is. */
static int take_devices(struct sight *sight, char names[][64])
{
    char path[64];
    int rc = 0;
    for (size_t i = 0; i < PF_SANDBOX_DEVICES && !rc; i++) {
        stpcpy(stpcpy(names[i], "dev/"), pf_sandbox_devices[i].name);
        stpcpy(stpcpy(path, "/"), names[i]);
        rc = take(sight, path, names[i], 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC);
    }
    return rc;
}

/* All that is shown, by descriptors. Taken in the new namespace, but before its root is entered: in
   a chroot the paths lead somewhere else then. */
static void take_all(const struct pf_sandboxhelper *helper, struct sight *sight, char etc[][64],
                     char devices[][64])
{
    const char *root = helper->has_work ? "root" : ".";
    if (take(sight, root, "root", 0, MOUNT_ATTR_NODEV) < 0)
        pf_sandboxhelper_refuse(helper, N_("mounting the root"));
    if (helper->view == PF_SANDBOX_HOST) {
        if (take_programs(sight) < 0)
            pf_sandboxhelper_refuse(helper, N_("mounting the host's programs"));
        if (take_etc(sight, etc) < 0)
            pf_sandboxhelper_refuse(helper, N_("mounting the host's /etc"));
    }
    sight->base_fd = -1;
    if (helper->view == PF_SANDBOX_TOOLS) {
        sight->base_fd = clone_tree(AT_FDCWD, PF_SCRIPTVIEW_NAME, 0, MOUNT_ATTR_NODEV);
        if (sight->base_fd < 0)
            pf_sandboxhelper_refuse(helper, N_("mounting the release's tools"));
    }
    if (take_devices(sight, devices) < 0)
        pf_sandboxhelper_refuse(helper, N_("mounting the host's devices"));
    /* In a user namespace the kernel lets only those mount a /proc who see a whole one already. A
       job that sees one covers it with its own; of the others it is hidden below /tmp. */
    bool sees_proc = helper->view == PF_SANDBOX_HOST;
    if (take(sight, "/proc", sees_proc ? "proc" : "tmp", AT_RECURSIVE, 0) < 0)
        pf_sandboxhelper_refuse(helper, N_("mounting /proc"));
    if (helper->has_work && take(sight, PF_SCRIPTVIEW_NAME "/tmp", "tmp", 0, MOUNT_ATTR_NODEV) < 0)
        pf_sandboxhelper_refuse(helper, N_("mounting /tmp"));
}

static int make_place(const struct shown *shown)
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
static const char *mount_new_root(const struct sight *sight)
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

/* The file system that all jobs see, with nothing in it that could be written to but the root and
   /tmp. */
static void make_view(const struct pf_sandboxhelper *helper, const struct sight *sight)
{
    const char *place = mount_new_root(sight);
    if (!place || chdir(place) < 0)
        pf_sandboxhelper_refuse(helper, N_("mounting a new /"));
    if (sight->base_fd < 0 && make_directories(helper) < 0)
        pf_sandboxhelper_refuse(helper, N_("making the new /"));
    for (size_t i = 0; i < sight->count; i++) {
        const struct shown *shown = &sight->shown[i];
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

/* Nothing of the host's name and users' groups is a script's business. */
static void hide_the_host(const struct pf_sandboxhelper *helper)
{
    static const char name[] = "localhost";
    if (sethostname(name, sizeof name - 1) < 0 || setdomainname("", 0) < 0)
        pf_sandboxhelper_refuse(helper, N_("hiding the host's name"));
}

/* In a chroot whose directory is no mount point nothing can be made private, nor pivoted: it is the
   namespace's own root that this process must have. Entering a namespace, be it one's own, leads
   there. */
static void enter_root_of_namespace(const struct pf_sandboxhelper *helper)
{
    struct statx st;
    if (statx(AT_FDCWD, "/", AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_INO, &st) < 0)
        pf_sandboxhelper_refuse(helper, N_("looking at /"));
    *helper->chrooted = !(st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
    if (*helper->chrooted) {
        pf_auto_fd int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
        if (fd < 0 || setns(fd, CLONE_NEWNS) < 0)
            pf_sandboxhelper_refuse(helper, N_("leaving the chroot in its own namespace"));
    }
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        pf_sandboxhelper_refuse(helper, N_("making mounts private"));
}

static void set_up(struct pf_sandboxhelper *helper)
{
    static const int namespaces = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    char etc[sizeof etc_names / sizeof *etc_names][64], devices[PF_SANDBOX_DEVICES][64];
    struct sight sight = {.count = 0};
    pf_sandboxhelper_begin(helper);
    if (unshare(namespaces) < 0)
        pf_sandboxhelper_refuse(helper, N_("entering namespaces"));
    hide_the_host(helper);
    take_all(helper, &sight, etc, devices);
    enter_root_of_namespace(helper);
    make_view(helper, &sight);
}

/* A job on its way from its first process to its program. */
struct job {
    const struct pf_sandboxhelper *helper;
    struct pf_sandbox_request *request;
    alignas(16) char stack[64 * 1024];
};

/* In the program's own process, up to its program. */
static int become_program(void *ctx)
{
    const struct pf_sandboxhelper *helper = ((struct job *)ctx)->helper;
    struct pf_sandbox_request *request = ((struct job *)ctx)->request;
    int listener;
    pf_sandboxhelper_set_files(helper, request, -1);
    if (chdir(PF_SCRIPTVIEW_ROOT) < 0)
        pf_sandboxhelper_refuse(helper, N_("entering the root"));
    if (helper->view == PF_SANDBOX_ROOT && (chroot(".") < 0 || chdir("/") < 0))
        pf_sandboxhelper_refuse(helper, N_("entering the root"));
    const char *step = pf_confine_self(&helper->confine, &listener);
    if (step)
        pf_sandboxhelper_refuse(helper, step);
    pf_sandboxhelper_exec(helper, request);
}

/* No process of the job gets a number beyond this: so the kernel itself holds a script that forks
   without end, where process namespaces have a limit of their own (since 6.14; before, this file is
   the whole machine's and must not be touched). Elsewhere only the count below does: RLIMIT_NPROC
   does not bind user 0, and a control group would be out of those that the caller is in. */
static void limit_numbers(int proc_fd)
{
    struct utsname kernel;
    char *end;
    if (uname(&kernel) < 0)
        return;
    long major = strtol(kernel.release, &end, 10);
    long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    if (major < 6 || (major == 6 && minor < 14))
        return;
    pf_auto_fd int fd = openat(proc_fd, "sys/kernel/pid_max", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, MOST_NUMBERS, sizeof MOST_NUMBERS - 1) < 0)
        return;
}

/* Its own /proc, in which the first process, a copy of the caller, is hidden. Only with the host's
   programs it is the program's, too; the others would see in it where the root lies. */
static int mount_proc(const struct pf_sandboxhelper *helper)
{
    bool is_seen = helper->view == PF_SANDBOX_HOST;
    const char *place = is_seen ? "/proc" : "/tmp";
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    if (is_seen && mkdir(place, 0755) < 0 && errno != EEXIST && errno != EROFS)
        return -1;
    if (mount("proc", place, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=ptraceable") < 0)
        return -1;
    int fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    limit_numbers(fd);
    int rc = is_seen ? mount_setattr(AT_FDCWD, place, 0, &read_only, sizeof read_only)
                     : umount2(place, MNT_DETACH);
    if (rc < 0)
        pf_close_at(&fd);
    return fd;
}

/* What the host's programs may change of /etc is thrown away with the job. */
static int mount_etc(void)
{
    char path[64], name[64];
    if (mount("etc", "/etc", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m,nr_inodes=1k") < 0)
        return -1;
    for (size_t i = 0; i < sizeof etc_names / sizeof *etc_names; i++) {
        stpcpy(stpcpy(stpcpy(stpcpy(path, "/"), host_etc), "/"), etc_names[i]);
        stpcpy(stpcpy(name, "/etc/"), etc_names[i]);
        if (access(path, F_OK) == 0 && symlink(path, name) < 0)
            return -1;
    }
    return 0;
}

/* The root's own nodes of the few devices open, for programs that run in it. Each is covered by
   itself, without "nodev": whatever is done to it is done to the node. Where that cannot be had (in
   a user namespace, where no node can be made either) it stays closed. */
static void open_devices(void)
{
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
        if (tree >= 0 && mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof attr) == 0)
            move_mount(tree, "", fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
    }
}

/* What is the job's own. Returns its /proc. */
static int mount_own(const struct pf_sandboxhelper *helper)
{
    int proc_fd = mount_proc(helper);
    if (proc_fd < 0)
        return -1;
    /* Without one that lies on a disk; with the root as "/" it is only seen by who gets out of it.
     */
    if ((helper->view == PF_SANDBOX_HOST && mount_etc() < 0) ||
        (!helper->has_work &&
         mount("tmp", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") < 0)) {
        pf_close_at(&proc_fd);
        return -1;
    }
    open_devices();
    return proc_fd;
}

/* How many threads all processes of this namespace have; stops counting soon after `most`. */
static unsigned count_threads(int proc_fd, unsigned most)
{
    char buffer[4096], path[64];
    unsigned count = 0;
    long length;
    lseek(proc_fd, 0, SEEK_SET);
    while (count <= most &&
           (length = syscall(SYS_getdents64, proc_fd, buffer, sizeof buffer)) > 0) {
        for (char *p = buffer; p < buffer + length && count <= most;) {
            const struct dirent64 *entry = (const void *)p;
            struct stat st;
            p += entry->d_reclen;
            if (*entry->d_name < '0' || *entry->d_name > '9')
                continue;
            stpcpy(stpcpy(path, entry->d_name), "/task");
            /* A directory has two links more than directories in it. */
            if (fstatat(proc_fd, path, &st, 0) == 0 && st.st_nlink > 2)
                count += (unsigned)st.st_nlink - 2;
        }
    }
    return count;
}

/* What was written to a full file system is not what the script meant to write. */
static bool is_full(const char *path)
{
    struct statvfs fs;
    return statvfs(path, &fs) == 0 && fs.f_blocks &&
           (fs.f_bfree == 0 || (fs.f_files && fs.f_ffree == 0));
}

static void note_end(const struct pf_sandboxhelper *helper, int raw)
{
    struct pf_sandbox_answer *result = helper->answer;
    if (result->end == PF_SANDBOX_REFUSED)
        return;
    result->end = PF_SANDBOX_ENDED;
    result->status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
    if (is_full("/tmp") && helper->view != PF_SANDBOX_ROOT) {
        result->end = PF_SANDBOX_LIMITED;
        result->step = N_("its /tmp is full");
    } else if (is_full(PF_SCRIPTVIEW_ROOT)) {
        result->end = PF_SANDBOX_LIMITED;
        result->step = N_("the root's file system is full");
    }
}

/* Until the program ends: then, with this process, all that it left behind goes. */
static _Noreturn void watch(const struct pf_sandboxhelper *helper, pid_t program, int proc_fd)
{
    static const struct timespec pause = {.tv_nsec = PF_SANDBOX_COUNT_INTERVAL_MS * 1000000};
    int64_t counted_ms = pf_clock_ms();
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    for (;;) {
        int raw;
        pid_t pid = waitpid(-1, &raw, WNOHANG);
        if (pid == program) {
            note_end(helper, raw);
            _exit(0);
        }
        if (pf_clock_ms() - counted_ms >= PF_SANDBOX_COUNT_INTERVAL_MS) {
            if (count_threads(proc_fd, helper->processes) > helper->processes) {
                helper->answer->end = PF_SANDBOX_CROWDED;
                _exit(0);
            }
            counted_ms = pf_clock_ms();
        }
        if (pid <= 0)
            sigtimedwait(&child, NULL, &pause);
    }
}

/* The first process of a job's namespaces. */
static _Noreturn void run_job(const struct pf_sandboxhelper *helper,
                              struct pf_sandbox_request *request)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    close(PF_SANDBOX_CONNECTION);
    pf_auto_fd int proc_fd = mount_own(helper);
    if (proc_fd < 0)
        pf_sandboxhelper_refuse(helper, N_("mounting its own /proc, /tmp and /etc"));
    struct job job = {.helper = helper, .request = request};
    pid_t program =
        clone(become_program, job.stack + sizeof job.stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &job);
    if (program < 0)
        pf_sandboxhelper_refuse(helper, N_("starting its process"));
    /* Among very many others it must still get its turn at once. */
    const struct sched_param first = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_FIFO, &first) < 0)
        setpriority(PRIO_PROCESS, 0, -20);
    watch(helper, program, proc_fd);
}

/* Waits for the job's first process, whatever the caller says meanwhile. False: it has gone. */
static bool wait_for_job(pid_t pid, int pid_fd)
{
    struct pf_sandbox_request message;
    bool connected = true;
    struct pollfd fds[2] = {{.fd = pid_fd, .events = POLLIN},
                            {.fd = PF_SANDBOX_CONNECTION, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            kill(pid, SIGKILL);
        if (fds[0].revents)
            break;
        if (!fds[1].revents)
            continue;
        kill(pid, SIGKILL);
        if (!pf_sandboxhelper_receive(&message)) {
            connected = false;
            fds[1].fd = -1;
        }
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return connected;
}

_Noreturn void pf_sandboxnamespaces_run(struct pf_sandboxhelper *helper)
{
    static const int flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_PIDFD | SIGCHLD;
    struct pf_sandbox_request request;
    set_up(helper);
    pf_sandboxhelper_answer();
    while (pf_sandboxhelper_receive(&request)) {
        /* One that came too late to end a job. */
        if (request.output_fd < 0)
            continue;
        int pid_fd = -1;
        helper->answer->end = PF_SANDBOX_KILLED;
        helper->answer->unstarted = false;
        pid_t pid = (pid_t)syscall(SYS_clone, flags, NULL, &pid_fd, NULL, NULL); /* as fork */
        if (pid < 0)
            pf_sandboxhelper_refuse(helper, N_("entering namespaces"));
        if (pid == 0)
            run_job(helper, &request);
        pf_close_at(&request.output_fd);
        pf_close_at(&request.text_fd);
        bool connected = wait_for_job(pid, pid_fd);
        close(pid_fd);
        if (!connected)
            break;
        pf_sandboxhelper_answer();
    }
    _exit(0);
}
