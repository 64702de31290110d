/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "small_root.h"

#include "fs.h"
#include "fuzz.h"

#include <fcntl.h>
#include <unistd.h>

void small_root_make(int root_fd)
{
    static const char *const folders[] = {"usr/lib", "etc", "a/b"};
    static const char *const files[] = {"usr/lib/f", "etc/passwd", "f", "a/f"};
    static const struct {
        const char *name, *target;
    } links[] = {{"lib", "usr/lib"},         {"abs", "/etc"},
                 {"out", "../../etc"},       {"a/up", ".."},
                 {"loop", "loop"},           {"a/file", "../f"},
                 {"far", "../../../../tmp"}, {"passwd", "../sentinel"},
                 {"gone", "no/such"}};
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        fuzz_require(pf_fs_make_folders(root_fd, folders[i], 0755) == 0);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        int fd = openat(root_fd, files[i], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        fuzz_require(fd >= 0);
        close(fd);
    }
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        fuzz_require(symlinkat(links[i].target, root_fd, links[i].name) == 0);
}
