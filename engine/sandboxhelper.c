/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandboxhelper.h"

#include "cleanup.h"
#include "clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Where the connection is in the helper, and a job's own descriptor in the job. */
#define FIXED_FD 3

/* How often a job's processes are counted: a script that does nothing but fork makes some hundreds
   in that time. */
#define COUNT_INTERVAL_MS 10

#define MOST_NUMBERS "4096"

static const char target[] = "/target";
static const char host_etc[] = "/.etc";

/* Tells what failed, from errno, and ends the calling process. */
static _Noreturn void refuse(const struct pf_sandboxhelper *helper, const char *step)
{
    helper->answer->end = PF_SANDBOX_REFUSED;
    helper->answer->step = step;
    helper->answer->number = errno;
    _exit(1);
}

/* A part of this mount tree as a tree of its own, nowhere yet. */
static int clone_tree(int dir_fd, const char *path, unsigned flags, uint64_t attributes)
{
    struct mount_attr attr = {.attr_set = attributes | MOUNT_ATTR_NOSUID};
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

/* Shows a file or folder of the host under a name below the working directory. 0 where the host has
   none. */
static int show(const char *path, const char *name, uint64_t attributes)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno == ENOENT || errno == ELOOP ? 0 : -1;
    if (S_ISDIR(st.st_mode)) {
        if (mkdir(name, 0755) < 0)
            return -1;
    } else {
        pf_auto_fd int fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0)
            return -1;
    }
    pf_auto_fd int tree = clone_tree(AT_FDCWD, path, AT_RECURSIVE, attributes);
    return tree < 0 ? -1 : put_tree(tree, name);
}

/* The host's programs. Where /usr has them all, /bin and the like are links into it. */
static int show_programs(void)
{
    static const char *const paths[] = {"/usr",   "/bin",   "/sbin",  "/lib",
                                        "/lib32", "/lib64", "/libx32"};
    char link[256];
    int failed = 0;
    for (size_t i = 0; i < sizeof paths / sizeof *paths && !failed; i++) {
        ssize_t length = readlink(paths[i], link, sizeof link - 1);
        if (length > 0) {
            link[length] = '\0';
            failed = symlink(link, paths[i] + 1);
        } else {
            failed = show(paths[i], paths[i] + 1, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV);
        }
    }
    return failed;
}

/* What the host's programs read of /etc, none of it secret. Each job finds links to these, so that
   it may replace them for itself. */
static const char *const etc_names[] = {"alternatives", "group",     "ld.so.cache", "ld.so.conf",
                                        "ld.so.conf.d", "localtime", "login.defs",  "nsswitch.conf",
                                        "passwd",       "shells"};

static int show_etc(void)
{
    char path[64], name[64];
    int failed = mkdir(host_etc + 1, 0755);
    for (size_t i = 0; i < sizeof etc_names / sizeof *etc_names && !failed; i++) {
        stpcpy(stpcpy(path, "/etc/"), etc_names[i]);
        stpcpy(stpcpy(stpcpy(name, host_etc + 1), "/"), etc_names[i]);
        failed = show(path, name, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    }
    return failed;
}

/* Read-only, or a script could change the modes of the host's own nodes; writing to a device is not
   writing to where its node is. */
static int show_devices(void)
{
    static const char *const paths[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                        "/dev/urandom"};
    static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
                                           {"/proc/self/fd/0", "dev/stdin"},
                                           {"/proc/self/fd/1", "dev/stdout"},
                                           {"/proc/self/fd/2", "dev/stderr"},
                                           {"/tmp", "dev/shm"}};
    int failed = mkdir("dev", 0755);
    for (size_t i = 0; i < sizeof paths / sizeof *paths && !failed; i++)
        failed = show(paths[i], paths[i] + 1, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC);
    for (size_t i = 0; i < sizeof links / sizeof *links && !failed; i++)
        failed = symlink(links[i][0], links[i][1]);
    return failed;
}

static int make_places(void)
{
    static const char *const names[] = {"etc", "tmp", "run", "var"};
    int failed = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names && !failed; i++)
        failed = mkdir(names[i], 0755);
    return failed ? failed : symlink("../tmp", "var/tmp");
}

/* The file system that all jobs see, with nothing in it that could be written to but the root. */
static void make_view(const struct pf_sandboxhelper *helper)
{
    /* The root is where the working directory is: that follows into the new namespace, which no
       descriptor does. Where /tmp is now, the new file system grows. */
    pf_auto_fd int root = clone_tree(AT_FDCWD, "", AT_EMPTY_PATH, MOUNT_ATTR_NODEV);
    if (root < 0)
        refuse(helper, "mounting the root");
    if (mount("plamo-fast", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m") < 0 ||
        chdir("/tmp") < 0)
        refuse(helper, "mounting a file system on /tmp");
    if (mkdir(target + 1, 0755) < 0 || put_tree(root, target + 1) < 0)
        refuse(helper, "mounting the root");
    if (show_programs() < 0)
        refuse(helper, "mounting the host's programs");
    if (show_etc() < 0 || show_devices() < 0 || make_places() < 0)
        refuse(helper, "mounting the host's devices");
    /* In a user namespace the kernel lets only those mount a /proc who see a whole one already.
       Each job covers this one with its own. */
    if (show("/proc", "proc", 0) < 0)
        refuse(helper, "mounting /proc");
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0 ||
        mount_setattr(AT_FDCWD, "/", 0, &read_only, sizeof read_only) < 0)
        refuse(helper, "entering it");
}

/* Where memory runs out, a script shall go, and not what the host lives by. */
static void offer_to_the_oom_killer(void)
{
    pf_auto_fd int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "500", 3) < 0)
        return;
}

static void set_up(struct pf_sandboxhelper *helper)
{
    static const int namespaces = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;
    struct sigaction plain = {.sa_handler = SIG_DFL};
    umask(0);
    /* This process is a copy of the caller: with its files, its terminal, its memory. */
    if (fchdir(helper->root_fd) < 0)
        refuse(helper, "entering the root");
    if (dup2(helper->socket_fd, FIXED_FD) < 0 ||
        syscall(SYS_close_range, FIXED_FD + 1, UINT32_MAX, 0) < 0)
        refuse(helper, "closing files");
    for (int fd = 0; fd < FIXED_FD; fd++)
        close(fd);
    for (int fd = 0; fd < FIXED_FD; fd++) {
        if (open("/dev/null", O_RDWR | O_CLOEXEC) != fd)
            refuse(helper, "opening /dev/null");
    }
    setsid();
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    sigaction(SIGCHLD, &plain, NULL);
    offer_to_the_oom_killer();
    if (unshare(namespaces) < 0)
        refuse(helper, "entering namespaces");
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        refuse(helper, "making mounts private");
    make_view(helper);
}

struct request {
    char text[PF_SANDBOX_REQUEST_BYTES];
    char *words[PF_SANDBOX_WORDS + 1];
    int output_fd, input_fd; /* -1: none */
};

static void take_descriptors(struct msghdr *message, struct request *request)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    int fds[2] = {-1, -1};
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(fds, CMSG_DATA(header),
               header->cmsg_len == CMSG_LEN(sizeof fds) ? sizeof fds : sizeof *fds);
    request->output_fd = fds[0];
    request->input_fd = fds[1];
}

/* Waits for a message. False: the caller has gone. */
static bool receive(struct request *request)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = request->text, .iov_len = sizeof request->text};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t length;
    do
        length = recvmsg(FIXED_FD, &message, MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length <= 0)
        return false;
    take_descriptors(&message, request);
    size_t count = 0;
    char *end = request->text + length;
    for (char *word = request->text; word < end && count < PF_SANDBOX_WORDS;
         word = (char *)memchr(word, '\0', (size_t)(end - word)) + 1)
        request->words[count++] = word;
    request->words[count] = NULL;
    return true;
}

static void answer(void)
{
    ssize_t sent;
    do
        sent = send(FIXED_FD, "", 1, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
}

/* A job on its way from its first process to its program. */
struct job {
    const struct pf_sandboxhelper *helper;
    const struct request *request;
    alignas(16) char stack[64 * 1024];
};

/* In the program's own process, up to its program. */
static int become_program(void *ctx)
{
    const struct pf_sandboxhelper *helper = ((struct job *)ctx)->helper;
    const struct request *request = ((struct job *)ctx)->request;
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigset_t none;
    setsid();
    /* The helper's descriptors are of the host's /dev. */
    close(0);
    if (open("/dev/null", O_RDONLY) != 0 || dup2(request->output_fd, 1) < 0 ||
        dup2(request->output_fd, 2) < 0)
        refuse(helper, "setting its files");
    bool input = request->input_fd >= 0;
    if ((input && dup2(request->input_fd, FIXED_FD) < 0) ||
        syscall(SYS_close_range, FIXED_FD + input, UINT32_MAX, 0) < 0)
        refuse(helper, "setting its files");
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &plain, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(022);
    if (chdir(target) < 0)
        refuse(helper, "entering the root");
    const char *step = pf_confine_self(&helper->confine);
    if (step)
        refuse(helper, step);
    execve(request->words[0], request->words, (char *const *)helper->environment);
    _exit(errno == ENOENT ? 127 : 126);
}

/* No process of the job gets a number beyond this: so the kernel itself holds a script that forks
   without end, where process namespaces have a limit of their own (since 6.14; before, this file is
   the whole machine's and must not be touched). Elsewhere only the count below does: RLIMIT_NPROC
   does not bind user 0, and a control group would be out of those that the caller is in. */
static void limit_numbers(void)
{
    struct utsname kernel;
    char *end;
    if (uname(&kernel) < 0)
        return;
    long major = strtol(kernel.release, &end, 10);
    long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    if (major < 6 || (major == 6 && minor < 14))
        return;
    pf_auto_fd int fd = open("/proc/sys/kernel/pid_max", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, MOST_NUMBERS, sizeof MOST_NUMBERS - 1) < 0)
        return;
}

/* Its own /proc, in which the first process, a copy of the caller, is hidden, and folders of its
   own that are thrown away. */
static int mount_own(void)
{
    struct mount_attr read_only = {.attr_set = MOUNT_ATTR_RDONLY};
    char path[64], name[64];
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, "hidepid=ptraceable") < 0)
        return -1;
    limit_numbers();
    if (mount_setattr(AT_FDCWD, "/proc", 0, &read_only, sizeof read_only) < 0 ||
        mount("tmp", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=64m,nr_inodes=16k") <
            0 ||
        mount("etc", "/etc", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755,size=1m,nr_inodes=1k") < 0)
        return -1;
    for (size_t i = 0; i < sizeof etc_names / sizeof *etc_names; i++) {
        stpcpy(stpcpy(stpcpy(path, host_etc), "/"), etc_names[i]);
        stpcpy(stpcpy(name, "/etc/"), etc_names[i]);
        if (access(path, F_OK) == 0 && symlink(path, name) < 0)
            return -1;
    }
    return 0;
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
            /* A folder has two links more than folders in it. */
            if (fstatat(proc_fd, path, &st, 0) == 0 && st.st_nlink > 2)
                count += (unsigned)st.st_nlink - 2;
        }
    }
    return count;
}

/* Until the program ends: then, with this process, all that it left behind goes. */
static _Noreturn void watch(const struct pf_sandboxhelper *helper, pid_t program, int proc_fd)
{
    static const struct timespec pause = {.tv_nsec = COUNT_INTERVAL_MS * 1000000};
    struct pf_sandbox_answer *result = helper->answer;
    int64_t counted_ms = pf_clock_ms();
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    for (;;) {
        int raw;
        pid_t pid = waitpid(-1, &raw, WNOHANG);
        if (pid == program) {
            if (result->end != PF_SANDBOX_REFUSED) {
                result->end = PF_SANDBOX_ENDED;
                result->status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
            }
            _exit(0);
        }
        if (pf_clock_ms() - counted_ms >= COUNT_INTERVAL_MS) {
            if (count_threads(proc_fd, helper->processes) > helper->processes) {
                result->end = PF_SANDBOX_CROWDED;
                _exit(0);
            }
            counted_ms = pf_clock_ms();
        }
        if (pid <= 0)
            sigtimedwait(&child, NULL, &pause);
    }
}

/* The first process of a job's namespaces. */
static _Noreturn void run_job(const struct pf_sandboxhelper *helper, const struct request *request)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    close(FIXED_FD);
    if (mount_own() < 0)
        refuse(helper, "mounting its own /proc, /tmp and /etc");
    pf_auto_fd int proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (proc_fd < 0)
        refuse(helper, "reading /proc");
    struct job job = {.helper = helper, .request = request};
    pid_t program =
        clone(become_program, job.stack + sizeof job.stack, CLONE_VM | CLONE_VFORK | SIGCHLD, &job);
    if (program < 0)
        refuse(helper, "starting its process");
    /* Among very many others it must still get its turn at once. */
    const struct sched_param first = {.sched_priority = 1};
    if (sched_setscheduler(0, SCHED_FIFO, &first) < 0)
        setpriority(PRIO_PROCESS, 0, -20);
    watch(helper, program, proc_fd);
}

/* Waits for the job's first process, whatever the caller says meanwhile. False: it has gone. */
static bool wait_for_job(pid_t pid, int pid_fd)
{
    struct request message;
    bool connected = true;
    struct pollfd fds[2] = {{.fd = pid_fd, .events = POLLIN}, {.fd = FIXED_FD, .events = POLLIN}};
    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            kill(pid, SIGKILL);
        if (fds[0].revents)
            break;
        if (!fds[1].revents)
            continue;
        kill(pid, SIGKILL);
        if (!receive(&message)) {
            connected = false;
            fds[1].fd = -1;
        }
    }
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return connected;
}

_Noreturn void pf_sandboxhelper_run(struct pf_sandboxhelper *helper)
{
    static const int flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_PIDFD | SIGCHLD;
    struct request request;
    set_up(helper);
    answer();
    while (receive(&request)) {
        /* One that came too late to end a job. */
        if (request.output_fd < 0)
            continue;
        int pid_fd = -1;
        helper->answer->end = PF_SANDBOX_KILLED;
        pid_t pid = (pid_t)syscall(SYS_clone, flags, NULL, &pid_fd, NULL, NULL); /* as fork */
        if (pid < 0)
            refuse(helper, "entering namespaces");
        if (pid == 0)
            run_job(helper, &request);
        pf_close_at(&request.output_fd);
        pf_close_at(&request.input_fd);
        bool connected = wait_for_job(pid, pid_fd);
        close(pid_fd);
        if (!connected)
            break;
        answer();
    }
    _exit(0);
}
