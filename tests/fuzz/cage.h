/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cage: a folder in which a target may work, with sentinels around it that nothing may touch. */
#ifndef PF_FUZZ_CAGE_H
#define PF_FUZZ_CAGE_H

/* Work done in the cage. inside_fd is an empty folder for it. */
typedef void (*cage_fn)(int inside_fd, void *ctx);

/* Runs fn, empties the folder, and requires that all around it is as it was: files, a folder and
   links beside it and above it, no name more and none less. umask is 0 meanwhile.

   Where this process is root, fn runs on a thread of its own whose "/" is a temporary folder two
   levels above inside_fd, so that an absolute path that gets through meets a sentinel (etc/passwd,
   tmp, and whatever it makes is seen), and never this machine. Elsewhere it meets the machine, as
   an ordinary user. The temporary folder lies in TMPDIR, or in /dev/shm where that is not set. */
void cage_run(cage_fn fn, void *ctx);

/* Within fn: the absolute path of inside_fd, as fn's thread sees it. */
const char *cage_path(void);

#endif
