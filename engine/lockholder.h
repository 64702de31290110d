/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lockholder: who holds a file's flock(2) lock, for a message. */
#ifndef PF_LOCKHOLDER_H
#define PF_LOCKHOLDER_H

#include <stddef.h>

#define PF_LOCKHOLDER_SIZE 64

/* Writes "process 1234 (lxc-plamo)" of one holder of the lock on fd's file, as /proc/locks has it
   (proc(5)); "another process" where that does not tell (another pid namespace, no /proc). */
void pf_lockholder_name(int fd, char text[PF_LOCKHOLDER_SIZE]);

#endif
