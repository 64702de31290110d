/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What package scripts see with the release's own tools, in namespaces and without: the same. */
#include "scriptview.h"

#include "landlock.h"
#include "script.h"
#include "scripttools.h"
#include "support.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static struct temp temp;
static struct pf_script_place place;
static struct pf_error err;
static struct buffer said;
static enum pf_sandbox_rung wanted_rung;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    put_file(temp.fd, "outside", "kept");
    put_folder(temp.fd, "work/root", 0755);
    err = (struct pf_error){0};
    said = (struct buffer){0};
    place =
        (struct pf_script_place){.view = PF_SANDBOX_TOOLS, .work_fd = open_folder(temp.fd, "work")};
    place.root_fd = open_folder(place.work_fd, "root");
    assert_ok(pf_scriptview_make(place.work_fd, &err), &err);
    assert_ok(pf_scripttools_from_busybox(place.work_fd, &err), &err);
    assert_ok(pf_script_open_sandbox(&place, &err), &err);
    assert_int_equal(pf_sandbox_rung(place.sandbox), wanted_rung);
    return 0;
}

static int end(void **state)
{
    (void)state;
    pf_sandbox_close(place.sandbox);
    assert_true(has_name(place.work_fd, "root"));
    assert_ok(pf_scriptview_remove(place.work_fd, &err), &err);
    assert_false(has_name(place.work_fd, "view"));
    assert_file(temp.fd, "outside", "kept");
    buffer_end(&said);
    close(place.root_fd);
    close(place.work_fd);
    temp_end(&temp);
    return 0;
}

static void collect(void *ctx, const char *text, size_t length)
{
    buffer_add(ctx, text, length);
}

static int run_script(const char *script, int *status)
{
    static const struct pf_script_limits limits = PF_SCRIPT_LIMITS_DEFAULT;
    struct pf_script_output output = {collect, &said};
    said.length = 0;
    put_file(place.root_fd, "install/doinst.sh", script);
    int rc = pf_script_run(&place, &limits, &output, NULL, status, &err);
    buffer_add(&said, "", 1);
    return rc;
}

static const char *run(const char *script, int wanted_status)
{
    int status = -1;
    assert_ok(run_script(script, &status), &err);
    if (status != wanted_status)
        fail_msg("%s: status %d: %s", script, status, (char *)said.data);
    return (char *)said.data;
}

static void expect(const char *script, const char *output)
{
    assert_string_equal(run(script, 0), output);
}

static void has_the_tools_and_nothing_else(void **state)
{
    (void)state;
    setenv("LEAKED", "x", 1);
    expect("echo $0 $*; pwd; umask; cat; echo $LEAKED. $PATH",
           "install/doinst.sh -install\n/root\n0022\n. /sbin/installer\n");
    expect("ls -d /usr /lib /lib64 /proc /sys /home /etc/hostname /bin/ls 2>/dev/null; ls /bin",
           "sh\n");
    /* As a builtin busybox's shell knows its applets without a path. */
    expect("for n in wc perl python3 gcc; do command -v $n > /dev/null && echo $n; done; true",
           "wc\n");
    expect("awk 'BEGIN { system(\"echo shell\") }'; echo '#!/bin/sh' > s; echo 'echo $1' >> s; "
           "chmod 755 s; ./s own",
           "shell\nown\n");
    run("echo x > /bin/x || echo x > /sbin/installer/x || rm /bin/sh", 1);
    /* Whatever one script has done to them. */
    run("chmod 0 /sbin/installer/* /sbin/installer /dev /tmp /etc; chown 5 /bin; exit 3", 3);
    run("kill -9 $$", 128 + 9);
}

static void knows_the_users_of_the_root(void **state)
{
    (void)state;
    expect("touch f; chown root:root f && stat -c %u:%g f; id -un", "0:0\nroot\n");
    put_file(place.root_fd, "etc/passwd", "root:x:0:0::/:/bin/sh\nother:x:0:0::/:/bin/sh\n");
    put_file(place.root_fd, "etc/group", "root:x:0:\nothers:x:0:\n");
    expect("chown other:others f && stat -c %u:%g f; grep -c . /etc/passwd", "0:0\n2\n");
}

static void begins_with_an_empty_tmp(void **state)
{
    (void)state;
    expect("mkdir /tmp/d; echo x > /tmp/d/x; head -c 70000000 /dev/zero > /tmp/big; ls /tmp; "
           "mv /tmp/big .; wc -c < big",
           "big\nd\n70000000\n");
    expect("ls -A /tmp /var/tmp/ /run | grep -v :; stat -c %a /tmp", "\n\n1777\n");
}

/* Those of the root, too, but no others; by their paths and inside a chroot. */
static void opens_the_few_devices(void **state)
{
    (void)state;
    expect("for d in null zero full random urandom; do head -c 0 /dev/$d && echo $d; done",
           "null\nzero\nfull\nrandom\nurandom\n");
    if (mknodat(place.root_fd, "probe", S_IFCHR | 0666, makedev(1, 3)) < 0) {
        print_message("skipped: no node may be made here\n");
        skip();
    }
    unlinkat(place.root_fd, "probe", 0);
    put_folder(place.root_fd, "dev", 0755);
    put_folder(place.root_fd, "bin", 0755);
    assert_int_equal(mknodat(place.root_fd, "dev/null", S_IFCHR | 0666, makedev(1, 3)), 0);
    assert_int_equal(mknodat(place.root_fd, "dev/zero", S_IFCHR | 0666, makedev(1, 5)), 0);
    assert_int_equal(mknodat(place.root_fd, "dev/mem", S_IFCHR | 0666, makedev(1, 1)), 0);
    assert_int_equal(mknodat(place.root_fd, "loop", S_IFBLK | 0640, makedev(7, 3)), 0);
    expect("echo x > dev/null; head -c 3 dev/zero | wc -c; head -c 1 dev/mem > got 2>/dev/null; "
           "head -c 1 loop >> got 2>/dev/null; cat got; chmod 600 loop; chown 5:6 loop",
           "3\n");
    expect("cp /sbin/installer/busybox bin/sh; chroot . /bin/sh -c 'echo x > /dev/null; "
           "echo zero < /dev/zero; pwd; (read x < /dev/mem) 2> /dev/null || echo closed'",
           "zero\n/\nclosed\n");
    struct stat st = stat_of(place.root_fd, "loop");
    assert_int_equal(st.st_mode, S_IFBLK | 0600);
    assert_int_equal(st.st_rdev, makedev(7, 3));
    assert_true(st.st_uid == 5 && st.st_gid == 6);
    assert_int_equal(stat_of(place.root_fd, "dev/mem").st_rdev, makedev(1, 1));
    assert_int_equal(stat_of(place.root_fd, "dev/null").st_rdev, makedev(1, 3));
    /* As scripts of device packages do; others are still open then. */
    run("rm -f dev/null; mv dev/zero dev/nought; [ ! -e dev/null ] && [ ! -e dev/zero ] && "
        "mknod -m 640 dev/null c 1 3",
        0);
    assert_int_equal(stat_of(place.root_fd, "dev/null").st_mode, S_IFCHR | 0640);
    assert_int_equal(stat_of(place.root_fd, "dev/nought").st_rdev, makedev(1, 5));
    run("rm -rf dev", 0);
    assert_false(has_name(place.root_fd, "dev"));
}

static void enters_the_root_by_chroot(void **state)
{
    (void)state;
    put_folder(place.root_fd, "bin", 0755);
    run("cp /sbin/installer/busybox bin/; for a in sh ls cat; do ln bin/busybox bin/$a; done", 0);
    expect("chroot . /bin/sh -c 'echo $1 ${#2} $V; ls /; exit 5' sh one 'two  words'; echo $?; "
           "V=v chroot /root /bin/sh -c 'echo $V'",
           "one 10\nbin\ninstall\n5\nv\n");
    expect("echo in | chroot . /bin/cat | cat; chroot . /bin/sh -c 'echo out > /o; echo err >&2' "
           "2> e; cat e o; chroot . /bin/none; echo $?",
           "in\nerr\nout\nchroot: can't execute '/bin/none': No such file or directory\n127\n");
    expect("i=0; while [ $i -lt 12 ]; do chroot . /bin/sh -c ':' || echo bad; i=$((i + 1)); done; "
           "chroot . /bin/sh -c 'exit 77'; "
           "echo $?",
           "77\n");
    /* Not by a directory that was open, nor by one that is moved away. */
    run("chroot . /bin/sh -c 'cd /proc/self/fd/0 || cd /dev/fd/0' < / ; mkdir -p stand/x; "
        "mv stand /tmp/stand && [ -d /tmp/stand/x ] && [ ! -e stand ]",
        0);
    /* Nothing leads out of it. */
    run("chroot . /bin/sh -c 'mkdir x; cd ../..; ls outside ../outside'", 1);
    int status = -1;
    int rc = run_script("mkdir d; chroot d /bin/sh -c 'cd ../../..; ls outside'", &status);
    if (wanted_rung == PF_SANDBOX_CONFINED)
        assert_int_equal(rc, PF_E_LIMIT);
    else
        assert_true(rc == 0 && status != 0);
}

static void leaves_nothing_behind(void **state)
{
    (void)state;
    int held = pipe_begin(place.root_fd, "held");
    expect(LEAVE_BEHIND("sh", "one") LEAVE_BEHIND("setsid sh", "two") "echo done", "done\n");
    wait_for_no_holder(held);
}

static void touches_no_other_process(void **state)
{
    (void)state;
    char script[256];
    pid_t bystander = fork();
    if (bystander == 0) {
        pause();
        _exit(0);
    }
    snprintf(script, sizeof script,
             "kill -9 %d 1 $PPID; kill -9 -1; renice 5 -p %d; echo alive; sleep 60 & kill $!; "
             "wait; echo",
             (int)bystander, (int)bystander);
    int status = -1;
    assert_ok(run_script(script, &status), &err);
    assert_int_equal(waitpid(bystander, NULL, WNOHANG), 0);
    kill(bystander, SIGKILL);
    waitpid(bystander, NULL, 0);
    expect("echo again", "again\n");
}

static void says_where_there_were_too_many(void **state)
{
    (void)state;
    static const char *const bombs[] = {
        "while :; do sleep 86400 & done", "f() { f & f & wait; }; f",
        "f() { setsid sh -c 'sleep 86400' & }; while :; do f; done"};
    static const char *const environment[] = {"PATH=" PF_SCRIPTVIEW_TOOLS, NULL};
    const struct pf_sandbox_settings few = {.view = PF_SANDBOX_TOOLS,
                                            .work_fd = place.work_fd,
                                            .root_fd = place.root_fd,
                                            .environment = environment,
                                            .processes = 40};
    int status = -1;
    pf_sandbox_close(place.sandbox);
    place.sandbox = NULL;
    assert_ok(pf_sandbox_open(&few, &place.sandbox, &err), &err);
    for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
        assert_code(run_script(bombs[i], &status), PF_E_LIMIT, &err);
        assert_contains(err.text, "40 processes");
    }
    expect("echo again", "again\n");
}

static void drop_namespaces(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    syscall(SYS_capget, &header, data);
    data[0].effective &= ~(1u << CAP_SYS_ADMIN);
    data[0].permitted &= ~(1u << CAP_SYS_ADMIN);
    syscall(SYS_capset, &header, data);
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(has_the_tools_and_nothing_else), test(knows_the_users_of_the_root),
    test(begins_with_an_empty_tmp),       test(opens_the_few_devices),
    test(enters_the_root_by_chroot),      test(leaves_nothing_behind),
    test(touches_no_other_process),       test(says_where_there_were_too_many),
};

static enum pf_sandbox_rung rung_here(void)
{
    struct temp where;
    struct pf_script_place root = {.view = PF_SANDBOX_ROOT, .work_fd = -1};
    temp_begin(&where);
    root.root_fd = where.fd;
    enum pf_sandbox_rung rung = PF_SANDBOX_CONFINED;
    if (pf_script_open_sandbox(&root, &err) == 0)
        rung = pf_sandbox_rung(root.sandbox);
    pf_sandbox_close(root.sandbox);
    temp_end(&where);
    return rung;
}

int main(void)
{
    int skipped = support_begin(true), status = 0;
    if (skipped)
        return skipped;
    wanted_rung = rung_here();
    int failures = 0;
    if (wanted_rung != PF_SANDBOX_CONFINED)
        failures = cmocka_run_group_tests_name("namespaces", tests, NULL, NULL);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        drop_namespaces();
        if (pf_landlock_abi() <= 0) {
            puts("skipped: without namespaces: no Landlock here");
            fflush(NULL);
            _exit(0);
        }
        wanted_rung = PF_SANDBOX_CONFINED;
        _exit(cmocka_run_group_tests_name("without namespaces", tests, NULL, NULL) ? 1 : 0);
    }
    waitpid(pid, &status, 0);
    return failures || status ? 1 : 0;
}
