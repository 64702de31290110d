/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "configure.h"

#include "support.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
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

#define EDIT(k, p, t, l)                                                                           \
    {                                                                                              \
        .kind = (k), .path = (p), .text = (t), .lines = (l)                                        \
    }

static int configure_wish(const struct pf_profile *profile, struct pf_configure_wish wish)
{
    struct pf_configure configure;
    wish.name = "box-1";
    int failed = pf_configure_settle(&wish, profile, &configure, &err);
    if (!failed)
        failed = pf_configure_root(root, &configure, log_.events, NULL, &err);
    pf_configure_end(&configure);
    return failed;
}

static int configure_release(const char *release)
{
    return configure_wish(pf_profile_find(release), (struct pf_configure_wish){0});
}

static int configure(const struct pf_edit *edits)
{
    struct pf_profile profile = {.edits = edits, .default_timezone = "Asia/Tokyo"};
    return configure_wish(&profile, (struct pf_configure_wish){0});
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
    static const struct pf_edit edits[] = {EDIT(PF_EDIT_WRITE, "etc/HOSTNAME", "%N\n", NULL),
                                           EDIT(PF_EDIT_WRITE, "etc/hosts", "a %N b%N%%N% 100%",
                                                NULL),
                                           EDIT(PF_EDIT_APPEND, "etc/fstab", "new %N\n", NULL),
                                           EDIT(PF_EDIT_APPEND, "etc/made", "x\n", NULL),
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
    static const struct pf_edit edits[] = {EDIT(PF_EDIT_REMOVE, "etc/gone", NULL, NULL),
                                           EDIT(PF_EDIT_REMOVE, "etc/never", NULL, NULL),
                                           EDIT(PF_EDIT_REMOVE, "no/folder/x", NULL, NULL),
                                           EDIT(PF_EDIT_REMOVE, "etc/link", NULL, NULL),
                                           EDIT(PF_EDIT_SYMLINK, "etc/localtime", "../zone", NULL),
                                           EDIT(PF_EDIT_SYMLINK, "etc/new", "../zone", NULL),
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

static const struct pf_textedit lines[] = {{.kind = PF_TEXTEDIT_COMMENT, .match = "pam"},
                                           {.kind = PF_TEXTEDIT_DELETE_PREFIX, .match = "4:"},
                                           {0}};

static void edits_lines_and_keeps_owner_and_mode(void **state)
{
    (void)state;
    static const struct pf_edit edits[] = {EDIT(PF_EDIT_LINES, "etc/f", NULL, lines), {0}};
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
    static const struct pf_edit edits[] = {EDIT(PF_EDIT_LINES, "etc/missing", NULL, lines),
                                           EDIT(PF_EDIT_WRITE, "no/folder/f", "x", NULL),
                                           EDIT(PF_EDIT_APPEND, "no/other/f", "x", NULL),
                                           EDIT(PF_EDIT_SYMLINK, "no/third/f", "x", NULL),
                                           EDIT(PF_EDIT_WRITE, "etc/last", "x", NULL),
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
    static const struct pf_edit edits[] = {EDIT(PF_EDIT_LINES, "etc/f", NULL, lines), {0}};
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
    static const struct pf_edit edits[] = {EDIT(PF_EDIT_WRITE, "etc/w", "x", NULL),
                                           EDIT(PF_EDIT_APPEND, "etc/a", "x", NULL),
                                           EDIT(PF_EDIT_LINES, "etc/l", NULL, lines),
                                           EDIT(PF_EDIT_REMOVE, "out/sentinel", NULL, NULL),
                                           EDIT(PF_EDIT_SYMLINK, "out/made", "x", NULL),
                                           EDIT(PF_EDIT_WRITE, "out/made2", "x", NULL),
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
    static const struct pf_edit kinds[][2] = {{EDIT(PF_EDIT_WRITE, "etc/f", "x", NULL), {0}},
                                              {EDIT(PF_EDIT_APPEND, "etc/f", "x", NULL), {0}},
                                              {EDIT(PF_EDIT_LINES, "etc/f", NULL, lines), {0}}};
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

/* ed's way, where sed -i would give the name a file of its own. */
static void edits_in_place_what_links_lead_to(void **state)
{
    (void)state;
    static const struct pf_edit edits[] = {EDIT(PF_EDIT_LINES_IN_PLACE, "etc/hard", NULL, lines),
                                           EDIT(PF_EDIT_LINES_IN_PLACE, "etc/link", NULL, lines),
                                           EDIT(PF_EDIT_LINES_IN_PLACE, "etc/out", NULL, lines),
                                           EDIT(PF_EDIT_LINES, "etc/sed", NULL, lines),
                                           {0}};
    put_bytes(root, "etc/hard", "pam\n", 4, 0640);
    put_bytes(root, "etc/target", "pam\n4:\n", 7, 0604);
    put_file(root, "etc/sed-target", "pam\n");
    assert_int_equal(linkat(root, "etc/hard", root, "etc/other", 0), 0);
    put_link(root, "etc/link", "target");
    put_link(root, "etc/out", "../../outside/sentinel");
    put_link(root, "etc/sed", "sed-target");
    assert_ok(configure(edits), &err);
    assert_file(root, "etc/other", "#pam\n");
    assert_int_equal(stat_of(root, "etc/hard").st_mode, S_IFREG | 0640);
    assert_int_equal(stat_of(root, "etc/hard").st_nlink, 2);
    assert_link(root, "etc/link", "target");
    assert_file(root, "etc/target", "#pam\n");
    assert_int_equal(stat_of(root, "etc/target").st_mode, S_IFREG | 0604);
    assert_file(root, "etc/sed-target", "pam\n");
    assert_true(S_ISREG(stat_of(root, "etc/sed").st_mode));
}

static void changes_modes_and_names(void **state)
{
    (void)state;
    static const struct pf_edit edits[] = {{.kind = PF_EDIT_CHMOD, .path = "etc/f", .mode = 0644},
                                           {.kind = PF_EDIT_CHMOD, .path = "etc/out", .mode = 0600},
                                           {.kind = PF_EDIT_CHMOD,
                                            .path = "etc/none",
                                            .mode = 0600},
                                           {.kind = PF_EDIT_CHMOD, .path = "etc", .mode = 0600},
                                           EDIT(PF_EDIT_RENAME, "etc/new", "etc/old", NULL),
                                           EDIT(PF_EDIT_RENAME, "etc/absent", "etc/g", NULL),
                                           EDIT(PF_EDIT_RENAME, "no/folder", "etc/g", NULL),
                                           EDIT(PF_EDIT_RENAME, "etc/f", "out/made", NULL),
                                           {0}};
    put_bytes(root, "etc/f", "x", 1, 04755);
    put_file(root, "etc/new", "new");
    put_link(root, "etc/old", "../../outside/sentinel");
    put_link(root, "etc/out", "../../outside/sentinel");
    put_link(root, "out", "../outside");
    put_file(root, "etc/g", "kept");
    mode_t before = stat_of(temp.fd, "outside/sentinel").st_mode;
    assert_ok(configure(edits), &err);
    assert_int_equal(stat_of(root, "etc/f").st_mode, S_IFREG | 0644);
    assert_int_equal(stat_of(temp.fd, "outside/sentinel").st_mode, before);
    assert_int_equal(stat_of(root, "etc").st_mode, S_IFDIR | 0755);
    assert_file(root, "etc/old", "new");
    assert_false(has_name(root, "etc/new") || has_name(temp.fd, "outside/made"));
    assert_file(root, "etc/g", "kept");
    expect_events("etc/out|", 6);
    assert_contains(log_.text, "|etc/none|");
    assert_contains(log_.text, "|etc|");
    assert_contains(log_.text, "|etc/absent|");
    assert_contains(log_.text, "|no/folder|");
}

#define NODE(p, m, b)                                                                              \
    {                                                                                              \
        .kind = PF_EDIT_NODE, .path = (p), .mode = (m), .device_major = 1, .device_minor = (b)     \
    }

static void makes_nodes(void **state)
{
    (void)state;
    static const struct pf_edit edits[] = {
        NODE("dev/new", S_IFCHR | 0666, 3),     NODE("dev/mode", S_IFCHR | 0666, 5),
        NODE("dev/number", S_IFCHR | 0600, 7),  NODE("dev/file", S_IFCHR | 0600, 8),
        NODE("dev/link", S_IFIFO | 0600, 0),    NODE("dev/folder", S_IFDIR | 0755, 0),
        NODE("dev/afolder", S_IFDIR | 0755, 0), NODE("dev/busy", S_IFCHR | 0600, 9),
        NODE("out/made", S_IFIFO | 0600, 0),    {0}};
    put_folder(root, "dev/busy/x", 0755);
    put_folder(root, "dev/folder", 0700);
    assert_int_equal(mknodat(root, "dev/mode", S_IFCHR | 0600, makedev(1, 5)), 0);
    assert_int_equal(fchownat(root, "dev/mode", 0, 5, 0), 0);
    assert_int_equal(mknodat(root, "dev/number", S_IFCHR | 0666, makedev(1, 99)), 0);
    put_file(root, "dev/file", "x");
    put_link(root, "dev/link", "../../outside/sentinel");
    put_link(root, "dev/afolder", "../../outside");
    put_link(root, "out", "../outside");
    assert_ok(configure(edits), &err);
    static const mode_t modes[] = {S_IFCHR | 0666, S_IFCHR | 0666, S_IFCHR | 0600, S_IFCHR | 0600,
                                   S_IFIFO | 0600, S_IFDIR | 0755, S_IFDIR | 0755, S_IFDIR | 0755};
    for (size_t i = 0; i < 8; i++) {
        struct stat st = stat_of(root, edits[i].path);
        assert_int_equal(st.st_mode, modes[i]);
        if (S_ISCHR(modes[i]))
            assert_int_equal(st.st_rdev, makedev(1, edits[i].device_minor));
    }
    assert_int_equal(stat_of(root, "dev/mode").st_gid, 5); /* it was right but for the mode */
    assert_false(has_name(temp.fd, "outside/made"));
    expect_events("dev/busy|", 2); /* a folder with something in it stays */
    assert_contains(log_.text, "|out/made|");
    assert_false(has_name(root, "dev/.plamo-fast.node"));
}

/* The node of a terminal in a place that others can get at would give them this machine's. */
static void makes_terminals_for_containers_alone(void **state)
{
    (void)state;
    static const struct pf_edit edits[] = {
        NODE("dev/null", S_IFCHR | 0666, 3),
        {.kind = PF_EDIT_NODE,
         .path = "dev/tty1",
         .mode = S_IFCHR | 0666,
         .device_major = 4,
         .device_minor = 1},
        {.kind = PF_EDIT_NODE,
         .path = "dev/console",
         .mode = S_IFCHR | 0600,
         .device_major = 5,
         .device_minor = 1},
        {.kind = PF_EDIT_NODE, .path = "dev/tty", .mode = S_IFCHR | 0666, .device_major = 5},
        {0}};
    const struct pf_profile profile = {.edits = edits, .default_timezone = "Asia/Tokyo"};
    assert_ok(configure_wish(&profile, (struct pf_configure_wish){0}), &err);
    assert_true(has_name(root, "dev/null") && has_name(root, "dev/tty"));
    assert_false(has_name(root, "dev/tty1") || has_name(root, "dev/console"));
    assert_contains(log_.text, "2 device nodes");
    assert_ok(configure_wish(&profile, (struct pf_configure_wish){.of_container = true}), &err);
    assert_int_equal(stat_of(root, "dev/tty1").st_mode, S_IFCHR | 0666);
    assert_int_equal(stat_of(root, "dev/console").st_mode, S_IFCHR | 0600);
}

/* As root of a user namespace is: it may not make devices. */
static void leaves_out_devices_that_may_not_be_made(void **state)
{
    (void)state;
    static const struct pf_edit edits[] = {NODE("dev/null", S_IFCHR | 0666, 3),
                                           NODE("dev/zero", S_IFCHR | 0666, 5),
                                           NODE("dev/initctl", S_IFIFO | 0600, 0),
                                           EDIT(PF_EDIT_WRITE, "etc/last", "x", NULL),
                                           {0}};
    put_file(root, "dev/zero", "kept");
    put_folder(root, "etc", 0755);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2];
        if (syscall(SYS_capget, &header, data) < 0)
            _exit(2);
        data[0].effective &= ~(1u << CAP_MKNOD);
        if (syscall(SYS_capset, &header, data) < 0)
            _exit(2);
        int failed = configure(edits);
        _exit(failed || log_.count != 1 || !strstr(log_.text, "2 device nodes"));
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_false(has_name(root, "dev/null"));
    assert_file(root, "dev/zero", "kept");
    assert_int_equal(stat_of(root, "dev/initctl").st_mode, S_IFIFO | 0600);
    assert_file(root, "etc/last", "x");
}

static int configure_timezone(const char *zone)
{
    static const struct pf_edit edits[] = {EDIT(PF_EDIT_TIMEZONE, "etc/localtime", "../zones/",
                                                NULL),
                                           {0}};
    struct pf_profile profile = {.edits = edits, .default_timezone = "Asia/Tokyo"};
    return configure_wish(&profile, (struct pf_configure_wish){.timezone = zone});
}

static void sets_the_time_zone(void **state)
{
    (void)state;
    put_file(root, "zones/Asia/Tokyo", "TZif");
    put_file(root, "zones/America/Argentina/Buenos_Aires", "TZif");
    put_file(root, "etc/localtime", "old");
    assert_ok(configure_timezone(NULL), &err);
    assert_link(root, "etc/localtime", "../zones/Asia/Tokyo");
    assert_ok(configure_timezone("America/Argentina/Buenos_Aires"), &err);
    assert_link(root, "etc/localtime", "../zones/America/Argentina/Buenos_Aires");
    expect_events("", 0);
    assert_ok(configure_timezone("Etc/GMT+9"), &err);
    assert_link(root, "etc/localtime", "../zones/Etc/GMT+9");
    expect_events("Etc/GMT+9", 1);
    assert_ok(configure_timezone("Asia"), &err); /* a folder */
    expect_events("Asia\n", 2);
}

static void refuses_wishes_that_make_no_sense(void **state)
{
    (void)state;
    static const char *const zones[] = {"",     "/Asia/Tokyo", "..",   "../x", "Asia/../x", "Asia/",
                                        "A//B", "Asia/Tok yo", "a\nb", ".",    "Asia/.x",   "-x",
                                        "x;y",  "x.y",         "%N",   "A/-B"};
    const struct pf_profile *profile = pf_profile_find("8.x");
    struct pf_configure settled;
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        struct pf_configure_wish wish = {.name = "x", .timezone = zones[i]};
        err = (struct pf_error){0};
        assert_code(pf_configure_settle(&wish, profile, &settled, &err), PF_E_INVALID, &err);
        pf_configure_end(&settled);
    }
    char longest[400] = "";
    memset(longest, 'x', sizeof longest - 1);
    struct pf_configure_wish wishes[] = {{.name = "x", .timezone = longest},
                                         {.name = "x", .network = ""},
                                         {.name = "x", .network = "DHCP"},
                                         {.name = "x", .network = "static"},
                                         {.name = "x", .root_password = "secret"}};
    for (size_t i = 0; i < sizeof wishes / sizeof *wishes; i++) {
        err = (struct pf_error){0};
        assert_code(pf_configure_settle(&wishes[i], profile, &settled, &err), PF_E_INVALID, &err);
        assert_null(strstr(err.text, "secret"));
        pf_configure_end(&settled);
    }
}

/* rm -f says so of a folder, and the shell goes on. */
static void leaves_folders_that_stand_in_the_way(void **state)
{
    (void)state;
    static const struct pf_edit edits[] = {EDIT(PF_EDIT_REMOVE, "etc/d", NULL, NULL),
                                           EDIT(PF_EDIT_SYMLINK, "etc/d", "x", NULL),
                                           EDIT(PF_EDIT_RENAME, "etc/f", "etc/d", NULL),
                                           EDIT(PF_EDIT_WRITE, "etc/d", "x", NULL),
                                           EDIT(PF_EDIT_LINES, "etc/d", NULL, lines),
                                           {0}};
    put_folder(root, "etc/d", 0755);
    put_file(root, "etc/f", "x");
    assert_ok(configure(edits), &err);
    expect_events("|etc/d|not edited: it is not a regular file", 5);
    assert_true(S_ISDIR(stat_of(root, "etc/d").st_mode));
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
    put_file(root, "usr/share/zoneinfo/Asia/Tokyo", "TZif");
    assert_ok(configure_release("8.x"), &err);
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
    test(edits_in_place_what_links_lead_to),
    test(changes_modes_and_names),
    test(makes_nodes),
    test(makes_terminals_for_containers_alone),
    test(leaves_out_devices_that_may_not_be_made),
    test(sets_the_time_zone),
    test(refuses_wishes_that_make_no_sense),
    test(leaves_folders_that_stand_in_the_way),
};
support_main(tests, true)
