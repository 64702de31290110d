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

static void completes_the_config(void **state)
{
    (void)state;
    for (int mapped = 0; mapped < 2; mapped++) {
        put_file(temp.fd, "config", "# header\nlxc.net.0.type = veth\n");
        assert_ok(pf_lxcconfig_append(temp.path, "box-1", "x86_64", mapped, &err), &err);
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
    test(finds_the_root),
    test(binds_a_home),
    test(binds_only_inside_the_root),
    test(refuses_a_user_that_the_host_does_not_know),
};
support_main(tests, true)
