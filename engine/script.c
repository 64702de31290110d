/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "script.h"

#include "clock.h"
#include "fs.h"
#include "resolve.h"
#include "scriptview.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How often a running script is asked whether it should still run. */
#define POLL_INTERVAL_MS 200

/* How often what a script has in /tmp is looked at. */
#define TMP_INTERVAL_MS 1000

#define PATH_OF_HOST "PATH=/usr/sbin:/usr/bin:/sbin:/bin"

static const char *const environment[] = {PATH_OF_HOST, "HOME=/", "LC_ALL=C", NULL};

/* As installpkg exports it. */
static const char *const tools_environment[] = {"PATH=" PF_SCRIPTVIEW_TOOLS, "HOME=/", "LC_ALL=C",
                                                NULL};

static void say(const struct pf_script_output *output, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void say(const struct pf_script_output *output, const char *fmt, ...)
{
    char line[PATH_MAX + 256];
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    if (length < 0 || !output || !output->fn)
        return;
    size_t used = (size_t)length < sizeof line ? (size_t)length : sizeof line - 1;
    output->fn(output->ctx, line, used);
}

/* Where the pairs work. Neighbouring lines mostly name the same folder. */
struct place {
    int root_fd;
    int folder_fd;
    const char *folder; /* what folder_fd is, or NULL */
    const struct pf_script_output *output;
    struct pf_error *err;
};

static void leave(struct place *place)
{
    pf_close_at(&place->folder_fd);
    place->folder_fd = -1;
    place->folder = NULL;
}

/* A name that is not there, or no folder, is the package's affair: the shell says so and goes on. A
   full disk or one that cannot be read is not: a root that lacks something must not pass for whole.
 */
static bool is_of_system(int number)
{
    return number == ENOSPC || number == EDQUOT || number == EIO || number == EROFS ||
           number == ENOMEM || number == EMFILE || number == ENFILE;
}

/* What COMMAND made of errno: said, or a failure. */
static int command_failed(const struct place *place, const char *command, const char *name)
{
    if (is_of_system(errno))
        return pf_error_errno(place->err, "%s %s", command, name);
    say(place->output, "%s: %s: %s\n", command, name, strerror(errno));
    return 0;
}

/* cd FOLDER. Where that fails, the shell says so and goes on in the root. */
static int enter(struct place *place, const char *folder)
{
    if (place->folder && strcmp(place->folder, folder) == 0)
        return 0;
    leave(place);
    place->folder_fd = pf_resolve_in_root(place->root_fd, folder, O_PATH | O_DIRECTORY, 0);
    if (place->folder_fd >= 0) {
        place->folder = folder;
        return 0;
    }
    int failed = command_failed(place, "cd", folder);
    if (failed)
        return failed;
    place->folder_fd = fcntl(place->root_fd, F_DUPFD_CLOEXEC, 0);
    if (place->folder_fd < 0)
        return pf_error_errno(place->err, "opening the root");
    return 0;
}

/* Opens the folder that a NAME (which may have slashes) is in; *leaf is its last component. */
static int open_name(const struct place *place, const struct pf_doinst_op *op, const char **leaf)
{
    const char *slash = strrchr(op->name, '/');
    if (!slash) {
        *leaf = op->name;
        return fcntl(place->folder_fd, F_DUPFD_CLOEXEC, 0);
    }
    /* From the root again: within the folder, ".." must not stop at the folder. */
    char path[PATH_MAX];
    bool absolute = *op->name == '/' || !place->folder;
    int n = snprintf(path, sizeof path, "%s/%s", absolute ? "" : place->folder, op->name);
    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    *leaf = slash + 1; /* within op->name: `path` ends here */
    const char *own;
    return pf_resolve_parent(place->root_fd, path, &own);
}

static int apply_rm(struct place *place, const struct pf_doinst_op *op)
{
    const char *leaf;
    struct stat st;
    pf_auto_fd int fd = open_name(place, op, &leaf);
    if (fd < 0 || fstatat(fd, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT || errno == ENOTDIR ? 0 : command_failed(place, "rm", op->name);
    }
    struct pf_error failure = {0};
    if (pf_fs_remove_tree(fd, leaf, &failure)) {
        errno = failure.sys_errno;
        int failed = command_failed(place, "rm", op->name);
        if (failed)
            return failed;
    }
    /* A folder or link that is gone may have been on the way to where we are. */
    if (!S_ISREG(st.st_mode))
        leave(place);
    return 0;
}

/* Would removing the name remove what the link is to lead to? ln refuses that: the target, looked
   at from where the shell stands, is the file under the name, by its only name or by this one. */
static bool is_same_file(const struct place *place, const char *target, int at, const char *leaf)
{
    char path[PATH_MAX];
    struct stat there, aim, folder, aim_folder;
    const char *aim_leaf;
    int n = snprintf(path, sizeof path, "%s/%s",
                     *target == '/' || !place->folder ? "" : place->folder, target);
    if (n < 0 || (size_t)n >= sizeof path || fstatat(at, leaf, &there, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    pf_auto_fd int fd = pf_resolve_in_root(place->root_fd, path, O_PATH, 0);
    if (fd < 0 || fstat(fd, &aim) < 0 || aim.st_dev != there.st_dev || aim.st_ino != there.st_ino)
        return false;
    if (aim.st_nlink == 1)
        return true;
    pf_auto_fd int parent = pf_resolve_parent(place->root_fd, path, &aim_leaf);
    return parent >= 0 && strcmp(aim_leaf, leaf) == 0 && fstat(parent, &aim_folder) == 0 &&
           fstat(at, &folder) == 0 && folder.st_dev == aim_folder.st_dev &&
           folder.st_ino == aim_folder.st_ino;
}

/* ln -sf TARGET NAME: into NAME where that is a folder (through links), else in its place. */
static int apply_ln(struct place *place, const struct pf_doinst_op *op)
{
    const char *leaf;
    pf_auto_fd int fd = open_name(place, op, &leaf);
    if (fd < 0)
        return command_failed(place, "ln", op->name);
    if (symlinkat(op->target, fd, leaf) == 0)
        return 0;
    if (errno != EEXIST)
        return command_failed(place, "ln", op->name);
    char inside[PATH_MAX];
    bool relative = *op->name != '/' && place->folder;
    snprintf(inside, sizeof inside, "%s/%s", relative ? place->folder : "", op->name);
    pf_auto_fd int folder = pf_resolve_in_root(place->root_fd, inside, O_PATH | O_DIRECTORY, 0);
    char target_leaf[PATH_MAX];
    if (folder >= 0) {
        size_t length = strlen(op->target);
        while (length > 1 && op->target[length - 1] == '/')
            length--;
        const char *start = memrchr(op->target, '/', length);
        start = start ? start + 1 : op->target;
        length -= (size_t)(start - op->target);
        if (length >= sizeof target_leaf)
            return 0;
        memcpy(target_leaf, start, length);
        target_leaf[length] = '\0';
        leaf = target_leaf;
    }
    int at = folder >= 0 ? folder : fd;
    if (is_same_file(place, op->target, at, leaf)) {
        say(place->output, "ln: %s and %s are the same file\n", op->target, op->name);
        return 0;
    }
    int failed = 0;
    if ((unlinkat(at, leaf, 0) < 0 && errno != ENOENT) || symlinkat(op->target, at, leaf) < 0)
        failed = command_failed(place, "ln", op->name);
    leave(place);
    return failed;
}

int pf_script_apply(int root_fd, const struct pf_doinst_ops *ops,
                    const struct pf_script_output *output, struct pf_error *err)
{
    struct place place = {.root_fd = root_fd, .folder_fd = -1, .output = output, .err = err};
    int failed = 0;
    for (size_t i = 0; i < ops->count && !failed; i++) {
        const struct pf_doinst_op *op = &ops->ops[i];
        failed = enter(&place, op->folder);
        if (!failed)
            failed = op->link ? apply_ln(&place, op) : apply_rm(&place, op);
    }
    leave(&place);
    return failed;
}

/* The program's descriptors: no input, both outputs in the pipe, no other. */
static int set_descriptors(posix_spawn_file_actions_t *actions, int root_fd, int pipe_fd)
{
    int rc = posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
    if (!rc)
        rc = posix_spawn_file_actions_adddup2(actions, pipe_fd, 1);
    if (!rc)
        rc = posix_spawn_file_actions_adddup2(actions, pipe_fd, 2);
    if (!rc)
        rc = posix_spawn_file_actions_addfchdir_np(actions, root_fd);
    /* Not every library marks its descriptors close-on-exec. */
    if (!rc)
        rc = posix_spawn_file_actions_addclosefrom_np(actions, 3);
    return rc;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int rc = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
                                                      POSIX_SPAWN_SETSIGDEF);
    if (!rc)
        rc = posix_spawnattr_setsigmask(attributes, &none);
    if (!rc)
        rc = posix_spawnattr_setsigdefault(attributes, &all);
    return rc;
}

/* The words by which a program is started without a sandbox, before its own. */
#define SHELL_WORDS 6

/* A program's words, on their way. */
struct words {
    const char *argv[SHELL_WORDS + PF_SCRIPT_MAX_ARGUMENTS + 2];
    size_t count;
};

static void add_words(struct words *words, const char *const *argv)
{
    for (size_t i = 0; argv[i]; i++) {
        assert(words->count < SHELL_WORDS + PF_SCRIPT_MAX_ARGUMENTS + 1);
        words->argv[words->count++] = argv[i];
    }
}

static int spawn(int root_fd, const struct words *words, const char *const *variables, int pipe_fd,
                 pid_t *pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc)
        return rc;
    rc = posix_spawnattr_init(&attributes);
    if (rc) {
        posix_spawn_file_actions_destroy(&actions);
        return rc;
    }
    rc = set_descriptors(&actions, root_fd, pipe_fd);
    if (!rc)
        rc = set_attributes(&attributes);
    if (!rc)
        rc = posix_spawn(pid, words->argv[0], &actions, &attributes, (char *const *)words->argv,
                         (char *const *)variables);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

struct run {
    const struct pf_script_place *place;
    const struct pf_script_limits *limits;
    const struct pf_script_output *output;
    const atomic_bool *cancel;
    int pipe_fd;
    int end_fd; /* readable once the program has ended */
    size_t passed_on;
    int64_t looked_ms; /* at /tmp */
};

static bool has_tmp(const struct pf_script_place *place)
{
    return place->sandbox && place->work_fd >= 0;
}

/* Its /tmp lies on a disk: it is looked at now and then, and at the end. */
static int look_at_tmp(struct run *run, struct pf_error *err)
{
    int64_t now_ms = pf_clock_ms();
    if (!has_tmp(run->place) || now_ms - run->looked_ms < TMP_INTERVAL_MS)
        return 0;
    run->looked_ms = now_ms;
    return pf_scriptview_check(run->place->work_fd, err);
}

/* Takes what is in the pipe. Returns 0 at its end. */
static bool drain(struct run *run)
{
    char buffer[4096];
    ssize_t n = read(run->pipe_fd, buffer, sizeof buffer);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    size_t room = run->limits->output_bytes - run->passed_on;
    size_t use = (size_t)n < room ? (size_t)n : room;
    if (use && run->output && run->output->fn)
        run->output->fn(run->output->ctx, buffer, use);
    run->passed_on += use;
    return n > 0;
}

/* Until the program has ended: what it left running may keep the pipe open for ever. */
static int wait_for_end(struct run *run, struct pf_error *err)
{
    int64_t deadline = pf_clock_ms() + run->limits->timeout_s * INT64_C(1000);
    run->looked_ms = pf_clock_ms();
    for (;;) {
        struct pollfd fds[2] = {{.fd = run->pipe_fd, .events = POLLIN},
                                {.fd = run->end_fd, .events = POLLIN}};
        if (poll(fds, 2, POLL_INTERVAL_MS) < 0 && errno != EINTR)
            return pf_error_errno(err, "waiting for the script");
        if (fds[0].revents && !drain(run))
            run->pipe_fd = -1;
        if (fds[1].revents) {
            while (run->pipe_fd >= 0 && poll(fds, 1, 0) > 0 && drain(run))
                ;
            return 0;
        }
        if (run->cancel && atomic_load(run->cancel))
            return pf_error_set(err, PF_E_CANCELLED, "stopped while its script ran");
        if (pf_clock_ms() > deadline)
            return pf_error_set(err, PF_E_LIMIT, "its script did not end within %u s",
                                run->limits->timeout_s);
        int rc = look_at_tmp(run, err);
        if (rc)
            return rc;
    }
}

/* The path of the tools on this machine, which is what installpkg's PATH is without a sandbox. */
static int tools_path(int work_fd, char path[PATH_MAX], struct pf_error *err)
{
    char link[64];
    pf_auto_fd int fd = pf_scriptview_open_tools(work_fd, err);
    if (fd < 0)
        return fd;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0)
        return pf_error_errno(err, "finding the release's tools");
    path[length] = '\0';
    return 0;
}

static int wait_for_child(struct run *run, pid_t pid, int *status, struct pf_error *err)
{
    pf_auto_fd int pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
    run->end_fd = pid_fd;
    int rc = pid_fd < 0 ? pf_error_errno(err, "watching its script") : wait_for_end(run, err);
    /* The session is the script's own: what it left behind in it goes too. */
    kill(-pid, SIGKILL);
    int raw;
    while (waitpid(pid, &raw, 0) < 0 && errno == EINTR)
        ;
    *status = WIFSIGNALED(raw) ? 128 + WTERMSIG(raw) : WEXITSTATUS(raw);
    return rc;
}

static int run_plainly(const struct pf_script_place *place, const char *const *argv,
                       const char *text, struct run *run, int *pipe_fd, int *status,
                       struct pf_error *err)
{
    /* The process's own umask is 0; scripts expect the usual one. */
    static const char *const by_shell[] = {"/bin/sh", "-c", "umask 022 && exec \"$@\"", "sh", NULL};
    static const char *const in_root[] = {"chroot", ".", NULL};
    char path[PATH_MAX], search[PATH_MAX + sizeof "PATH="], shell[PATH_MAX + sizeof "/sh"];
    const char *const with_tools[] = {search, "HOME=/", "LC_ALL=C", NULL};
    const char *const last[] = {text, NULL};
    struct words words = {.count = 0};
    pid_t pid;
    bool tools = place->view == PF_SANDBOX_TOOLS;
    int rc = tools ? tools_path(place->work_fd, path, err) : 0;
    if (rc)
        return rc;
    add_words(&words, by_shell);
    if (place->view == PF_SANDBOX_ROOT)
        add_words(&words, in_root);
    size_t first = words.count;
    add_words(&words, argv);
    add_words(&words, last);
    if (tools) {
        snprintf(search, sizeof search, "PATH=%s", path);
        snprintf(shell, sizeof shell, "%s/sh", path);
        words.argv[first] = shell;
    }
    int number = spawn(place->root_fd, &words, tools ? with_tools : environment, *pipe_fd, &pid);
    if (number) {
        errno = number;
        return pf_error_errno(err, "starting /bin/sh for its script");
    }
    close(pf_steal_fd(pipe_fd));
    return wait_for_child(run, pid, status, err);
}

/* The text in a file that the sandbox takes it from. */
static int put_text(const char *text, struct pf_error *err)
{
    pf_auto_fd int fd = memfd_create("plamo-fast-text", MFD_CLOEXEC);
    if (fd < 0 || pf_fs_write_all(fd, text, strlen(text) + 1) < 0)
        return pf_error_errno(err, "handing its text over");
    return pf_steal_fd(&fd);
}

static int run_in_sandbox(const struct pf_script_place *place, const char *const *argv,
                          const char *text, struct run *run, int *pipe_fd, int *status,
                          struct pf_error *err)
{
    pf_auto_fd int text_fd = text ? put_text(text, err) : -1;
    if (text && text_fd < 0)
        return text_fd;
    int rc = has_tmp(place) ? pf_scriptview_begin(place->work_fd, place->root_fd, err) : 0;
    if (!rc)
        rc = pf_sandbox_start(place->sandbox, argv, *pipe_fd, text_fd, err);
    if (rc)
        return rc;
    close(pf_steal_fd(pipe_fd));
    run->end_fd = pf_sandbox_event_fd(place->sandbox);
    rc = wait_for_end(run, err);
    int finished = pf_sandbox_finish(place->sandbox, rc, status, rc ? NULL : err);
    rc = rc ? rc : finished;
    int emptied = has_tmp(place) ? pf_scriptview_finish(place->work_fd, rc ? NULL : err) : 0;
    return rc ? rc : emptied;
}

int pf_script_run_program(const struct pf_script_place *place, const char *const *argv,
                          const char *text, const struct pf_script_limits *limits,
                          const struct pf_script_output *output, const atomic_bool *cancel,
                          int *status, struct pf_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return pf_error_errno(err, "making a pipe");
    pf_auto_fd int reading = ends[0], writing = ends[1];
    struct run run = {
        .place = place, .limits = limits, .output = output, .cancel = cancel, .pipe_fd = reading};
    return place->sandbox ? run_in_sandbox(place, argv, text, &run, &writing, status, err)
                          : run_plainly(place, argv, text, &run, &writing, status, err);
}

static const char *shell_of(const struct pf_script_place *place)
{
    return place->view == PF_SANDBOX_TOOLS ? PF_SCRIPTVIEW_SHELL : "/bin/sh";
}

int pf_script_run(const struct pf_script_place *place, const struct pf_script_limits *limits,
                  const struct pf_script_output *output, const atomic_bool *cancel, int *status,
                  struct pf_error *err)
{
    const char *const argv[] = {shell_of(place), "install/doinst.sh", "-install", NULL};
    int rc = pf_script_run_program(place, argv, NULL, limits, output, cancel, status, err);
    if (!rc && place->sandbox && !pf_sandbox_has_started(place->sandbox))
        return pf_error_set(err, PF_E_SYSTEM, "its shell could not be started");
    return rc;
}

int pf_script_try_shell(const struct pf_script_place *place, struct pf_error *err)
{
    static const struct pf_script_limits limits = PF_SCRIPT_LIMITS_DEFAULT;
    const char *const argv[] = {shell_of(place), "-c", ":", NULL};
    int status = 0;
    int rc = pf_script_run_program(place, argv, NULL, &limits, NULL, NULL, &status, err);
    if (rc || status == 0)
        return rc;
    return pf_error_set(err, PF_E_ABSENT, "its shell cannot be run here (status %d)", status);
}

int pf_script_open_sandbox(struct pf_script_place *place, struct pf_error *err)
{
    struct pf_sandbox_settings settings = {
        .view = place->view,
        .work_fd = place->work_fd,
        .root_fd = place->root_fd,
        .environment = place->view == PF_SANDBOX_TOOLS ? tools_environment : environment,
        .processes = 1000,
    };
    return pf_sandbox_open(&settings, &place->sandbox, err);
}
