/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cage.h"

#include "fs.h"
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The cage's "/" and what is in it. The work is done in work/inside. */
static const struct sentinel {
    const char *path;
    const char *text; /* NULL: a folder */
    const char *target;
} sentinels[] = {
    {".", NULL, NULL},
    {"etc", NULL, NULL},
    {"etc/passwd", "root:x:0:0::/root:/bin/sh\n", NULL},
    {"tmp", NULL, NULL},
    {"tmp/file", "kept\n", NULL},
    {"sentinel", "kept\n", NULL},
    {"link", NULL, "etc/passwd"},
    {"work", NULL, NULL},
    {"work/beside", NULL, NULL},
    {"work/beside/file", "kept\n", NULL},
    {"work/sentinel", "kept\n", NULL},
    {"work/link", NULL, "../etc/passwd"},
    {"work/inside", NULL, NULL}, /* the last: it alone may change */
};
#define SENTINELS (sizeof sentinels / sizeof *sentinels)
#define INSIDE    (SENTINELS - 1)

/* Made by the first run. The thread reads job between the two semaphores only. */
static struct cage {
    char path[PATH_MAX / 2];
    char inside_path[PATH_MAX];
    int fd, inside_fd;
    struct stat before[SENTINELS];
    bool on_thread;
    sem_t work, done;
    cage_fn fn;
    void *ctx;
} cage;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)ftw;
    return type == FTW_DP ? rmdir(path) : unlink(path);
}

static void remove_cage(void)
{
    nftw(cage.path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void make_sentinel(const struct sentinel *sentinel)
{
    if (sentinel->target) {
        fuzz_require(symlinkat(sentinel->target, cage.fd, sentinel->path) == 0);
    } else if (!sentinel->text) {
        fuzz_require(mkdirat(cage.fd, sentinel->path, 0755) == 0);
    } else {
        int fd = openat(cage.fd, sentinel->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        size_t length = strlen(sentinel->text);
        fuzz_require(fd >= 0 && write(fd, sentinel->text, length) == (ssize_t)length);
        close(fd);
    }
}

/* A thread that shares no root folder with the others, with the cage as its root. Its working
   folder stays outside: there libFuzzer puts an input that crashes. */
static void *work(void *ctx)
{
    (void)ctx;
    fuzz_require(unshare(CLONE_FS) == 0 && chroot(cage.path) == 0);
    for (;;) {
        while (sem_wait(&cage.work) < 0)
            fuzz_require(errno == EINTR);
        cage.fn(cage.inside_fd, cage.ctx);
        sem_post(&cage.done);
    }
    return NULL;
}

static void make_cage(void)
{
    const char *base = getenv("TMPDIR");
    pthread_t thread;
    umask(0);
    snprintf(cage.path, sizeof cage.path, "%s/pf-fuzz-XXXXXX", base ? base : "/dev/shm");
    fuzz_require(mkdtemp(cage.path));
    cage.fd = open(cage.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fuzz_require(cage.fd >= 0 && atexit(remove_cage) == 0);
    for (size_t i = 1; i < SENTINELS; i++)
        make_sentinel(&sentinels[i]);
    /* Longer than a tick of the file system's clock: what is changed later has another time. */
    usleep(50000);
    for (size_t i = 0; i < SENTINELS; i++)
        fuzz_require(fstatat(cage.fd, sentinels[i].path, &cage.before[i], AT_SYMLINK_NOFOLLOW) ==
                     0);
    cage.inside_fd = openat(cage.fd, sentinels[INSIDE].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    fuzz_require(cage.inside_fd >= 0);
    cage.on_thread = geteuid() == 0;
    snprintf(cage.inside_path, sizeof cage.inside_path, "%s/%s", cage.on_thread ? "" : cage.path,
             sentinels[INSIDE].path);
    if (cage.on_thread)
        fuzz_require(sem_init(&cage.work, 0, 0) == 0 && sem_init(&cage.done, 0, 0) == 0 &&
                     pthread_create(&thread, NULL, work, NULL) == 0 && pthread_detach(thread) == 0);
}

/* Any change to a file, or to the names in a folder, changes one of these times. */
static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_untouched(size_t i)
{
    const struct stat *before = &cage.before[i];
    struct stat now;
    return fstatat(cage.fd, sentinels[i].path, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
           now.st_ino == before->st_ino && now.st_mode == before->st_mode &&
           now.st_nlink == before->st_nlink && now.st_uid == before->st_uid &&
           now.st_gid == before->st_gid && now.st_size == before->st_size &&
           same_time(&now.st_mtim, &before->st_mtim) && same_time(&now.st_ctim, &before->st_ctim);
}

static void check_around(void)
{
    for (size_t i = 0; i < INSIDE; i++) {
        if (!is_untouched(i)) {
            fprintf(stderr, "broken: %s is touched\n", sentinels[i].path);
            abort();
        }
    }
    struct stat now;
    fuzz_require(fstat(cage.inside_fd, &now) == 0 && now.st_nlink == cage.before[INSIDE].st_nlink &&
                 now.st_mode == cage.before[INSIDE].st_mode && now.st_uid == geteuid());
}

void cage_run(cage_fn fn, void *ctx)
{
    if (cage.fd == 0)
        make_cage();
    cage.fn = fn;
    cage.ctx = ctx;
    if (cage.on_thread) {
        sem_post(&cage.work);
        while (sem_wait(&cage.done) < 0)
            fuzz_require(errno == EINTR);
    } else {
        fn(cage.inside_fd, ctx);
    }
    struct pf_error err = {0};
    if (pf_fs_empty_folder(cage.inside_fd, &err)) {
        fprintf(stderr, "broken: %s\n", err.text);
        abort();
    }
    check_around();
}

const char *cage_path(void)
{
    return cage.inside_path;
}
