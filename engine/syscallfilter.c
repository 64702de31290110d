/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "syscallfilter.h"

#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define MAX_PROGRAM_BYTES (1u << 20)

/* By name: a library that does not know one yet leaves it out. */
static const char *const denied[] = {
    /* mounts and namespaces: the way out of all the rest */
    "mount", "umount", "umount2", "pivot_root", "open_tree", "open_tree_attr", "move_mount",
    "fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr", "setns", "unshare",
    /* other processes */
    "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_getfd", "process_madvise",
    /* the kernel */
    "init_module", "finit_module", "delete_module", "create_module", "query_module", "kexec_load",
    "kexec_file_load", "reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "syslog",
    "iopl", "ioperm", "bpf", "perf_event_open", "userfaultfd", "io_uring_setup", "io_uring_enter",
    "io_uring_register", "fanotify_init", "lookup_dcookie", "nfsservctl", "uselib", "vm86",
    "vm86old", "_sysctl",
    /* keys of the user who builds */
    "keyctl", "add_key", "request_key",
    /* files by number, past every folder */
    "open_by_handle_at",
    /* the host's clock, name and terminal */
    "settimeofday", "stime", "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64",
    "adjtimex", "sethostname", "setdomainname", "vhangup",
    /* the 32-bit call whose arguments, and so whose families, cannot be seen */
    "socketcall"};

static int deny_names(scmp_filter_ctx ctx)
{
    for (size_t i = 0; i < sizeof denied / sizeof *denied; i++) {
        int number = seccomp_syscall_resolve_name(denied[i]);
        int failed =
            number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), number, 0);
        if (failed)
            return failed;
    }
    return seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

static int deny_new_namespaces(scmp_filter_ctx ctx)
{
    static const uint64_t flags[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                     CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};
    int failed = 0;
    for (size_t i = 0; i < sizeof flags / sizeof *flags && !failed; i++)
        failed = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, flags[i], flags[i]));
    return failed;
}

/* TIOCSTI types into a terminal, TIOCLINUX pastes into a console. Only the low half of the number
   counts for the kernel. */
static int deny_terminals(scmp_filter_ctx ctx)
{
    static const uint64_t numbers[] = {TIOCSTI, TIOCLINUX};
    int failed = 0;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers && !failed; i++)
        failed = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                                  SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, numbers[i]));
    return failed;
}

/* A network namespace holds the Internet's families, abstract local sockets and netlink; vsock and
   the like go past it. */
static int deny_families(scmp_filter_ctx ctx)
{
    const uint32_t action = SCMP_ACT_ERRNO(EAFNOSUPPORT);
    int failed = seccomp_rule_add(ctx, action, SCMP_SYS(socket), 1,
                                  SCMP_A0(SCMP_CMP_GT, (uint64_t)AF_NETLINK, 0));
    for (int family = AF_INET + 1; family < AF_NETLINK && !failed; family++) {
        if (family != AF_INET6)
            failed = seccomp_rule_add(ctx, action, SCMP_SYS(socket), 1,
                                      SCMP_A0(SCMP_CMP_EQ, (uint64_t)family, 0));
    }
    return failed;
}

/* A 64-bit kernel runs 32-bit programs too, by other numbers: an x86 root's ldconfig is one. */
static int add_other_numbers(scmp_filter_ctx ctx)
{
    if (seccomp_arch_native() != SCMP_ARCH_X86_64)
        return 0;
    int failed = seccomp_arch_add(ctx, SCMP_ARCH_X86);
    return failed ? failed : seccomp_arch_add(ctx, SCMP_ARCH_X32);
}

static int add_rules(scmp_filter_ctx ctx)
{
    int failed = add_other_numbers(ctx);
    if (!failed)
        failed = deny_names(ctx);
    if (!failed)
        failed = deny_new_namespaces(ctx);
    if (!failed)
        failed = deny_terminals(ctx);
    return failed ? failed : deny_families(ctx);
}

/* The library writes the program at once, and says of any failed write(2) that it was cancelled;
   errno still tells why. Broken off by a signal it has written nothing, and may begin again. */
static int export_program(scmp_filter_ctx ctx, int fd)
{
    int failed;
    do {
        errno = 0;
        failed = seccomp_export_bpf(ctx, fd);
    } while (failed && errno == EINTR);
    return failed == -ECANCELED && errno ? -errno : failed;
}

int pf_syscallfilter_make(struct sock_fprog *program, struct pf_error *err)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    pf_auto_fd int fd = memfd_create("plamo-fast-seccomp", MFD_CLOEXEC);
    /* Some hosts forbid memfds. */
    if (fd < 0)
        fd = open(P_tmpdir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int failed = fd < 0 ? -errno : ctx ? add_rules(ctx) : -ENOMEM;
    if (!failed)
        failed = export_program(ctx, fd);
    if (ctx)
        seccomp_release(ctx);
    if (failed || lseek(fd, 0, SEEK_SET) < 0) {
        errno = failed ? -failed : errno;
        return pf_error_errno(err, "making the filter of system calls");
    }
    char *data;
    size_t length;
    failed = pf_fs_read_fd(fd, MAX_PROGRAM_BYTES, &data, &length, err);
    if (failed)
        return failed;
    program->filter = (void *)data;
    program->len = (unsigned short)(length / sizeof *program->filter);
    return 0;
}
