/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "configured.h"

#include "support.h"

#include <sys/sysmacros.h>

struct root {
    struct temp temp;
    const struct pf_profile *profile;
};

static void begin(struct root *root, const char *release)
{
    temp_begin(&root->temp);
    root->profile = pf_profile_find(release);
    assert_non_null(root->profile);
}

static bool explains(const struct root *root, const char *path, unsigned what, mode_t mode,
                     const char *target)
{
    struct pf_entry there = {.mode = mode, .target = target};
    return pf_configured_explains(root->profile, root->temp.fd, path, what,
                                  what & PF_DIFFERS_REMOVED ? NULL : &there);
}

#define FILE_MODE (S_IFREG | 0644)
#define LINK_MODE (S_IFLNK | 0777)
#define TEXT      (PF_DIFFERS_SIZE | PF_DIFFERS_CONTENT)

static void edited_files_stay(void **state)
{
    (void)state;
    static const char *const releases[] = {"5.x", "6.x", "7.x", "8.x"};
    static const char *const files[] = {"etc/inittab", "etc/fstab", "etc/HOSTNAME", "etc/passwd"};
    for (size_t i = 0; i < 4; i++) {
        struct root root;
        begin(&root, releases[i]);
        for (size_t k = 0; k < 4; k++) {
            assert_true(pf_configured_touches(root.profile, files[k]));
            assert_true(explains(&root, files[k], TEXT, FILE_MODE, NULL));
            assert_false(explains(&root, files[k], PF_DIFFERS_REMOVED, 0, NULL));
            assert_false(explains(&root, files[k], TEXT | PF_DIFFERS_OWNER, FILE_MODE, NULL));
            assert_false(explains(&root, files[k], PF_DIFFERS_MODE, S_IFREG | 0666, NULL));
            assert_false(explains(&root, files[k], PF_DIFFERS_TYPE, S_IFDIR | 0755, NULL));
        }
        assert_false(pf_configured_touches(root.profile, "etc/other"));
        assert_false(explains(&root, "etc/other", PF_DIFFERS_CONTENT, FILE_MODE, NULL));
        temp_end(&root.temp);
    }
}

static void removed_files_go(void **state)
{
    (void)state;
    struct root root;
    begin(&root, "8.x");
    static const char path[] = "etc/rc.d/rcS.d/S10eudev";
    assert_true(explains(&root, path, PF_DIFFERS_REMOVED, 0, NULL));
    assert_false(explains(&root, path, PF_DIFFERS_TARGET, LINK_MODE, "../elsewhere"));
    temp_end(&root.temp);
    begin(&root, "6.x");
    assert_true(explains(&root, "etc/rc.d/init.d/postfix", PF_DIFFERS_REMOVED, 0, NULL));
    temp_end(&root.temp);
}

static void modes_are_those_of_the_edit(void **state)
{
    (void)state;
    struct root root;
    begin(&root, "6.x");
    static const char path[] = "etc/rc.d/init.d/saslauthd";
    assert_true(explains(&root, path, PF_DIFFERS_MODE, S_IFREG | 0644, NULL));
    assert_false(explains(&root, path, PF_DIFFERS_MODE, S_IFREG | 0666, NULL));
    assert_false(explains(&root, path, PF_DIFFERS_CONTENT, S_IFREG | 0644, NULL));
    temp_end(&root.temp);
}

static void links_lead_where_the_edit_says(void **state)
{
    (void)state;
    struct root root;
    begin(&root, "8.x");
    static const char path[] = "etc/localtime", zone[] = "../usr/share/zoneinfo/Asia/Tokyo";
    assert_true(explains(&root, path, PF_DIFFERS_TYPE, LINK_MODE, zone));
    assert_true(explains(&root, path, PF_DIFFERS_TARGET, LINK_MODE, zone));
    assert_false(explains(&root, path, PF_DIFFERS_TARGET, LINK_MODE, "/etc/shadow"));
    assert_false(explains(&root, path, PF_DIFFERS_TYPE, FILE_MODE, NULL));
    assert_false(explains(&root, path, PF_DIFFERS_REMOVED, 0, NULL));
    temp_end(&root.temp);
}

static void nodes_are_those_of_the_edit(void **state)
{
    (void)state;
    struct root root;
    struct pf_entry null = {.mode = S_IFCHR | 0666, .device = makedev(1, 3)};
    begin(&root, "5.x");
    int fd = root.temp.fd;
    assert_true(pf_configured_explains(root.profile, fd, "dev/null", PF_DIFFERS_TYPE, &null));
    null.device = makedev(1, 1);
    assert_false(pf_configured_explains(root.profile, fd, "dev/null", PF_DIFFERS_DEVICE, &null));
    assert_true(explains(&root, "dev/initctl", PF_DIFFERS_TYPE, S_IFIFO | 0600, NULL));
    assert_false(explains(&root, "dev/initctl", PF_DIFFERS_MODE, S_IFIFO | 0666, NULL));
    assert_false(explains(&root, "dev/null", PF_DIFFERS_REMOVED, 0, NULL));
    temp_end(&root.temp);
}

static void a_renamed_file_goes_and_comes(void **state)
{
    (void)state;
    struct root root;
    begin(&root, "5.x");
    assert_true(explains(&root, "etc/ld.so.conf.new", PF_DIFFERS_REMOVED, 0, NULL));
    assert_false(explains(&root, "etc/ld.so.conf", PF_DIFFERS_REMOVED, 0, NULL));
    assert_true(explains(&root, "etc/ld.so.conf", TEXT | PF_DIFFERS_MODE, FILE_MODE, NULL));
    assert_false(explains(&root, "etc/ld.so.conf", PF_DIFFERS_TYPE, S_IFIFO | 0644, NULL));
    temp_end(&root.temp);
}

/* It is removed first and then written by another file of the root. */
static void a_generated_file_is_gone_without_its_source(void **state)
{
    (void)state;
    struct root root;
    static const char path[] = "etc/rc.d/rc.inet1.tradnet";
    begin(&root, "6.x");
    assert_true(explains(&root, path, PF_DIFFERS_REMOVED, 0, NULL));
    put_file(root.temp.fd, "sbin/netconfig.tradnet", "make_config_file");
    assert_false(explains(&root, path, PF_DIFFERS_REMOVED, 0, NULL));
    assert_true(explains(&root, path, TEXT | PF_DIFFERS_MODE, S_IFREG | 0755, NULL));
    temp_end(&root.temp);
}

static void without_a_profile(void **state)
{
    (void)state;
    struct root root;
    begin(&root, "8.x");
    root.profile = NULL;
    assert_true(explains(&root, "etc/shadow", TEXT, FILE_MODE, NULL));
    assert_false(explains(&root, "etc/inittab", TEXT, FILE_MODE, NULL));
    temp_end(&root.temp);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(edited_files_stay),
    cmocka_unit_test(removed_files_go),
    cmocka_unit_test(modes_are_those_of_the_edit),
    cmocka_unit_test(links_lead_where_the_edit_says),
    cmocka_unit_test(nodes_are_those_of_the_edit),
    cmocka_unit_test(a_renamed_file_goes_and_comes),
    cmocka_unit_test(a_generated_file_is_gone_without_its_source),
    cmocka_unit_test(without_a_profile),
};

support_main(tests, false)
