/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mounts.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef STATX_MNT_ID
#define STATX_MNT_ID 0x00001000U
#endif

static int id_of_proc(int fd, uint64_t *id)
{
    char path[64];
    pf_auto_free char *line = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    FILE *stream = fopen(path, "re");
    if (!stream)
        return -1;
    bool found = false;
    while (!found && getline(&line, &size, stream) > 0)
        found = sscanf(line, "mnt_id: %" SCNu64, id) == 1;
    fclose(stream);
    if (!found)
        errno = ENOSYS;
    return found ? 0 : -1;
}

int pf_mounts_id(int fd, uint64_t *id)
{
    struct statx st;
    int before = errno; /* of a caller who reads a directory */
    /* Some hosts' filters forbid the call altogether. */
    int status = statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st);
    if (status < 0 && errno != ENOSYS && errno != EPERM)
        return -1;
    if (status < 0 || !(st.stx_mask & STATX_MNT_ID)) {
        errno = before;
        return id_of_proc(fd, id);
    }
    *id = st.stx_mnt_id;
    return 0;
}

/* A field of mountinfo has blanks, newlines and backslashes as octal numbers. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from;) {
        unsigned byte;
        if (*from == '\\' && sscanf(from + 1, "%3o", &byte) == 1) {
            *to++ = (char)byte;
            from += 4;
        } else {
            *to++ = *from++;
        }
    }
    *to = '\0';
}

/* The path in a line of mountinfo, "ID PARENT MAJOR:MINOR ROOT POINT …", where something is mounted
   in that parent. NULL: it is not, or the line is none. */
static char *point_in(uint64_t mount, char *line)
{
    uint64_t parent;
    if (sscanf(line, "%*u %" SCNu64, &parent) != 1 || parent != mount)
        return NULL;
    for (int field = 0; line && field < 4; field++) {
        line = strchr(line, ' ');
        line = line ? line + 1 : NULL;
    }
    char *end = line ? strchr(line, ' ') : NULL;
    if (!end)
        return NULL;
    *end = '\0';
    unescape(line);
    return line;
}

/* The absolute path of NAME below dir_fd. False: it is not known, or there is no such path. */
static bool path_of(int dir_fd, const char *name, char path[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", dir_fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length <= 0 || path[0] != '/')
        return false;
    size_t used = length == 1 ? 0 : (size_t)length;
    path[used] = '\0';
    if (strcmp(name, ".") == 0)
        return true;
    int more = snprintf(path + used, PATH_MAX - used, "/%s", name);
    return more > 0 && (size_t)more < PATH_MAX - used;
}

int pf_mounts_find(int dir_fd, const char *name, char point[PATH_MAX])
{
    char path[PATH_MAX];
    pf_auto_free char *line = NULL;
    size_t size = 0;
    bool tree_only = strcmp(name, ".") == 0;
    uint64_t mount;
    if (!path_of(dir_fd, name, path) || pf_mounts_id(dir_fd, &mount) < 0)
        return 0;
    FILE *stream = fopen("/proc/self/mountinfo", "re");
    if (!stream)
        return 0;
    size_t length = strlen(path);
    bool found = false;
    while (!found && getline(&line, &size, stream) > 0) {
        const char *there = point_in(mount, line);
        found = there && strncmp(there, path, length) == 0 &&
                (there[length] == '/' || (there[length] == '\0' && !tree_only));
        if (found)
            snprintf(point, PATH_MAX, "%s", there);
    }
    fclose(stream);
    return found;
}

int pf_mounts_open_bare(int fd)
{
    char point[PATH_MAX];
    if (pf_mounts_find(fd, ".", point)) {
        pf_auto_fd int bare =
            open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        int opened = bare < 0 ? -1 : openat(bare, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (opened >= 0)
            return opened;
    }
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}
