/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "doctor.h"

#include "cache.h"
#include "fs.h"
#include "landlock.h"
#include "lockholder.h"
#include "message.h"
#include "script.h"
#include "scriptview.h"
#include "subvolume.h"
#include "versions.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A root of a few categories, with its packages, and a container of it. */
#define ENOUGH_BYTES  (UINT64_C(2) << 30)
#define ENOUGH_INODES 100000u

/* Folders in flight, connections, workers with their decoders, a sandbox. */
#define ENOUGH_FILES 512

/* Fills a check's text and hands it over. advice is told only where the state is not ok. */
static int tell(const struct pf_doctor *d, struct pf_check check, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int tell(const struct pf_doctor *d, struct pf_check check, const char *fmt, ...)
{
    char found[PATH_MAX + 256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(found, sizeof found, fmt, args);
    va_end(args);
    check.found = found;
    if (check.state == PF_CHECK_OK)
        check.advice = NULL;
    else if (check.advice)
        check.advice = pf_message(check.advice);
    return d->fn(d->ctx, &check);
}

/* A system call that was tried in vain: is it that the kernel, or a filter, has it not? */
static bool is_lacking(int number)
{
    return number == ENOSYS || number == EPERM || number == EOPNOTSUPP;
}

static int check_openat2(const struct pf_doctor *d)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    pf_auto_fd int fd = (int)syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof how);
    const char *why = fd < 0 ? strerror(errno) : pf_message(N_("works"));
    return tell(d,
                (struct pf_check){.group = N_("kernel"),
                                  .name = "openat2",
                                  .state = fd >= 0 ? PF_CHECK_OK : PF_CHECK_SLOWER,
                                  .advice =
                                      N_("paths are walked name by name; Linux 5.6 has it, unless "
                                         "a container's filter forbids it")},
                "%s", why);
}

static int check_renameat2(const struct pf_doctor *d)
{
    /* There is no such name, which is all that a kernel that has the call can say. */
    static const char name[] = "/proc/self/.plamo-fast.probe";
    /* By its number: the C library makes another error of it. */
    bool has = syscall(SYS_renameat2, AT_FDCWD, name, AT_FDCWD, name, RENAME_EXCHANGE) == 0 ||
               !is_lacking(errno);
    return tell(d,
                (struct pf_check){.group = N_("kernel"),
                                  .name = "renameat2",
                                  .state = has ? PF_CHECK_OK : PF_CHECK_SLOWER,
                                  .advice =
                                      N_("updates remove the old packages before the new ones get "
                                         "their name; Linux 3.15 has it")},
                "%s", has ? pf_message(N_("works")) : strerror(errno));
}

static int check_copy_file_range(const struct pf_doctor *d)
{
    bool has = copy_file_range(-1, NULL, -1, NULL, 1, 0) >= 0 || !is_lacking(errno);
    return tell(d,
                (struct pf_check){.group = N_("kernel"),
                                  .name = "copy_file_range",
                                  .state = has ? PF_CHECK_OK : PF_CHECK_SLOWER,
                                  .advice = N_("files are copied by sendfile; Linux 4.5 has it")},
                "%s", has ? pf_message(N_("works")) : strerror(errno));
}

static int check_landlock(const struct pf_doctor *d)
{
    int abi = pf_landlock_abi();
    return tell(d,
                (struct pf_check){.group = N_("kernel"),
                                  .name = "landlock",
                                  .state = abi ? PF_CHECK_OK : PF_CHECK_SLOWER,
                                  .advice = N_("the sandbox goes without it; Linux 5.19 with "
                                               "\"landlock\" among lsm= has it")},
                pf_message(abi ? N_("version %d") : N_("none that can be used")), abi);
}

static int check_seccomp(const struct pf_doctor *d)
{
    uint32_t action = SECCOMP_RET_ERRNO;
    bool has = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
    return tell(d,
                (struct pf_check){.group = N_("kernel"),
                                  .name = "seccomp",
                                  .state = has ? PF_CHECK_OK : PF_CHECK_REFUSED,
                                  .needed = !d->no_sandbox,
                                  .advice = N_("scripts cannot be sandboxed; a kernel with "
                                               "CONFIG_SECCOMP_FILTER, or --no-sandbox")},
                "%s", has ? pf_message(N_("filters work")) : strerror(errno));
}

/* In a process of its own, for it cannot be undone. 0, or the number of the failure. */
static int try_user_namespace(void)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(unshare(CLONE_NEWUSER) == 0 ? 0 : errno);
    if (child < 0)
        return errno;
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return errno;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
}

static int check_user_namespaces(const struct pf_doctor *d)
{
    int number = try_user_namespace();
    return tell(d,
                (struct pf_check){.group = N_("kernel"),
                                  .name = N_("user namespaces"),
                                  .state = number ? PF_CHECK_REFUSED : PF_CHECK_OK,
                                  .advice = N_("ordinary users can have no containers; see "
                                               "user.max_user_namespaces and "
                                               "kernel.unprivileged_userns_clone")},
                "%s", number ? strerror(number) : pf_message(N_("work")));
}

static int check_overlay(const struct pf_doctor *d)
{
    pf_auto_free char *text = NULL;
    size_t length;
    pf_auto_fd int fd = open("/proc/filesystems", O_RDONLY | O_CLOEXEC);
    bool has = fd >= 0 && pf_fs_read_fd(fd, 1 << 20, &text, &length, NULL) == 0 &&
               strstr(text, "\toverlay\n");
    return tell(d,
                (struct pf_check){.group = N_("kernel"),
                                  .name = "overlay",
                                  .state = has ? PF_CHECK_OK : PF_CHECK_SLOWER,
                                  .advice =
                                      N_("containers are copies; modprobe overlay may bring it")},
                "%s", pf_message(has ? N_("there") : N_("not there, or not loaded yet")));
}

/* The folder, or the nearest one above it that is there. */
static void nearest_folder(const char *folder, char found[PATH_MAX])
{
    struct stat st;
    snprintf(found, PATH_MAX, "%s", folder);
    while (stat(found, &st) < 0) {
        char *slash = strrchr(found, '/');
        if (!slash)
            snprintf(found, PATH_MAX, ".");
        else
            slash[slash == found] = '\0';
        if (!slash || slash == found)
            return;
    }
}

/* A root as a build makes it, where a build would. *place is closed by close_trial. */
struct trial {
    int above_fd; /* the directory that it is in */
    char name[32];
    struct pf_script_place place;
};

static void close_trial(struct trial *trial)
{
    pf_sandbox_close(trial->place.sandbox);
    if (trial->place.work_fd >= 0)
        pf_scriptview_remove(trial->place.work_fd, NULL);
    pf_close_at(&trial->place.root_fd);
    pf_close_at(&trial->place.work_fd);
    if (*trial->name)
        pf_fs_remove_tree(trial->above_fd, trial->name, NULL);
    pf_close_at(&trial->above_fd);
}

static int open_trial(const struct pf_doctor *d, struct trial *trial, struct pf_error *err)
{
    char folder[PATH_MAX];
    *trial = (struct trial){.above_fd = -1,
                            .place = {.root_fd = -1, .work_fd = -1, .view = PF_SANDBOX_TOOLS}};
    nearest_folder(d->cache_folder, folder);
    trial->above_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(trial->name, sizeof trial->name, ".plamo-fast-doctor.%d", (int)getpid());
    if (trial->above_fd < 0 || mkdirat(trial->above_fd, trial->name, 0700) < 0) {
        *trial->name = '\0';
        return pf_error_errno(err, "making a root in %s", folder);
    }
    struct pf_script_place *place = &trial->place;
    place->work_fd =
        openat(trial->above_fd, trial->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (place->work_fd < 0 || mkdirat(place->work_fd, "root", 0755) < 0)
        return pf_error_errno(err, "making a root in %s", folder);
    place->root_fd = openat(place->work_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (place->root_fd < 0)
        return pf_error_errno(err, "making a root in %s", folder);
    int rc = pf_scriptview_make(place->work_fd, err);
    return rc ? rc : pf_script_open_sandbox(place, err);
}

static int check_sandbox(const struct pf_doctor *d)
{
    struct trial trial;
    struct pf_error err = {0};
    if (d->no_sandbox)
        return 0;
    int rc = open_trial(d, &trial, &err);
    bool best = !rc && pf_sandbox_rung(trial.place.sandbox) != PF_SANDBOX_CONFINED;
    const char *found = rc ? err.text : pf_message(pf_sandbox_describe(trial.place.sandbox));
    int status =
        tell(d,
             (struct pf_check){.group = N_("kernel"),
                               .name = N_("sandbox"),
                               .state = rc     ? PF_CHECK_REFUSED
                                        : best ? PF_CHECK_OK
                                               : PF_CHECK_SLOWER,
                               .needed = true,
                               .advice = rc ? N_("no package that has a script can be installed; "
                                                 "be root, or say --no-sandbox if you trust the "
                                                 "packages")
                                            : N_("CAP_SYS_ADMIN gives the better one with "
                                                 "namespaces")},
             "%s", found);
    close_trial(&trial);
    return status;
}

/* 1: files of that folder can share their content; 0: not; -1 with errno. */
static int try_reflink(const char *folder)
{
    static const char piece[4096] = "x";
    static const int flags = O_RDWR | O_TMPFILE | O_CLOEXEC;
    pf_auto_fd int a = open(folder, flags, 0600);
    pf_auto_fd int b = a < 0 ? -1 : open(folder, flags, 0600);
    if (a < 0 || b < 0 || pf_fs_write_all(a, piece, sizeof piece) < 0)
        return -1;
    return ioctl(b, FICLONE, a) == 0;
}

static int check_reflink(const struct pf_doctor *d, const char *name, const char *folder)
{
    int works = try_reflink(folder);
    return tell(d,
                (struct pf_check){.group = N_("kernel"),
                                  .name = name,
                                  .state = works == 1 ? PF_CHECK_OK : PF_CHECK_SLOWER,
                                  .advice =
                                      N_("every container is a full copy; xfs and btrfs share")},
                "%s: %s", folder,
                works < 0 ? strerror(errno)
                          : pf_message(works ? N_("content is shared") : N_("content is copied")));
}

/* Containers share the cached root's content only within one file system. */
static int check_one_file_system(const struct pf_doctor *d)
{
    struct stat a, b;
    pf_auto_fd int cache_fd = open(d->cache_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pf_auto_fd int lxc_fd = open(d->lxc_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (cache_fd < 0 || lxc_fd < 0 || fstat(cache_fd, &a) < 0 || fstat(lxc_fd, &b) < 0)
        return 0;
    bool one = a.st_dev == b.st_dev || pf_subvolume_on_same(cache_fd, lxc_fd);
    return tell(d,
                (struct pf_check){.group = N_("kernel"),
                                  .name = N_("one file system"),
                                  .state = one ? PF_CHECK_OK : PF_CHECK_SLOWER,
                                  .advice =
                                      N_("containers are full copies; --cache or LXC's path can be "
                                         "moved")},
                "%s",
                pf_message(one ? N_("cache and containers are on one")
                               : N_("cache and containers are on two")));
}

static int check_kernel(const struct pf_doctor *d)
{
    int status = check_openat2(d);
    if (!status)
        status = check_renameat2(d);
    if (!status)
        status = check_copy_file_range(d);
    if (!status)
        status = check_landlock(d);
    if (!status)
        status = check_seccomp(d);
    if (!status)
        status = check_user_namespaces(d);
    if (!status)
        status = check_overlay(d);
    if (!status)
        status = check_sandbox(d);
    if (!status)
        status = check_reflink(d, N_("reflink in the cache"), d->cache_folder);
    if (!status)
        status = check_reflink(d, N_("reflink in LXC's path"), d->lxc_path);
    return status ? status : check_one_file_system(d);
}

/* Looks for a program in PATH; its path goes to `found`. */
static bool find_program(const char *name, char found[PATH_MAX])
{
    const char *path = getenv("PATH");
    for (const char *p = path ? path : "/usr/sbin:/usr/bin:/sbin:/bin"; *p;) {
        size_t length = strcspn(p, ":");
        int n = snprintf(found, PATH_MAX, "%.*s/%s", (int)length, p, name);
        if (length && n > 0 && n < PATH_MAX && access(found, X_OK) == 0)
            return true;
        p += length + (p[length] == ':');
    }
    return false;
}

static int check_tools(const struct pf_doctor *d)
{
    static const struct {
        const char *name, *advice;
    } tools[] = {
        {"lxc-create", N_("no containers by LXC; apt-get install lxc")},
        {"lxc-start", N_("no containers by LXC; apt-get install lxc")},
        {"lxc-info", N_("no containers by LXC; apt-get install lxc")},
        {"gpgv", N_("no --keyring; apt-get install gpgv")},
    };
    char path[PATH_MAX];
    bool has = access("/bin/sh", X_OK) == 0;
    int status = tell(d,
                      (struct pf_check){.group = N_("tools"),
                                        .name = "sh",
                                        .state = has ? PF_CHECK_OK : PF_CHECK_REFUSED,
                                        .needed = true,
                                        .advice = N_("packages' scripts cannot run")},
                      has ? "%s" : pf_message(N_("%s is not there")), "/bin/sh");
    for (size_t i = 0; !status && i < sizeof tools / sizeof *tools; i++) {
        has = find_program(tools[i].name, path);
        status = tell(d,
                      (struct pf_check){.group = N_("tools"),
                                        .name = tools[i].name,
                                        .state = has ? PF_CHECK_OK : PF_CHECK_REFUSED,
                                        .advice = tools[i].advice},
                      "%s", has ? path : pf_message(N_("not in PATH")));
    }
    static const char template[] = PF_LXC_TEMPLATE_DIR "/lxc-plamo-fast";
    has = access(template, X_OK) == 0;
    return status
               ? status
               : tell(d,
                      (struct pf_check){.group = N_("tools"),
                                        .name = N_("template"),
                                        .state = has ? PF_CHECK_OK : PF_CHECK_REFUSED,
                                        .advice = N_("no lxc-create -t plamo-fast; cmake --install "
                                                     "puts it there")},
                      has ? "%s" : pf_message(N_("%s is not there")), template);
}

static int check_space(const struct pf_doctor *d)
{
    char folder[PATH_MAX];
    struct statvfs fs;
    nearest_folder(d->cache_folder, folder);
    if (statvfs(folder, &fs) < 0)
        return tell(d,
                    (struct pf_check){.group = N_("limits"),
                                      .name = N_("free space"),
                                      .state = PF_CHECK_REFUSED,
                                      .advice = N_("see --cache")},
                    "%s: %s", folder, strerror(errno));
    uint64_t bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
    int status =
        tell(d,
             (struct pf_check){.group = N_("limits"),
                               .name = N_("free space"),
                               .state = bytes < ENOUGH_BYTES ? PF_CHECK_REFUSED : PF_CHECK_OK,
                               .advice = N_("a root with its packages may need 2 GiB; free "
                                            "some, or see --cache")},
             "%s: %llu MiB", folder, (unsigned long long)(bytes >> 20));
    /* Some file systems make inodes as they go, and say 0. */
    bool few = fs.f_files && fs.f_favail < ENOUGH_INODES;
    if (!status && fs.f_files == 0)
        return tell(d, (struct pf_check){.group = N_("limits"), .name = N_("free inodes")},
                    pf_message(N_("%s: no limit")), folder);
    return status
               ? status
               : tell(d,
                      (struct pf_check){.group = N_("limits"),
                                        .name = N_("free inodes"),
                                        .state = few ? PF_CHECK_REFUSED : PF_CHECK_OK,
                                        .advice = N_("a root may need 100000; remove files, or see "
                                                     "--cache")},
                      "%s: %llu", folder, (unsigned long long)fs.f_favail);
}

static int check_limits(const struct pf_doctor *d)
{
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    int status = tell(d,
                      (struct pf_check){.group = N_("limits"),
                                        .name = N_("open files"),
                                        .state = files.rlim_cur < ENOUGH_FILES ? PF_CHECK_REFUSED
                                                                               : PF_CHECK_OK,
                                        .advice = N_("ulimit -n 1024, or fewer --jobs and "
                                                     "--connections")},
                      "%llu", (unsigned long long)files.rlim_cur);
    return status ? status : check_space(d);
}

static int check_lock(const struct pf_doctor *d)
{
    pf_auto_fd int fd = open(PF_CACHE_LOCK_FILE, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return tell(d, (struct pf_check){.group = N_("permissions"), .name = N_("lock")},
                    pf_message(N_("%s: not made yet")), PF_CACHE_LOCK_FILE);
    if (fd < 0)
        return tell(d,
                    (struct pf_check){.group = N_("permissions"),
                                      .name = N_("lock"),
                                      .state = PF_CHECK_SLOWER,
                                      .advice = N_("a lock in the cache folder is used, of which "
                                                   "lxc-plamo does not know")},
                    "%s: %s", PF_CACHE_LOCK_FILE, strerror(errno));
    if (flock(fd, LOCK_SH | LOCK_NB) == 0)
        return tell(d, (struct pf_check){.group = N_("permissions"), .name = N_("lock")},
                    pf_message(N_("%s: free")), PF_CACHE_LOCK_FILE);
    char holder[PF_LOCKHOLDER_SIZE];
    pf_lockholder_name(fd, holder);
    return tell(d,
                (struct pf_check){.group = N_("permissions"),
                                  .name = N_("lock"),
                                  .state = PF_CHECK_SLOWER,
                                  .advice = N_("builds wait until it is let go")},
                pf_message(N_("%s: held by %s")), PF_CACHE_LOCK_FILE, holder);
}

static int check_permissions(const struct pf_doctor *d)
{
    char folder[PATH_MAX];
    nearest_folder(d->cache_folder, folder);
    bool is_there = strcmp(folder, d->cache_folder) == 0;
    bool writable = faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0;
    bool root = geteuid() == 0;
    int status =
        tell(d,
             (struct pf_check){.group = N_("permissions"),
                               .name = N_("user"),
                               .state = root ? PF_CHECK_OK : PF_CHECK_REFUSED,
                               .needed = true,
                               .advice = N_("a root's files have owners that only root can "
                                            "give; sudo, or lxc-usernsexec")},
             pf_message(N_("user %u")), (unsigned)geteuid());
    if (!status)
        status = tell(d,
                      (struct pf_check){.group = N_("permissions"),
                                        .name = N_("cache folder"),
                                        .state = writable ? PF_CHECK_OK : PF_CHECK_REFUSED,
                                        .needed = true,
                                        .advice = N_("be root, or see --cache")},
                      is_there ? "%s: %s" : pf_message(N_("%s: not made yet, %s")), d->cache_folder,
                      writable ? pf_message(N_("can be written")) : strerror(errno));
    return status ? status : check_lock(d);
}

static int check_libraries(const struct pf_doctor *d)
{
    char version[PF_VERSION_SIZE];
    const char *name;
    int status = 0;
    for (size_t i = 0; !status && (name = pf_versions_get(i, version)); i++) {
        bool slow = strcmp(name, "liblzma") == 0 && pf_versions_lzma() < PF_VERSIONS_LZMA_FAST;
        status =
            tell(d,
                 (struct pf_check){.group = N_("libraries"),
                                   .name = name,
                                   .state = slow ? PF_CHECK_SLOWER : PF_CHECK_OK,
                                   .advice = N_("5.8, which Debian 13 has, decodes .txz in two "
                                                "thirds of the time")},
                 "%s", version);
    }
    return status;
}

int pf_doctor_run(const struct pf_doctor *d)
{
    int status = check_kernel(d);
    if (!status)
        status = check_tools(d);
    if (!status)
        status = check_limits(d);
    if (!status)
        status = check_permissions(d);
    return status ? status : check_libraries(d);
}
