/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "doinst.h"

#include "script.h"

#include "support.h"

#include <sys/wait.h>
#include <unistd.h>

static void check_split(const char *script, const char *wanted_rest, const char *wanted_init)
{
    struct pf_error err = {0};
    char *rest, *init;
    size_t rest_length, init_length;
    assert_ok(pf_doinst_split(script, strlen(script), &rest, &rest_length, &init, &init_length,
                              &err),
              &err);
    assert_string_equal(rest, wanted_rest);
    assert_string_equal(init, wanted_init);
    assert_int_equal(rest_length, strlen(wanted_rest));
    assert_int_equal(init_length, strlen(wanted_init));
    free(rest);
    free(init);
}

static void splits_at_the_marks(void **state)
{
    (void)state;
    check_split("", "", "");
    check_split("a\nb", "a\nb", "");
    check_split("a\n#%% begin\nb\n#%% end\nc\n", "a\nc\n", "#%% begin\nb\n#%% end\n");
    check_split("#%% begin x\n1\n#%% end x\nm\n#%% begin\n2\n#%% end", "m\n",
                "#%% begin x\n1\n#%% end x\n#%% begin\n2\n#%% end");
    /* Without an end, to the end of the script. */
    check_split("a\n#%% begin\nb\nc", "a\n", "#%% begin\nb\nc");
    check_split("#%% end\na\n", "#%% end\na\n", "");
    check_split("#%% begin\n#%% begin\n#%% end\na\n", "a\n", "#%% begin\n#%% begin\n#%% end\n");
    /* A mark stands at the beginning of its line. */
    check_split(" #%% begin\na\n", " #%% begin\na\n", "");
    check_split("#%% begin\n #%% end\na\n", "", "#%% begin\n #%% end\na\n");
    check_split("#%%begin\na\n", "#%%begin\na\n", "");
}

static void splits_bytes(void **state)
{
    (void)state;
    static const char script[] = "a\0b\n#%% begin\n\0\n#%% end\n\0";
    struct pf_error err = {0};
    char *rest, *init;
    size_t rest_length, init_length;
    assert_ok(pf_doinst_split(script, sizeof script - 1, &rest, &rest_length, &init, &init_length,
                              &err),
              &err);
    assert_int_equal(rest_length, 5);
    assert_memory_equal(rest, "a\0b\n\0", 6);
    assert_int_equal(init_length, 20);
    assert_memory_equal(init, script + 4, 20);
    free(rest);
    free(init);
}

/* As sed does it, on scripts put together at random. */
static void splits_as_sed_does(void **state)
{
    (void)state;
    static const char *const lines[] = {"a\n", "#%% begin\n",      "#%% end\n",   " #%% end\n",
                                        "\n",  "#%% begin here\n", "#%% ending\n"};
    struct temp temp;
    uint64_t seed = 7;
    temp_begin(&temp);
    for (int round = 0; round < 40; round++) {
        char script[512] = "", command[512];
        for (uint32_t n = random_below(&seed, 12); n > 0; n--)
            strcat(script, lines[random_below(&seed, sizeof lines / sizeof *lines)]);
        put_file(temp.fd, "script", script);
        snprintf(command, sizeof command,
                 "cd %s && sed -n '/^#%%%% begin/,/^#%%%% end/p' script >init && "
                 "sed '/^#%%%% begin/,/^#%%%% end/d' script >rest",
                 temp.path);
        assert_int_equal(system(command), 0);
        char *rest = get_file(temp.fd, "rest"), *init = get_file(temp.fd, "init");
        check_split(script, rest, init);
        free(rest);
        free(init);
    }
    temp_end(&temp);
}

static int parse(const char *script, struct pf_doinst_ops *ops)
{
    struct pf_error err = {0};
    int status = pf_doinst_parse(script, strlen(script), ops, &err);
    assert_true(status == 0 || status == 1);
    return status;
}

/* Cut into what needs a shell and pairs; 0: all of it goes to the shell. */
static size_t cut(const char *script, size_t *pairs)
{
    struct pf_error err = {0};
    struct pf_doinst_ops ops;
    size_t head;
    int status = pf_doinst_parse_tail(script, strlen(script), &head, &ops, &err);
    assert_true(status == 0 || status == 1);
    *pairs = ops.count;
    pf_doinst_ops_end(&ops);
    return status ? head : 0;
}

#define PAIR "( cd usr/lib ; rm -rf a )\n( cd usr/lib ; ln -sf b a )\n"

static void cuts_pairs_at_the_end(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "config() {\n  new=$1\n  old=$(dirname $new)/$(basename $new .new)\n"
        "  if [ ! -r $old ]; then\n    mv $new $old\n"
        "  elif [ \"$(cat $old | md5sum)\" = \"$(cat $new | md5sum)\" ]; then\n    rm $new\n  "
        "fi\n}\n"
        "config etc/a.new\n",
        "test -x /sbin/ldconfig && /sbin/ldconfig -r ./ >/dev/null 2>&1\n",
        PAIR "echo done\n",
        "x\n\n",
        "rm -rf usr/old\nln -s a usr/new\n( rm x )\n",
        "settings=1\necho usr/share/cd etc/set.conf ./exec\n",
        "exit\n",
    };
    size_t pairs;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        char script[1024];
        snprintf(script, sizeof script, "%s# links\n%s\n%s\t# end\n", heads[i], PAIR, PAIR);
        size_t head = cut(script, &pairs);
        assert_int_equal(head, strlen(heads[i]) + strlen("# links\n"));
        assert_int_equal(pairs, 4);
    }
}

static void cuts_pairs_at_the_beginning(void **state)
{
    (void)state;
    static const char front[] = "#!/bin/sh\n\n" PAIR "# more\n" PAIR "\n# then\n";
    static const char *const rests[] = {"cd usr\n", ("x\n" PAIR), " \t( cd a ; rm -rf $b )\n",
                                        "set -e"};
    struct pf_error err = {0};
    struct pf_doinst_ops ops;
    size_t length;
    char script[512];
    for (size_t i = 0; i < sizeof rests / sizeof *rests; i++) {
        snprintf(script, sizeof script, "%s%s", front, rests[i]);
        assert_int_equal(pf_doinst_parse_front(script, strlen(script), &length, &ops, &err), 1);
        assert_int_equal(length, sizeof front - 1);
        assert_int_equal(ops.count, 4);
        pf_doinst_ops_end(&ops);
        assert_int_equal(pf_doinst_parse_front(rests[i], strlen(rests[i]), &length, &ops, &err), 0);
        assert_int_equal(length, 0);
    }
    assert_int_equal(pf_doinst_parse_front("# a\n\nx\n", 7, &length, &ops, &err), 0);
    assert_int_equal(length, 0);
}

static void leaves_heads_in_doubt_to_the_shell(void **state)
{
    (void)state;
    static const char *const heads[] = {
        "cd usr\n",
        "x && cd /\n",
        "if x; then cd a; fi\n",
        "trap 'rm x' EXIT\n",
        "set -e\n",
        "alias rm=true\n",
        "unalias ln\n",
        "exec >log\n",
        "eval $x\n",
        ". ./x\n",
        "source x\n",
        "rm() {\n:\n}\n",
        "ln () { :; }\n",
        "PATH=/x\n",
        "CDPATH=usr\n",
        "function rm {\n:\n}\n",
        "daemon &\n",
        "a & b\n",
        "cat <<E\n",
        "cat <<-E\n",
        "echo a \\\n",
        "ulimit -f 1\n",
        "builtin x\n",
        "enable -n cd\n",
        "shopt -s x\n",
        "x;cd y\n",
        "(cd y)\n",
        "`cd y`\n",
        "x; # cd in words\n",
        "[ $# = 1 ] &&\n",
        "x ${a#b} ||  # c\n",
        "c\\d usr\n",
        "c''d usr\n",
        "\"c\"d usr\n",
        "a &&\n",
        "a ||\n# b\n\n",
        "a |\n",
        "a && # b\n",
        "a \\\n",
        "x|.|y\n",
        "x >a&\n",
    };
    size_t pairs;
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        char script[1024];
        snprintf(script, sizeof script, "%s%s", heads[i], PAIR);
        if (cut(script, &pairs) != 0)
            fail_msg("cut: %s", script);
    }
    assert_int_equal(cut(PAIR, &pairs), 0); /* no head at all */
    assert_int_equal(cut(PAIR "x\n", &pairs), 0);
    assert_int_equal(cut("x\n( cd a ; rm -rf $b )\n", &pairs), 0);
    assert_int_equal(cut("x\n# no pair\n", &pairs), 0);
    assert_int_equal(cut("", &pairs), 0);
}

/* Whatever is before them, the tree is that of a shell: pairs that it comes to by itself, and pairs
   that are within something. */
static void comes_to_what_a_shell_comes_to(void **state)
{
    (void)state;
    static const char *const heads[] = {"true\n",
                                        "exit 3\n",
                                        "if false; then\n:\nfi\n",
                                        "if false; then\n",
                                        "x='\n",
                                        "false\n",
                                        "{\n",
                                        "f() {\n",
                                        "while false; do\n",
                                        "echo \"$(\n",
                                        "return 2\n",
                                        "ln -s a usr/lib/a\n",
                                        "rm -r usr/lib\n",
                                        "kill -9 $$\n",
                                        "exit 93x\n",
                                        "(\n",
                                        "case x in y)\n",
                                        "mkdir usr/lib/a\n"};
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        char script[256], command[512];
        size_t head, length;
        struct pf_error err = {0};
        struct pf_doinst_ops ops;
        struct temp temp;
        temp_begin(&temp);
        snprintf(script, sizeof script, "%s%s", heads[i], PAIR);
        assert_int_equal(pf_doinst_parse_tail(script, strlen(script), &head, &ops, &err), 1);
        length = head;
        put_folder(temp.fd, "whole/usr/lib", 0755);
        put_folder(temp.fd, "cut/usr/lib", 0755);
        put_file(temp.fd, "whole.sh", script);
        script[length] = '\0';
        strcat(script, PF_DOINST_END);
        put_file(temp.fd, "cut.sh", script);
        snprintf(command, sizeof command, "cd %s/whole && sh ../whole.sh >/dev/null 2>&1",
                 temp.path);
        int status = system(command);
        snprintf(command, sizeof command, "cd %s/cut && sh ../cut.sh >/dev/null 2>&1", temp.path);
        status = system(command);
        if (WIFEXITED(status) && WEXITSTATUS(status) == PF_DOINST_END_STATUS) {
            int root = open_folder(temp.fd, "cut");
            assert_ok(pf_script_apply(root, &ops, NULL, &err), &err);
            close(root);
        }
        snprintf(command, sizeof command, "cd %s && diff -r --no-dereference whole cut", temp.path);
        if (system(command) != 0)
            fail_msg("another tree: %s", heads[i]);
        pf_doinst_ops_end(&ops);
        temp_end(&temp);
    }
}

static void reads_pairs(void **state)
{
    (void)state;
    static const char script[] =
        "# made by makepkg\n\n( cd usr/lib ; rm -rf libz.so )\n"
        "( cd usr/lib ; ln -sf libz.so.1.2 libz.so )\n  \t\n"
        "\t# x ; y\n(  cd\tusr/bin ;  ln -sf ../sbin/a++,b:c@d%e=f a\xe3 )";
    struct pf_doinst_ops ops;
    assert_int_equal(parse(script, &ops), 1);
    assert_int_equal(ops.count, 3);
    assert_false(ops.ops[0].link);
    assert_string_equal(ops.ops[0].folder, "usr/lib");
    assert_string_equal(ops.ops[0].name, "libz.so");
    assert_true(ops.ops[1].link);
    assert_string_equal(ops.ops[1].folder, "usr/lib");
    assert_string_equal(ops.ops[1].target, "libz.so.1.2");
    assert_string_equal(ops.ops[1].name, "libz.so");
    assert_string_equal(ops.ops[2].folder, "usr/bin");
    assert_string_equal(ops.ops[2].target, "../sbin/a++,b:c@d%e=f");
    assert_string_equal(ops.ops[2].name, "a\xe3");
    pf_doinst_ops_end(&ops);
    assert_int_equal(parse("", &ops), 1);
    assert_int_equal(ops.count, 0);
    pf_doinst_ops_end(&ops);
}

/* Anything whose meaning only a shell knows goes to one. */
static void leaves_the_rest_to_a_shell(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "( cd a && rm -rf b )",
        "( cd a ; rm -rf b ) && c",
        "(cd a ; rm -rf b )",
        "( cd a; rm -rf b )",
        "( cd a ; rm -rf b)",
        "( cd a ; rm -fr b )",
        "( cd a ; rm -r b )",
        "( cd a ; rm -rf b c )",
        "( cd a ; rm -rf )",
        "( cd a ; rm -rf b ) ;",
        "( cd a ; rm -rf b ) # c",
        "( cd a ; ln -s t b )",
        "( cd a ; ln -sfn t b )",
        "( cd a ; ln -sf b )",
        "( cd a ; ln -sf t b c )",
        "( cd 'a' ; rm -rf b )",
        "( cd \"a\" ; rm -rf b )",
        "( cd a ; rm -rf * )",
        "( cd a ; rm -rf b? )",
        "( cd a ; rm -rf [b] )",
        "( cd a ; rm -rf $b )",
        "( cd a ; rm -rf `b` )",
        "( cd a ; rm -rf b\\ )",
        "( cd ~ ; rm -rf b )",
        "( cd - ; rm -rf b )",
        "( cd a ; rm -rf -b )",
        "( cd a ; ln -sf -t b )",
        "( cd a/.. ; rm -rf b )",
        "( cd .. ; rm -rf b )",
        "( cd a/../b ; rm -rf c )",
        "( cd a ; rm -rf b/ )",
        "( cd a ; ln -sf t b/ )",
        "( cd a ; rm -rf . )",
        "( cd a ; rm -rf .. )",
        "( cd a ; rm -rf b/.. )",
        "( cd a ; rm -rf b/. )",
        "( cd a ; rm -rf b )\r",
        "\r",
        "( cd a ; rm -rf {b,c} )",
        "( cd a ; rm -rf b!c )",
        "( cd a ; rm -rf b>c )",
        "( cd a ; rm -rf b|c )",
        "( cd a ; rm -rf b&c )",
        "( cd a ; rm -rf #b )",
        "( cd a ; ln -sf #t b )",
        "( cd a ; rm -rf b\vc )",
        /* the package system's folder is there for a script, and not for pairs */
        "( cd install ; ln -sf t b )",
        "( cd ./install/a ; rm -rf b )",
        "( cd a ; rm -rf install/b )",
        "( cd . ; rm -rf install )",
        "cd a",
        "rm -rf b",
        "exit 0",
        "( cd a ;",
        ")",
        "( cd  ; rm -rf b )",
        "( cd a ; mv -f t b )",
        "{ cd a ; rm -rf b ; }",
        "( cd a ; ln -sf t b ) 2>x",
        "( cd a ; rm -rf /b ) || :",
        "( cd a b ; rm -rf c )",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char script[256];
        struct pf_doinst_ops ops;
        snprintf(script, sizeof script, "( cd a ; rm -rf b )\n%s\n", lines[i]);
        if (parse(script, &ops) != 0)
            fail_msg("\"%s\" is taken for a pair", lines[i]);
    }
}

static void knows_what_a_kept_script_did(void **state)
{
    (void)state;
    static const char *const known[] = {"( cd bin ; rm -rf install )",
                                        "( cd a/b ; ln -sf t install )",
                                        "( cd a ; rm -rf install/b )"};
    static const char *const unknown[] = {"( cd . ; rm -rf install )",
                                          "( cd ./ ; ln -sf t install )",
                                          "( cd install ; rm -rf b )", "( cd / ; rm -rf install )"};
    struct pf_doinst_ops ops;
    struct pf_error err = {0};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t length = strlen(known[i]);
        assert_int_equal(pf_doinst_parse(known[i], length, &ops, &err), 0);
        assert_int_equal(pf_doinst_parse_kept(known[i], length, &ops, &err), 1);
        assert_int_equal(ops.count, 1);
        pf_doinst_ops_end(&ops);
    }
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_int_equal(pf_doinst_parse_kept(unknown[i], strlen(unknown[i]), &ops, &err), 0);
}

static void leaves_nul_bytes_to_a_shell(void **state)
{
    (void)state;
    static const char script[] = "( cd a ; rm -rf b )\n\0rm -rf c\n";
    struct pf_doinst_ops ops;
    struct pf_error err = {0};
    assert_int_equal(pf_doinst_parse(script, sizeof script - 1, &ops, &err), 0);
    static const char comment[] = "# \0\nrm -rf c\n";
    assert_int_equal(pf_doinst_parse(comment, sizeof comment - 1, &ops, &err), 0);
}

/* Shells do not continue a comment over a backslash. */
static void does_not_continue_comments(void **state)
{
    (void)state;
    struct pf_doinst_ops ops;
    assert_int_equal(parse("# a \\\n( cd a ; rm -rf b )\n", &ops), 1);
    assert_int_equal(ops.count, 1);
    pf_doinst_ops_end(&ops);
}

static void reads_thousands(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct buffer script = {0};
    struct pf_doinst_ops ops;
    struct pf_error err = {0};
    char line[128];
    for (int i = 0; i < COUNT; i++)
        buffer_add(&script, line,
                   (size_t)snprintf(line, sizeof line, "( cd d%d ; ln -sf t%d n%d )\n", i, i, i));
    assert_int_equal(pf_doinst_parse((char *)script.data, script.length, &ops, &err), 1);
    assert_int_equal(ops.count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        snprintf(line, sizeof line, "n%d", i);
        assert_string_equal(ops.ops[i].name, line);
    }
    pf_doinst_ops_end(&ops);
    buffer_end(&script);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(splits_at_the_marks),
    cmocka_unit_test(splits_bytes),
    cmocka_unit_test(splits_as_sed_does),
    cmocka_unit_test(reads_pairs),
    cmocka_unit_test(cuts_pairs_at_the_beginning),
    cmocka_unit_test(cuts_pairs_at_the_end),
    cmocka_unit_test(leaves_heads_in_doubt_to_the_shell),
    cmocka_unit_test(comes_to_what_a_shell_comes_to),
    cmocka_unit_test(leaves_the_rest_to_a_shell),
    cmocka_unit_test(knows_what_a_kept_script_did),
    cmocka_unit_test(leaves_nul_bytes_to_a_shell),
    cmocka_unit_test(does_not_continue_comments),
    cmocka_unit_test(reads_thousands),
};
support_main(tests, false)
