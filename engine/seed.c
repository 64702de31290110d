/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "seed.h"

#include "fs.h"
#include "snapshot.h"
#include "subvolume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT "root"

static int copy(struct pf_seed *seed, int root_fd, const struct pf_clone_settings *settings,
                struct pf_error *err)
{
    struct pf_clone_result cloned;
    if (!pf_subvolume_can_come_and_go(seed->folder.fd))
        return 0;
    if (pf_subvolume_make(seed->folder.fd, ROOT) < 0)
        return pf_error_errno(err, "making a seed of the containers' roots");
    seed->root_fd = openat(seed->folder.fd, ROOT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (seed->root_fd < 0)
        return pf_error_errno(err, "making a seed of the containers' roots");
    int failed = pf_clone_tree(root_fd, seed->root_fd, settings, &cloned, err);
    return failed ? failed : 1;
}

static int fill(struct pf_seed *seed, int root_fd, bool copy_pays,
                const struct pf_clone_settings *settings, struct pf_error *err)
{
    if (!pf_subvolume_can_copy(root_fd, seed->folder.fd))
        return copy_pays ? copy(seed, root_fd, settings, err) : 0;
    seed->root_fd = fcntl(root_fd, F_DUPFD_CLOEXEC, 0);
    return seed->root_fd < 0 ? pf_error_errno(err, "opening the cached root") : 1;
}

int pf_seed_make(const char *lxcpath, int root_fd, bool copy_pays,
                 const struct pf_clone_settings *settings, struct pf_seed *out,
                 struct pf_error *err)
{
    *out = (struct pf_seed)PF_SEED_NONE;
    pf_auto_free char *path = NULL;
    if (asprintf(&path, "%s/.seed-%d", lxcpath, (int)getpid()) < 0) {
        path = NULL;
        return pf_error_memory(err);
    }
    int status = pf_target_open(path, false, &out->folder, err);
    /* The same number in another process namespace: that run has its seed there. */
    if (status == PF_E_BUSY)
        status = 0;
    else if (!status)
        status = fill(out, root_fd, copy_pays, settings, err);
    if (status != 1)
        pf_seed_end(out);
    return status;
}

int pf_seed_copy(const struct pf_seed *seed, int dir_fd, const char *name, struct pf_error *err)
{
    int fd = pf_snapshot_make(seed->root_fd, dir_fd, name);
    return fd < 0 ? pf_error_errno(err, "making the root") : fd;
}

void pf_seed_end(struct pf_seed *seed)
{
    pf_close_at(&seed->root_fd);
    pf_target_end(&seed->folder);
}
