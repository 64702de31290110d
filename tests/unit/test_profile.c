/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "profile.h"

#include "support.h"

static void check_list(const char *const *list, const char *const *wanted)
{
    size_t i = 0;
    for (; wanted[i]; i++) {
        assert_non_null(list[i]);
        assert_string_equal(list[i], wanted[i]);
    }
    assert_null(list[i]);
}

static const char *const ignored[] = {"grub",
                                      "kernel",
                                      "lilo",
                                      "linux_firmware",
                                      "microcode_ctl",
                                      "linux_firmwares",
                                      "cpufreqd",
                                      "cpufrequtils",
                                      "gpm",
                                      "ntp",
                                      "kmod",
                                      "kmscon",
                                      NULL};

static void has_the_defaults_of_each_release(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    static const char *const base[] = {"00_base", NULL};
    static const char *const releases[] = {"7.x", "8.x", "7.4", "8.1"};
    for (size_t i = 0; i < sizeof releases / sizeof *releases; i++) {
        const struct pf_profile *profile = pf_profile_find(releases[i]);
        assert_non_null(profile);
        check_list(profile->default_categories, base);
        check_list(profile->default_addons, none);
        check_list(profile->default_ignore, ignored);
        assert_string_equal(profile->default_timezone, "Asia/Tokyo");
        assert_null(profile->root_password);
        assert_false(profile->lxc_fstab);
    }
}

static void has_the_defaults_of_the_older_releases(void **state)
{
    (void)state;
    static const char *const base[] = {"00_base", "01_minimum", NULL};
    static const char *const addons[] = {"contrib/Hamradio/morse", "contrib/Hamradio/qrq", NULL};
    static const char *const article[] = {"grub",           "kernel",        "lilo",
                                          "linux_firmware", "microcode_ctl", "cpufreqd",
                                          "cpufrequtils",   "gpm",           NULL};
    static const char *const releases[] = {"5.x", "5.3", "6.x", "6.2"};
    for (size_t i = 0; i < sizeof releases / sizeof *releases; i++) {
        const struct pf_profile *profile = pf_profile_find(releases[i]);
        bool five = *releases[i] == '5';
        assert_non_null(profile);
        check_list(profile->default_categories, base);
        check_list(profile->default_addons, addons);
        check_list(profile->default_ignore, five ? article : ignored);
        assert_string_equal(profile->default_timezone, "Asia/Tokyo");
        assert_int_equal(profile->root_password != NULL, five);
        assert_int_equal(profile->lxc_fstab, five);
    }
}

static void knows_the_folders_of_each_release(void **state)
{
    (void)state;
    static const char *const old[] = {"00_base",  "01_minimum", "02_x11",  "03_xclassics",
                                      "04_xapps", "05_ext",     "06_xfce", "07_kde",
                                      "08_tex",   "09_kernel",  "10_lof",  NULL};
    static const char *const new[] = {"00_base",
                                      "01_minimum",
                                      "02_devel",
                                      "03_libs",
                                      "04_x11",
                                      "05_ext",
                                      "06_xapps",
                                      "07_multimedia",
                                      "08_daemons",
                                      "09_printings",
                                      "10_xfce",
                                      "11_lxqt",
                                      "12_mate",
                                      "13_tex",
                                      "14_libreoffice",
                                      "15_kernelsrc",
                                      "16_virtualization",
                                      NULL};
    static const char *const contrib[] = {"AVtool",         "DB",       "Devel",     "Education",
                                          "Emacs",          "Hamradio", "Haskell",   "Kernel",
                                          "Library",        "MUA",      "Network",   "Python",
                                          "Texlive2010",    "Texttool", "Utilities", "VLC",
                                          "Virtualization", "X11",      NULL};
    static const char *const releases[] = {"5.x", "6.x", "7.x", "8.x"};
    for (size_t i = 0; i < 4; i++) {
        const struct pf_profile *profile = pf_profile_find(releases[i]);
        check_list(profile->known_categories, i < 2 ? old : new);
        check_list(profile->known_contrib, contrib);
    }
}

static void finds_nothing_for_nonsense(void **state)
{
    (void)state;
    static const char *const bad[] = {"",      "x",    "7",     "7.",  "-7.x",
                                      "+7.x",  " 7.x", "0x7.x", "4.x", "700.x",
                                      "7.x/y", "./7",  "8x",    "..",  "18446744073709551623.x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (pf_profile_find(bad[i]))
            fail_msg("release \"%s\" has a profile", bad[i]);
    }
    assert_non_null(pf_profile_find(pf_profile_default_release()));
}

static const struct pf_edit *find_edit_when(const struct pf_profile *profile, const char *path,
                                            enum pf_edit_when when)
{
    const struct pf_edit *found = NULL;
    for (const struct pf_edit *edit = profile->edits; edit->path; edit++) {
        assert_true(edit->path[0] != '/');
        if (strcmp(edit->path, path) == 0 && edit->when == when) {
            assert_null(found);
            found = edit;
        }
    }
    if (!found)
        fail_msg("no edit of %s", path);
    return found;
}

static const struct pf_edit *find_edit(const struct pf_profile *profile, const char *path)
{
    return find_edit_when(profile, path, PF_WHEN_ALWAYS);
}

/* What the shell template removes for 7.x and 8.x, file by file. */
static void removes_what_the_template_removes(void **state)
{
    (void)state;
    static const char *const removed[] = {
        "etc/rc.d/rcS.d/S05modules",  "etc/rc.d/rcS.d/S10eudev",    "etc/rc.d/rcS.d/S20swap",
        "etc/rc.d/rcS.d/S30checkfs",  "etc/rc.d/rcS.d/S35setclock", "etc/rc.d/rcS.d/S50eudev_retry",
        "etc/rc.d/rcS.d/S70console",  "etc/rc.d/rc3.d/S30sshd",     "etc/rc.d/rc6.d/K30sshd",
        "etc/rc.d/rc6.d/K35setclock", "etc/rc.d/rc6.d/S65swap",     "etc/rc.d/rc6.d/S70mountfs",
        "etc/rc.d/rc0.d/K30sshd",     "etc/rc.d/rc0.d/K35setclock", "etc/rc.d/rc0.d/S65swap",
        "etc/rc.d/rc0.d/S70mountfs",  "var/log/initpkg/shadow",     "var/log/initpkg/netconfig7",
        "var/log/initpkg/eudev",      "var/log/initpkg/openssh"};
    const struct pf_profile *profile = pf_profile_find("8.x");
    size_t count = 0;
    for (size_t i = 0; i < sizeof removed / sizeof *removed; i++)
        assert_int_equal(find_edit(profile, removed[i])->kind, PF_EDIT_REMOVE);
    for (const struct pf_edit *edit = profile->edits; edit->path; edit++)
        count += edit->kind == PF_EDIT_REMOVE;
    assert_int_equal(count, sizeof removed / sizeof *removed);
}

static void writes_what_the_template_writes(void **state)
{
    (void)state;
    const struct pf_profile *profile = pf_profile_find("7.x");
    assert_string_equal(find_edit(profile, "etc/HOSTNAME")->text, "%N\n");
    assert_string_equal(find_edit(profile, "etc/hosts")->text, "127.0.0.1 localhost %N\n");
    const struct pf_edit *zone = find_edit(profile, "etc/localtime");
    assert_int_equal(zone->kind, PF_EDIT_TIMEZONE);
    assert_string_equal(zone->text, "../usr/share/zoneinfo/");
    const struct pf_edit *fstab = find_edit(profile, "etc/fstab");
    assert_int_equal(fstab->kind, PF_EDIT_APPEND);
    assert_contains(fstab->text, "/dev/pts");
    assert_contains(fstab->text, "gid=5,mode=620");
    assert_contains(fstab->text, "noauto");
    assert_string_equal(find_edit_when(profile, "etc/sysconfig/ifconfig.eth0", PF_WHEN_DHCP)->text,
                        "ONBOOT=\"yes\"\nIFACE=\"eth0\"\nSERVICE=\"dhclient\"\n");
}

static void edits_inittab_as_the_template_does(void **state)
{
    (void)state;
    static const char before[] = "id:3:initdefault:\nca:12345:ctrlaltdel:/sbin/shutdown -r\n"
                                 "1:2345:respawn:/sbin/agetty tty1\n4:2345:respawn:x\n"
                                 "5:2345:respawn:x\n6:2345:respawn:x\n";
    static const char after[] = "id:3:initdefault:\nca:12345:ctrlaltdel:/sbin/shutdown -r\n"
                                "pf::powerfail:/sbin/shutdown -h +0 \"THE POWER IS FAILING\"\n"
                                "c:1235:respawn:/sbin/agetty console 38400\n"
                                "1:2345:respawn:/sbin/agetty tty1\n";
    const struct pf_edit *edit = find_edit(pf_profile_find("8.x"), "etc/inittab");
    struct pf_error err = {0};
    struct pf_textedit_result result;
    char *text = strdup(before);
    size_t length = strlen(text);
    assert_int_equal(edit->kind, PF_EDIT_LINES);
    for (const struct pf_textedit *line = edit->lines; line->match; line++) {
        assert_ok(pf_textedit_apply(line, text, length, 0, &result, &err), &err);
        assert_int_equal(result.changed, 1);
        free(text);
        text = result.text;
        length = result.length;
    }
    assert_string_equal(text, after);
    free(text);
}

/* Each network setting of a release has its counterpart, so that one of them is always written. */
/* Up to 6.x GNU tar printed them in the C locale, since 7.x busybox. */
static void lists_names_as_the_tar_of_the_release(void **state)
{
    (void)state;
    assert_int_equal(pf_profile_find("5.3")->listed, PF_RECORD_NAMES_ESCAPED);
    assert_int_equal(pf_profile_find("6.x")->listed, PF_RECORD_NAMES_ESCAPED);
    assert_int_equal(pf_profile_find("7.x")->listed, PF_RECORD_NAMES_PLAIN);
    assert_int_equal(pf_profile_find("8.x")->listed, PF_RECORD_NAMES_PLAIN);
}

static void has_an_edit_for_each_kind_of_network(void **state)
{
    (void)state;
    static const char *const releases[] = {"5.x", "6.x", "7.x", "8.x"};
    static const char *const files[] = {"var/run/inet1-scheme", "var/run/inet1-scheme",
                                        "etc/sysconfig/ifconfig.eth0",
                                        "etc/sysconfig/ifconfig.eth0"};
    for (size_t i = 0; i < 4; i++) {
        const struct pf_profile *profile = pf_profile_find(releases[i]);
        assert_int_equal(find_edit_when(profile, files[i], PF_WHEN_DHCP)->kind, PF_EDIT_WRITE);
        assert_int_equal(find_edit_when(profile, files[i], PF_WHEN_NO_NETWORK)->kind,
                         PF_EDIT_WRITE);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(has_the_defaults_of_each_release),
    cmocka_unit_test(has_the_defaults_of_the_older_releases),
    cmocka_unit_test(knows_the_folders_of_each_release),
    cmocka_unit_test(finds_nothing_for_nonsense),
    cmocka_unit_test(lists_names_as_the_tar_of_the_release),
    cmocka_unit_test(has_an_edit_for_each_kind_of_network),
    cmocka_unit_test(removes_what_the_template_removes),
    cmocka_unit_test(writes_what_the_template_writes),
    cmocka_unit_test(edits_inittab_as_the_template_does),
};
support_main(tests, false)
