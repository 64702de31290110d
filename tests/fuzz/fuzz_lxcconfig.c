/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A container's configuration. Promises: its root is one line's value, or a clear error; what is
   appended changes neither that nor what was there. */
#include "cage.h"
#include "fuzz.h"

#include "lxcconfig.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct input {
    const uint8_t *data;
    size_t size;
};

/* The root that the configuration names, or NULL where it is on a storage. */
static char *read_root(const char *path)
{
    char *rootfs;
    struct pf_error err = {0};
    int status = pf_lxcconfig_rootfs(path, &rootfs, &err);
    fuzz_require(status == 0 || status == PF_E_INVALID);
    fuzz_require((status == 0) == (rootfs != NULL));
    fuzz_require(!rootfs || (*rootfs && !strchr(rootfs, '\n')));
    return rootfs;
}

static void check_kept(int folder_fd, const struct input *input)
{
    int fd = openat(folder_fd, "config", O_RDONLY | O_CLOEXEC);
    char *now = malloc(input->size + 1);
    fuzz_require(fd >= 0 && now && read(fd, now, input->size) == (ssize_t)input->size);
    fuzz_require(input->size == 0 || memcmp(now, input->data, input->size) == 0);
    free(now);
    close(fd);
}

static void run(int folder_fd, void *ctx)
{
    const struct input *input = ctx;
    struct pf_lxcconfig_container container = {.name = "c1", .arch = "x86_64"};
    struct pf_error err = {0};
    const char *path = cage_path();
    int fd = openat(folder_fd, "config", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    fuzz_require(fd >= 0 && write(fd, input->data, input->size) == (ssize_t)input->size);
    close(fd);
    char *before = read_root(path);
    fuzz_require(pf_lxcconfig_append(path, &container, &err) == 0);
    char *after = read_root(path);
    fuzz_require(before ? after && strcmp(before, after) == 0 : !after);
    check_kept(folder_fd, input);
    free(before);
    free(after);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    cage_run(run, &input);
    return 0;
}
