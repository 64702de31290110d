/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The helper of the last rung: without namespaces. A job is in a chroot that it cannot leave, as it
   may not make another one; Landlock and a filter of system calls hold the rest. This process
   stays outside, counts what comes of a job, and ends it. The filter tells it of device nodes that
   are made.

   `chroot . PROGRAM` works all the same. To whoever asks for the root as its "/" the call seems to
   succeed; what it then executes this process runs in its place, in the root, with its words,
   environment and files, and lets the caller end with the same status. */
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

static struct pf_alone_job the_job;

int pf_sandboxalone_open_root(const struct pf_alone_job *job)
{
    return job->helper->view == PF_SANDBOX_ROOT
               ? fcntl(job->base_fd, F_DUPFD_CLOEXEC, 0)
               : openat(job->base_fd, "root", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

void pf_sandboxalone_limit(const struct pf_alone_job *job, const char *step)
{
    job->helper->answer->step = step;
}

/* In the new process, which stands in what becomes its "/": that, and all that it gives up. */
void pf_sandboxalone_confine(const struct pf_sandboxhelper *helper, const struct pf_confine *walls,
                             bool in_root)
{
    int listener;
    if (chroot(".") < 0 || chdir(in_root ? "/" : PF_SCRIPTVIEW_ROOT) < 0)
        pf_sandboxhelper_refuse(helper, N_("entering the root"));
    const char *step = pf_confine_self(walls, &listener);
    if (step)
        pf_sandboxhelper_refuse(helper, step);
    if (pf_sandboxhelper_send_listener(PF_SANDBOX_CONNECTION, listener) < 0)
        pf_sandboxhelper_refuse(helper, N_("filtering its system calls"));
    syscall(SYS_close_range, PF_SANDBOX_CONNECTION, UINT32_MAX, 0);
}

struct pf_alone_run *pf_sandboxalone_add_run(struct pf_alone_job *job)
{
    for (size_t i = 0; i < PF_ALONE_RUNS; i++) {
        if (job->runs[i].pid == 0) {
            job->runs[i] = (struct pf_alone_run){.listener = -1, .asked_at = -1};
            return &job->runs[i];
        }
    }
    return NULL;
}

/* The job's own program. */
static int start(struct pf_alone_job *job, struct pf_sandbox_request *request)
{
    const struct pf_sandboxhelper *helper = job->helper;
    struct pf_alone_run *run = pf_sandboxalone_add_run(job);
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    pf_auto_fd int mine = ends[0], theirs = ends[1];
    pid_t pid = pf_sandboxhelper_fork();
    if (pid < 0)
        return -1;
    if (pid == 0) {
        if (fchdir(job->base_fd) < 0)
            pf_sandboxhelper_refuse(helper, N_("entering the root"));
        pf_sandboxhelper_set_files(helper, request, theirs);
        pf_sandboxalone_confine(helper, &helper->confine, helper->view == PF_SANDBOX_ROOT);
        pf_sandboxhelper_exec(helper, request);
    }
    close(pf_steal_fd(&theirs));
    run->pid = pid;
    run->listener = pf_sandboxhelper_receive_listener(mine);
    return 0;
}

/* The few that scripts may open can be made, as anywhere. */
static int answer_to_mknod(const struct pf_alone_job *job, uint64_t number)
{
    for (size_t i = 0; i < PF_SANDBOX_DEVICES; i++) {
        const struct pf_sandbox_device *device = &pf_sandbox_devices[i];
        /* As the call has it, which is not what makedev makes of large numbers. */
        if (number == (device->major_number << 8 | device->minor_number))
            return 0;
    }
    pf_sandboxalone_limit(
        job, N_("its script makes a device node, which nothing here would keep it from opening"));
    return EPERM;
}

static void handle(struct pf_alone_job *job, int listener)
{
    struct seccomp_notif call = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
        return; /* the caller has gone, or will ask again */
    const struct pf_watched_call *watched =
        pf_sandboxhelper_find_call(job->helper->filter, &call.data);
    if (!watched) {
        pf_sandboxhelper_reply(listener, call.id, EPERM);
        return;
    }
    switch (watched->kind) {
    case PF_WATCHED_CHROOT:
        pf_sandboxroot_enter(job, listener, &call);
        break;
    case PF_WATCHED_EXEC:
        pf_sandboxroot_execute(job, listener, &call);
        break;
    case PF_WATCHED_MKNOD:
        pf_sandboxhelper_reply(listener, call.id, answer_to_mknod(job, call.data.args[2]));
        break;
    case PF_WATCHED_UNLINK:
    case PF_WATCHED_UNLINKAT:
        pf_sandboxhelper_reply(listener, call.id, 0);
        break;
    case PF_WATCHED_MKNODAT:
        pf_sandboxhelper_reply(listener, call.id, answer_to_mknod(job, call.data.args[3]));
        break;
    }
}

static int status_of(int raw)
{
    return WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
}

/* Takes the ends of children. False: there is none left. */
static bool reap(struct pf_alone_job *job, bool *ended, int *raw_status)
{
    for (;;) {
        int raw;
        pid_t pid = waitpid(-1, &raw, WNOHANG);
        if (pid <= 0)
            return pid == 0 || errno == EINTR;
        for (size_t i = 0; i < PF_ALONE_RUNS; i++) {
            struct pf_alone_run *run = &job->runs[i];
            if (run->pid != pid)
                continue;
            run->pid = run->listener < 0 ? 0 : -1; /* those that came of it may still call */
            if (run->asked_by) {
                pf_sandboxroot_finish(job, run, status_of(raw));
            } else {
                *ended = true;
                *raw_status = raw;
            }
        }
    }
}

/* First all are stopped, or those that fork without end would be faster than whoever kills them.
   The children of one that has gone become this process's own. */
static void end_all(struct pf_alone_job *job)
{
    bool ended;
    int raw;
    job->ending = true;
    pf_processes_stop(job->proc_fd, getpid());
    while (reap(job, &ended, &raw)) {
        pf_processes_kill(job->proc_fd, getpid());
        poll(NULL, 0, 1);
    }
    for (size_t i = 0; i < PF_ALONE_RUNS; i++) {
        if (job->runs[i].pid)
            pf_close_at(&job->runs[i].listener);
    }
}

static void count(struct pf_alone_job *job)
{
    if (pf_clock_ms() - job->counted_ms < PF_SANDBOX_COUNT_INTERVAL_MS)
        return;
    if (pf_processes_count(job->proc_fd, getpid()) > job->helper->processes) {
        job->helper->answer->end = PF_SANDBOX_CROWDED;
        job->ending = true;
    }
    job->counted_ms = pf_clock_ms();
}

/* Waits for calls, ends and the caller. False: the caller wants an end, or (*connected) has gone.
 */
static bool attend(struct pf_alone_job *job, bool *connected)
{
    struct pf_sandbox_request message;
    struct pollfd fds[PF_ALONE_RUNS + 1] = {{.fd = PF_SANDBOX_CONNECTION, .events = POLLIN}};
    for (size_t i = 0; i < PF_ALONE_RUNS; i++)
        fds[i + 1] =
            (struct pollfd){.fd = job->runs[i].pid ? job->runs[i].listener : -1, .events = POLLIN};
    if (poll(fds, PF_ALONE_RUNS + 1, PF_SANDBOX_COUNT_INTERVAL_MS) < 0 && errno != EINTR)
        return false;
    for (size_t i = 0; i < PF_ALONE_RUNS; i++) {
        struct pf_alone_run *run = &job->runs[i];
        if (fds[i + 1].revents & POLLIN) {
            handle(job, run->listener);
        } else if (fds[i + 1].revents) {
            pf_close_at(&run->listener); /* nobody is left who could call */
            run->pid = run->pid < 0 ? 0 : run->pid;
        }
    }
    if (!fds[0].revents)
        return true;
    *connected = pf_sandboxhelper_receive(&message);
    return false;
}

static bool is_full(int fd)
{
    struct statvfs fs;
    return fstatvfs(fd, &fs) == 0 && fs.f_blocks &&
           (fs.f_bfree == 0 || (fs.f_files && fs.f_ffree == 0));
}

static void note_end(struct pf_alone_job *job, bool ended, int raw)
{
    struct pf_sandbox_answer *result = job->helper->answer;
    if (!ended || result->end == PF_SANDBOX_REFUSED || result->end == PF_SANDBOX_CROWDED)
        return;
    result->end = PF_SANDBOX_ENDED;
    result->status = status_of(raw);
    pf_auto_fd int root_fd = pf_sandboxalone_open_root(job);
    if (is_full(root_fd)) {
        result->number = ENOSPC;
        pf_sandboxalone_limit(job, N_("the root's file system is full"));
    }
    if (result->step)
        result->end = PF_SANDBOX_LIMITED;
}

/* False: the caller has gone. */
static bool run_job(struct pf_alone_job *job, struct pf_sandbox_request *request)
{
    bool ended = false, connected = true;
    int raw = 0;
    job->helper->answer->end = PF_SANDBOX_KILLED;
    job->helper->answer->unstarted = false;
    job->helper->answer->number = 0;
    job->helper->answer->step = NULL;
    job->ending = false;
    job->counted_ms = pf_clock_ms();
    memset(job->runs, 0, sizeof job->runs);
    memset(job->entered, 0, sizeof job->entered);
    if (start(job, request) < 0)
        pf_sandboxhelper_refuse(job->helper, N_("starting its process"));
    while (!job->ending && attend(job, &connected)) {
        reap(job, &ended, &raw);
        if (ended)
            break;
        count(job);
    }
    end_all(job);
    note_end(job, ended, raw);
    return connected;
}

_Noreturn void pf_sandboxalone_run(struct pf_sandboxhelper *helper)
{
    struct pf_sandbox_request request;
    struct pf_alone_job *job = &the_job;
    pf_sandboxhelper_begin(helper);
    job->helper = helper;
    job->proc_fd = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (job->proc_fd < 0 || pf_processes_parent(job->proc_fd, getpid()) <= 0)
        pf_sandboxhelper_refuse(helper, N_("reading /proc"));
    if (helper->has_work && chdir(PF_SCRIPTVIEW_NAME) < 0)
        pf_sandboxhelper_refuse(helper, N_("entering the root"));
    job->base_fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (job->base_fd < 0 || prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        pf_sandboxhelper_refuse(helper, N_("becoming its parent"));
    pf_sandboxhelper_answer();
    while (pf_sandboxhelper_receive(&request)) {
        /* One that came too late to end a job. */
        if (request.output_fd < 0)
            continue;
        bool connected = run_job(job, &request);
        pf_close_at(&request.output_fd);
        pf_close_at(&request.text_fd);
        if (!connected)
            break;
        pf_sandboxhelper_answer();
    }
    _exit(0);
}
