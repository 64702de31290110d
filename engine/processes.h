/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* processes: what /proc says of a process and those that came of it. Calls nothing but the kernel,
   so it may be used in a process that was forked from one with threads. */
#ifndef PF_PROCESSES_H
#define PF_PROCESSES_H

#include <sys/types.h>

/* Writes the number's digits, and a NUL. Returns where that is. */
char *pf_processes_number(unsigned number, char text[16]);

/* Writes "PID/NAME", a path below /proc. */
void pf_processes_path(pid_t pid, const char *name, char path[64]);

/* The process's parent; -1 where it has gone or cannot be seen. */
pid_t pf_processes_parent(int proc_fd, pid_t pid);

/* How many threads all processes have that came of the given one, itself not counted. */
unsigned pf_processes_count(int proc_fd, pid_t ancestor);

/* Stops all that came of the given process, itself not, also what still forks meanwhile. */
void pf_processes_stop(int proc_fd, pid_t ancestor);

/* Kills all that came of it. */
void pf_processes_kill(int proc_fd, pid_t ancestor);

#endif
