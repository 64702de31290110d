/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "scriptwords.h"

#include "support.h"

static void named(void **state)
{
    (void)state;
    static const struct {
        const char *script, *path;
        bool named;
    } cases[] = {
        {"rm -f etc/x.conf", "etc/x.conf", true},
        {"config etc/x.conf.new\n", "etc/x.conf.new", true},
        {"config etc/x.conf.new\n", "etc/x.conf", false},
        {"chown 1:1 ./etc/x.conf;", "etc/x.conf", true},
        {"[ -e \"/etc/x.conf\" ] || exit", "etc/x.conf", true},
        {"cp etc/x.conf2 a", "etc/x.conf", false},
        /* Patterns and variables. */
        {"for f in var/lib/x/*.db; do :; done", "var/lib/x/a.db", true},
        {"for f in var/lib/x/*.db; do :; done", "var/lib/x/a.txt", false},
        {"for f in var/lib/x/*.db; do :; done", "var/lib/x/y/a.db", false},
        {"mv etc/new_$name etc/$name", "etc/new_tool", true},
        {"mv etc/new_${name}.x y", "etc/new_tool.x", true},
        {"mv etc/new_${name}.x y", "etc/new_tool.y", false},
        {"mv $a $b; rm *", "etc/x", false},
        /* From a folder. */
        {"( cd sbin ; mv new_tool tool )", "sbin/tool", true},
        {"( cd sbin ; mv new_tool tool )", "bin/tool", false},
        {"( cd usr/share/x ; rm -rf glob-* )", "usr/share/x/glob-1", true},
        {"cd etc/x", "etc/x", false},
        /* What is above, but not what much else is in. */
        {"rm -rf usr/share/x", "usr/share/x/y/z", true},
        {"rm -rf opt/x/", "opt/x/y", true},
        {"find usr bin sbin var/lib -type f", "usr/bin/x", false},
        {"find usr bin sbin var/lib -type f", "var/lib/x", false},
        {"find usr bin sbin var/lib -type f", "sbin/x", false},
        {"", "etc/x", false},
        {"rm -rf x", "", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (pf_scriptwords_name(cases[i].script, cases[i].path) != cases[i].named)
            fail_msg("%s, in: %s", cases[i].path, cases[i].script);
    }
}

static void long_words(void **state)
{
    (void)state;
    /* Words that would take for ever to match, or are longer than any path. */
    char script[8192], path[4096];
    memset(path, 'a', sizeof path);
    path[200] = '\0';
    for (size_t i = 0; i < 600; i++)
        memcpy(script + 2 * i, "*a", 2);
    memcpy(script + 1200, " b", 3);
    assert_false(pf_scriptwords_name(script, path));
    memset(script, 'a', sizeof script);
    script[sizeof script - 1] = '\0';
    path[200] = 'a';
    path[sizeof path - 1] = '\0';
    assert_false(pf_scriptwords_name(script, path));
    for (size_t i = 0; i + 6 < sizeof script; i += 6)
        memcpy(script + i, "cd aa\n", 6);
    assert_false(pf_scriptwords_name(script, path));
}

static void removing(void **state)
{
    (void)state;
    static const char *const those[] = {"rm -f a", "( cd etc ; mv a b )", "x=$(/bin/rm a)",
                                        "find . -name x -delete", "true;rmdir a"};
    static const char *const others[] = {"", "ln -sf a b", "chmod 0 rm-me", "echo farm arm/rms"};
    for (size_t i = 0; i < sizeof those / sizeof *those; i++)
        assert_true(pf_scriptwords_removes(those[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(pf_scriptwords_removes(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(named),
        cmocka_unit_test(removing),
        cmocka_unit_test(long_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
