/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fs: helpers on folder descriptors: folders, whole files, atomic writes, tree removal. */
#ifndef PF_FS_H
#define PF_FS_H

#include "cleanup.h"
#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Opens a regular file NAME of this process's own, or makes it (0644). What somebody planted under
   that name makes way, unwritten: a link, a fifo, another user's file, a file that has a second
   name elsewhere. flags as for openat(2). A descriptor, or -1 with errno. */
int pf_fs_open_own(int dir_fd, const char *name, int flags);

/* Is it a regular file of this process's own, with no second name that leads to it? */
bool pf_fs_is_own(int fd);

/* Writes all of it, or returns -1 with errno. EINTR and short writes are handled. */
int pf_fs_write_all(int fd, const void *data, size_t length);

/* close(2) of a file that was written: -1 with errno where what was written is lost. *fd is -1 then
   in any case; a close that a signal breaks off has closed it. */
int pf_fs_close(int *fd);

/* Closes a stream of open_memstream(3) whose text goes to *text. -1 where not all that was written
   to it is there for want of memory; *text is NULL then. fclose(3) alone does not tell. */
int pf_fs_close_text(FILE *stream, char **text);

/* syncfs(2) and ftruncate(2), begun anew where a signal breaks them off. */
int pf_fs_sync(int fd);
int pf_fs_set_length(int fd, off_t length);

/* renameat(2), or with flags renameat2(2), begun anew where a signal breaks it off: local file
   systems never let it, those of a network or of a process (FUSE) may. */
int pf_fs_rename(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);

/* The same, where nothing has the new name (EEXIST). Where the file system cannot hold that by
   itself, by looking first: whoever might make that name meanwhile is kept out by a lock. */
int pf_fs_rename_new(int from_fd, const char *from, int to_fd, const char *to);

/* Makes every missing folder of path below dir_fd (links are followed). 0 or -1 with errno. */
int pf_fs_make_folders(int dir_fd, const char *path, mode_t mode);

/* The same inside a root: nothing outside it is reached, whatever links there are. */
int pf_fs_make_folders_in_root(int root_fd, const char *path, mode_t mode);

/* Reads a whole regular file of at most max_bytes from fd, with a NUL put behind it. *data is the
   caller's to free. PF_E_LIMIT where it is larger. */
int pf_fs_read_fd(int fd, size_t max_bytes, char **data, size_t *length, struct pf_error *err);

/* Puts a file in place at once: writes NAME below dir_fd under a temporary name, then renames. An
   existing file or link of that name is replaced, never written through. */
int pf_fs_replace_file(int dir_fd, const char *name, const void *data, size_t length, mode_t mode,
                       struct pf_error *err);

/* Does what is made in this folder get another group, or another mode, than asked for? A
   set-group-ID bit, a default ACL and some mount options do that. Found out by trying; 1 also where
   it cannot be tried, else 0; -1 with errno where what was tried could not be taken away. */
int pf_fs_inherits(int dir_fd);

/* Makes a folder of this process's own what it should be: owner, mode, and no default ACL. -1 with
 * errno. */
int pf_fs_own_folder(int fd, mode_t mode);

/* Is it a folder that this user alone, or root, can have filled: nobody else owns it or may write
   there? */
bool pf_fs_is_own_folder(int fd);
bool pf_fs_is_owners(const struct stat *st); /* the same of one, or of a file, by its status */

/* Does NAME below dir_fd belong to this process's user? Not so where it is not there. */
bool pf_fs_belongs_to_us(int dir_fd, const char *name);

/* Locks an open file or directory (flock(2), exclusive), trying so many times, with retry_ms (below
   1000) milliseconds in between. 0, or -1 with errno: EWOULDBLOCK where somebody else keeps it. */
int pf_fs_lock(int fd, unsigned most_tries, unsigned retry_ms);

/* Removes the file or the whole tree NAME below dir_fd, following no link, and going into nothing
   that is mounted there; btrfs' subvolumes are part of it. What cannot be removed stays with the
   directories it is in, and the error names the first of it; the rest goes all the same. Absent is
   success, also of what others remove meanwhile. */
int pf_fs_remove_tree(int dir_fd, const char *name, struct pf_error *err);

/* Removes everything inside the folder dir_fd, but not the folder. */
int pf_fs_empty_folder(int dir_fd, struct pf_error *err);

/* Calls fn for every name in the folder except "." and "..", until it returns non-zero; that value
   is returned. -1 with errno if the folder cannot be read. dir_fd may be an O_PATH descriptor. */
int pf_fs_each_name(int dir_fd, int (*fn)(void *ctx, int dir_fd, const char *name), void *ctx);

#endif
