/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lxccontainer.h"

#include "support.h"

#include <regex.h>
#include <unistd.h>

static struct temp temp;
static char path[96];
static struct pf_error err;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    put_folder(temp.fd, "c1", 0755);
    snprintf(path, sizeof path, "%s/c1", temp.path);
    err = (struct pf_error){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    temp_end(&temp);
    return 0;
}

/* What begins so is LXC's heading; the rest is compared. */
static void check_begun(const char *defaults, const char *wanted)
{
    assert_ok(pf_lxccontainer_begin(path, defaults, "dir:/r", &err), &err);
    char *text = get_file(temp.fd, "c1/config");
    assert_contains(text, "lxc.container.conf(5)\n\n# Uncomment");
    const char *rest = strstr(text, "(Be aware this has security implications)\n\n");
    assert_non_null(rest);
    rest = strchr(rest, '\n') + 2;
    if (strcmp(rest, wanted) != 0)
        fail_msg("\"%s\", not \"%s\"", rest, wanted);
    free(text);
    assert_int_equal(stat_of(temp.fd, "c1/config").st_mode & 07777, 0640);
    unlinkat(temp.fd, "c1/config", 0);
}

static void begins_as_lxc_does(void **state)
{
    (void)state;
    check_begun("", "lxc.rootfs.path = dir:/r\n");
    check_begun("lxc.net.0.type = empty", "lxc.net.0.type = empty\nlxc.rootfs.path = dir:/r\n");
    check_begun("# a\n\n \t\n  lxc.a = \"b\" \n\t# c\nfoo = bar\n",
                "# a\n  lxc.a = \"b\" \n\t# c\nfoo = bar\nlxc.rootfs.path = dir:/r\n");
    check_begun("lxc.net.0.hwaddr = 00:16:3e:01:02:03\n#lxc.net.0.hwaddr = xx\n"
                "lxc.net.0.name = x\n",
                "lxc.net.0.hwaddr = 00:16:3e:01:02:03\n#lxc.net.0.hwaddr = xx\n"
                "lxc.net.0.name = x\nlxc.rootfs.path = dir:/r\n");
}

static void gives_random_hardware_addresses(void **state)
{
    (void)state;
    char *texts[2];
    regex_t regex;
    assert_int_equal(
        regcomp(&regex, "\n lxc.net.10.hwaddr = \"[0-9a-f][02468ace]:16:3e(:[0-9a-f]{2}){3}\" \n",
                REG_EXTENDED | REG_NOSUB),
        0);
    for (size_t i = 0; i < 2; i++) {
        assert_ok(pf_lxccontainer_begin(path, " lxc.net.10.hwaddr = \"xx:16:3e:xx:xX:Xx\" \n",
                                        "dir:/r", &err),
                  &err);
        texts[i] = get_file(temp.fd, "c1/config");
        unlinkat(temp.fd, "c1/config", 0);
        assert_int_equal(regexec(&regex, texts[i], 0, NULL, 0), 0);
    }
    assert_string_not_equal(texts[0], texts[1]);
    regfree(&regex);
    free(texts[0]);
    free(texts[1]);
}

static void overwrites_nothing(void **state)
{
    (void)state;
    put_file(temp.fd, "c1/config", "x");
    assert_true(pf_lxccontainer_begin(path, "", "dir:/r", &err) < 0);
    assert_file(temp.fd, "c1/config", "x");
}

static void reads_defaults(void **state)
{
    (void)state;
    char file[128], *text;
    put_file(temp.fd, "defaults", "lxc.a = b\n");
    snprintf(file, sizeof file, "%s/defaults", temp.path);
    assert_ok(pf_lxccontainer_defaults(file, &text, &err), &err);
    assert_string_equal(text, "lxc.a = b\n");
    free(text);
    assert_true(pf_lxccontainer_defaults(path, &text, &err) < 0);
    strcat(file, ".none");
    assert_true(pf_lxccontainer_defaults(file, &text, &err) < 0);
    assert_contains(err.text, file);
}

static void sees_what_is_there(void **state)
{
    (void)state;
    char text[512];
    assert_int_equal(pf_lxccontainer_look(path, &err), 0);
    put_folder(temp.fd, "c1/rootfs", 0755);
    assert_code(pf_lxccontainer_look(path, &err), PF_E_INVALID, &err);
    assert_contains(err.text, "no configuration");
    snprintf(text, sizeof text, "lxc.rootfs.path = dir:%s/rootfs\n", path);
    put_file(temp.fd, "c1/config", text);
    assert_code(pf_lxccontainer_look(path, &err), PF_E_INVALID, &err);
    assert_contains(err.text, "without its root");
    put_folder(temp.fd, "c1/rootfs/etc", 0755);
    assert_int_equal(pf_lxccontainer_look(path, &err), 1);
    put_file(temp.fd, "c1/partial", "");
    assert_code(pf_lxccontainer_look(path, &err), PF_E_INVALID, &err);
    assert_contains(err.text, "lxc-create");
    unlinkat(temp.fd, "c1/partial", 0);
    put_file(temp.fd, "c1/config", "lxc.rootfs.path = zfs:a/b\n");
    assert_int_equal(pf_lxccontainer_look(path, &err), 1);
    snprintf(text, sizeof text, "lxc.rootfs.path = overlay:%s/rootfs:%s/delta\n", path, path);
    put_file(temp.fd, "c1/config", text);
    assert_code(pf_lxccontainer_look(path, &err), PF_E_INVALID, &err);
    put_folder(temp.fd, "c1/delta", 0755);
    assert_int_equal(pf_lxccontainer_look(path, &err), 1);
    strcat(path, ".none");
    assert_int_equal(pf_lxccontainer_look(path, &err), 0);
    put_file(temp.fd, "c1.none", "");
    assert_code(pf_lxccontainer_look(path, &err), PF_E_INVALID, &err);
    assert_contains(err.text, "no container");
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(begins_as_lxc_does), test(gives_random_hardware_addresses),
    test(overwrites_nothing), test(reads_defaults),
    test(sees_what_is_there),
};
support_main(tests, false)
