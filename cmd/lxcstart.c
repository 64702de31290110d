/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lxcstart.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child is a program of its own again: none of what pf_engine_init_process has set. output is
   its standard output, or -1 for ours. */
static pid_t run(const char *const *argv, int output)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    signal(SIGPIPE, SIG_DFL);
    umask(022);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        (output >= 0 && dup2(output, STDOUT_FILENO) < 0))
        _exit(127);
    execvp(argv[0], (char *const *)argv);
    _exit(127);
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return -1;
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -1;
}

/* The arguments of one of LXC's tools for a container. */
static void fill(const char *argv[10], const char *tool, const char *lxcpath, const char *name,
                 const char *more)
{
    size_t n = 0;
    argv[n++] = tool;
    if (lxcpath) {
        argv[n++] = "-P";
        argv[n++] = lxcpath;
    }
    argv[n++] = "-n";
    argv[n++] = name;
    argv[n++] = more;
    argv[n] = NULL;
}

static bool is_running(const char *lxcpath, const char *name)
{
    const char *argv[10];
    char answer[64] = "";
    size_t used = 0;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return false;
    fill(argv, "lxc-info", lxcpath, name, "-sH");
    pid_t pid = run(argv, ends[1]);
    close(ends[1]);
    ssize_t length;
    while (pid > 0 && used < sizeof answer - 1 &&
           (length = read(ends[0], answer + used, sizeof answer - 1 - used)) != 0) {
        if (length < 0 && errno != EINTR)
            break;
        used += length > 0 ? (size_t)length : 0;
    }
    close(ends[0]);
    return pid > 0 && wait_for(pid) == 0 && strncmp(answer, "RUNNING", 7) == 0;
}

int lxc_start(const char *lxcpath, const char *name)
{
    const char *argv[10];
    if (is_running(lxcpath, name))
        return 0;
    fill(argv, "lxc-start", lxcpath, name, "-d");
    pid_t pid = run(argv, -1);
    return pid > 0 ? wait_for(pid) : -1;
}
