/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox.h"

#include "cleanup.h"
#include "landlock.h"
#include "message.h"
#include "sandboxhelper.h"
#include "syscallfilter.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

struct pf_sandbox {
    pid_t pid; /* the helper */
    int socket_fd;
    struct pf_sandbox_answer *answer;
    struct sock_fprog calls;
    int landlock_abi;
    unsigned processes;
};

static int refused(const struct pf_sandbox *sandbox, struct pf_error *err)
{
    const struct pf_sandbox_answer *answer = sandbox->answer;
    return pf_error_set(err, PF_E_PERMISSION,
                        "no sandbox for package scripts can be had here (%s: %s); with "
                        "--no-sandbox they run without one",
                        pf_message(answer->step ? answer->step : N_("its process ended")),
                        answer->step ? strerror(answer->number) : pf_message(N_("killed")));
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
    if (sandbox->pid == 0)
        pf_sandboxhelper_run(helper);
    int number = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = number;
    return sandbox->pid < 0 ? -1 : 0;
}

static int start_helper(struct pf_sandbox *sandbox, int root_fd,
                        const struct pf_sandbox_settings *settings, struct pf_error *err)
{
    static const char *const writable[] = {"/target", "/tmp", "/etc", NULL};
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return pf_error_errno(err, "connecting the sandbox");
    sandbox->socket_fd = ends[0];
    pf_auto_fd int other = ends[1];
    struct pf_sandboxhelper helper = {
        .root_fd = root_fd,
        .socket_fd = other,
        .answer = sandbox->answer,
        .confine = {.writable = writable,
                    .written_to = "/dev",
                    .file_bytes = settings->file_bytes,
                    .landlock_abi = sandbox->landlock_abi,
                    .calls = sandbox->calls},
        .environment = settings->environment,
        .processes = settings->processes,
    };
    if (fork_helper(sandbox, &helper) < 0)
        return pf_error_errno(err, "starting the sandbox");
    close(pf_steal_fd(&other));
    return hear(sandbox) ? 0 : refused(sandbox, err);
}

int pf_sandbox_open(int root_fd, const struct pf_sandbox_settings *settings,
                    struct pf_sandbox **out, struct pf_error *err)
{
    struct pf_sandbox *sandbox = calloc(1, sizeof *sandbox);
    if (!sandbox)
        return pf_error_memory(err);
    *sandbox = (struct pf_sandbox){.pid = -1,
                                   .socket_fd = -1,
                                   .landlock_abi = pf_landlock_abi(),
                                   .processes = settings->processes};
    sandbox->answer = mmap(NULL, sizeof *sandbox->answer, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int failed = 0;
    if (sandbox->answer == MAP_FAILED) {
        sandbox->answer = NULL;
        failed = pf_error_memory(err);
    }
    if (!failed)
        failed = pf_syscallfilter_make(&sandbox->calls, err);
    if (!failed)
        failed = start_helper(sandbox, root_fd, settings, err);
    if (failed) {
        pf_sandbox_close(sandbox);
        return failed;
    }
    *out = sandbox;
    return 0;
}

void pf_sandbox_close(struct pf_sandbox *sandbox)
{
    if (!sandbox)
        return;
    /* The helper ends when its connection does, whoever else may still have our end. */
    if (sandbox->socket_fd >= 0)
        shutdown(sandbox->socket_fd, SHUT_RDWR);
    pf_close_at(&sandbox->socket_fd);
    while (sandbox->pid > 0 && waitpid(sandbox->pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (sandbox->answer)
        munmap(sandbox->answer, sizeof *sandbox->answer);
    free(sandbox->calls.filter);
    free(sandbox);
}

bool pf_sandbox_has_landlock(const struct pf_sandbox *sandbox)
{
    return sandbox->landlock_abi > 0;
}

int pf_sandbox_event_fd(const struct pf_sandbox *sandbox)
{
    return sandbox->socket_fd;
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

int pf_sandbox_start(struct pf_sandbox *sandbox, const char *const *argv, int output_fd,
                     int input_fd, struct pf_error *err)
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
    int fds[2] = {output_fd, input_fd};
    if (send_request(sandbox, text, used, fds, input_fd < 0 ? 1 : 2) < 0)
        return pf_error_errno(err, "asking the sandbox");
    return 0;
}

int pf_sandbox_finish(struct pf_sandbox *sandbox, bool stop, int *status, struct pf_error *err)
{
    char none[1] = "";
    if (stop && send_request(sandbox, none, sizeof none, NULL, 0) < 0 && errno != EPIPE)
        return pf_error_errno(err, "asking the sandbox");
    const struct pf_sandbox_answer *answer = sandbox->answer;
    bool alive = hear(sandbox);
    *status = 128 + SIGKILL;
    switch (answer->end) {
    case PF_SANDBOX_ENDED:
        *status = answer->status;
        return 0;
    case PF_SANDBOX_REFUSED:
        return refused(sandbox, err);
    case PF_SANDBOX_CROWDED:
        return pf_error_set(err, PF_E_LIMIT, "its script had more than %u processes at once",
                            sandbox->processes);
    case PF_SANDBOX_KILLED:
        break;
    }
    if (stop && alive)
        return 0;
    return pf_error_set(err, PF_E_SYSTEM, "the sandbox was ended by somebody else");
}
