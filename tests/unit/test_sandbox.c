/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "sandbox.h"

#include "script.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct temp temp;
static int root;
static struct pf_script_place place;
static struct pf_error err;
static struct buffer said;

/* An abstract socket of the host's, and a port on its loopback. */
#define ABSTRACT_NAME "plamo-fast-test"
static int abstract_fd, port_fd;
static in_port_t port;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    root = open_folder(temp.fd, "root");
    put_file(temp.fd, "outside", "kept");
    err = (struct pf_error){0};
    said = (struct buffer){0};
    place = (struct pf_script_place){.root_fd = root, .view = PF_SANDBOX_HOST, .work_fd = -1};
    assert_ok(pf_script_open_sandbox(&place, &err), &err);
    return 0;
}

static int end(void **state)
{
    (void)state;
    pf_sandbox_close(place.sandbox);
    assert_file(temp.fd, "outside", "kept");
    buffer_end(&said);
    close(root);
    temp_end(&temp);
    return 0;
}

static void collect(void *ctx, const char *text, size_t length)
{
    buffer_add(ctx, text, length);
}

static int run_words(const char *const *argv, const char *text, unsigned timeout_s, int *status)
{
    struct pf_script_limits limits = PF_SCRIPT_LIMITS_DEFAULT;
    struct pf_script_output output = {collect, &said};
    limits.timeout_s = timeout_s;
    said.length = 0;
    int result = pf_script_run_program(&place, argv, text, &limits, &output, NULL, status, &err);
    buffer_add(&said, "", 1);
    return result;
}

/* Runs a script that must end by itself; returns what it said. */
static const char *run(const char *script, int wanted_status)
{
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    int status = -1;
    assert_ok(run_words(argv, NULL, 60, &status), &err);
    if (status != wanted_status)
        fail_msg("%s: status %d: %s", script, status, (char *)said.data);
    return (char *)said.data;
}

static void expect(const char *script, const char *output)
{
    assert_string_equal(run(script, 0), output);
}

static void runs_as_scripts_expect(void **state)
{
    (void)state;
    setenv("LEAKED", "x", 1);
    expect("pwd; umask; cat; echo $LEAKED. $HOME; echo error >&2", "/root\n0022\n. /\nerror\n");
    expect("echo x > made; mkdir folder; chown 8:12 folder 2>/dev/null; awk 'BEGIN { print 3 }'",
           "3\n");
    assert_int_equal(stat_of(root, "made").st_mode, S_IFREG | 0644);
    assert_int_equal(stat_of(root, "folder").st_mode, S_IFDIR | 0755);
    /* A namespace may have no such group. */
    put_folder(root, "own", 0755);
    if (fchownat(root, "own", 8, 12, 0) == 0)
        assert_int_equal(stat_of(root, "folder").st_gid, 12);
    expect("id -un; ls -ld . | grep -c root; echo to > /dev/null; echo two > /dev/stderr",
           "root\n1\ntwo\n");
    run("exit 3", 3);
    run("kill -9 $$", 128 + 9);
    /* No descriptor of ours, also one that is not marked for that. */
    int open_one = dup(root);
    expect("ls /proc/$$/fd; readlink /proc/$$/fd/0", "0\n1\n2\n/dev/null\n");
    close(open_one);
}

static void runs_other_programs(void **state)
{
    (void)state;
    static const char *const by_text[] = {"/bin/sh", "-c", NULL};
    static const char *const absent[] = {"./no-such-program", NULL};
    static const char *const data[] = {"./data", NULL};
    static const char *const found[] = {"/usr/bin/expr", "1", "+", "1", NULL};
    int status = -1;
    assert_ok(run_words(by_text, "echo \"$#|$0|\"; ls /proc/$$/fd; exit 5", 60, &status), &err);
    assert_int_equal(status, 5);
    assert_contains((char *)said.data, "0|/bin/sh|\n0\n1\n");
    assert_ok(run_words(absent, NULL, 60, &status), &err);
    assert_int_equal(status, 127);
    put_bytes(root, "data", "x", 1, 0644);
    assert_ok(run_words(data, NULL, 60, &status), &err);
    assert_int_equal(status, 126);
    assert_ok(run_words(found, NULL, 60, &status), &err);
    assert_string_equal((char *)said.data, "2\n");
}

static void writes_nowhere_else(void **state)
{
    (void)state;
    char script[512];
    run("touch /usr/made || touch /made || touch ../made || touch /dev/made || touch /proc/made",
        1);
    /* Nothing that would do harm if it succeeded. */
    run("chmod 666 /dev/null || chown 0 /dev/zero || chmod 755 /usr || touch -c /usr/bin/env", 1);
    run("cd /proc/sys/kernel; value=$(cat modprobe); echo \"$value\" > modprobe", 2);
    put_link(root, "out", temp.path);
    snprintf(script, sizeof script, "echo x > out/outside; echo x > %s/outside; cat out/outside",
             temp.path);
    run(script, 1);
    /* Thrown away: a script finds nothing of the one before. */
    run("echo evil > /etc/new && rm /etc/passwd && echo evil > /etc/passwd && echo x > /tmp/new &&"
        "echo x > /var/tmp/more",
        0);
    expect("ls /tmp; ls /etc/new 2>&1 | wc -l; grep -c ^root: /etc/passwd", "1\n1\n");
}

static void opens_no_device(void **state)
{
    (void)state;
    if (mknodat(root, "here", S_IFCHR | 0600, makedev(1, 3)) < 0) {
        print_message("skipped: no node may be made here\n");
        skip();
    }
    unlinkat(root, "here", 0);
    run("mknod null c 1 3 && mknod disk b 254 0 && mknod /tmp/null c 1 3", 0);
    assert_int_equal(stat_of(root, "disk").st_rdev, makedev(254, 0));
    run("cat null || cat disk || mknod /tmp/null c 1 3 && cat /tmp/null", 1);
    assert_contains(run("cat null 2>&1", 1), "denied");
}

static void hides_the_host(void **state)
{
    (void)state;
    setenv("LEAKED", "x", 1);
    expect("ls /proc | grep '^[0-9]' | sort -n | head -1; ls -d /proc/1 2>/dev/null; "
           "cat /proc/1/environ /proc/1/cmdline 2>/dev/null; "
           "ls -d /etc/shadow /home /sys /run/* 2>/dev/null; true",
           "2\n");
    expect("cat /proc/*/environ | tr '\\0' '\\n' | grep LEAKED=; true", "");
    expect("kill -9 $PPID 1 2>/dev/null; echo alive", "alive\n");
}

/* What a copy of this program does in the sandbox: calls that must fail. */
static int failures;

static void refused(const char *name, long result, int wanted)
{
    if (result >= 0 || errno != wanted) {
        printf("%s: %ld %s\n", name, result, result < 0 ? strerror(errno) : "");
        failures++;
    }
}

static void try_sockets(in_port_t number)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = number,
                                  .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "\0" ABSTRACT_NAME};
    socklen_t length = offsetof(struct sockaddr_un, sun_path) + sizeof ABSTRACT_NAME;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
        refused("connect to the host's port", 0, 0);
    fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof address) == 1)
        refused("sendto", 0, 0);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&local, length) == 0)
        refused("connect to an abstract socket", 0, 0);
    refused("socket AF_VSOCK", socket(AF_VSOCK, SOCK_STREAM, 0), EAFNOSUPPORT);
    refused("socket AF_ALG", socket(AF_ALG, SOCK_SEQPACKET, 0), EAFNOSUPPORT);
    refused("socket AF_PACKET", socket(AF_PACKET, SOCK_RAW, 0), EAFNOSUPPORT);
    refused("socket AF_INET6 raw", socket(AF_INET6, SOCK_RAW, 255), EPERM);
}

#ifdef __x86_64__
/* As a 32-bit program calls. */
static long call_32(long number, long a, long b)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(0L) : "memory");
    if (result >= 0 || result == -ENOSYS)
        return result == -ENOSYS ? 0 : result;
    errno = (int)-result;
    return -1;
}

/* A kernel that does not take them kills the caller. */
static bool has_32_bit_calls(void)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(call_32(20 /* getpid */, 0, 0) > 0 ? 0 : 1);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static void try_32_bit_calls(void)
{
    if (!has_32_bit_calls()) {
        puts("(no 32-bit calls here)");
        return;
    }
    refused("32-bit ptrace", call_32(26, 0, 0), EPERM);
    refused("32-bit unshare", call_32(310, CLONE_NEWUSER, 0), EPERM);
    refused("32-bit umount2", call_32(52, 0, 0), EPERM);
    refused("32-bit ioctl TIOCSTI", call_32(54, 0, TIOCSTI), EPERM);
    refused("32-bit socketcall", call_32(102, 1, 0), EPERM);
    refused("32-bit socket AF_VSOCK", call_32(359, AF_VSOCK, SOCK_STREAM), EAFNOSUPPORT);
}
#else
static void try_32_bit_calls(void)
{
}
#endif

static int try_calls(in_port_t number)
{
    refused("mount", syscall(SYS_mount, NULL, NULL, NULL, 0, NULL), EPERM);
    refused("umount2", syscall(SYS_umount2, NULL, 0), EPERM);
    refused("open_tree", syscall(SYS_open_tree, AT_FDCWD, "/", 1), EPERM);
    refused("fsopen", syscall(SYS_fsopen, "tmpfs", 0), EPERM);
    refused("pivot_root", syscall(SYS_pivot_root, NULL, NULL), EPERM);
    refused("unshare", syscall(SYS_unshare, CLONE_NEWUSER), EPERM);
    refused("setns", syscall(SYS_setns, 0, 0), EPERM);
    refused("clone", syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), EPERM);
    refused("clone3", syscall(SYS_clone3, NULL, 0), ENOSYS);
    refused("ptrace", syscall(SYS_ptrace, 0, 0, 0, 0), EPERM);
    refused("process_vm_readv", syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0), EPERM);
    refused("init_module", syscall(SYS_init_module, NULL, 0, ""), EPERM);
    refused("finit_module", syscall(SYS_finit_module, 0, "", 0), EPERM);
    refused("kexec_load", syscall(SYS_kexec_load, 0, 0, NULL, 0), EPERM);
    refused("reboot", syscall(SYS_reboot, 0xfee1dead, 672274793, 0x89abcdef, NULL), EPERM);
    refused("keyctl", syscall(SYS_keyctl, 0, -3, 0), EPERM);
    refused("add_key", syscall(SYS_add_key, "user", "x", "x", 1, -3), EPERM);
    refused("bpf", syscall(SYS_bpf, 0, NULL, 0), EPERM);
    refused("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0), EPERM);
    refused("io_uring_setup", syscall(SYS_io_uring_setup, 1, NULL), EPERM);
    refused("userfaultfd", syscall(SYS_userfaultfd, 0), EPERM);
    refused("open_by_handle_at", syscall(SYS_open_by_handle_at, 0, NULL, 0), EPERM);
    refused("swapon", syscall(SYS_swapon, "x", 0), EPERM);
    refused("sethostname", syscall(SYS_sethostname, NULL, 1), EPERM);
    refused("clock_settime", syscall(SYS_clock_settime, CLOCK_REALTIME, NULL), EPERM);
    refused("ioctl TIOCSTI", ioctl(0, TIOCSTI, "x"), EPERM);
    refused("ioctl TIOCSTI with a high half", syscall(SYS_ioctl, 0, 1L << 32 | TIOCSTI, "x"),
            EPERM);
    refused("a controlling terminal", open("/dev/tty", O_RDWR), ENXIO);
    refused("capability", prctl(PR_CAPBSET_READ, 21 /* CAP_SYS_ADMIN */) - 1, errno);
    try_sockets(number);
    try_32_bit_calls();
    printf("%d failures\n", failures);
    fflush(stdout);
    _exit(failures ? 1 : 0);
}

static void listen_on_the_host(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_un local = {.sun_family = AF_UNIX, .sun_path = "\0" ABSTRACT_NAME};
    socklen_t length = sizeof address;
    port_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    abstract_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(port_fd, (struct sockaddr *)&address, length), 0);
    assert_int_equal(getsockname(port_fd, (struct sockaddr *)&address, &length), 0);
    port = address.sin_port;
    length = offsetof(struct sockaddr_un, sun_path) + sizeof ABSTRACT_NAME;
    assert_int_equal(bind(abstract_fd, (struct sockaddr *)&local, length), 0);
    assert_int_equal(listen(port_fd, 5) | listen(abstract_fd, 5), 0);
}

static void put_this_program(const char *name)
{
    char buffer[65536];
    ssize_t length;
    int from = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    int to = openat(root, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    while ((length = read(from, buffer, sizeof buffer)) > 0)
        assert_int_equal(write(to, buffer, (size_t)length), length);
    close(from);
    close(to);
}

static void refuses_what_leads_out(void **state)
{
    (void)state;
    char script[64];
    listen_on_the_host();
    put_this_program("probe");
    snprintf(script, sizeof script, "./probe %u 2>&1", (unsigned)port);
    const char *text = run(script, 0);
    assert_contains(text, "0 failures");
    if (strstr(text, "no 32-bit calls"))
        print_message("skipped: the calls of 32-bit programs: this kernel takes none\n");
    close(port_fd);
    close(abstract_fd);
}

static void leaves_no_process_behind(void **state)
{
    (void)state;
    int held = pipe_begin(root, "held");
    expect(LEAVE_BEHIND("sh", "one") LEAVE_BEHIND("setsid sh", "two") "echo done", "done\n");
    wait_for_no_holder(held);
}

static void limits_time_and_output(void **state)
{
    (void)state;
    static const char *const sleeps[] = {"/bin/sh", "-c", "echo begun; sleep 86400", NULL};
    static const char *const talks[] = {"/bin/sh", "-c", "cat /dev/zero", NULL};
    int status = -1;
    assert_code(run_words(sleeps, NULL, 1, &status), PF_E_LIMIT, &err);
    assert_contains((char *)said.data, "begun");
    assert_code(run_words(talks, NULL, 1, &status), PF_E_LIMIT, &err);
    assert_true(said.length <= (1u << 20) + 1);
    expect("echo again", "again\n");
}

/* Processes and threads are counted; a new one of each sort until it is enough. */
static void limits_processes(void **state)
{
    (void)state;
    static const char *const environment[] = {"PATH=/usr/bin:/bin", NULL};
    const struct pf_sandbox_settings few = {.view = PF_SANDBOX_HOST,
                                            .work_fd = -1,
                                            .root_fd = root,
                                            .environment = environment,
                                            .processes = 40};
    static const char *const bombs[] = {
        "while :; do sleep 86400 & done", "f() { f & f & wait; }; f",
        "f() { setsid sh -c 'sleep 86400' & }; while :; do f; done"};
    int status = -1;
    pf_sandbox_close(place.sandbox);
    assert_ok(pf_sandbox_open(&few, &place.sandbox, &err), &err);
    for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
        const char *const argv[] = {"/bin/sh", "-c", bombs[i], NULL};
        assert_code(run_words(argv, NULL, 60, &status), PF_E_LIMIT, &err);
        assert_contains(err.text, "40 processes");
    }
    expect("echo again", "again\n");
}

static void refuses_without_privileges(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct pf_script_place none = {.root_fd = root, .view = PF_SANDBOX_HOST, .work_fd = -1};
        prctl(PR_CAPBSET_DROP, 21 /* CAP_SYS_ADMIN */);
        /* Without a user change: that needs more ids than a namespace may have. */
        struct {
            uint32_t version;
            int pid;
        } header = {0x20080522, 0};
        uint32_t data[6] = {0};
        syscall(SYS_capset, &header, data);
        bool right = pf_script_open_sandbox(&none, &err) == PF_E_PERMISSION && !none.sandbox &&
                     strstr(err.text, "--no-sandbox") && strstr(err.text, "namespaces");
        if (!right)
            fprintf(stderr, "%d: %s\n", err.code, err.text);
        _exit(right ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* Whoever holds the sandbox is killed: what runs in it goes too. */
static void ends_with_its_caller(void **state)
{
    (void)state;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct pf_script_place own = {.root_fd = root, .view = PF_SANDBOX_HOST, .work_fd = -1};
        static const char *const argv[] = {"/bin/sh", "-c", "touch begun; sleep 1; touch late",
                                           NULL};
        if (pf_script_open_sandbox(&own, &err) == 0)
            pf_sandbox_start(own.sandbox, argv, 2, -1, &err);
        pause();
        _exit(1);
    }
    for (int i = 0; i < 500 && !has_name(root, "begun"); i++)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    assert_true(has_name(root, "begun"));
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    nanosleep(&(struct timespec){.tv_sec = 1, .tv_nsec = 500000000}, NULL);
    assert_false(has_name(root, "late"));
}

static void *use_memory(void *stop)
{
    while (!atomic_load((atomic_bool *)stop))
        free(malloc(100));
    return NULL;
}

/* The copy of a process with threads holds locks that nobody will open. */
static void opens_beside_other_threads(void **state)
{
    (void)state;
    atomic_bool stop = false;
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_memory, &stop), 0);
    for (int i = 0; i < 30; i++) {
        pf_sandbox_close(place.sandbox);
        place.sandbox = NULL;
        assert_ok(pf_script_open_sandbox(&place, &err), &err);
        expect("echo one", "one\n");
    }
    atomic_store(&stop, true);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

/* Of a folder that has moved meanwhile, it is still the same. */
static void stays_with_its_root(void **state)
{
    (void)state;
    assert_int_equal(renameat(temp.fd, "root", temp.fd, "moved"), 0);
    run("touch here", 0);
    assert_true(has_name(temp.fd, "moved/here"));
    run("rm -rf /root/* ../* 2>/dev/null; ls /usr/bin/env > /dev/null", 0);
    assert_false(has_name(root, "here"));
    run("echo x > after", 0);
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(runs_as_scripts_expect),   test(runs_other_programs),
    test(writes_nowhere_else),      test(opens_no_device),
    test(hides_the_host),           test(refuses_what_leads_out),
    test(leaves_no_process_behind), test(limits_time_and_output),
    test(limits_processes),         test(refuses_without_privileges),
    test(ends_with_its_caller),     test(opens_beside_other_threads),
    test(stays_with_its_root),
};

int main(int argc, char **argv)
{
    if (argc > 1)
        return try_calls((in_port_t)strtoul(argv[1], NULL, 10));
    int skipped = support_begin(true);
    return skipped ? skipped : cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
