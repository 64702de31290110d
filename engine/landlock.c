/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "landlock.h"

#include "cleanup.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LEAST_ABI 2

#define FILE_ACCESS                                                                                \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |   \
     PF_LANDLOCK_TRUNCATE)

/* The kernel's struct landlock_ruleset_attr, as version 6 has it. */
struct ruleset {
    uint64_t files, network, scopes;
};

int pf_landlock_abi(void)
{
    long abi =
        syscall(SYS_landlock_create_ruleset, NULL, (size_t)0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi < LEAST_ABI ? 0 : (int)abi;
}

static uint64_t known_files(const struct pf_landlock *refused)
{
    return refused->abi >= 3 ? refused->files : refused->files & ~PF_LANDLOCK_TRUNCATE;
}

int pf_landlock_open(const struct pf_landlock *refused)
{
    struct ruleset rules = {.files = known_files(refused),
                            .network = refused->network,
                            .scopes = refused->scopes};
    size_t size = refused->abi < 4   ? offsetof(struct ruleset, network)
                  : refused->abi < 6 ? offsetof(struct ruleset, scopes)
                                     : sizeof rules;
    return (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
}

int pf_landlock_allow(int rules_fd, const struct pf_landlock *refused, int fd, uint64_t access)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -1;
    uint64_t sensible = S_ISDIR(st.st_mode) ? access : access & FILE_ACCESS;
    struct landlock_path_beneath_attr rule = {.allowed_access = sensible & known_files(refused),
                                              .parent_fd = fd};
    return (int)syscall(SYS_landlock_add_rule, rules_fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

int pf_landlock_allow_path(int rules_fd, const struct pf_landlock *refused, const char *path,
                           uint64_t access)
{
    pf_auto_fd int fd = open(path, O_PATH | O_CLOEXEC);
    return fd < 0 ? -1 : pf_landlock_allow(rules_fd, refused, fd, access);
}

int pf_landlock_restrict(int rules_fd)
{
    return (int)syscall(SYS_landlock_restrict_self, rules_fd, 0);
}
