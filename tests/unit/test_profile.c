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

static void has_the_defaults_of_each_release(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    static const char *const base[] = {"00_base", NULL};
    static const char *const ignore[] = {"grub",
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
    static const char *const releases[] = {"7.x", "8.x", "7.4", "8.1"};
    for (size_t i = 0; i < sizeof releases / sizeof *releases; i++) {
        const struct pf_profile *profile = pf_profile_find(releases[i]);
        assert_non_null(profile);
        check_list(profile->default_categories, base);
        check_list(profile->default_addons, none);
        check_list(profile->default_ignore, ignore);
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

static const struct pf_edit *find_edit(const struct pf_profile *profile, const char *path)
{
    const struct pf_edit *found = NULL;
    for (const struct pf_edit *edit = profile->edits; edit->path; edit++) {
        assert_true(edit->path[0] != '/');
        if (strcmp(edit->path, path) == 0) {
            assert_null(found);
            found = edit;
        }
    }
    if (!found)
        fail_msg("no edit of %s", path);
    return found;
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
    assert_int_equal(zone->kind, PF_EDIT_SYMLINK);
    assert_string_equal(zone->text, "../usr/share/zoneinfo/Asia/Tokyo");
    const struct pf_edit *fstab = find_edit(profile, "etc/fstab");
    assert_int_equal(fstab->kind, PF_EDIT_APPEND);
    assert_contains(fstab->text, "/dev/pts");
    assert_contains(fstab->text, "gid=5,mode=620");
    assert_contains(fstab->text, "noauto");
    assert_contains(find_edit(profile, "etc/sysconfig/ifconfig.eth0")->text,
                    "SERVICE=\"dhclient\"\n");
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
    char *text = strdup(before);
    size_t length = strlen(text);
    assert_int_equal(edit->kind, PF_EDIT_LINES);
    for (const struct pf_textedit *line = edit->lines; line->match; line++) {
        char *next;
        size_t changed;
        assert_ok(pf_textedit_apply(line, text, length, &next, &length, &changed, &err), &err);
        assert_int_equal(changed, 1);
        free(text);
        text = next;
    }
    assert_string_equal(text, after);
    free(text);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(has_the_defaults_of_each_release),
    cmocka_unit_test(finds_nothing_for_nonsense),
    cmocka_unit_test(removes_what_the_template_removes),
    cmocka_unit_test(writes_what_the_template_writes),
    cmocka_unit_test(edits_inittab_as_the_template_does),
};
support_main(tests, false)
