/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "syscallfilter.h"

#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
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

/* What namespaces would hold: sockets, System V and POSIX IPC, and what one process can do to
   another of the same user by its number. */
static const char *const denied_alone[] = {"socket",
                                           "socketpair",
                                           "connect",
                                           "bind",
                                           "shmget",
                                           "shmat",
                                           "shmctl",
                                           "msgget",
                                           "msgsnd",
                                           "msgrcv",
                                           "msgctl",
                                           "semget",
                                           "semop",
                                           "semctl",
                                           "semtimedop",
                                           "semtimedop_time64",
                                           "ipc",
                                           "mq_open",
                                           "mq_unlink",
                                           "pidfd_open",
                                           "pidfd_send_signal",
                                           "rt_sigqueueinfo",
                                           "rt_tgsigqueueinfo",
                                           "migrate_pages",
                                           "move_pages",
                                           "sched_setattr",
                                           "ioprio_set",
                                           "process_mrelease",
                                           "fanotify_mark",
                                           "name_to_handle_at"};

static const char *const denied_kills[] = {"kill", "tkill", "tgkill"};

static int deny_list(scmp_filter_ctx ctx, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        int rc =
            number == __NR_SCMP_ERROR ? 0 : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), number, 0);
        if (rc)
            return rc;
    }
    return 0;
}

static int deny_names(scmp_filter_ctx ctx, const struct pf_filter_settings *settings)
{
    int rc = deny_list(ctx, denied, sizeof denied / sizeof *denied);
    if (!rc && settings->walls == PF_FILTER_ALONE)
        rc = deny_list(ctx, denied_alone, sizeof denied_alone / sizeof *denied_alone);
    if (!rc && settings->refuse_kill)
        rc = deny_list(ctx, denied_kills, sizeof denied_kills / sizeof *denied_kills);
    return rc ? rc : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
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

/* Another process of the same user may be given limits and priorities by its number; 0 is the
   caller's own. */
static int deny_other_processes(scmp_filter_ctx ctx)
{
    static const int by_first[] = {SCMP_SYS(prlimit64), SCMP_SYS(sched_setaffinity),
                                   SCMP_SYS(sched_setparam), SCMP_SYS(sched_setscheduler)};
    int rc = 0;
    for (size_t i = 0; i < sizeof by_first / sizeof *by_first && !rc; i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), by_first[i], 1,
                              SCMP_A0(SCMP_CMP_NE, 0, 0));
    if (!rc)
        rc = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setpriority), 1,
                              SCMP_A0(SCMP_CMP_NE, PRIO_PROCESS, 0));
    return rc ? rc
              : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(setpriority), 2,
                                 SCMP_A0(SCMP_CMP_EQ, PRIO_PROCESS, 0), SCMP_A1(SCMP_CMP_NE, 0, 0));
}

static int watch_devices(scmp_filter_ctx ctx)
{
    static const uint64_t types[] = {S_IFCHR, S_IFBLK};
    int rc = 0;
    for (size_t i = 0; i < sizeof types / sizeof *types && !rc; i++) {
        rc = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(mknod), 1,
                              SCMP_A1(SCMP_CMP_MASKED_EQ, S_IFMT, types[i]));
        if (!rc)
            rc = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(mknodat), 1,
                                  SCMP_A2(SCMP_CMP_MASKED_EQ, S_IFMT, types[i]));
    }
    return rc;
}

static int watch_removals(scmp_filter_ctx ctx)
{
    static const int calls[] = {SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename),
                                SCMP_SYS(renameat), SCMP_SYS(renameat2)};
    int rc = 0;
    for (size_t i = 0; i < sizeof calls / sizeof *calls && !rc; i++)
        rc = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, calls[i], 0);
    return rc;
}

static int watch(scmp_filter_ctx ctx, const struct pf_filter_settings *settings)
{
    int rc = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(chroot), 0);
    if (!rc)
        rc = seccomp_rule_add(ctx, SCMP_ACT_NOTIFY, SCMP_SYS(execve), 0);
    return rc || !settings->watch_devices ? rc : watch_devices(ctx);
}

static void note_watched(struct pf_filter *filter)
{
    static const struct {
        const char *name;
        enum pf_watched_kind kind;
    } calls[] = {{"chroot", PF_WATCHED_CHROOT},     {"execve", PF_WATCHED_EXEC},
                 {"mknod", PF_WATCHED_MKNOD},       {"mknodat", PF_WATCHED_MKNODAT},
                 {"unlink", PF_WATCHED_UNLINK},     {"rename", PF_WATCHED_UNLINK},
                 {"unlinkat", PF_WATCHED_UNLINKAT}, {"renameat", PF_WATCHED_UNLINKAT},
                 {"renameat2", PF_WATCHED_UNLINKAT}};
    const uint32_t native = seccomp_arch_native();
    const uint32_t archs[] = {native, SCMP_ARCH_X86, SCMP_ARCH_X32};
    size_t arch_count = native == SCMP_ARCH_X86_64 ? 3 : 1;
    for (size_t i = 0; i < arch_count; i++) {
        for (size_t k = 0; k < sizeof calls / sizeof *calls; k++) {
            int number = seccomp_syscall_resolve_name_arch(archs[i], calls[k].name);
            /* The kernel tells of an x32 call as one of x86_64, with a bit in the number. */
            if (number >= 0)
                filter->watched[filter->watched_count++] =
                    (struct pf_watched_call){archs[i] == SCMP_ARCH_X32 ? native : archs[i], number,
                                             calls[k].kind};
        }
    }
}

static int add_rules(scmp_filter_ctx ctx, const struct pf_filter_settings *settings)
{
    int rc = add_other_numbers(ctx);
    if (!rc)
        rc = deny_names(ctx, settings);
    if (!rc)
        rc = deny_new_namespaces(ctx);
    if (!rc)
        rc = deny_terminals(ctx);
    if (!rc && settings->walls != PF_FILTER_ALONE) {
        rc = deny_families(ctx);
        return rc || settings->walls == PF_FILTER_NAMESPACES ? rc : watch_removals(ctx);
    }
    if (!rc)
        rc = deny_other_processes(ctx);
    return rc ? rc : watch(ctx, settings);
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

int pf_syscallfilter_make(const struct pf_filter_settings *settings, struct pf_filter *filter,
                          struct pf_error *err)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
    pf_auto_fd int fd = memfd_create("plamo-fast-seccomp", MFD_CLOEXEC);
    /* Some hosts forbid memfds. */
    if (fd < 0)
        fd = open(P_tmpdir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    int rc = fd < 0 ? -errno : ctx ? add_rules(ctx, settings) : -ENOMEM;
    if (!rc)
        rc = export_program(ctx, fd);
    if (ctx)
        seccomp_release(ctx);
    if (rc || lseek(fd, 0, SEEK_SET) < 0) {
        errno = rc ? -rc : errno;
        return pf_error_errno(err, "making the filter of system calls");
    }
    char *data;
    size_t length;
    rc = pf_fs_read_fd(fd, MAX_PROGRAM_BYTES, &data, &length, err);
    if (rc)
        return rc;
    *filter = (struct pf_filter){.program = {.filter = (void *)data}};
    filter->program.len = (unsigned short)(length / sizeof *filter->program.filter);
    if (settings->walls != PF_FILTER_NAMESPACES)
        note_watched(filter);
    return 0;
}

void pf_syscallfilter_end(struct pf_filter *filter)
{
    free(filter->program.filter);
    *filter = (struct pf_filter){0};
}
