/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "defaults.h"

#include "support.h"

#include <stdio.h>
#include <string.h>

static const char *const known[] = {"MIRRORSRV", "CATEGORIES", "release", NULL};

/* "NAME=VALUE@LINE …", with "?" for an unreadable value. */
static void assert_read(const char *text, const char *wanted)
{
    char all[1024] = "";
    size_t length = 0;
    struct defaults defaults = {0};
    assert_int_equal(defaults_parse(text, known, &defaults), 0);
    for (size_t i = 0; i < defaults.count; i++) {
        const struct defaults_value *v = &defaults.values[i];
        length += (size_t)snprintf(all + length, sizeof all - length, "%s%s=%s@%u", i ? " " : "",
                                   v->name, v->value ? v->value : "?", v->line);
    }
    assert_string_equal(all, wanted);
    defaults_end(&defaults);
}

static void takes_assignments(void **state)
{
    (void)state;
    assert_read("", "");
    assert_read("MIRRORSRV=a.example", "MIRRORSRV=a.example@1");
    assert_read("# x\n\n  MIRRORSRV=a # b\nrelease=8.x;CATEGORIES=\n",
                "MIRRORSRV=a@3 release=8.x@4 CATEGORIES=@4");
    assert_read("export MIRRORSRV=a\nexport OTHER\n", "MIRRORSRV=a@1");
    assert_read("MIRRORSRV=a\nMIRRORSRV=b\n", "MIRRORSRV=b@2");
    assert_read("MIRRORSRV=a release=7.x\n", "MIRRORSRV=a@1 release=7.x@1");
    assert_read("OTHER=$(date)\nMY_MIRRORSRV=x\nMIRRORSRVS=y\n", "");
    assert_read("MIRRORSRV=a\r\n", "MIRRORSRV=a@1");
}

static void takes_quotes_as_the_shell_does(void **state)
{
    (void)state;
    assert_read("CATEGORIES=\"00_base 01_minimum\"", "CATEGORIES=00_base 01_minimum@1");
    assert_read("CATEGORIES='a $x `y`'", "CATEGORIES=a $x `y`@1");
    assert_read("CATEGORIES=a\\ b'c'\"d\\\"e\\f\"", "CATEGORIES=a bcd\"e\\f@1");
    assert_read("CATEGORIES=\"a\n b\"\nrelease=7.x", "CATEGORIES=a\n b@1 release=7.x@3");
    assert_read("CATEGORIES=\"a \\\nb\"\nrelease=7.x", "CATEGORIES=a b@1 release=7.x@3");
    assert_read("CATEGORIES=\"a#b\" # c", "CATEGORIES=a#b@1");
}

static void notes_what_takes_a_shell(void **state)
{
    (void)state;
    assert_read("MIRRORSRV=$HOST", "MIRRORSRV=?@1");
    assert_read("MIRRORSRV=\"${MIRRORSRV:-a}\"", "MIRRORSRV=?@1");
    assert_read("MIRRORSRV=`hostname`", "MIRRORSRV=?@1");
    assert_read("MIRRORSRV=~/x", "MIRRORSRV=?@1");
    assert_read("MIRRORSRV='a", "MIRRORSRV=?@1");
    assert_read("[ -e /x ] && MIRRORSRV=a", "MIRRORSRV=?@1");
    assert_read("if true; then MIRRORSRV=a; fi\nrelease=7.x", "MIRRORSRV=?@1 release=7.x@2");
    assert_read("if true\nthen\n  MIRRORSRV=a\nfi\nrelease=7.x", "MIRRORSRV=?@3 release=7.x@5");
    assert_read("f() {\n  MIRRORSRV=a\n}\nrelease=7.x", "MIRRORSRV=?@2 release=7.x@4");
    assert_read("[ ! -f /x ] || . /x\nMIRRORSRV=a", "MIRRORSRV=a@2");
    assert_read("MIRRORSRV=$HOST\nMIRRORSRV=a", "MIRRORSRV=a@2");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(takes_assignments),
    cmocka_unit_test(takes_quotes_as_the_shell_does),
    cmocka_unit_test(notes_what_takes_a_shell),
};
support_main(tests, false)
