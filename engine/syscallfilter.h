/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* syscallfilter: the system calls that a package's script may not make, as a seccomp program. */
#ifndef PF_SYSCALLFILTER_H
#define PF_SYSCALLFILTER_H

#include "error.h"

#include <linux/filter.h>

/* Makes the program, for this machine's calls and the 32-bit ones it also runs. The caller frees
   program->filter. It is a list of what is denied, not of what is allowed: a script may run any
   tool of the host and of the root, which chown, chmod, make nodes and links, and what they call
   changes with each libc; a list of the allowed would break one of them some day, and the walls are
   the namespaces and the missing capabilities anyway. Denied calls fail with EPERM; clone3 with
   ENOSYS, whose flags no filter can see, for which every libc has another way; sockets of a family
   that no namespace holds with EAFNOSUPPORT. */
int pf_syscallfilter_make(struct sock_fprog *program, struct pf_error *err);

#endif
