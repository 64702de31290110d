/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lockholder.h"

#include "message.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* "1: FLOCK  ADVISORY  WRITE 1234 fd:00:12345 0 EOF": the process of that line, or 0 where it is of
   another file or of a process that is waiting ("1: -> FLOCK …"). */
static long holder_of_line(const char *line, const struct stat *st)
{
    long pid;
    unsigned device_major, device_minor;
    uintmax_t inode;
    if (sscanf(line, "%*d: FLOCK %*s %*s %ld %x:%x:%" SCNuMAX, &pid, &device_major, &device_minor,
               &inode) != 4)
        return 0;
    return device_major == major(st->st_dev) && device_minor == minor(st->st_dev) &&
                   inode == st->st_ino
               ? pid
               : 0;
}

static long find_holder(int fd)
{
    struct stat st;
    char line[256];
    long pid = 0;
    if (fstat(fd, &st) < 0)
        return 0;
    FILE *locks = fopen("/proc/locks", "re");
    while (locks && pid <= 0 && fgets(line, sizeof line, locks))
        pid = holder_of_line(line, &st);
    if (locks)
        fclose(locks);
    return pid;
}

void pf_lockholder_name(int fd, char text[PF_LOCKHOLDER_SIZE])
{
    char path[64], name[32] = "";
    long pid = find_holder(fd);
    snprintf(text, PF_LOCKHOLDER_SIZE, "%s", pf_message(N_("another process")));
    if (pid <= 0)
        return;
    snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    FILE *comm = fopen(path, "re");
    if (comm && fgets(name, sizeof name, comm))
        name[strcspn(name, "\n")] = '\0';
    if (comm)
        fclose(comm);
    if (*name)
        snprintf(text, PF_LOCKHOLDER_SIZE, pf_message(N_("process %ld (%s)")), pid, name);
    else
        snprintf(text, PF_LOCKHOLDER_SIZE, pf_message(N_("process %ld")), pid);
}
