/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* landlock: the kernel's Landlock, by which a thread takes access to files from itself for good.
   Calls nothing but the kernel, so all of it may run between fork and exec. */
#ifndef PF_LANDLOCK_H
#define PF_LANDLOCK_H

#include <linux/landlock.h>
#include <stdint.h>

/* What a header may be too old for, from the kernel's userspace-api/landlock. */
#define PF_LANDLOCK_TRUNCATE (UINT64_C(1) << 14) /* since version 3 */
#define PF_LANDLOCK_BIND_TCP UINT64_C(1)         /* since 4 */
#define PF_LANDLOCK_TCP      UINT64_C(3)         /* bind and connect */
#define PF_LANDLOCK_SCOPES   UINT64_C(3)         /* abstract sockets and signals; since 6 */

/* Every change of a file system. */
#define PF_LANDLOCK_CHANGE                                                                         \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                               \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR | \
     LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |   \
     LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER |      \
     PF_LANDLOCK_TRUNCATE)
#define PF_LANDLOCK_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define PF_LANDLOCK_ALL  (PF_LANDLOCK_CHANGE | PF_LANDLOCK_READ | LANDLOCK_ACCESS_FS_EXECUTE)

/* What is refused unless a rule allows it; what the version does not know yet is left out. */
struct pf_landlock {
    int abi; /* the version, as pf_landlock_abi has it */
    uint64_t files, network, scopes;
};

/* The version of the kernel's Landlock that can be used; 0: none. The first version is not: it
   refuses every rename and link between two folders, which scripts may do. */
int pf_landlock_abi(void);

/* Begins a set of rules: a descriptor, or -1 with errno. */
int pf_landlock_open(const struct pf_landlock *refused);

/* Allows access at fd's file, or below its folder, which may be an O_PATH descriptor; only what is
   refused otherwise and makes sense for it. 0 or -1 with errno. */
int pf_landlock_allow(int rules_fd, const struct pf_landlock *refused, int fd, uint64_t access);

/* The same by a path, links followed. */
int pf_landlock_allow_path(int rules_fd, const struct pf_landlock *refused, const char *path,
                           uint64_t access);

/* From now on the rules hold for the calling thread and all threads and processes that come of it.
   It must have given up new privileges. 0 or -1 with errno. */
int pf_landlock_restrict(int rules_fd);

#endif
