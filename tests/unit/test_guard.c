/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a thread that speaks with servers can reach, and what its process still can. */
#include "guard.h"

#include "fs.h"
#include "landlock.h"
#include "support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct temp temp;
static struct pf_mirrors mirrors;
static struct pf_guard guard;
static int partial_fd;
static char ca_file[96], local[96];

static int begin(void **state)
{
    static const char *const servers[] = {"https://h/x", NULL};
    (void)state;
    temp_begin(&temp);
    put_file(temp.fd, "partial/old", "x");
    put_file(temp.fd, "elsewhere/file", "kept");
    put_file(temp.fd, "ca.pem", "x");
    put_file(temp.fd, "mirror/sub/file", "x");
    partial_fd = openat(temp.fd, "partial", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    snprintf(ca_file, sizeof ca_file, "%s/ca.pem", temp.path);
    snprintf(local, sizeof local, "file://%s/mirror", temp.path);
    pf_mirrors_init(&mirrors, servers);
    guard = (struct pf_guard){.written_fd = partial_fd, .read_fd = -1, .mirrors = &mirrors};
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_file(temp.fd, "elsewhere/file", "kept");
    close(partial_fd);
    temp_end(&temp);
    return 0;
}

/* As an answer to how it went: 0, or errno. */
static int opening(int dir_fd, const char *path, int flags)
{
    int fd = openat(dir_fd, path, flags | O_CLOEXEC, 0644);
    int number = errno;
    if (fd >= 0)
        close(fd);
    return fd >= 0 ? 0 : number;
}

/* Runs it on a guarded thread; it returns what it finds wrong, or NULL. */
struct check {
    const char *(*find)(void);
    const char *wrong;
};

static int run_check(void *ctx, struct pf_error *err)
{
    struct check *check = ctx;
    (void)err;
    check->wrong = check->find();
    return 7;
}

static void guarded(const char *(*find)(void))
{
    struct pf_error err = {0};
    struct check check = {.find = find};
    if (pf_landlock_abi() == 0) {
        print_message("skipped: this kernel has no Landlock of use here\n");
        skip();
    }
    int status = pf_guard_run(&guard, run_check, &check, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(status, 7);
    if (check.wrong)
        fail_msg("%s", check.wrong);
}

static const char *find_files(void)
{
    struct pf_error err = {0};
    if (opening(AT_FDCWD, "/etc/shadow", O_RDONLY) != EACCES ||
        opening(AT_FDCWD, "/root", O_RDONLY | O_DIRECTORY) != EACCES ||
        opening(AT_FDCWD, "/proc/self/environ", O_RDONLY) != EACCES ||
        opening(temp.fd, "elsewhere/file", O_RDONLY) != EACCES ||
        opening(temp.fd, "ca.pem", O_RDONLY) != EACCES)
        return "something of the host can be read";
    if (opening(temp.fd, "elsewhere/file", O_WRONLY) != EACCES ||
        opening(temp.fd, "elsewhere/file", O_WRONLY | O_TRUNC) != EACCES ||
        opening(temp.fd, "elsewhere/new", O_WRONLY | O_CREAT) != EACCES ||
        opening(AT_FDCWD, "/usr/new", O_WRONLY | O_CREAT) != EACCES ||
        unlinkat(temp.fd, "elsewhere/file", 0) == 0 || mkdirat(temp.fd, "elsewhere/x", 0755) == 0 ||
        renameat(partial_fd, "old", temp.fd, "elsewhere/old") == 0 ||
        linkat(temp.fd, "elsewhere/file", partial_fd, "file", 0) == 0)
        return "something of the host can be changed";
    if (opening(partial_fd, "new", O_RDWR | O_CREAT) || opening(partial_fd, ".", O_RDONLY) ||
        opening(partial_fd, "old", O_WRONLY | O_TRUNC) ||
        renameat(partial_fd, "new", partial_fd, "newer") < 0 ||
        pf_fs_replace_file(partial_fd, "newer", "x", 1, 0644, &err) ||
        unlinkat(partial_fd, "newer", 0) < 0)
        return "the downloads' folder cannot be used";
    if (mkdirat(partial_fd, "folder", 0755) == 0 || symlinkat("/", partial_fd, "link") == 0 ||
        mknodat(partial_fd, "null", S_IFCHR | 0666, 0x103) == 0 ||
        mknodat(partial_fd, "fifo", S_IFIFO | 0666, 0) == 0)
        return "it can be filled with other things than files";
    return NULL;
}

static void writes_to_the_downloads_alone(void **state)
{
    (void)state;
    guarded(find_files);
    /* Nobody else has lost anything. */
    assert_int_equal(opening(temp.fd, "elsewhere/file", O_RDWR), 0);
    assert_int_equal(opening(AT_FDCWD, "/etc/passwd", O_RDONLY), 0);
    assert_int_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
}

static const char *find_nothing_written(void)
{
    return opening(partial_fd, "new", O_WRONLY | O_CREAT) != EACCES ||
                   opening(partial_fd, "old", O_RDONLY) != EACCES
               ? "the folder can be used"
               : NULL;
}

static void writes_nothing_while_pages_are_read(void **state)
{
    (void)state;
    guard.written_fd = -1;
    guarded(find_nothing_written);
}

static const char *find_readable(void)
{
    return opening(temp.fd, "ca.pem", O_RDONLY) || opening(temp.fd, "mirror/sub/file", O_RDONLY) ||
                   opening(temp.fd, "elsewhere/file", O_RDONLY) ||
                   opening(temp.fd, "elsewhere", O_RDONLY)
               ? "it cannot be read"
           : opening(temp.fd, "elsewhere/file", O_WRONLY) != EACCES ||
                   opening(temp.fd, "mirror/sub/file", O_WRONLY) != EACCES ||
                   opening(temp.fd, "ca.pem", O_WRONLY) != EACCES
               ? "it can be written"
           : opening(AT_FDCWD, "/etc/shadow", O_RDONLY) != EACCES ? "more can be read"
                                                                  : NULL;
}

static void reads_what_it_is_given(void **state)
{
    (void)state;
    const char *const urls[] = {"https://h/x", local, NULL};
    int old_fd = openat(temp.fd, "elsewhere", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pf_mirrors_init(&mirrors, urls);
    guard.ca_file = ca_file;
    guard.read_fd = old_fd;
    guarded(find_readable);
    close(old_fd);
}

static const char *find_reads_all(void)
{
    return opening(temp.fd, "elsewhere/file", O_RDONLY)             ? "it cannot be read"
           : opening(temp.fd, "elsewhere/file", O_WRONLY) != EACCES ? "it can be written"
                                                                    : NULL;
}

static void folders_alone_may_link_anywhere(void **state)
{
    (void)state;
    const char *const urls[] = {local, NULL};
    pf_mirrors_init(&mirrors, urls);
    guarded(find_reads_all);
}

/* What libcurl does on it, also on a thread of its own. */
static void *resolve(void *arg)
{
    const char **wrong = arg;
    struct addrinfo *found = NULL;
    if (getaddrinfo("localhost", "80", NULL, &found) == 0)
        freeaddrinfo(found);
    else
        *wrong = "resolving";
    if (opening(AT_FDCWD, "/etc/shadow", O_RDONLY) != EACCES)
        *wrong = "a thread of it is not confined";
    return NULL;
}

static const char *find_network(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    pthread_t thread;
    const char *wrong = NULL;
    if (pthread_create(&thread, NULL, resolve, &wrong) != 0 || pthread_join(thread, NULL) != 0)
        return "a thread";
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool bound = bind(fd, (struct sockaddr *)&any, sizeof any) == 0;
    close(fd);
    if (bound && pf_landlock_abi() >= 4)
        return "a port can be listened on";
    return wrong;
}

static void the_network_is_there(void **state)
{
    (void)state;
    guarded(find_network);
}

static const char *find_privileges(void)
{
    char *const argv[] = {(char[]){"true"}, NULL};
    pid_t pid;
    if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, argv + 1) == 0) {
        waitpid(pid, NULL, 0);
        return "a program can be run";
    }
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return "new privileges can be had";
    if (chroot("/") == 0 || errno != EPERM)
        return "a capability is left";
    if (pf_landlock_abi() >= 6 && (kill(getppid(), 0) == 0 || errno != EPERM))
        return "another process can be signalled";
    return NULL;
}

static void privileges_are_gone(void **state)
{
    (void)state;
    guarded(find_privileges);
    if (geteuid() == 0)
        assert_int_equal(chroot("/"), 0);
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(writes_to_the_downloads_alone), test(writes_nothing_while_pages_are_read),
    test(reads_what_it_is_given),        test(folders_alone_may_link_anywhere),
    test(the_network_is_there),          test(privileges_are_gone),
};
support_main(tests, true)
