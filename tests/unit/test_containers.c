/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "containers.h"

#include "support.h"

#include <unistd.h>

static int parse(struct containers *containers, const char *text, char why[512])
{
    *containers = (struct containers){0};
    *why = '\0';
    return containers_parse(containers, "FILE", text, strlen(text), why);
}

static const char example[] = "# for all\n"
                              "timezone = Europe/Berlin\n"
                              "\tconfig=lxc.cgroup2.memory.max = 512M\r\n"
                              "\n"
                              "[web* db1]\n"
                              "  root_password = password: a = b [c] # d\n"
                              "autostart = yes\n"
                              "config = lxc.start.delay = 5\n"
                              "; one of them\n"
                              "[ web2 ]\n"
                              "network = none\n"
                              "autostart = no\n"
                              "[mail?]\n"
                              "network = dhcp";

static void applies_what_matches(void **state)
{
    (void)state;
    struct containers containers;
    char why[512], *config;
    assert_int_equal(parse(&containers, example, why), 0);

    struct pf_container web2 = {.name = "web2", .timezone = "Asia/Tokyo", .network = "dhcp"};
    assert_int_equal(containers_apply(&containers, &web2, &config), 0);
    assert_string_equal(web2.timezone, "Europe/Berlin");
    assert_string_equal(web2.network, "none");
    assert_string_equal(web2.root_password, "password: a = b [c] # d");
    assert_false(web2.autostart);
    assert_string_equal(web2.config, "lxc.cgroup2.memory.max = 512M\nlxc.start.delay = 5\n");
    free(config);

    struct pf_container db1 = {.name = "db1", .network = "dhcp"};
    assert_int_equal(containers_apply(&containers, &db1, &config), 0);
    assert_true(db1.autostart);
    assert_string_equal(db1.network, "dhcp");
    free(config);

    struct pf_container other = {.name = "other", .root_password = "locked"};
    assert_int_equal(containers_apply(&containers, &other, &config), 0);
    assert_string_equal(other.root_password, "locked");
    assert_false(other.autostart);
    assert_string_equal(other.config, "lxc.cgroup2.memory.max = 512M\n");
    free(config);

    /* No container had to do with the last one. */
    assert_int_equal(containers.count, 8);
    assert_false(containers.settings[7].used);
    assert_int_equal(containers.settings[7].line, 14);
    assert_true(containers.settings[6].used);
    containers_end(&containers);
}

static void takes_nothing(void **state)
{
    (void)state;
    struct containers containers;
    struct pf_container c = {.name = "c", .autostart = true};
    char why[512], *config;
    assert_int_equal(parse(&containers, "", why), 0);
    assert_int_equal(containers_apply(&containers, &c, &config), 0);
    assert_null(config);
    assert_null(c.config);
    assert_true(c.autostart);
    containers_end(&containers);
}

static void tells_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"x", "FILE:1: this is neither"},
        {"\n\ntimezone Europe/Berlin\n", "FILE:3: this is neither"},
        {"[web", "FILE:1: a heading ends with ]"},
        {"[", "FILE:1: a heading ends with ]"},
        {"[]", "FILE:1: the heading names no container"},
        {"#\n[  ]\n", "FILE:2: the heading names no container"},
        {"zone = x", "no zone"},
        {"= x", "FILE:1: there are timezone"},
        {"Timezone = x", "no Timezone"},
        {"timezone =", "FILE:1: there is no value for timezone"},
        {"timezone = \t \nnetwork = none", "FILE:1: there is no value for timezone"},
        {"autostart = 1", "FILE:1: autostart is yes or no, not 1"},
        {"network = static", "FILE:1: network is dhcp or none, not static"},
        {"[a]\nconfig = foo = bar", "FILE:2: config takes lxc.KEY = VALUE, not foo = bar"},
        {"config = lxc.foo", "FILE:1: config takes lxc.KEY = VALUE, not lxc.foo"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct containers containers;
        char why[512];
        if (parse(&containers, bad[i].text, why) == 0 || !strstr(why, bad[i].why))
            fail_msg("\"%s\" gave \"%s\"", bad[i].text, why);
        containers_end(&containers);
    }
}

static void refuses_zero_bytes(void **state)
{
    (void)state;
    struct containers containers = {0};
    char why[512];
    assert_int_equal(containers_parse(&containers, "FILE", "a\0b", 3, why), -1);
    assert_string_equal(why, "FILE:1: this is no text");
    containers_end(&containers);
}

static void reads_files(void **state)
{
    (void)state;
    struct containers containers = {0};
    char why[512], file[] = "/tmp/plamo-containers-XXXXXX";
    int fd = mkstemp(file);
    assert_true(fd >= 0 && write(fd, example, sizeof example - 1) == sizeof example - 1);
    assert_int_equal(containers_read(&containers, file, why), 0);
    assert_int_equal(containers.count, 8);
    containers_end(&containers);
    close(fd);
    unlink(file);
    assert_int_equal(containers_read(&containers, file, why), -1);
    assert_non_null(strstr(why, "No such file"));
    assert_int_equal(containers_read(&containers, "/tmp", why), -1);
    containers_end(&containers);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(applies_what_matches), cmocka_unit_test(takes_nothing),
    cmocka_unit_test(tells_the_line),       cmocka_unit_test(refuses_zero_bytes),
    cmocka_unit_test(reads_files),
};
support_main(tests, false)
