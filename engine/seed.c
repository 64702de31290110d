/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "seed.h"

#include "fs.h"
#include "subvolume.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT  "root"
#define PROBE "probe"

/* In a user namespace a subvolume may be made that cannot be removed but entry by entry. */
static bool can_make_and_remove(int fd)
{
    if (pf_subvolume_make(fd, PROBE) < 0)
        return false;
    if (pf_subvolume_remove(fd, PROBE) == 0)
        return true;
    unlinkat(fd, PROBE, AT_REMOVEDIR);
    return false;
}

static int fill(struct pf_seed *seed, int root_fd, const struct pf_clone_settings *settings,
                struct pf_error *err)
{
    if (!can_make_and_remove(seed->folder.fd))
        return 0;
    if (pf_subvolume_make(seed->folder.fd, ROOT) < 0)
        return pf_error_errno(err, "making a seed of the containers' roots");
    seed->root_fd = openat(seed->folder.fd, ROOT, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (seed->root_fd < 0)
        return pf_error_errno(err, "making a seed of the containers' roots");
    int failed = pf_clone_tree(root_fd, seed->root_fd, settings, &seed->cloned, err);
    return failed ? failed : 1;
}

int pf_seed_make(const char *lxcpath, int root_fd, const struct pf_clone_settings *settings,
                 struct pf_seed *out, struct pf_error *err)
{
    *out = (struct pf_seed){.folder = {.fd = -1, .parent_fd = -1}, .root_fd = -1};
    pf_auto_free char *path = NULL;
    if (asprintf(&path, "%s/.seed-%d", lxcpath, (int)getpid()) < 0) {
        path = NULL;
        return pf_error_memory(err);
    }
    int status = pf_target_open(path, false, &out->folder, err);
    /* The same number in another process namespace: that run has its seed there. */
    if (status == PF_E_BUSY)
        status = 0;
    /* Until it has its mode, anybody may write to a subvolume. */
    else if (!status && fchmod(out->folder.fd, 0700) < 0)
        status = pf_error_errno(err, "making a seed of the containers' roots");
    else if (!status)
        status = fill(out, root_fd, settings, err);
    if (status != 1)
        pf_seed_end(out);
    return status;
}

int pf_seed_copy(const struct pf_seed *seed, int dir_fd, const char *name, struct pf_error *err)
{
    return pf_subvolume_snapshot(seed->root_fd, dir_fd, name) < 0
               ? pf_error_errno(err, "making the root")
               : 0;
}

void pf_seed_end(struct pf_seed *seed)
{
    if (seed->root_fd > 0)
        close(seed->root_fd);
    seed->root_fd = -1;
    pf_target_end(&seed->folder);
}
