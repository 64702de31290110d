/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clone: one root becomes another: shared extents where the file system can, else copied in the
   kernel, by several threads. */
#ifndef PF_CLONE_H
#define PF_CLONE_H

#include "error.h"
#include "event.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct pf_clone_settings {
    unsigned threads;          /* 0 counts as 1 */
    const atomic_bool *cancel; /* may be NULL */
    struct pf_events *events;  /* told how far it is; may be NULL */
    const char *subject;       /* of these events */
};

struct pf_clone_result {
    uint64_t entries;         /* names made, hard links included */
    uint64_t bytes;           /* of file content */
    uint64_t skipped_devices; /* device nodes that this process may not make (user namespace) */
    bool reflinked;           /* content is shared with the source */
};

/* Copies everything inside the folder from_fd into the folder to_fd, which must have none of the
   names yet: types, owners, modes, times, hard links, holes, devices, extended attributes. The two
   folders themselves are left as they are. Mount points below from_fd are not entered. The caller
   has set umask 0. After a failure to_fd holds a part of it. */
int pf_clone_tree(int from_fd, int to_fd, const struct pf_clone_settings *settings,
                  struct pf_clone_result *result, struct pf_error *err);

#endif
