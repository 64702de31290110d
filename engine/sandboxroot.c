/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs that scripts run in the root by chroot, where no process may change its root: see
   sandboxalone.c. */
#include "sandboxalone.h"

#include "cleanup.h"
#include "clock.h"
#include "landlock.h"
#include "message.h"
#include "processes.h"
#include "scriptview.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

/* The rules for a program whose "/" is the root. */
static const struct pf_confine_rule root_rules[] = {{"/", PF_LANDLOCK_ALL}, {NULL, 0}};

/* Reads a file of /proc/PID whole, as far as it fits, with a NUL behind it. */
static ssize_t read_proc(const struct pf_alone_job *job, pid_t pid, const char *name, char *text,
                         size_t size)
{
    char path[64];
    size_t used = 0;
    ssize_t length;
    pf_processes_path(pid, name, path);
    pf_auto_fd int fd = openat(job->proc_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    while (used < size - 1 && (length = read(fd, text + used, size - 1 - used)) > 0)
        used += (size_t)length;
    text[used] = '\0';
    /* What is cut off would be another program's words. */
    return used == size - 1 ? -1 : (ssize_t)used;
}

/* Copies an array of strings. 0, or -1 where it does not fit. */
static int read_strings(int memory_fd, uint64_t address, size_t pointer_bytes, char *text,
                        size_t size, char **words, size_t most)
{
    size_t count = 0, used = 0;
    for (; address; address += pointer_bytes) {
        uint64_t at = 0; /* little-endian, where pointers of both sizes are found */
        if (count == most - 1 ||
            pread(memory_fd, &at, pointer_bytes, (off_t)address) != (ssize_t)pointer_bytes)
            return -1;
        if (!at)
            break;
        ssize_t length = pf_sandboxhelper_read_string(memory_fd, at, text + used, size - used);
        if (length < 0)
            return -1;
        words[count++] = text + used;
        used += (size_t)length + 1;
    }
    words[count] = NULL;
    return 0;
}

/* The directory that a process would have for its root, as seen from where it stands. */
static int open_named(const struct pf_alone_job *job, pid_t pid, const char *name)
{
    char path[64];
    struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                           .resolve = *name == '/' ? RESOLVE_IN_ROOT : 0};
    pf_processes_path(pid, "cwd", path);
    pf_auto_fd int cwd_fd = *name == '/'
                                ? fcntl(job->base_fd, F_DUPFD_CLOEXEC, 0)
                                : openat(job->proc_fd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return cwd_fd < 0 ? -1 : (int)syscall(SYS_openat2, cwd_fd, name, &how, sizeof how);
}

static bool is_the_root(const struct pf_alone_job *job, int fd)
{
    struct stat root, there;
    pf_auto_fd int root_fd = pf_sandboxalone_open_root(job);
    return root_fd >= 0 && fd >= 0 && fstat(root_fd, &root) == 0 && fstat(fd, &there) == 0 &&
           root.st_dev == there.st_dev && root.st_ino == there.st_ino;
}

/* How a process has opened one of its files: it is not to be opened in another way for it. */
static int access_of(const struct pf_alone_job *job, pid_t pid, const char *info)
{
    char text[512];
    if (read_proc(job, pid, info, text, sizeof text) < 0)
        return -1;
    const char *flags = strstr(text, "flags:\t");
    if (!flags)
        return -1;
    int mode = (int)strtol(flags + strlen("flags:\t"), NULL, 8);
    return mode & O_PATH ? -1 : mode & (O_ACCMODE | O_APPEND);
}

/* No directory: from one that lies outside of its "/", a program could leave that. */
static int take_file(const struct pf_alone_job *job, pid_t asker, const char *name,
                     const char *info)
{
    char path[64];
    struct stat st;
    int flags = access_of(job, asker, info);
    /* Opened again it begins at its start, where what was written to it already is. */
    if (flags >= 0 && (flags & O_ACCMODE) == O_WRONLY)
        flags |= O_APPEND;
    pf_processes_path(asker, name, path);
    int fd = flags < 0 ? -1 : openat(job->proc_fd, path, flags | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 && (fstat(fd, &st) < 0 || S_ISDIR(st.st_mode)))
        pf_close_at(&fd);
    return fd >= 0 ? fd : open("/dev/null", O_RDWR | O_CLOEXEC);
}

/* Takes the three files of the process that asked. */
static int take_files(const struct pf_alone_job *job, pid_t asker)
{
    static const char *const names[][2] = {{"fd/0", "fdinfo/0"},
                                           {"fd/1", "fdinfo/1"},
                                           {"fd/2", "fdinfo/2"}};
    for (int i = 0; i < 3; i++) {
        int fd = take_file(job, asker, names[i][0], names[i][1]);
        if (fd < 0 || dup2(fd, i) < 0)
            return -1;
    }
    return 0;
}

static _Noreturn void run_in_root(struct pf_alone_job *job, const char *path, pid_t asker,
                                  int theirs)
{
    const struct pf_sandboxhelper *helper = job->helper;
    struct pf_confine walls = helper->confine;
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigset_t none;
    walls.rules = root_rules;
    setsid();
    int root_fd = pf_sandboxalone_open_root(job);
    if (root_fd < 0 || take_files(job, asker) < 0 || dup2(theirs, PF_SANDBOX_CONNECTION) < 0 ||
        fchdir(root_fd) < 0)
        pf_sandboxhelper_refuse(helper, N_("setting its files"));
    syscall(SYS_close_range, PF_SANDBOX_CONNECTION + 1, UINT32_MAX, 0);
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &plain, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(022);
    pf_sandboxalone_confine(helper, &walls, true);
    execve(path, job->argv, job->envp);
    _exit(errno == ENOENT ? 127 : 126);
}

/* May the root's program of that path be executed? 0, or the errno of execve. */
static int check_program(const struct pf_alone_job *job, const char *path)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    struct stat st;
    pf_auto_fd int root_fd = pf_sandboxalone_open_root(job);
    pf_auto_fd int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof how);
    if (fd < 0 || fstat(fd, &st) < 0)
        return errno;
    return S_ISREG(st.st_mode) && st.st_mode & 0111 ? 0 : EACCES;
}

static size_t pointer_bytes_of(const struct seccomp_data *data)
{
    const int x32 = 0x40000000; /* of a call's number */
    return data->arch == PF_WATCHED_NARROW_ARCH || data->nr & x32 ? 4 : sizeof(void *);
}

/* There cannot be another one: the script would go on without it, to another root. */
static int end_crowded(struct pf_alone_job *job)
{
    pf_sandboxalone_limit(job, N_("its script had too many processes at once in the root for a "
                                  "sandbox without namespaces"));
    job->helper->answer->end = PF_SANDBOX_LIMITED;
    job->ending = true;
    return EAGAIN;
}

/* Runs in the root what a process that has entered it executes. 0, or the errno for it. */
static int start_in_root(struct pf_alone_job *job, int listener, const struct seccomp_notif *call)
{
    char path[4096];
    pid_t asker = (pid_t)call->pid;
    const __u64 *args = call->data.args;
    size_t width = pointer_bytes_of(&call->data);
    pf_auto_fd int memory_fd = pf_sandboxhelper_open_memory(job->proc_fd, asker, O_RDONLY);
    if (memory_fd < 0 || pf_sandboxhelper_read_string(memory_fd, args[0], path, sizeof path) < 0 ||
        read_strings(memory_fd, args[1], width, job->words, sizeof job->words, job->argv,
                     PF_ALONE_WORDS) < 0 ||
        read_strings(memory_fd, args[2], width, job->environment, sizeof job->environment,
                     job->envp, PF_ALONE_WORDS) < 0 ||
        ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id) < 0) {
        pf_sandboxalone_limit(job, N_("its script gives a program in the root more words than a "
                                      "sandbox without namespaces takes"));
        return E2BIG;
    }
    int number = check_program(job, path);
    if (number)
        return number;
    struct pf_alone_run *run = pf_sandboxalone_add_run(job);
    int ends[2];
    if (!run || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return end_crowded(job);
    pf_auto_fd int mine = ends[0], theirs = ends[1];
    pid_t pid = pf_sandboxhelper_fork();
    if (pid == 0)
        run_in_root(job, path, asker, theirs);
    close(pf_steal_fd(&theirs));
    if (pid < 0)
        return end_crowded(job);
    *run = (struct pf_alone_run){.pid = pid,
                                 .listener = pf_sandboxhelper_receive_listener(mine),
                                 .asked_by = asker,
                                 .asked_at = listener,
                                 .asked_id = call->id,
                                 .path_at = args[0]};
    return 0;
}

/* Where it stands that a process has entered the root; one that has 0 where it has not. */
static pid_t *place_of(struct pf_alone_job *job, pid_t pid)
{
    static pid_t none;
    for (size_t i = 0; i < PF_ALONE_RUNS; i++) {
        if (job->entered[i] == pid)
            return &job->entered[i];
    }
    return &none;
}

/* Room for one more, of those that have gone meanwhile if need be. NULL: there is none. */
static pid_t *new_place(struct pf_alone_job *job)
{
    for (size_t i = 0; i < PF_ALONE_RUNS; i++) {
        if (job->entered[i] && kill(job->entered[i], 0) < 0 && errno == ESRCH)
            job->entered[i] = 0;
        if (!job->entered[i])
            return &job->entered[i];
    }
    return NULL;
}

/* chroot: only the root itself can be had, and only seems to be. */
void pf_sandboxroot_enter(struct pf_alone_job *job, int listener, const struct seccomp_notif *call)
{
    char name[4096];
    pid_t *place = new_place(job);
    if (!place) {
        pf_sandboxhelper_reply(listener, call->id, end_crowded(job));
        return;
    }
    pf_auto_fd int memory_fd =
        pf_sandboxhelper_open_memory(job->proc_fd, (pid_t)call->pid, O_RDONLY);
    bool is_read =
        memory_fd >= 0 &&
        pf_sandboxhelper_read_string(memory_fd, call->data.args[0], name, sizeof name) >= 0 &&
        ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id) == 0;
    pf_auto_fd int fd = is_read ? open_named(job, (pid_t)call->pid, name) : -1;
    if (!is_the_root(job, fd)) {
        pf_sandboxalone_limit(
            job, N_("its script changes its root in a way that only namespaces allow"));
        pf_sandboxhelper_reply(listener, call->id, EPERM);
        return;
    }
    *place = (pid_t)call->pid;
    struct seccomp_notif_resp done = {.id = call->id};
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &done);
}

void pf_sandboxroot_execute(struct pf_alone_job *job, int listener,
                            const struct seccomp_notif *call)
{
    pid_t *place = place_of(job, (pid_t)call->pid);
    if (job->ending)
        return; /* it waits for its end */
    if (!*place) {
        pf_sandboxhelper_reply(listener, call->id, 0);
        return;
    }
    int number = start_in_root(job, listener, call);
    if (number)
        pf_sandboxhelper_reply(listener, call->id, number); /* it may try another path */
    else
        *place = 0;
}

/* Whoever executed the program ends as it did: by a script that takes its place, see
   scriptview. */
void pf_sandboxroot_finish(const struct pf_alone_job *job, const struct pf_alone_run *run,
                           int status)
{
    static const char script[] = PF_SCRIPTVIEW_END;
    char path[32] = "run/", text[32];
    pf_processes_number((unsigned)run->asked_by, path + strlen(path));
    pf_processes_number((unsigned)status, text);
    pf_auto_fd int fd =
        openat(job->base_fd, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    pf_auto_fd int memory_fd = pf_sandboxhelper_open_memory(job->proc_fd, run->asked_by, O_RDWR);
    ssize_t length = (ssize_t)strlen(strcat(text, "\n"));
    bool told =
        fd >= 0 && write(fd, text, (size_t)length) == length && memory_fd >= 0 &&
        ioctl(run->asked_at, SECCOMP_IOCTL_NOTIF_ID_VALID, &run->asked_id) == 0 &&
        pwrite(memory_fd, script, sizeof script, (off_t)run->path_at) == (ssize_t)sizeof script;
    if (!told && !job->ending)
        pf_sandboxalone_limit(job, N_("the end of a program in the root could not be told"));
    pf_sandboxhelper_reply(run->asked_at, run->asked_id, told ? 0 : EPERM);
}
