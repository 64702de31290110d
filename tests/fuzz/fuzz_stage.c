/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A package (see package.h), staged. Promises: nothing outside the folder is touched, and what is
   in it is what the members say, within the limits. */
#include "cage.h"
#include "fuzz.h"
#include "package.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

/* Every node is in the tree, of its kind, with its mode; every file within the sizes. */
static void check_nodes(const struct pf_staged *staged)
{
    for (uint32_t i = 1; i < staged->members.count; i++) {
        const struct pf_node *node = &staged->members.nodes[i];
        char path[PATH_MAX];
        struct stat st;
        fuzz_require(pf_members_path(&staged->members, i, path, sizeof path) > 0);
        bool there = fstatat(staged->dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
        if (!there) {
            fuzz_require(staged->skipped_devices > 0 &&
                         (S_ISCHR(node->mode) || S_ISBLK(node->mode)));
            continue;
        }
        fuzz_require((st.st_mode & S_IFMT) == (node->mode & S_IFMT));
        fuzz_require(!S_ISREG(st.st_mode) ||
                     st.st_size <= PACKAGE_OUTPUT_LIMIT + PACKAGE_SPARSE_FREE);
    }
}

static void check(const struct pf_staged *staged)
{
    size_t lines = 0;
    for (size_t i = 0; i < staged->file_list_length; i++)
        lines += staged->file_list[i] == '\n';
    fuzz_require(lines == staged->members.sequence && lines <= PACKAGE_MEMBERS);
    fuzz_require(staged->file_list_length <= PACKAGE_TEXT_LIMIT &&
                 staged->unpacked_bytes <= PACKAGE_OUTPUT_LIMIT);
    fuzz_require(staged->members.count <= 4 * PACKAGE_MEMBERS + PACKAGE_DEPTH + 1);
    for (size_t i = 0; i < staged->control_count; i++) {
        const struct pf_control_file *control = &staged->controls[i];
        fuzz_require(!strchr(control->name, '/') && control->data[control->length] == '\0');
    }
    check_nodes(staged);
}

static void stage(int inside_fd, void *ctx)
{
    struct pf_staged *staged;
    struct pf_error err = {0};
    int dir_fd = openat(inside_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fuzz_require(dir_fd >= 0);
    if (package_stage(ctx, dir_fd, &staged, &err) == 0)
        check(staged);
    pf_staged_free(staged);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct package package = package_of(data, size);
    cage_run(stage, &package);
    return 0;
}
