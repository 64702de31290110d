/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* docker_profile COMMAND…: runs a command with the capabilities of docker's default container, a
   filter of its default kind (calls that could reach past a container give EPERM), and loopback. */
#include <errno.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const int kept[] = {
    CAP_CHOWN,  CAP_DAC_OVERRIDE, CAP_FOWNER,      CAP_FSETID,  CAP_KILL,
    CAP_SETGID, CAP_SETUID,       CAP_SETPCAP,     CAP_NET_RAW, CAP_NET_BIND_SERVICE,
    CAP_MKNOD,  CAP_SYS_CHROOT,   CAP_AUDIT_WRITE, CAP_SETFCAP,
};

/* Calls that the profile gives to nobody without a further capability. */
static const int refused[] = {
    SCMP_SYS(acct),          SCMP_SYS(add_key),
    SCMP_SYS(bpf),           SCMP_SYS(clock_adjtime),
    SCMP_SYS(clock_settime), SCMP_SYS(delete_module),
    SCMP_SYS(fanotify_init), SCMP_SYS(finit_module),
    SCMP_SYS(fsconfig),      SCMP_SYS(fsmount),
    SCMP_SYS(fsopen),        SCMP_SYS(fspick),
    SCMP_SYS(init_module),   SCMP_SYS(ioperm),
    SCMP_SYS(iopl),          SCMP_SYS(kcmp),
    SCMP_SYS(kexec_load),    SCMP_SYS(kexec_file_load),
    SCMP_SYS(keyctl),        SCMP_SYS(lookup_dcookie),
    SCMP_SYS(mbind),         SCMP_SYS(mount),
    SCMP_SYS(mount_setattr), SCMP_SYS(move_mount),
    SCMP_SYS(move_pages),    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(open_tree),     SCMP_SYS(perf_event_open),
    SCMP_SYS(pivot_root),    SCMP_SYS(quotactl),
    SCMP_SYS(reboot),        SCMP_SYS(request_key),
    SCMP_SYS(set_mempolicy), SCMP_SYS(setdomainname),
    SCMP_SYS(sethostname),   SCMP_SYS(setns),
    SCMP_SYS(settimeofday),  SCMP_SYS(swapoff),
    SCMP_SYS(swapon),        SCMP_SYS(syslog),
    SCMP_SYS(umount2),       SCMP_SYS(unshare),
    SCMP_SYS(userfaultfd),   SCMP_SYS(vhangup),
};

static int raise_loopback(void)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int rc = fd < 0 ? -1 : ioctl(fd, SIOCSIFFLAGS, &lo);
    if (fd >= 0)
        close(fd);
    return rc;
}

static int drop_capabilities(void)
{
    for (int cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        size_t i = 0;
        while (i < sizeof kept / sizeof *kept && kept[i] != cap)
            i++;
        if (i == sizeof kept / sizeof *kept && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return -1;
    }
    return 0;
}

static int filter_calls(void)
{
    static const scmp_datum_t namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC |
                                           CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                                           CLONE_NEWCGROUP;
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    /* docker leaves this one to the image. */
    int rc = filter ? seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) : -ENOMEM;
#ifdef __x86_64__
    if (rc == 0)
        rc = seccomp_arch_add(filter, SCMP_ARCH_X86);
#endif
    for (size_t i = 0; rc == 0 && i < sizeof refused / sizeof *refused; i++)
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
    /* One bit after the other: a rule compares for equality. */
    for (scmp_datum_t bit = 1; rc == 0 && bit <= namespaces; bit <<= 1) {
        if (namespaces & bit)
            rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                  SCMP_A0(SCMP_CMP_MASKED_EQ, bit, bit));
    }
    /* Its flags lie in memory, so the C library is sent back to clone. */
    if (rc == 0)
        rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    if (rc == 0)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fputs("usage: docker_profile COMMAND...\n", stderr);
        return 2;
    }
    if (raise_loopback() < 0) {
        perror("docker_profile: loopback");
        return 1;
    }
    /* The filter needs CAP_SYS_ADMIN or no_new_privs, which docker does not set: so it comes first,
       and what exec gives is bounded by the set that is dropped. */
    if (filter_calls() < 0) {
        fputs("docker_profile: no filter to be had\n", stderr);
        return 1;
    }
    if (drop_capabilities() < 0) {
        perror("docker_profile: dropping capabilities");
        return 1;
    }
    execvp(argv[1], argv + 1);
    perror(argv[1]);
    return 1;
}
