/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox.h"

#include "cleanup.h"
#include "devicenodes.h"
#include "landlock.h"
#include "message.h"
#include "sandboxhelper.h"
#include "scriptview.h"
#include "syscallfilter.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

struct pf_sandbox {
    struct pf_sandbox_settings settings; /* its descriptors are the caller's */
    enum pf_sandbox_rung rung;
    pid_t pid; /* the helper */
    int socket_fd;
    struct shared {
        struct pf_sandbox_answer answer;
        bool chrooted;
    } * shared;
    struct pf_filter filter, watching;
    int landlock_abi;
    bool took_root;                /* it is in the scripts' view */
    bool hides_nodes;              /* while a program runs */
    struct pf_devicenodes *hidden; /* NULL: none are */
};

#define DEVICE_ACCESS (PF_LANDLOCK_READ | LANDLOCK_ACCESS_FS_WRITE_FILE | PF_LANDLOCK_TRUNCATE)

/* With namespaces Landlock is on top: it keeps from changing what "/" has but for these. */
static const struct pf_confine_rule namespace_rules[] = {{PF_SCRIPTVIEW_ROOT, PF_LANDLOCK_CHANGE},
                                                         {"/tmp", PF_LANDLOCK_CHANGE},
                                                         {"/etc", PF_LANDLOCK_CHANGE},
                                                         {"/dev", LANDLOCK_ACCESS_FS_WRITE_FILE |
                                                                      PF_LANDLOCK_TRUNCATE},
                                                         {NULL, 0}};

/* Without them it keeps from reading, too. That the root lacks a right that /tmp has keeps what is
   in it from being moved there (landlock(7), "refer"), and so a directory from being moved away
   from under a program whose "/" is the root. */
static const struct pf_confine_rule alone_rules[] = {
    {"/", PF_LANDLOCK_READ | LANDLOCK_ACCESS_FS_EXECUTE},
    {PF_SCRIPTVIEW_ROOT, PF_LANDLOCK_ALL & ~LANDLOCK_ACCESS_FS_MAKE_SOCK},
    {"/tmp", PF_LANDLOCK_ALL},
    {"/dev", DEVICE_ACCESS},
    {NULL, 0}};

/* Of a program whose "/" is the root. */
static const struct pf_confine_rule root_rules[] = {{"/", PF_LANDLOCK_ALL}, {NULL, 0}};

static struct pf_confine walls_of(const struct pf_sandbox *sandbox)
{
    bool alone = sandbox->rung == PF_SANDBOX_CONFINED;
    struct pf_confine walls = {
        .refused = alone ? PF_LANDLOCK_ALL : PF_LANDLOCK_CHANGE,
        .rules = sandbox->settings.view == PF_SANDBOX_ROOT ? root_rules
                 : alone                                   ? alone_rules
                                                           : namespace_rules,
        .capabilities = PF_CONFINE_CAPABILITIES,
        .landlock_abi = sandbox->landlock_abi,
        .calls = sandbox->filter.program,
        .watched = alone,
    };
    /* It is the helper that has another root made for it, see sandboxalone. */
    if (alone)
        walls.capabilities &= ~(UINT64_C(1) << CAP_SYS_CHROOT);
    return walls;
}

/* What is refused, and why, of the last try. */
static void describe_refusal(const struct pf_sandbox *sandbox, char text[256])
{
    const struct pf_sandbox_answer *answer = &sandbox->shared->answer;
    bool said = answer->end == PF_SANDBOX_REFUSED && answer->step;
    snprintf(text, 256, "%s: %s", pf_message(said ? answer->step : N_("its process ended")),
             said ? strerror(answer->number) : pf_message(N_("killed")));
}

/* Waits for the helper's word. False: it has gone. */
static bool hear(const struct pf_sandbox *sandbox)
{
    char byte;
    ssize_t length;
    do
        length = recv(sandbox->socket_fd, &byte, sizeof byte, 0);
    while (length < 0 && errno == EINTR);
    return length > 0;
}

static int fork_helper(struct pf_sandbox *sandbox, struct pf_sandboxhelper *helper)
{
    sigset_t all, before;
    sigfillset(&all);
    /* The caller's handlers are not for the copy, which lets no signal in. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    sandbox->pid = fork();
    if (sandbox->pid == 0) {
        if (sandbox->rung == PF_SANDBOX_CONFINED)
            pf_sandboxalone_run(helper);
        pf_sandboxnamespaces_run(helper);
    }
    int number = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = number;
    return sandbox->pid < 0 ? -1 : 0;
}

static void end_helper(struct pf_sandbox *sandbox)
{
    /* The helper ends when its connection does, whoever else may still have our end. */
    if (sandbox->socket_fd >= 0)
        shutdown(sandbox->socket_fd, SHUT_RDWR);
    pf_close_at(&sandbox->socket_fd);
    while (sandbox->pid > 0 && waitpid(sandbox->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    sandbox->pid = -1;
    pf_syscallfilter_end(&sandbox->filter);
    pf_syscallfilter_end(&sandbox->watching);
}

static int send_request(const struct pf_sandbox *sandbox, char *text, size_t length, const int *fds,
                        size_t fd_count)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(2 * sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = text, .iov_len = length};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd_count) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof *fds);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(fd_count * sizeof *fds);
        memcpy(CMSG_DATA(header), fds, fd_count * sizeof *fds);
    }
    ssize_t sent;
    do
        sent = sendmsg(sandbox->socket_fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -1 : 0;
}

static int send_job(const struct pf_sandbox *sandbox, const char *const *argv, int output_fd,
                    int text_fd, struct pf_error *err)
{
    char text[PF_SANDBOX_REQUEST_BYTES];
    size_t used = 0;
    for (size_t i = 0; argv[i]; i++) {
        size_t length = strlen(argv[i]) + 1;
        if (i == PF_SANDBOX_WORDS || length > sizeof text - used)
            return pf_error_set(err, PF_E_LIMIT, "too many words for a program in the sandbox");
        memcpy(text + used, argv[i], length);
        used += length;
    }
    int fds[2] = {output_fd, text_fd};
    if (send_request(sandbox, text, used, fds, text_fd < 0 ? 1 : 2) < 0)
        return pf_error_errno(err, "asking the sandbox");
    return 0;
}

/* All that is made for a program, and none run. 1: it could not be. */
static int try_job(struct pf_sandbox *sandbox, struct pf_error *err)
{
    static const char *const nothing[] = {"", NULL};
    struct pf_sandbox_answer *answer = &sandbox->shared->answer;
    pf_auto_fd int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return pf_error_errno(err, "opening /dev/null");
    int rc = send_job(sandbox, nothing, fd, -1, err);
    if (rc)
        return rc;
    return hear(sandbox) && answer->end == PF_SANDBOX_ENDED && answer->status == 0 ? 0 : 1;
}

/* Starts a helper of the rung. 1: it cannot be had here. */
static int try_rung(struct pf_sandbox *sandbox, const struct pf_filter_settings *filter,
                    struct pf_error *err)
{
    const struct pf_sandbox_settings *settings = &sandbox->settings;
    int ends[2];
    static const struct pf_filter_settings watching = {.walls = PF_FILTER_NAMESPACES_WATCHED};
    int rc = pf_syscallfilter_make(filter, &sandbox->filter, err);
    if (!rc && filter->walls == PF_FILTER_NAMESPACES)
        rc = pf_syscallfilter_make(&watching, &sandbox->watching, err);
    if (rc)
        return rc;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return pf_error_errno(err, "connecting the sandbox");
    sandbox->socket_fd = ends[0];
    pf_auto_fd int other = ends[1];
    struct pf_sandboxhelper helper = {
        .view = settings->view,
        .has_work = settings->work_fd >= 0,
        .dir_fd = settings->work_fd >= 0 ? settings->work_fd : settings->root_fd,
        .socket_fd = other,
        .answer = &sandbox->shared->answer,
        .chrooted = &sandbox->shared->chrooted,
        .confine = walls_of(sandbox),
        .filter = &sandbox->filter,
        .watching = &sandbox->watching,
        .environment = settings->environment,
        .processes = settings->processes,
    };
    if (fork_helper(sandbox, &helper) < 0)
        return pf_error_errno(err, "starting the sandbox");
    close(pf_steal_fd(&other));
    return hear(sandbox) ? try_job(sandbox, err) : 1;
}

static int try_namespaces(struct pf_sandbox *sandbox, struct pf_error *err)
{
    static const struct pf_filter_settings filter = {.walls = PF_FILTER_NAMESPACES};
    sandbox->rung = PF_SANDBOX_NAMESPACES;
    int rc = try_rung(sandbox, &filter, err);
    if (!rc && sandbox->shared->chrooted)
        sandbox->rung = PF_SANDBOX_CHROOTED;
    return rc;
}

/* Signals stay among a Landlock domain's own processes since this version. */
#define LANDLOCK_WITH_SCOPES 6

static int try_alone(struct pf_sandbox *sandbox, struct pf_error *err)
{
    const struct pf_sandbox_settings *settings = &sandbox->settings;
    struct pf_sandbox_answer *answer = &sandbox->shared->answer;
    bool held = true;
    sandbox->rung = PF_SANDBOX_CONFINED;
    if (!sandbox->landlock_abi || settings->view == PF_SANDBOX_HOST) {
        *answer =
            (struct pf_sandbox_answer){.end = PF_SANDBOX_REFUSED,
                                       .step = settings->view == PF_SANDBOX_HOST
                                                   ? N_("showing the host's programs")
                                                   : N_("confining it by Landlock"),
                                       .number =
                                           settings->view == PF_SANDBOX_HOST ? EPERM : EOPNOTSUPP};
        return 1;
    }
    int rc = settings->work_fd < 0 ? pf_devicenodes_are_held(settings->root_fd, &held, err)
                                   : pf_scriptview_make_devices(settings->work_fd, &held, err);
    if (!rc && settings->work_fd >= 0) {
        rc = pf_scriptview_take_root(settings->work_fd, err);
        sandbox->took_root = rc == 0;
    }
    sandbox->hides_nodes = !held;
    struct pf_filter_settings filter = {.walls = PF_FILTER_ALONE,
                                        .watch_devices = !held,
                                        .refuse_kill =
                                            sandbox->landlock_abi < LANDLOCK_WITH_SCOPES};
    return rc ? rc : try_rung(sandbox, &filter, err);
}

static int climb_down(struct pf_sandbox *sandbox, struct pf_error *err)
{
    char upper[256], lower[256];
    int rc = try_namespaces(sandbox, err);
    if (rc <= 0)
        return rc;
    describe_refusal(sandbox, upper);
    end_helper(sandbox);
    rc = try_alone(sandbox, err);
    if (rc <= 0)
        return rc;
    describe_refusal(sandbox, lower);
    return pf_error_set(
        err, PF_E_PERMISSION,
        "no sandbox for package scripts can be had here (%s: that takes CAP_SYS_ADMIN; %s: that "
        "CAP_SYS_CHROOT and Landlock); with --no-sandbox they run without one",
        upper, lower);
}

int pf_sandbox_open(const struct pf_sandbox_settings *settings, struct pf_sandbox **out,
                    struct pf_error *err)
{
    struct pf_sandbox *sandbox = calloc(1, sizeof *sandbox);
    if (!sandbox)
        return pf_error_memory(err);
    *sandbox = (struct pf_sandbox){.settings = *settings,
                                   .pid = -1,
                                   .socket_fd = -1,
                                   .landlock_abi = pf_landlock_abi()};
    sandbox->shared = mmap(NULL, sizeof *sandbox->shared, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int rc;
    if (sandbox->shared == MAP_FAILED) {
        sandbox->shared = NULL;
        rc = pf_error_memory(err);
    } else {
        rc = climb_down(sandbox, err);
    }
    if (rc) {
        pf_sandbox_close(sandbox);
        return rc;
    }
    *out = sandbox;
    return 0;
}

void pf_sandbox_close(struct pf_sandbox *sandbox)
{
    if (!sandbox)
        return;
    end_helper(sandbox);
    pf_devicenodes_show(sandbox->hidden, NULL);
    if (sandbox->took_root)
        pf_scriptview_give_root_back(sandbox->settings.work_fd, NULL);
    if (sandbox->shared)
        munmap(sandbox->shared, sizeof *sandbox->shared);
    free(sandbox);
}

bool pf_sandbox_has_started(const struct pf_sandbox *sandbox)
{
    return sandbox->shared->answer.end != PF_SANDBOX_ENDED || !sandbox->shared->answer.unstarted;
}

enum pf_sandbox_rung pf_sandbox_rung(const struct pf_sandbox *sandbox)
{
    return sandbox->rung;
}

const char *pf_sandbox_describe(const struct pf_sandbox *sandbox)
{
    switch (sandbox->rung) {
    case PF_SANDBOX_NAMESPACES:
        return N_("package scripts run in namespaces of their own");
    case PF_SANDBOX_CHROOTED:
        return N_("package scripts run in namespaces of their own, outside of this chroot");
    case PF_SANDBOX_CONFINED:
        break;
    }
    return sandbox->hides_nodes
               ? N_("package scripts run without namespaces: chroot, Landlock, a filter of system "
                    "calls; no sockets, no new devices, the host's name is seen")
               : N_("package scripts run without namespaces: chroot, Landlock, a filter of system "
                    "calls; no sockets, the host's name is seen");
}

bool pf_sandbox_has_landlock(const struct pf_sandbox *sandbox)
{
    return sandbox->landlock_abi > 0;
}

int pf_sandbox_event_fd(const struct pf_sandbox *sandbox)
{
    return sandbox->socket_fd;
}

int pf_sandbox_start(struct pf_sandbox *sandbox, const char *const *argv, int output_fd,
                     int text_fd, struct pf_error *err)
{
    int rc = sandbox->hides_nodes
                 ? pf_devicenodes_hide(sandbox->settings.root_fd, &sandbox->hidden, err)
                 : 0;
    return rc ? rc : send_job(sandbox, argv, output_fd, text_fd, err);
}

/* What the job's end is to the caller. */
static int tell_end(const struct pf_sandbox *sandbox, bool stopped, bool alive, int *status,
                    struct pf_error *err)
{
    const struct pf_sandbox_answer *answer = &sandbox->shared->answer;
    char why[256];
    *status = 128 + SIGKILL;
    switch (answer->end) {
    case PF_SANDBOX_ENDED:
        *status = answer->status;
        return 0;
    case PF_SANDBOX_REFUSED:
        describe_refusal(sandbox, why);
        return pf_error_set(err, PF_E_PERMISSION, "the sandbox cannot run it (%s)", why);
    case PF_SANDBOX_CROWDED:
        return pf_error_set(err, PF_E_LIMIT, "its script had more than %u processes at once",
                            sandbox->settings.processes);
    case PF_SANDBOX_LIMITED:
        *status = answer->status;
        return pf_error_set(err, answer->number == ENOSPC ? PF_E_NO_SPACE : PF_E_LIMIT, "%s",
                            pf_message(answer->step));
    case PF_SANDBOX_KILLED:
        break;
    }
    if (stopped && alive)
        return 0;
    return pf_error_set(err, PF_E_SYSTEM, "the sandbox was ended by somebody else");
}

int pf_sandbox_finish(struct pf_sandbox *sandbox, bool stop, int *status, struct pf_error *err)
{
    char none[1] = "";
    if (stop && send_request(sandbox, none, sizeof none, NULL, 0) < 0 && errno != EPIPE)
        return pf_error_errno(err, "asking the sandbox");
    bool alive = hear(sandbox);
    struct pf_devicenodes *hidden = sandbox->hidden;
    sandbox->hidden = NULL;
    int rc = tell_end(sandbox, stop, alive, status, err);
    int shown = pf_devicenodes_show(hidden, rc ? NULL : err);
    return rc ? rc : shown;
}
