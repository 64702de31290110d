/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "configure.h"

#include "support.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct temp temp;
static int root;
static struct event_log log_;
static struct pf_error err;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    put_file(temp.fd, "outside/sentinel", "kept\n");
    root = open_folder(temp.fd, "root");
    event_log_begin(&log_);
    err = (struct pf_error){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_file(temp.fd, "outside/sentinel", "kept\n");
    event_log_end(&log_);
    close(root);
    temp_end(&temp);
    return 0;
}

static int configure(const struct pf_edit *edits)
{
    struct pf_profile profile = {.edits = edits};
    return pf_configure_root(root, &profile, "box-1", log_.events, &err);
}

static void expect_events(const char *wanted_parts, unsigned count)
{
    if (log_.count != count)
        fail_msg("%u events: %s", log_.count, log_.text);
    assert_contains(log_.text, wanted_parts);
}

static void writes_and_appends(void **state)
{
    (void)state;
    static const struct pf_edit edits[] = {{PF_EDIT_WRITE, "etc/HOSTNAME", "%N\n", NULL},
                                           {PF_EDIT_WRITE, "etc/hosts", "a %N b%N%%N% 100%", NULL},
                                           {PF_EDIT_APPEND, "etc/fstab", "new %N\n", NULL},
                                           {PF_EDIT_APPEND, "etc/made", "x\n", NULL},
                                           {0}};
    put_file(root, "etc/HOSTNAME", "an old name that is longer\n");
    put_file(root, "etc/fstab", "old\n");
    assert_ok(configure(edits), &err);
    assert_file(root, "etc/HOSTNAME", "box-1\n");
    assert_file(root, "etc/hosts", "a box-1 bbox-1%box-1% 100%");
    assert_file(root, "etc/fstab", "old\nnew box-1\n");
    assert_file(root, "etc/made", "x\n");
    expect_events("", 0);
}

static void removes_and_links(void **state)
{
    (void)state;
    static const struct pf_edit edits[] = {{PF_EDIT_REMOVE, "etc/gone", NULL, NULL},
                                           {PF_EDIT_REMOVE, "etc/never", NULL, NULL},
                                           {PF_EDIT_REMOVE, "no/folder/x", NULL, NULL},
                                           {PF_EDIT_REMOVE, "etc/link", NULL, NULL},
                                           {PF_EDIT_SYMLINK, "etc/localtime", "../zone", NULL},
                                           {PF_EDIT_SYMLINK, "etc/new", "../zone", NULL},
                                           {0}};
    put_file(root, "etc/gone", "");
    put_link(root, "etc/link", "../../outside/sentinel");
    put_file(root, "etc/localtime", "a zone");
    assert_ok(configure(edits), &err);
    assert_false(has_name(root, "etc/gone") || has_name(root, "etc/link"));
    assert_link(root, "etc/localtime", "../zone");
    assert_link(root, "etc/new", "../zone");
    expect_events("", 0); /* that there was nothing to remove is no fault */
}

static const struct pf_textedit lines[] = {{PF_TEXTEDIT_COMMENT, "pam", NULL},
                                           {PF_TEXTEDIT_DELETE_PREFIX, "4:", NULL},
                                           {0}};

static void edits_lines_and_keeps_owner_and_mode(void **state)
{
    (void)state;
    static const struct pf_edit edits[] = {{PF_EDIT_LINES, "etc/f", NULL, lines}, {0}};
    put_bytes(root, "etc/f", "a\npam\n4:x\n", 10, 0600);
    assert_int_equal(fchownat(root, "etc/f", 11, 22, 0), 0);
    assert_int_equal(fchmodat(root, "etc/f", 06750, 0), 0);
    assert_ok(configure(edits), &err);
    assert_file(root, "etc/f", "a\n#pam\n");
    struct stat st = stat_of(root, "etc/f");
    assert_int_equal(st.st_mode, S_IFREG | 06750);
    assert_int_equal(st.st_uid, 11);
    assert_int_equal(st.st_gid, 22);
    expect_events("", 0);
}

static void says_which_edit_had_no_file(void **state)
{
    (void)state;
    static const struct pf_edit edits[] = {{PF_EDIT_LINES, "etc/missing", NULL, lines},
                                           {PF_EDIT_WRITE, "no/folder/f", "x", NULL},
                                           {PF_EDIT_APPEND, "no/other/f", "x", NULL},
                                           {PF_EDIT_SYMLINK, "no/third/f", "x", NULL},
                                           {PF_EDIT_WRITE, "etc/last", "x", NULL},
                                           {0}};
    char part[64];
    put_folder(root, "etc", 0755);
    assert_ok(configure(edits), &err);
    snprintf(part, sizeof part, "%d|etc/missing|", PF_EVENT_WARNING);
    expect_events(part, 4);
    assert_contains(log_.text, "|no/folder/f|");
    assert_contains(log_.text, "|no/other/f|");
    assert_contains(log_.text, "|no/third/f|");
    assert_file(root, "etc/last", "x"); /* and the rest goes on */
    assert_false(has_name(root, "no"));
}

static void notes_edits_that_match_no_line(void **state)
{
    (void)state;
    static const struct pf_edit edits[] = {{PF_EDIT_LINES, "etc/f", NULL, lines}, {0}};
    char part[64];
    put_file(root, "etc/f", "pam\n");
    assert_ok(configure(edits), &err);
    snprintf(part, sizeof part, "%d|etc/f|", PF_EVENT_NOTE);
    expect_events(part, 1);
    assert_contains(log_.text, "4:");
    assert_file(root, "etc/f", "#pam\n");
}

static void never_leaves_the_root(void **state)
{
    (void)state;
    static const struct pf_edit edits[] = {{PF_EDIT_WRITE, "etc/w", "x", NULL},
                                           {PF_EDIT_APPEND, "etc/a", "x", NULL},
                                           {PF_EDIT_LINES, "etc/l", NULL, lines},
                                           {PF_EDIT_REMOVE, "out/sentinel", NULL, NULL},
                                           {PF_EDIT_SYMLINK, "out/made", "x", NULL},
                                           {PF_EDIT_WRITE, "out/made2", "x", NULL},
                                           {0}};
    char absolute[96];
    snprintf(absolute, sizeof absolute, "%s/outside/sentinel", temp.path);
    put_link(root, "etc/w", "../../outside/sentinel");
    put_link(root, "etc/a", absolute);
    put_link(root, "etc/l", absolute);
    put_link(root, "out", "../outside");
    assert_ok(configure(edits), &err);
    assert_false(has_name(temp.fd, "outside/made") || has_name(temp.fd, "outside/made2"));
}

/* A name that a package has made a fifo of must not hold the build up for ever. */
static void does_not_wait_at_a_fifo(void **state)
{
    (void)state;
    static const struct pf_edit kinds[][2] = {{{PF_EDIT_WRITE, "etc/f", "x", NULL}, {0}},
                                              {{PF_EDIT_APPEND, "etc/f", "x", NULL}, {0}},
                                              {{PF_EDIT_LINES, "etc/f", NULL, lines}, {0}}};
    for (size_t i = 0; i < 3; i++) {
        put_folder(root, "etc", 0755);
        unlinkat(root, "etc/f", 0);
        assert_int_equal(mknodat(root, "etc/f", S_IFIFO | 0600, 0), 0);
        fflush(NULL);
        pid_t pid = fork();
        if (pid == 0) {
            signal(SIGALRM, SIG_DFL);
            alarm(3);
            configure(kinds[i]);
            _exit(0);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFEXITED(status))
            fail_msg("edit of kind %d waits", kinds[i][0].kind);
    }
}

/* The whole profile on a root of the files that it edits. */
static void configures_a_small_root(void **state)
{
    (void)state;
    put_file(root, "etc/pam.d/login", "auth x\nsession required pam_loginuid.so\n");
    put_file(root, "etc/fstab", "# fstab\n");
    put_file(root, "etc/inittab", "ca:12345:x\n1:2345:x\n2:2345:x\n4:2345:x\n5:2345:x\n6:2345:x\n");
    put_file(root, "etc/rc.d/init.d/rc", "a\n  wait_for_user\necho \"Press Enter to go on\"\nb\n");
    put_file(root, "etc/rc.d/rcS.d/S05modules", "");
    put_file(root, "etc/rc.d/rcS.d/S06kept", "");
    put_file(root, "var/log/initpkg/shadow", "");
    put_folder(root, "etc/sysconfig", 0755);
    assert_ok(pf_configure_root(root, pf_profile_find("8.x"), "box-1", log_.events, &err), &err);
    expect_events("", 0);
    assert_file(root, "etc/HOSTNAME", "box-1\n");
    assert_file(root, "etc/hosts", "127.0.0.1 localhost box-1\n");
    assert_link(root, "etc/localtime", "../usr/share/zoneinfo/Asia/Tokyo");
    assert_file(root, "etc/pam.d/login", "auth x\n#session required pam_loginuid.so\n");
    assert_file(root, "etc/inittab",
                "ca:12345:x\npf::powerfail:/sbin/shutdown -h +0 \"THE POWER IS FAILING\"\n"
                "c:1235:respawn:/sbin/agetty console 38400\n1:2345:x\n2:2345:x\n");
    assert_file(root, "etc/rc.d/init.d/rc", "a\nb\n");
    assert_file(root, "etc/sysconfig/ifconfig.eth0",
                "ONBOOT=\"yes\"\nIFACE=\"eth0\"\nSERVICE=\"dhclient\"\n");
    assert_false(has_name(root, "etc/rc.d/rcS.d/S05modules"));
    assert_true(has_name(root, "etc/rc.d/rcS.d/S06kept"));
    assert_false(has_name(root, "var/log/initpkg/shadow"));
    char *fstab = get_file(root, "etc/fstab");
    assert_int_equal(strncmp(fstab, "# fstab\n", 8), 0);
    static const char *const mounts[] = {"/proc ", "/run ",     "/sys ",
                                         "/tmp ",  "/dev/pts ", "/proc/bus/usb "};
    for (size_t i = 0; i < sizeof mounts / sizeof *mounts; i++)
        assert_contains(fstab, mounts[i]);
    free(fstab);
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(writes_and_appends),
    test(removes_and_links),
    test(edits_lines_and_keeps_owner_and_mode),
    test(says_which_edit_had_no_file),
    test(notes_edits_that_match_no_line),
    test(never_leaves_the_root),
    test(does_not_wait_at_a_fifo),
    test(configures_a_small_root),
};
support_main(tests, true)
