/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "treesize.h"

#include "cleanup.h"
#include "fs.h"
#include "mounts.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Deeper ones are left out: each takes a descriptor. */
#define MAX_DEPTH 200

struct measure {
    struct pf_treesize size;
    unsigned depth;
    uint64_t mount; /* what is mounted in the tree is none of it */
};

static int measure_entry(void *ctx, int dir_fd, const char *name)
{
    struct measure *m = ctx;
    struct stat st;
    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return 0;
    m->size.bytes += (uint64_t)st.st_blocks * 512 / (S_ISDIR(st.st_mode) ? 1 : st.st_nlink);
    if (st.st_ctim.tv_sec > m->size.changed)
        m->size.changed = st.st_ctim.tv_sec;
    if (!S_ISDIR(st.st_mode) || m->depth == MAX_DEPTH)
        return 0;
    pf_auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    m->depth++;
    uint64_t mount;
    if (fd >= 0 && (pf_mounts_id(fd, &mount) < 0 || mount == m->mount))
        pf_fs_each_name(fd, measure_entry, m);
    m->depth--;
    return 0;
}

struct pf_treesize pf_treesize(int dir_fd, const char *name)
{
    struct measure m = {0};
    pf_mounts_id(dir_fd, &m.mount);
    measure_entry(&m, dir_fd, name);
    return m.size;
}
