/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scriptview: the directory that package scripts have for their "/": the release's own tools and a
   /tmp, and nothing of the host. It lies beside the root in the work directory, so that what a
   script moves through /tmp stays on one file system. */
#ifndef PF_SCRIPTVIEW_H
#define PF_SCRIPTVIEW_H

#include "error.h"

#include <stdbool.h>

#define PF_SCRIPTVIEW_NAME "view"

/* What a script sees: its working directory, and where Plamo's installpkg has its tools. */
#define PF_SCRIPTVIEW_ROOT  "/root"
#define PF_SCRIPTVIEW_TOOLS "/sbin/installer"
#define PF_SCRIPTVIEW_SHELL PF_SCRIPTVIEW_TOOLS "/sh"

/* A script that ends with the status in /run/PID: see sandboxalone. Its path is short, as it is put
   over another program's. */
#define PF_SCRIPTVIEW_END "/e"

/* What scripts may have in their /tmp, beside the limit that the file system itself is. */
#define PF_SCRIPTVIEW_TMP_BYTES   (UINT64_C(16) << 30)
#define PF_SCRIPTVIEW_TMP_ENTRIES UINT64_C(1000000)

/* Makes "view" in work_fd (see workfolder.h), with no tools yet. */
int pf_scriptview_make(int work_fd, struct pf_error *err);

/* Opens its directory of tools, for who fills it. A descriptor, or a code. */
int pf_scriptview_open_tools(int work_fd, struct pf_error *err);

/* Before a script: its /etc/passwd and /etc/group are copies of the root's, so that names mean what
   they mean in the release; "root" alone where the root has none yet. */
int pf_scriptview_begin(int work_fd, int root_fd, struct pf_error *err);

/* While it runs: PF_E_LIMIT where it has too much in /tmp. */
int pf_scriptview_check(int work_fd, struct pf_error *err);

/* After it: /tmp is emptied. PF_E_LIMIT as above, of what it has left. */
int pf_scriptview_finish(int work_fd, struct pf_error *err);

/* For a sandbox without mounts: the root itself moves into the view, which gets PF_SCRIPTVIEW_END,
   and out of it again. The root stays what its open descriptors are of. */
int pf_scriptview_take_root(int work_fd, struct pf_error *err);
int pf_scriptview_give_root_back(int work_fd, struct pf_error *err);

/* For the same: device nodes below /dev, as far as they can be made and opened here; a file in the
   place of "null" where none can. *held: no other node can be opened here, either. */
int pf_scriptview_make_devices(int work_fd, bool *held, struct pf_error *err);

/* Removes it. */
int pf_scriptview_remove(int work_fd, struct pf_error *err);

#endif
