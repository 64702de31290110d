/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The helper of the upper rungs: namespaces, and a "/" that is put together of mounts. */
#include "sandboxmounts.h"

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

#define MOST_NUMBERS "4096"

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
    struct pf_sandbox_sight sight = {.count = 0};
    pf_sandboxhelper_begin(helper);
    if (unshare(namespaces) < 0)
        pf_sandboxhelper_refuse(helper, N_("entering namespaces"));
    hide_the_host(helper);
    pf_sandboxmounts_take(helper, &sight);
    enter_root_of_namespace(helper);
    pf_sandboxmounts_enter(helper, &sight);
}

/* A job on its way from its first process to its program. */
struct job {
    const struct pf_sandboxhelper *helper;
    struct pf_sandbox_request *request;
    struct pf_confine walls;
    int socket_fd; /* where its listener goes; -1: it is not watched */
    alignas(16) char stack[64 * 1024];
};

/* In the program's own process, up to its program. */
static int become_program(void *ctx)
{
    struct job *job = ctx;
    const struct pf_sandboxhelper *helper = job->helper;
    int listener;
    pf_sandboxhelper_set_files(helper, job->request, job->socket_fd);
    if (chdir(PF_SCRIPTVIEW_ROOT) < 0)
        pf_sandboxhelper_refuse(helper, N_("entering the root"));
    if (helper->view == PF_SANDBOX_ROOT && (chroot(".") < 0 || chdir("/") < 0))
        pf_sandboxhelper_refuse(helper, N_("entering the root"));
    const char *step = pf_confine_self(&job->walls, &listener);
    if (step)
        pf_sandboxhelper_refuse(helper, step);
    if (listener >= 0 && pf_sandboxhelper_send_listener(PF_SANDBOX_CONNECTION, listener) < 0)
        pf_sandboxhelper_refuse(helper, N_("filtering its system calls"));
    syscall(SYS_close_range, PF_SANDBOX_CONNECTION, UINT32_MAX, 0);
    pf_sandboxhelper_exec(helper, job->request);
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

/* What is the job's own. Returns its /proc. *watched: a name may be a mount point of ours. */
static int mount_own(const struct pf_sandboxhelper *helper, bool *watched)
{
    int proc_fd = mount_proc(helper);
    if (proc_fd < 0)
        return -1;
    /* Without one that lies on a disk; with the root as "/" it is only seen by who gets out of it.
     */
    if ((helper->view == PF_SANDBOX_HOST && pf_sandboxmounts_put_etc() < 0) ||
        (!helper->has_work &&
         mount("tmp", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") < 0)) {
        pf_close_at(&proc_fd);
        return -1;
    }
    *watched = pf_sandboxmounts_open_devices();
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
        result->number = ENOSPC;
    } else if (is_full(PF_SCRIPTVIEW_ROOT)) {
        result->end = PF_SANDBOX_LIMITED;
        result->step = N_("the root's file system is full");
        result->number = ENOSPC;
    }
}

/* A name is removed or renamed. Where it is that of a device it is uncovered first, or the kernel
   would refuse it as a mount point. Who changes the name after it was read here gains nothing: what
   is uncovered only does not open any more. */
static void uncover(const struct pf_sandboxhelper *helper, int proc_fd, int listener)
{
    char name[4096], path[64];
    struct seccomp_notif call = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
        return; /* the caller has gone, or will ask again */
    const struct pf_watched_call *watched =
        pf_sandboxhelper_find_call(helper->watching, &call.data);
    bool at = watched && watched->kind == PF_WATCHED_UNLINKAT;
    pf_auto_fd int memory_fd = pf_sandboxhelper_open_memory(proc_fd, (pid_t)call.pid, O_RDONLY);
    if (memory_fd >= 0 &&
        pf_sandboxhelper_read_string(memory_fd, call.data.args[at], name, sizeof name) >= 0) {
        const char *slash = strrchr(name, '/');
        for (size_t i = 0; i < PF_SANDBOX_DEVICES; i++) {
            stpcpy(stpcpy(path, PF_SCRIPTVIEW_ROOT "/dev/"), pf_sandbox_devices[i].name);
            if (strcmp(slash ? slash + 1 : name, pf_sandbox_devices[i].name) == 0)
                umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW);
        }
    }
    pf_sandboxhelper_reply(listener, call.id, 0);
}

/* Waits a moment for a child to end, or a name to be removed. */
static void pause_for(const struct pf_sandboxhelper *helper, int proc_fd, int *listener)
{
    static const struct timespec pause = {.tv_nsec = PF_SANDBOX_COUNT_INTERVAL_MS * 1000000};
    struct pollfd fds = {.fd = *listener, .events = POLLIN};
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    if (*listener < 0) {
        sigtimedwait(&child, NULL, &pause);
        return;
    }
    /* Signals are blocked, so the end of a child is seen a moment later: a tenth of the pause. */
    if (poll(&fds, 1, 1) <= 0)
        return;
    if (fds.revents & POLLIN)
        uncover(helper, proc_fd, *listener);
    else
        pf_close_at(listener);
}

/* Until the program ends: then, with this process, all that it left behind goes. */
static _Noreturn void watch(const struct pf_sandboxhelper *helper, pid_t program, int proc_fd,
                            int listener)
{
    int64_t counted_ms = pf_clock_ms();
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
            pause_for(helper, proc_fd, &listener);
    }
}

/* The first process of a job's namespaces. */
static _Noreturn void run_job(const struct pf_sandboxhelper *helper,
                              struct pf_sandbox_request *request)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    close(PF_SANDBOX_CONNECTION);
    bool watched;
    int ends[2] = {-1, -1};
    pf_auto_fd int proc_fd = mount_own(helper, &watched);
    if (proc_fd < 0)
        pf_sandboxhelper_refuse(helper, N_("mounting its own /proc, /tmp and /etc"));
    if (watched && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        pf_sandboxhelper_refuse(helper, N_("starting its process"));
    struct job job = {.helper = helper,
                      .request = request,
                      .walls = helper->confine,
                      .socket_fd = ends[1]};
    if (watched) {
        job.walls.calls = helper->watching->program;
        job.walls.watched = true;
    }
    pid_t program =
        clone(become_program, job.stack + sizeof job.stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &job);
    if (program < 0)
        pf_sandboxhelper_refuse(helper, N_("starting its process"));
    /* Among very many others it must still get its turn at once. */
    const struct sched_param first = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_FIFO, &first) < 0)
        setpriority(PRIO_PROCESS, 0, -20);
    pf_close_at(&ends[1]);
    watch(helper, program, proc_fd, watched ? pf_sandboxhelper_receive_listener(ends[0]) : -1);
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
        helper->answer->number = 0;
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
