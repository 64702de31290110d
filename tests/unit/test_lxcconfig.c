/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lxcconfig.h"

#include "support.h"

#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

static struct temp temp;
static int root;
static struct pf_error err;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    put_file(temp.fd, "outside/sentinel", "kept");
    root = open_folder(temp.fd, "rootfs");
    err = (struct pf_error){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_file(temp.fd, "outside/sentinel", "kept");
    close(root);
    temp_end(&temp);
    return 0;
}

static int append(const char *arch, bool mapped, bool fstab)
{
    struct pf_lxcconfig_container container = {.name = "box-1",
                                               .arch = arch,
                                               .mapped = mapped,
                                               .fstab = fstab};
    return pf_lxcconfig_append(temp.path, &container, &err);
}

static void completes_the_config(void **state)
{
    (void)state;
    for (int mapped = 0; mapped < 2; mapped++) {
        put_file(temp.fd, "config", "# header\nlxc.net.0.type = veth\n");
        assert_ok(append("x86_64", mapped, false), &err);
        char *config = get_file(temp.fd, "config");
        assert_int_equal(strncmp(config, "# header\nlxc.net.0.type = veth\n", 31), 0);
        assert_contains(config, "\nlxc.uts.name = box-1\n");
        assert_contains(config, "\nlxc.arch = x86_64\n");
        bool common = access(PF_LXC_CONFIG_DIR "/plamo.common.conf", F_OK) == 0;
        bool userns = access(PF_LXC_CONFIG_DIR "/plamo.userns.conf", F_OK) == 0;
        assert_int_equal(strstr(config, "\nlxc.include = " PF_LXC_CONFIG_DIR
                                        "/plamo.common.conf\n") != NULL,
                         common);
        assert_int_equal(strstr(config, "\nlxc.include = " PF_LXC_CONFIG_DIR
                                        "/plamo.userns.conf\n") != NULL,
                         userns && mapped);
        free(config);
    }
}

/* Completes a config of this text; what is put behind it must be so. %s stands for the folder. */
static void check_append(const char *before, const char *added, bool fstab)
{
    char wanted[1024];
    put_file(temp.fd, "config", before);
    assert_ok(append("x86", false, fstab), &err);
    size_t used = (size_t)snprintf(wanted, sizeof wanted, "%s", before);
    used += (size_t)snprintf(wanted + used, sizeof wanted - used, added, temp.path);
    if (access(PF_LXC_CONFIG_DIR "/plamo.common.conf", F_OK) == 0)
        snprintf(wanted + used, sizeof wanted - used,
                 "\nlxc.include = " PF_LXC_CONFIG_DIR "/plamo.common.conf\n");
    assert_file(temp.fd, "config", wanted);
}

static void writes_the_keys_of_the_lxc_that_began_it(void **state)
{
    (void)state;
    static const char later[] = "lxc.uts.name = box-1\nlxc.arch = x86\n";
    static const char older[] = "lxc.utsname = box-1\nlxc.arch = x86\n";
    check_append("", later, false);
    check_append("# lxc.rootfs = /x\nlxc.include = /y\n", later, false);
    check_append("lxc.rootfs.path = dir:/x\nlxc.net.0.type = veth\n", later, false);
    check_append("lxc.rootfs = /x\n", older, false);
    check_append("lxc.network.type = veth\nlxc.network.flags = up\n", older, false);
    check_append("lxc.utsname=x\n", older, false);
    check_append(" lxc.mount\t= /x/fstab\n", older, false);
    check_append("lxc.mount.entry = a b none bind 0 0\nlxc.mount.auto = proc\n", later, false);
    check_append("lxc.rootfsx = a\nlxc.networks.type = b\n", later, false);
    /* One later key is enough: LXC 2.1 and 3.0 read both kinds, those after them only the later. */
    check_append("lxc.network.type = veth\nlxc.rootfs.path = /x\n", later, false);
    check_append("lxc.uts.name = x\nlxc.mount = /x/fstab\n", later, false);
    assert_false(has_name(temp.fd, "fstab"));
}

static void begins_a_line_of_its_own(void **state)
{
    (void)state;
    char *rootfs;
    check_append("lxc.rootfs.path = /x", "\nlxc.uts.name = box-1\nlxc.arch = x86\n", false);
    assert_ok(pf_lxcconfig_rootfs(temp.path, &rootfs, &err), &err);
    assert_string_equal(rootfs, "/x");
    free(rootfs);
}

static void names_the_fstab_of_a_container_that_has_one(void **state)
{
    (void)state;
    check_append("lxc.net.0.type = veth\n",
                 "lxc.uts.name = box-1\nlxc.mount.fstab = %s/fstab\nlxc.arch = x86\n", true);
    assert_file(temp.fd, "fstab", "");
    put_file(temp.fd, "fstab", "by hand\n");
    check_append("lxc.rootfs = /x\nlxc.network.type = veth\n",
                 "lxc.utsname = box-1\nlxc.mount = %s/fstab\nlxc.arch = x86\n", true);
    assert_file(temp.fd, "fstab", "by hand\n");
}

static void check_rootfs(const char *config, const char *wanted)
{
    char *rootfs = NULL;
    if (config)
        put_file(temp.fd, "config", config);
    assert_ok(pf_lxcconfig_rootfs(temp.path, &rootfs, &err), &err);
    assert_string_equal(rootfs, wanted);
    free(rootfs);
}

static void finds_the_root(void **state)
{
    (void)state;
    char fallback[96];
    snprintf(fallback, sizeof fallback, "%s/rootfs", temp.path);
    check_rootfs(NULL, fallback); /* no config */
    check_rootfs("", fallback);
    check_rootfs("lxc.rootfs.path = /a/b\n", "/a/b");
    check_rootfs("x = y\nlxc.rootfs.path = dir:/a/b\n", "/a/b");
    check_rootfs("lxc.rootfs.path=/a b/c", "/a b/c");
    check_rootfs("lxc.rootfs.path\t=\t/a  \t\n", "/a");
    check_rootfs("# lxc.rootfs.path = /no\nlxc.rootfs.pathology = /no\n", fallback);
    check_rootfs("lxc.rootfs.path =\n", fallback);
    check_rootfs("lxc.rootfs.path = \nlxc.rootfs.path = /later\n", "/later");
    check_rootfs("lxc.rootfs.path = /first\nlxc.rootfs.path = /later\n", "/later");
    check_rootfs("lxc.rootfs.path = /first\nlxc.rootfs.path =\n", fallback);
    check_rootfs("lxc.rootfs.path = loop:/first\nlxc.rootfs.path = dir:/later\n", "/later");
    check_rootfs("lxc.rootfs.path = \"/a\"\n", "/a");
    check_rootfs("lxc.rootfs.path = 'dir:/a b'\n", "/a b");
    check_rootfs("lxc.rootfs.path = ''\n", fallback);
    check_rootfs("lxc.rootfs.path = /a'\n", "/a'");
    check_rootfs("lxc.rootfs.path = '\n", "'");
    check_rootfs("lxc.rootfs.path = dir:\n", fallback);
    check_rootfs("lxc.rootfs.path = btrfs:/a/b\n", "/a/b");
    check_rootfs("lxc.rootfs.path = /a:b/dir:c\n", "/a:b/dir:c");
    check_rootfs("lxc.rootfs.path = /loop:/x\n", "/loop:/x");
    check_rootfs("lxc.rootfs = /old\nlxc.utsname = x\n", "/old");
    check_rootfs("lxc.rootfs.options = x\nlxc.rootfs=dir:/old", "/old");
    check_rootfs("lxc.rootfs.mount = /no\nlxc.rootfs.backend = dir\n", fallback);
    check_rootfs("  lxc.rootfs.path = /indented\n", "/indented");
}

static void refuses_a_root_that_is_not_mounted(void **state)
{
    (void)state;
    static const char *const values[] = {"loop:/a/disk",    "lvm:/dev/vg/x", "zfs:pool/x",
                                         "rbd:p/x",         "nbd:/a:1",      "overlay:/a:/b",
                                         "overlayfs:/a:/b", "aufs:/a:/b",    "dirx:/a",
                                         "new:/a"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char config[64], *rootfs;
        snprintf(config, sizeof config, "lxc.rootfs.path = %s\n", values[i]);
        put_file(temp.fd, "config", config);
        assert_code(pf_lxcconfig_rootfs(temp.path, &rootfs, &err), PF_E_INVALID, &err);
        assert_null(rootfs);
        assert_contains(err.hint, "--rootfs");
        assert_contains(err.text, values[i]);
    }
}

static void binds_a_home(void **state)
{
    (void)state;
    struct passwd *root_user = getpwnam("root");
    char rootfs[96], line[512], mount[512];
    assert_non_null(root_user);
    put_file(temp.fd, "config", "# header\n");
    put_file(root, "etc/passwd", "daemon:x:2:2::/:/bin/false\n");
    snprintf(rootfs, sizeof rootfs, "%s/rootfs", temp.path);
    assert_ok(pf_lxcconfig_bindhome(temp.path, rootfs, root, "root", &err), &err);
    snprintf(line, sizeof line, "daemon:x:2:2::/:/bin/false\nroot:%s:0:%u:%s:%s:%s\n",
             root_user->pw_passwd, root_user->pw_gid, root_user->pw_gecos, root_user->pw_dir,
             root_user->pw_shell);
    assert_file(root, "etc/passwd", line);
    assert_true(S_ISDIR(stat_of(root, root_user->pw_dir + 1).st_mode));
    char *config = get_file(temp.fd, "config");
    snprintf(mount, sizeof mount, "# header\nlxc.mount.entry = %s %s", root_user->pw_dir, rootfs);
    assert_int_equal(strncmp(config, mount, strlen(mount)), 0);
    assert_contains(config, " none bind 0 0\n");
    free(config);
    char *shadow = get_file(root, "etc/shadow");
    assert_non_null(shadow); /* this process is root: it may read the host's */
    assert_int_equal(strncmp(shadow, "root:", 5), 0);
    assert_int_equal(stat_of(root, "etc/shadow").st_mode & 077, 0);
    free(shadow);
}

/* Binds root's home with this configuration; the home's place in it must be `place` with the home
   behind it. */
static void check_mount_entry(const char *config, const char *rootfs, const char *place)
{
    const char *home = getpwnam("root")->pw_dir;
    char wanted[512];
    put_file(temp.fd, "config", config);
    assert_ok(pf_lxcconfig_bindhome(temp.path, rootfs, root, "root", &err), &err);
    snprintf(wanted, sizeof wanted, "%slxc.mount.entry = %s %s%s none bind 0 0\n", config, home,
             place, *place ? home : home + 1);
    assert_file(temp.fd, "config", wanted);
}

static void binds_where_the_root_is_at_the_start(void **state)
{
    (void)state;
    put_folder(root, "etc", 0755);
    check_mount_entry("lxc.rootfs.path = dir:/a/b\n", "/a/b", "/a/b/");
    check_mount_entry("lxc.rootfs = /a/b\n", "/a/b", "/a/b/");
    check_mount_entry("lxc.rootfs.path = /a b\\c\td\n", "/a b\\c\td", "/a\\040b\\134c\\011d/");
    check_mount_entry("lxc.rootfs.path = loop:/a/disk\n", "/mounted", "");
    check_mount_entry("lxc.rootfs.path = /a\n", "/b", "");
}

static void ends_a_last_line_without_newline(void **state)
{
    (void)state;
    put_file(temp.fd, "config", "lxc.net.0.type = empty");
    assert_ok(append("x86", false, false), &err);
    char *config = get_file(temp.fd, "config");
    assert_contains(config, "lxc.net.0.type = empty\nlxc.uts.name = box-1\n");
    free(config);
    put_file(root, "etc/passwd", "daemon:x:2:2::/:/bin/false");
    assert_ok(pf_lxcconfig_bindhome(temp.path, "/x", root, "root", &err), &err);
    char *passwd = get_file(root, "etc/passwd");
    assert_contains(passwd, "/bin/false\nroot:");
    free(passwd);
}

static void binds_only_inside_the_root(void **state)
{
    (void)state;
    put_link(root, "root", "../outside/home");
    put_link(root, "etc", "../outside");
    put_file(temp.fd, "config", "");
    pf_lxcconfig_bindhome(temp.path, "/x", root, "root", &err);
    assert_false(has_name(temp.fd, "outside/home"));
    assert_false(has_name(temp.fd, "outside/passwd"));
    assert_false(has_name(temp.fd, "outside/shadow"));
}

static void refuses_a_user_that_the_host_does_not_know(void **state)
{
    (void)state;
    put_file(temp.fd, "config", "");
    put_folder(root, "etc", 0755);
    assert_code(pf_lxcconfig_bindhome(temp.path, "/x", root, "no-such-user-here", &err),
                PF_E_INVALID, &err);
    assert_contains(err.text, "no-such-user-here");
    assert_file(temp.fd, "config", "");
    assert_false(has_name(root, "etc/passwd"));
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(completes_the_config),
    test(writes_the_keys_of_the_lxc_that_began_it),
    test(begins_a_line_of_its_own),
    test(names_the_fstab_of_a_container_that_has_one),
    test(finds_the_root),
    test(refuses_a_root_that_is_not_mounted),
    test(binds_a_home),
    test(binds_where_the_root_is_at_the_start),
    test(ends_a_last_line_without_newline),
    test(binds_only_inside_the_root),
    test(refuses_a_user_that_the_host_does_not_know),
};
support_main(tests, true)
