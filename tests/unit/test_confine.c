/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Without the namespaces that surround it in a sandbox: each wall must hold by itself. */
#include "confine.h"

#include "landlock.h"
#include "support.h"
#include "syscallfilter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static struct temp temp;
static struct pf_confine confine;
static char writable[96], written_to[96];
static const struct pf_confine_rule rules[] = {{writable, PF_LANDLOCK_CHANGE},
                                               {written_to, LANDLOCK_ACCESS_FS_WRITE_FILE |
                                                                PF_LANDLOCK_TRUNCATE},
                                               {NULL, 0}};
static struct pf_filter filter;

static int begin(void **state)
{
    (void)state;
    struct pf_error err = {0};
    temp_begin(&temp);
    put_file(temp.fd, "open/a/file", "x");
    put_folder(temp.fd, "open/b", 0755);
    put_file(temp.fd, "closed/file", "kept");
    put_file(temp.fd, "devices/null", "x");
    snprintf(writable, sizeof writable, "%s/open", temp.path);
    snprintf(written_to, sizeof written_to, "%s/devices", temp.path);
    static const struct pf_filter_settings settings = {.walls = PF_FILTER_NAMESPACES};
    assert_ok(pf_syscallfilter_make(&settings, &filter, &err), &err);
    confine = (struct pf_confine){.refused = PF_LANDLOCK_CHANGE,
                                  .rules = rules,
                                  .capabilities = PF_CONFINE_CAPABILITIES,
                                  .calls = filter.program};
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_file(temp.fd, "closed/file", "kept");
    pf_syscallfilter_end(&filter);
    temp_end(&temp);
    return 0;
}

/* Runs it in a process that is confined; it returns what it finds wrong, or NULL. */
static void confined(const char *(*check)(void))
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        int listener;
        const char *wrong = pf_confine_self(&confine, &listener);
        if (!wrong)
            wrong = check();
        if (wrong)
            fprintf(stderr, "%s (%s)\n", wrong, strerror(errno));
        _exit(wrong ? 1 : 0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static bool opens(const char *path, int flags)
{
    int fd = openat(temp.fd, path, flags | O_CLOEXEC, 0644);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static const char *check_files(void)
{
    if (!opens("open/new", O_WRONLY | O_CREAT) || mkdirat(temp.fd, "open/folder", 0755) < 0 ||
        symlinkat("x", temp.fd, "open/link") < 0 || !opens("closed/file", O_RDONLY) ||
        !opens("devices/null", O_WRONLY))
        return "what is allowed";
    /* Between folders, which the first Landlock did not allow. */
    if (renameat(temp.fd, "open/a/file", temp.fd, "open/b/file") < 0 ||
        linkat(temp.fd, "open/b/file", temp.fd, "open/a/again", 0) < 0 ||
        unlinkat(temp.fd, "open/b/file", 0) < 0)
        return "a rename";
    if (opens("closed/file", O_WRONLY) || errno != EACCES || opens("closed/new", O_RDWR | O_CREAT))
        return "a file is opened for writing";
    if (unlinkat(temp.fd, "closed/file", 0) == 0 || mkdirat(temp.fd, "closed/x", 0755) == 0 ||
        opens("devices/new", O_WRONLY | O_CREAT) ||
        renameat(temp.fd, "closed/file", temp.fd, "open/file") == 0 ||
        linkat(temp.fd, "open/new", temp.fd, "closed/new", 0) == 0)
        return "a folder is changed";
    return NULL;
}

static void landlock_keeps_to_the_writable(void **state)
{
    (void)state;
    confine.landlock_abi = pf_landlock_abi();
    if (!confine.landlock_abi) {
        print_message("skipped: this kernel has no Landlock of use here\n");
        skip();
    }
    confined(check_files);
    assert_true(has_name(temp.fd, "open/a/again"));
    /* Older versions know less, and their rules have another size. */
    for (int abi = confine.landlock_abi - 1; abi >= 2; abi--) {
        temp_end(&temp);
        pf_syscallfilter_end(&filter);
        begin(NULL);
        confine.landlock_abi = abi;
        confined(check_files);
    }
}

static const char *check_privileges(void)
{
    if (prctl(PR_CAPBSET_READ, 21 /* CAP_SYS_ADMIN */) != 0 ||
        prctl(PR_CAPBSET_READ, 2 /* CAP_DAC_READ_SEARCH */) != 0)
        return "capabilities are left";
    if (prctl(PR_CAPBSET_READ, 0 /* CAP_CHOWN */) != 1)
        return "a capability that scripts need is gone";
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return "new privileges can be had";
    if (syscall(SYS_ptrace, 0, 0, 0, 0) != -1 || errno != EPERM)
        return "ptrace works";
    return NULL;
}

static void gives_up_privileges(void **state)
{
    (void)state;
    confined(check_privileges);
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(landlock_keeps_to_the_writable),
    test(gives_up_privileges),
};
support_main(tests, true)
