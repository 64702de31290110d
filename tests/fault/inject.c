/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inject: runs a program and lets a fault happen at one of its system calls, counted over all its
   threads and children together. strace counts per thread, and so cannot name one instant of a
   program that has several.

   inject --calls NAME,… --when N|N+|N+STEP (--signal NUMBER | --error NUMBER) --report FILE
          [--own] -- PROGRAM ARGUMENT…

   The signal goes to the program itself, before the call is made, also where a child makes it. An
   error is the call's result, and the call is not made, but for close: Linux closes whatever it
   says. --own: its children's calls do not count.
   The exit status is the program's, as a shell gives it, once its children have ended as well. FILE
   gets the calls that were hit, and how many were seen. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/btrfs.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A call that counts: always, where an argument has one of these bits, equals, or is greater. */
enum condition { ALWAYS, HAS_BITS, EQUALS, GREATER };

struct call {
    const char *name;
    int number;
    enum condition condition;
    unsigned argument;
    uint32_t value;
};

#define PLAIN(name)                                                                                \
    {                                                                                              \
#name, SYS_##name, ALWAYS, 0, 0                                                            \
    }
#define NO_STDIO(name)                                                                             \
    {                                                                                              \
#name, SYS_##name, GREATER, 0, STDERR_FILENO                                               \
    }

static const struct call calls[] = {
    {"create", SYS_openat, HAS_BITS, 2, O_CREAT},
    {"ficlone", SYS_ioctl, EQUALS, 1, FICLONE},
    {"subvol_create", SYS_ioctl, EQUALS, 1, BTRFS_IOC_SUBVOL_CREATE},
    {"snap_create", SYS_ioctl, EQUALS, 1, BTRFS_IOC_SNAP_CREATE_V2},
    {"snap_destroy", SYS_ioctl, EQUALS, 1, BTRFS_IOC_SNAP_DESTROY},
    NO_STDIO(write),
    NO_STDIO(writev),
    NO_STDIO(close),
    NO_STDIO(read),
    PLAIN(openat),
    PLAIN(openat2),
    PLAIN(pwrite64),
    PLAIN(renameat),
    PLAIN(renameat2),
    PLAIN(linkat),
    PLAIN(symlinkat),
    PLAIN(mkdirat),
    PLAIN(mknodat),
    PLAIN(unlinkat),
    PLAIN(fchown),
    PLAIN(fchownat),
    PLAIN(fchmod),
    PLAIN(fchmodat),
    {"fchmodat2", 452, ALWAYS, 0, 0}, /* the same number everywhere; older headers lack it */
    PLAIN(utimensat),
    PLAIN(ftruncate),
    PLAIN(copy_file_range),
    PLAIN(sendfile),
    PLAIN(syncfs),
    PLAIN(fsync),
    PLAIN(fdatasync),
    PLAIN(fsetxattr),
    PLAIN(fremovexattr),
    PLAIN(flistxattr),
    PLAIN(flock),
    PLAIN(newfstatat),
    PLAIN(statx),
    PLAIN(faccessat2),
    PLAIN(getdents64),
    PLAIN(lseek),
    PLAIN(close_range),
    PLAIN(memfd_create),
    PLAIN(getrandom),
    PLAIN(unshare),
    PLAIN(landlock_create_ruleset),
    PLAIN(landlock_add_rule),
    PLAIN(landlock_restrict_self),
    PLAIN(clone3),
    PLAIN(pidfd_open),
    PLAIN(socketpair),
    PLAIN(pipe2),
    PLAIN(socket),
    PLAIN(connect),
#ifdef SYS_mkdir
    PLAIN(mkdir),
    PLAIN(rename),
    PLAIN(unlink),
    PLAIN(symlink),
    PLAIN(link),
    PLAIN(poll),
#endif
    PLAIN(ppoll),
};

#define CALLS     (sizeof calls / sizeof *calls)
#define MAX_RULES 64

struct injection {
    const struct call *rules[MAX_RULES];
    size_t rule_count;
    unsigned long first, step; /* step 0: once */
    int signal, error;
    bool own_only;
    const char *report_path;
    /* What happened: */
    unsigned long seen, hit;
    FILE *report;
};

static void die(const char *what)
{
    fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
    exit(125);
}

static void usage(const char *what)
{
    fprintf(stderr, "inject: %s\n", what);
    exit(125);
}

static void take_calls(struct injection *in, char *names)
{
    char *rest = names;
    for (char *name; (name = strsep(&rest, ","));) {
        size_t i = 0;
        while (i < CALLS && strcmp(calls[i].name, name) != 0)
            i++;
        /* One that this architecture does not have is never made here. */
        if (i < CALLS && in->rule_count < MAX_RULES)
            in->rules[in->rule_count++] = &calls[i];
    }
    if (in->rule_count == 0)
        usage("--calls names none that is known");
}

static void take_when(struct injection *in, const char *text)
{
    char *end;
    in->first = strtoul(text, &end, 10);
    if (*end == '+')
        in->step = end[1] ? strtoul(end + 1, &end, 10) : 1;
    if (in->first == 0)
        usage("--when takes N, N+ or N+STEP, N from 1");
}

static char **take_options(struct injection *in, int argc, char **argv)
{
    static const struct option options[] = {
        {"calls", required_argument, NULL, 'c'},
        {"when", required_argument, NULL, 'w'},
        {"signal", required_argument, NULL, 's'},
        {"error", required_argument, NULL, 'e'},
        {"report", required_argument, NULL, 'r'},
        {"own", no_argument, NULL, 'o'},
        {0},
    };
    for (int option; (option = getopt_long(argc, argv, "+", options, NULL)) != -1;) {
        if (option == 'c')
            take_calls(in, optarg);
        else if (option == 'w')
            take_when(in, optarg);
        else if (option == 's')
            in->signal = atoi(optarg);
        else if (option == 'e')
            in->error = atoi(optarg);
        else if (option == 'o')
            in->own_only = true;
        else if (option == 'r')
            in->report_path = optarg;
        else
            exit(125);
    }
    if (!in->rule_count || !in->first || !in->report_path || !argv[optind])
        usage("--calls, --when, --report and a program are needed");
    return argv + optind;
}

/* The low half of a call's argument: flags and descriptors are no longer. */
static uint32_t argument_offset(unsigned argument)
{
    uint32_t offset = (uint32_t)(offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    offset += sizeof(uint32_t);
#endif
    return offset;
}

static size_t add_rule(struct sock_filter *at, const struct call *call)
{
    static const uint16_t jumps[] = {
        [HAS_BITS] = BPF_JSET, [EQUALS] = BPF_JEQ, [GREATER] = BPF_JGT};
    struct sock_filter *start = at;
    bool plain = call->condition == ALWAYS;
    *at++ =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    *at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call->number, 0,
                                         plain ? 1 : 3);
    if (!plain) {
        *at++ =
            (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, argument_offset(call->argument));
        *at++ = (struct sock_filter)BPF_JUMP(BPF_JMP | jumps[call->condition] | BPF_K, call->value,
                                             0, 1);
    }
    *at++ = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    return (size_t)(at - start);
}

static int install_filter(const struct injection *in)
{
    struct sock_filter filter[MAX_RULES * 5 + 1];
    size_t length = 0;
    for (size_t i = 0; i < in->rule_count; i++)
        length += add_rule(filter + length, in->rules[i]);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog program = {.len = (unsigned short)length, .filter = filter};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                        &program);
}

/* In the child. It stops, so that the listener is taken over before any call counts. */
static void run_program(const struct injection *in, int *listener, char **argv)
{
    *listener = install_filter(in);
    if (*listener < 0)
        die("seccomp");
    raise(SIGSTOP);
    execv(argv[0], argv);
    die(argv[0]);
}

static int take_listener(pid_t child, const int *listener)
{
    int status;
    if (waitpid(child, &status, WUNTRACED) < 0)
        die("waitpid");
    if (!WIFSTOPPED(status))
        exit(125);
    int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, *listener, 0);
    if (fd < 0)
        die("pidfd_getfd");
    close(pidfd);
    kill(child, SIGCONT);
    return fd;
}

static const char *name_of(const struct injection *in, int number)
{
    for (size_t i = 0; i < in->rule_count; i++) {
        if (in->rules[i]->number == number)
            return in->rules[i]->name;
    }
    return "?";
}

static bool is_hit(const struct injection *in)
{
    if (in->seen < in->first)
        return false;
    return in->step ? (in->seen - in->first) % in->step == 0 : in->seen == in->first;
}

/* Is this a thread of the program itself? */
static bool is_own(pid_t program, pid_t thread)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d", (int)program, (int)thread);
    return access(path, F_OK) == 0;
}

/* close(2): "Linux releases the file descriptor early in the close operation", also where it fails.
   So the file is let go of; its number is taken by a file that means nothing. */
static void close_all_the_same(int listener, const struct seccomp_notif *call)
{
    int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (nothing < 0)
        die("/dev/null");
    struct seccomp_notif_addfd instead = {.id = call->id,
                                          .flags = SECCOMP_ADDFD_FLAG_SETFD,
                                          .srcfd = (uint32_t)nothing,
                                          .newfd = (uint32_t)call->data.args[0],
                                          .newfd_flags = O_CLOEXEC};
    /* Fails where the number is no file's: then there is nothing to close. */
    ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &instead);
    close(nothing);
}

/* A call that is answered may still be made by a thread that has been killed: so it is not. */
static void serve_one(struct injection *in, int listener, pid_t program)
{
    struct seccomp_notif call = {0};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0)
        return;
    struct seccomp_notif_resp answer = {.id = call.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
    bool own = is_own(program, (pid_t)call.pid);
    bool counts = own || !in->own_only;
    in->seen += counts;
    if (counts && is_hit(in)) {
        in->hit++;
        fprintf(in->report, "%s of %s\n", name_of(in, call.data.nr),
                own ? "the program" : "a child");
        if (in->signal)
            kill(program, in->signal);
        if (in->signal == SIGKILL && own)
            return;
        if (in->error) {
            if (call.data.nr == SYS_close)
                close_all_the_same(listener, &call);
            answer.flags = 0;
            answer.error = -in->error;
        }
    }
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
}

/* Until nobody is left whom the filter holds, so until all children have ended too. */
static void serve(struct injection *in, int listener, pid_t program)
{
    struct pollfd wait = {.fd = listener, .events = POLLIN};
    for (;;) {
        if (poll(&wait, 1, -1) < 0 && errno != EINTR)
            die("poll");
        if (wait.revents & POLLIN)
            serve_one(in, listener, program);
        else if (wait.revents & (POLLHUP | POLLERR))
            return;
    }
}

int main(int argc, char **argv)
{
    struct injection in = {0};
    char **program = take_options(&in, argc, argv);
    int *number =
        mmap(NULL, sizeof *number, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (number == MAP_FAILED)
        die("mmap");
    in.report = fopen(in.report_path, "we");
    if (!in.report)
        die(in.report_path);
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0)
        run_program(&in, number, program);
    int listener = take_listener(child, number);
    serve(&in, listener, child);
    int status;
    if (waitpid(child, &status, 0) < 0)
        die("waitpid");
    fprintf(in.report, "%lu seen %lu hit\n", in.seen, in.hit);
    if (fclose(in.report) != 0)
        die(in.report_path);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
