/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "processes.h"

#include "cleanup.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* More than this are too many in any case. */
#define MAX_PROCESSES 32768

struct process {
    pid_t pid, parent;
    unsigned threads;
    bool counts; /* comes of the ancestor */
};

/* Of the helper, which has one thread. */
static struct process all[MAX_PROCESSES];

char *pf_processes_number(unsigned number, char text[16])
{
    char digits[16];
    size_t at = sizeof digits;
    digits[--at] = '\0';
    do
        digits[--at] = (char)('0' + number % 10);
    while (number /= 10);
    return stpcpy(text, digits + at);
}

void pf_processes_path(pid_t pid, const char *name, char path[64])
{
    stpcpy(stpcpy(pf_processes_number((unsigned)pid, path), "/"), name);
}

/* The kernel's largest number of a process (PID_MAX_LIMIT). */
#define MAX_NUMBER (4 << 20)

static unsigned char known[MAX_NUMBER / 8 + 1]; /* a bit for each number */

static bool is_known(long pid)
{
    return known[pid / 8] >> pid % 8 & 1;
}

static void set_known(pid_t pid)
{
    known[pid / 8] |= (unsigned char)(1u << pid % 8);
}

/* The fields of PID/stat behind the name, which may hold anything: the state, the parent, and as
   the eighteenth the number of threads (proc(5)). */
static int read_process(int proc_fd, pid_t pid, struct process *process)
{
    char path[64], text[1024];
    pf_processes_path(pid, "stat", path);
    pf_auto_fd int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (length <= 0)
        return -1;
    text[length] = '\0';
    char *field = strrchr(text, ')');
    *process = (struct process){.pid = pid, .parent = -1};
    for (unsigned i = 0; field && i < 18; i++) {
        field = strchr(field + 1, ' ');
        if (field && i == 1)
            process->parent = (pid_t)strtol(field, NULL, 10);
        if (field && i == 17)
            process->threads = (unsigned)strtoul(field, NULL, 10);
    }
    return field ? 0 : -1;
}

pid_t pf_processes_parent(int proc_fd, pid_t pid)
{
    struct process process;
    return read_process(proc_fd, pid, &process) < 0 ? -1 : process.parent;
}

/* All processes, or those alone whose number is not among the known, which are marked. */
static size_t read_all(int proc_fd, size_t count, bool unknown_only)
{
    char buffer[8192];
    long length;
    lseek(proc_fd, 0, SEEK_SET);
    while ((length = syscall(SYS_getdents64, proc_fd, buffer, sizeof buffer)) > 0) {
        for (char *p = buffer; p < buffer + length;) {
            const struct dirent64 *entry = (const void *)p;
            long pid = strtol(entry->d_name, NULL, 10);
            p += entry->d_reclen;
            if (pid > 0 && pid <= MAX_NUMBER && count < MAX_PROCESSES &&
                !(unknown_only && is_known(pid)) &&
                read_process(proc_fd, (pid_t)pid, &all[count]) == 0)
                count++;
        }
    }
    return count;
}

static bool comes_of(const struct process *process, pid_t ancestor, size_t count)
{
    if (process->parent == ancestor)
        return true;
    for (size_t i = 0; i < count; i++) {
        if (all[i].pid == process->parent)
            return all[i].counts;
    }
    return false;
}

/* Marks those that come of the ancestor. */
static void mark(pid_t ancestor, size_t count)
{
    bool more = true;
    /* Mostly a parent has a smaller number than its child: then one pass finds all. */
    while (more) {
        more = false;
        for (size_t i = 0; i < count; i++) {
            if (!all[i].counts && comes_of(&all[i], ancestor, count))
                all[i].counts = more = true;
        }
    }
}

unsigned pf_processes_count(int proc_fd, pid_t ancestor)
{
    size_t count = read_all(proc_fd, 0, false);
    unsigned threads = 0;
    mark(ancestor, count);
    for (size_t i = 0; i < count; i++)
        threads += all[i].counts ? all[i].threads : 0;
    return threads;
}

/* Only what is new is looked at in each round, so a round takes less time than it takes to fork. */
void pf_processes_stop(int proc_fd, pid_t ancestor)
{
    size_t count = 0;
    bool more = true;
    memset(known, 0, sizeof known);
    while (more) {
        size_t first = count;
        count = read_all(proc_fd, count, true);
        mark(ancestor, count);
        more = false;
        for (size_t i = first; i < count; i++) {
            set_known(all[i].pid);
            if (all[i].counts) {
                kill(all[i].pid, SIGSTOP);
                more = true;
            }
        }
    }
}

void pf_processes_kill(int proc_fd, pid_t ancestor)
{
    size_t count = read_all(proc_fd, 0, false);
    mark(ancestor, count);
    for (size_t i = 0; i < count; i++) {
        if (all[i].counts)
            kill(all[i].pid, SIGKILL);
    }
}
