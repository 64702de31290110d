/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandboxhelper.h"

#include "cleanup.h"
#include "message.h"
#include "processes.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

const struct pf_sandbox_device pf_sandbox_devices[PF_SANDBOX_DEVICES] = {
    {"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
    {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};

_Noreturn void pf_sandboxhelper_refuse(const struct pf_sandboxhelper *helper, const char *step)
{
    helper->answer->end = PF_SANDBOX_REFUSED;
    helper->answer->step = step;
    helper->answer->number = errno;
    _exit(1);
}

/* Where memory runs out, a script shall go, and not what the host lives by. */
static void offer_to_the_oom_killer(void)
{
    pf_auto_fd int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd >= 0 && write(fd, "500", 3) < 0)
        return;
}

void pf_sandboxhelper_begin(struct pf_sandboxhelper *helper)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    umask(0);
    /* This process is a copy of the caller: with its files, its terminal, its memory. */
    if (fchdir(helper->dir_fd) < 0)
        pf_sandboxhelper_refuse(helper, N_("entering the root"));
    if (dup2(helper->socket_fd, PF_SANDBOX_CONNECTION) < 0 ||
        syscall(SYS_close_range, PF_SANDBOX_CONNECTION + 1, UINT32_MAX, 0) < 0)
        pf_sandboxhelper_refuse(helper, N_("closing files"));
    fcntl(PF_SANDBOX_CONNECTION, F_SETFD, FD_CLOEXEC);
    for (int fd = 0; fd < PF_SANDBOX_CONNECTION; fd++)
        close(fd);
    for (int fd = 0; fd < PF_SANDBOX_CONNECTION; fd++) {
        if (open("/dev/null", O_RDWR | O_CLOEXEC) != fd)
            pf_sandboxhelper_refuse(helper, N_("opening /dev/null"));
    }
    setsid();
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    sigaction(SIGCHLD, &plain, NULL);
    offer_to_the_oom_killer();
}

static void take_descriptors(struct msghdr *message, struct pf_sandbox_request *request)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    int fds[2] = {-1, -1};
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(fds, CMSG_DATA(header),
               header->cmsg_len == CMSG_LEN(sizeof fds) ? sizeof fds : sizeof *fds);
    request->output_fd = fds[0];
    request->text_fd = fds[1];
}

bool pf_sandboxhelper_receive(struct pf_sandbox_request *request)
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
        length = recvmsg(PF_SANDBOX_CONNECTION, &message, MSG_CMSG_CLOEXEC);
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

void pf_sandboxhelper_answer(void)
{
    ssize_t sent;
    do
        sent = send(PF_SANDBOX_CONNECTION, "", 1, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
}

pid_t pf_sandboxhelper_fork(void)
{
    return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static int add_text(struct pf_sandbox_request *request)
{
    struct stat st;
    size_t count = 0;
    if (request->text_fd < 0)
        return 0;
    if (fstat(request->text_fd, &st) < 0)
        return -1;
    void *text = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, request->text_fd, 0);
    if (text == MAP_FAILED)
        return -1;
    while (request->words[count])
        count++;
    request->words[count] = text;
    request->words[count + 1] = NULL;
    return 0;
}

void pf_sandboxhelper_set_files(const struct pf_sandboxhelper *helper,
                                struct pf_sandbox_request *request, int keep_fd)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigset_t none;
    setsid();
    if (add_text(request) < 0)
        pf_sandboxhelper_refuse(helper, N_("taking its text"));
    /* The helper's descriptors are of the host's /dev. */
    close(0);
    if (open("/dev/null", O_RDONLY) != 0 || dup2(request->output_fd, 1) < 0 ||
        dup2(request->output_fd, 2) < 0)
        pf_sandboxhelper_refuse(helper, N_("setting its files"));
    if (keep_fd >= 0 && dup2(keep_fd, PF_SANDBOX_CONNECTION) < 0)
        pf_sandboxhelper_refuse(helper, N_("setting its files"));
    unsigned first = PF_SANDBOX_CONNECTION + (keep_fd >= 0);
    if (syscall(SYS_close_range, first, UINT32_MAX, 0) < 0)
        pf_sandboxhelper_refuse(helper, N_("setting its files"));
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &plain, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(022);
}

_Noreturn void pf_sandboxhelper_exec(const struct pf_sandboxhelper *helper,
                                     const struct pf_sandbox_request *request)
{
    if (!*request->words[0])
        _exit(0);
    execve(request->words[0], request->words, (char *const *)helper->environment);
    helper->answer->unstarted = true;
    _exit(errno == ENOENT ? 127 : 126);
}

int pf_sandboxhelper_send_listener(int socket_fd, int listener)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    char byte = 0;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof listener);
    memcpy(CMSG_DATA(header), &listener, sizeof listener);
    return sendmsg(socket_fd, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

int pf_sandboxhelper_receive_listener(int socket_fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t length;
    int listener = -1;
    do
        length = recvmsg(socket_fd, &message, MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    struct cmsghdr *header = length > 0 ? CMSG_FIRSTHDR(&message) : NULL;
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(&listener, CMSG_DATA(header), sizeof listener);
    return listener;
}

const struct pf_watched_call *pf_sandboxhelper_find_call(const struct pf_filter *filter,
                                                         const struct seccomp_data *data)
{
    for (size_t i = 0; i < filter->watched_count; i++) {
        const struct pf_watched_call *call = &filter->watched[i];
        if (call->arch == data->arch && call->number == data->nr)
            return call;
    }
    return NULL;
}

void pf_sandboxhelper_reply(int listener, uint64_t id, int number)
{
    struct seccomp_notif_resp response = {.id = id, .error = -number};
    if (number == 0)
        response.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response); /* fails where the caller has gone */
}

int pf_sandboxhelper_open_memory(int proc_fd, pid_t pid, int flags)
{
    char path[64];
    pf_processes_path(pid, "mem", path);
    return openat(proc_fd, path, flags | O_CLOEXEC);
}

ssize_t pf_sandboxhelper_read_string(int memory_fd, uint64_t address, char *text, size_t size)
{
    size_t used = 0;
    while (used < size) {
        /* To the end of the page: the next one may not be there. */
        size_t piece = 4096 - (address + used) % 4096;
        ssize_t length = pread(memory_fd, text + used, piece < size - used ? piece : size - used,
                               (off_t)(address + used));
        if (length <= 0)
            return -1;
        if (memchr(text + used, '\0', (size_t)length))
            return (ssize_t)strlen(text);
        used += (size_t)length;
    }
    return -1;
}
