/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A package (see package.h), staged and merged into a root that has links out of it, as an earlier
   package may have brought them; then once more. Promise: nothing outside the root is touched. */
#include "cage.h"
#include "fuzz.h"
#include "package.h"
#include "small_root.h"

#include "commit.h"

#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_folder(int inside_fd, const char *name)
{
    fuzz_require(mkdirat(inside_fd, name, 0755) == 0);
    int fd = openat(inside_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fuzz_require(fd >= 0);
    return fd;
}

/* False where the package is refused, or does not fit into the root. */
static bool install(int inside_fd, const char *staging, struct pf_commit *commit,
                    const struct package *package)
{
    struct pf_staged *staged;
    struct pf_error err = {0};
    int status = package_stage(package, make_folder(inside_fd, staging), &staged, &err);
    if (status == 0) {
        status = pf_commit_package(commit, staged, true, &err);
        fuzz_require(status == err.code);
    }
    pf_staged_free(staged);
    return status == 0;
}

/* The cage's folder itself is the root, so that what leaves it by one ".." is seen. A member "./"
   gives it an owner and a mode, as it should. */
static void run(int inside_fd, void *ctx)
{
    struct pf_commit *commit = pf_commit_new(inside_fd, PF_RECORD_NAMES_PLAIN);
    struct pf_error err = {0};
    fuzz_require(commit);
    small_root_make(inside_fd);
    if (install(inside_fd, ".staging-1", commit, ctx) &&
        install(inside_fd, ".staging-2", commit, ctx))
        fuzz_require(pf_commit_finish(commit, &err) == 0);
    pf_commit_free(commit);
    fuzz_require(fchown(inside_fd, geteuid(), getegid()) == 0 && fchmod(inside_fd, 0755) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct package package = package_of(data, size);
    cage_run(run, &package);
    return 0;
}
