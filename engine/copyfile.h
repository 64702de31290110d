/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* copyfile: copies one regular file by the fastest means that the two file systems have. */
#ifndef PF_COPYFILE_H
#define PF_COPYFILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/stat.h>

/* What was found out so far; shared by threads. A means that failed once is not tried again. */
struct pf_copyfile {
    atomic_bool no_reflink; /* FICLONE does not work between the two */
    atomic_bool no_range;   /* copy_file_range does not either */
    atomic_bool has_reflinked;
    bool inherits; /* see pf_fs_inherits, of the folder that is copied into; set before the threads
                      start */
};

void pf_copyfile_init(struct pf_copyfile *copyfile);

/* True where at least one file shares its content with the source. */
bool pf_copyfile_reflinked(const struct pf_copyfile *copyfile);

/* Copies the regular file NAME of the folder from_fd to the same, new name in to_fd, with all of st
   (owner, mode, times) and its extended attributes; holes stay holes. 0, or -1 with errno. */
int pf_copyfile_regular(struct pf_copyfile *copyfile, int from_fd, int to_fd, const char *name,
                        const struct stat *st);

/* Takes the access control lists off that a new file or folder has inherited. */
void pf_copyfile_drop_acls(int fd);

/* Copies extended attributes from one open file or folder to another. Those that only a more
   privileged process may set are left out. 0, or -1 with errno. */
int pf_copyfile_xattrs(int from_fd, int to_fd);

/* Gives the folder to_fd what st (owner, mode, times) and from_fd (extended attributes) have; where
   `inherits` what it has inherited is taken off. 0, or -1 with errno. */
int pf_copyfile_folder(bool inherits, int from_fd, int to_fd, const struct stat *st);

#endif
