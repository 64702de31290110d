/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "confine.h"

#include "cleanup.h"
#include "landlock.h"
#include "message.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static int restrict_files(const struct pf_confine *confine)
{
    struct pf_landlock refused = {.abi = confine->landlock_abi,
                                  .files = PF_LANDLOCK_CHANGE,
                                  .network = PF_LANDLOCK_TCP,
                                  .scopes = PF_LANDLOCK_SCOPES};
    pf_auto_fd int rules = pf_landlock_open(&refused);
    if (rules < 0)
        return -1;
    for (const char *const *path = confine->writable; *path; path++) {
        if (pf_landlock_allow_path(rules, &refused, *path, PF_LANDLOCK_CHANGE) < 0)
            return -1;
    }
    if (pf_landlock_allow_path(rules, &refused, confine->written_to,
                               LANDLOCK_ACCESS_FS_WRITE_FILE | PF_LANDLOCK_TRUNCATE) < 0)
        return -1;
    return pf_landlock_restrict(rules);
}

static int set_limit(int resource, rlim_t value)
{
    struct rlimit limit;
    if (getrlimit(resource, &limit) < 0)
        return -1;
    if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > value)
        limit.rlim_max = value;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(resource, &limit);
}

int pf_confine_keep_capabilities(uint64_t keep)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    if (syscall(SYS_capget, &header, data) < 0)
        return -1;
    for (size_t i = 0; i < 2; i++) {
        data[i].permitted &= (uint32_t)(keep >> 32 * i);
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
    }
    return (int)syscall(SYS_capset, &header, data);
}

static int drop_capabilities(void)
{
    static const unsigned kept[] = {CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID,
                                    CAP_KILL,    CAP_SETGID,       CAP_SETUID, CAP_SYS_CHROOT,
                                    CAP_SETFCAP, CAP_MKNOD};
    uint64_t keep = 0;
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
        keep |= UINT64_C(1) << kept[i];
    /* The bounding set, too: user 0 would get them back by any exec. */
    for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        if (!(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
            return -1;
    }
    return pf_confine_keep_capabilities(keep);
}

const char *pf_confine_self(const struct pf_confine *confine)
{
    if (set_limit(RLIMIT_FSIZE, (rlim_t)confine->file_bytes) < 0 || set_limit(RLIMIT_CORE, 0) < 0)
        return N_("limiting it");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return N_("giving up new privileges");
    if (confine->landlock_abi && restrict_files(confine) < 0)
        return N_("confining it by Landlock");
    if (drop_capabilities() < 0)
        return N_("giving up capabilities");
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &confine->calls) < 0)
        return N_("filtering its system calls");
    return NULL;
}
