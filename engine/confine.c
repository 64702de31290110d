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

/* Since Linux 5.19, as the Landlock without which nothing is watched; from linux/seccomp.h, which
 * may be older. */
#define FILTER_FLAG_WAIT_KILLABLE_RECV (1ul << 5)

static int restrict_files(const struct pf_confine *confine)
{
    struct pf_landlock refused = {.abi = confine->landlock_abi,
                                  .files = confine->refused,
                                  .network = PF_LANDLOCK_TCP,
                                  .scopes = PF_LANDLOCK_SCOPES};
    pf_auto_fd int set_fd = pf_landlock_open(&refused);
    if (set_fd < 0)
        return -1;
    for (const struct pf_confine_rule *rule = confine->rules; rule->path; rule++) {
        if (pf_landlock_allow_path(set_fd, &refused, rule->path, rule->access) < 0)
            return -1;
    }
    return pf_landlock_restrict(set_fd);
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

static int drop_capabilities(uint64_t keep)
{
    /* The bounding set, too, by which user 0 gets them back at an exec. Where this process may not
       drop any from it (no CAP_SETPCAP), no_new_privs alone prevents that. */
    for (unsigned cap = 0; prctl(PR_CAPBSET_READ, cap, 0, 0, 0) >= 0; cap++) {
        if (!(keep >> cap & 1) && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM)
            return -1;
    }
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    return pf_confine_keep_capabilities(keep);
}

static int filter_calls(const struct pf_confine *confine, int *listener)
{
    /* A signal must not take a call back that the listener is at work on. */
    unsigned flags =
        confine->watched ? SECCOMP_FILTER_FLAG_NEW_LISTENER | FILTER_FLAG_WAIT_KILLABLE_RECV : 0;
    *listener = -1;
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &confine->calls);
    if (result >= 0 && confine->watched)
        *listener = (int)result;
    return result < 0 ? -1 : 0;
}

const char *pf_confine_self(const struct pf_confine *confine, int *listener)
{
    if (set_limit(RLIMIT_CORE, 0) < 0)
        return N_("limiting it");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return N_("giving up new privileges");
    if (confine->landlock_abi && restrict_files(confine) < 0)
        return N_("confining it by Landlock");
    if (drop_capabilities(confine->capabilities) < 0)
        return N_("giving up capabilities");
    if (filter_calls(confine, listener) < 0)
        return N_("filtering its system calls");
    return NULL;
}
