/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rootpassword.h"

#include "support.h"

#include <crypt.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

static struct temp temp;
static int root;
static struct event_log log_;
static struct pf_error err;
static struct pf_rootpassword password;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    put_file(temp.fd, "outside/shadow", "root:kept:1::::::\n");
    root = open_folder(temp.fd, "root");
    event_log_begin(&log_);
    err = (struct pf_error){0};
    password = (struct pf_rootpassword){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_file(temp.fd, "outside/shadow", "root:kept:1::::::\n");
    pf_rootpassword_end(&password);
    event_log_end(&log_);
    close(root);
    temp_end(&temp);
    return 0;
}

static void read_how(const char *how)
{
    pf_rootpassword_end(&password);
    assert_ok(pf_rootpassword_read(how, &password, &err), &err);
}

static void apply(const char *how)
{
    read_how(how);
    assert_ok(pf_rootpassword_apply(root, &password, log_.events, &err), &err);
}

static bool is_hash_of(const char *hash, const char *text)
{
    struct crypt_data data = {0};
    const char *made = crypt_r(text, hash, &data);
    return made && strcmp(made, hash) == 0;
}

static void reads_what_is_wanted(void **state)
{
    (void)state;
    read_how("keep");
    assert_int_equal(password.kind, PF_ROOTPASSWORD_KEEP);
    read_how("locked");
    assert_int_equal(password.kind, PF_ROOTPASSWORD_LOCK);
    static const char *const texts[] = {"x",           "a:b",  "with blanks ",
                                        "p\xc3\xa4ss", "keep", "$6$x$y"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char how[64];
        snprintf(how, sizeof how, "password:%s", texts[i]);
        read_how(how);
        assert_int_equal(password.kind, PF_ROOTPASSWORD_SET);
        assert_int_equal(strncmp(password.hash, "$6$", 3), 0);
        assert_true(is_hash_of(password.hash, texts[i]));
    }
    static const char *const hashes[] = {
        "$6$salt$abc",
        "$1$x$y",
        "*",
        "!",
        "!$6$salt$abc",
        "abJnggxhB/yWI",
        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$tnSYvahCwPBHKZUspmcxMfb0.WiB9W.zEaKlOBL35rC"};
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
        char how[128];
        snprintf(how, sizeof how, "hash:%s", hashes[i]);
        read_how(how);
        assert_string_equal(password.hash, hashes[i]);
    }
}

static void salts_each_hash_anew(void **state)
{
    (void)state;
    struct pf_rootpassword other;
    read_how("password:secret");
    assert_ok(pf_rootpassword_read("password:secret", &other, &err), &err);
    assert_string_not_equal(password.hash, other.hash);
    pf_rootpassword_end(&other);
    assert_null(other.hash);
}

static void read_file(const char *content, size_t length)
{
    char how[128];
    put_bytes(temp.fd, "password", content, length, 0600);
    snprintf(how, sizeof how, "file:%s/password", temp.path);
    read_how(how);
}

static void reads_a_files_first_line(void **state)
{
    (void)state;
    read_file("secret\nmore\n", 12);
    assert_true(is_hash_of(password.hash, "secret"));
    read_file("secret", 6);
    assert_true(is_hash_of(password.hash, "secret"));
    read_file(" a b \n", 6);
    assert_true(is_hash_of(password.hash, " a b "));
    int ends[2]; /* as the shell's <(command) gives it, which can be read but once */
    char how[64];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "secret\n", 7), 7);
    snprintf(how, sizeof how, "file:/proc/self/fd/%d", ends[0]);
    read_how(how);
    assert_true(is_hash_of(password.hash, "secret"));
    close(ends[0]);
    close(ends[1]);
}

static void refuses_nonsense_without_quoting_it(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "Locked",
                                      "lock",
                                      "secret",
                                      "password:",
                                      "hash:",
                                      "hash:secret",
                                      "hash:a:b",
                                      "hash:a\nb",
                                      "hash:se cret",
                                      "file:",
                                      "file:/no/secret-file",
                                      "hash:$6$se:cret",
                                      "hash:$6$s\xc3\xa4lt$secret"};
    char file[128], longest[600];
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err = (struct pf_error){0};
        assert_code(pf_rootpassword_read(bad[i], &password, &err), PF_E_INVALID, &err);
        if (strncmp(bad[i], "file:", 5) != 0)
            assert_null(strstr(err.text, "secret"));
        assert_null(password.hash);
    }
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "password:", 9);
    longest[sizeof longest - 1] = '\0';
    assert_code(pf_rootpassword_read(longest, &password, &err), PF_E_INVALID, &err);
    assert_null(strstr(err.text, "xxx"));
    static const char *const contents[] = {"", "\nsecret\n", "se\0cret\n", NULL};
    snprintf(file, sizeof file, "file:%s/password", temp.path);
    for (size_t i = 0; contents[i]; i++) {
        put_bytes(temp.fd, "password", contents[i], i == 2 ? 8 : strlen(contents[i]), 0600);
        assert_code(pf_rootpassword_read(file, &password, &err), PF_E_INVALID, &err);
        assert_null(strstr(err.text, "cret"));
    }
    put_bytes(temp.fd, "password", longest, sizeof longest - 1, 0600);
    assert_code(pf_rootpassword_read(file, &password, &err), PF_E_INVALID, &err);
}

static void put_tables(const char *shadow, const char *passwd)
{
    if (shadow)
        put_bytes(root, "etc/shadow", shadow, strlen(shadow), 0600);
    put_file(root, "etc/passwd", passwd);
}

#define PASSWD "bin:x:1:1::/bin:\nroot:x:0:0::/root:/bin/bash\n"

static void changes_the_line_in_shadow(void **state)
{
    (void)state;
    char wanted[128];
    put_tables("rooter:a:1::::::\nroot:old:15000:0:99999:7:::\nbin:*:9797:0:::::\n", PASSWD);
    assert_int_equal(fchownat(root, "etc/shadow", 0, 43, 0), 0);
    assert_int_equal(fchmodat(root, "etc/shadow", 0640, 0), 0);
    long long day = (long long)time(NULL) / 86400;
    apply("hash:$6$salt$new");
    if ((long long)time(NULL) / 86400 != day) /* midnight has passed */
        day++;
    snprintf(wanted, sizeof wanted,
             "rooter:a:1::::::\nroot:$6$salt$new:%lld:0:99999:7:::\nbin:*:9797:0:::::\n", day);
    assert_file(root, "etc/shadow", wanted);
    assert_file(root, "etc/passwd", PASSWD);
    struct stat st = stat_of(root, "etc/shadow");
    assert_int_equal(st.st_mode, S_IFREG | 0640);
    assert_int_equal(st.st_gid, 43);
    assert_string_equal(log_.text, "");
}

static void takes_short_lines_and_missing_newlines(void **state)
{
    (void)state;
    put_tables("root", PASSWD); /* no line of root's: it has no field */
    apply("hash:!");
    assert_file(root, "etc/shadow", "root");
    assert_file(root, "etc/passwd", "bin:x:1:1::/bin:\nroot:!:0:0::/root:/bin/bash\n");
    put_tables("\n\nroot:", PASSWD);
    apply("hash:!");
    assert_file(root, "etc/shadow", "\n\nroot:!");
    put_tables("root::1:2\nx", PASSWD);
    apply("locked");
    assert_file(root, "etc/shadow", "root:!:1:2\nx");
    assert_file(root, "etc/passwd", PASSWD);
}

static void locks_as_usermod_does(void **state)
{
    (void)state;
    put_tables("root:$6$a$b:15000:0:::::\n", PASSWD);
    apply("locked");
    assert_file(root, "etc/shadow", "root:!$6$a$b:15000:0:::::\n");
    apply("locked"); /* once is enough */
    assert_file(root, "etc/shadow", "root:!$6$a$b:15000:0:::::\n");
    apply("keep");
    assert_file(root, "etc/shadow", "root:!$6$a$b:15000:0:::::\n");
}

/* Where etc/passwd itself has a hash, that one counts at login. */
static void changes_passwd_where_it_does_not_defer(void **state)
{
    (void)state;
    put_tables("root:a:1:0:::::\n", "root:old:0:0::/root:/bin/sh\n");
    apply("locked");
    assert_file(root, "etc/shadow", "root:!a:1:0:::::\n");
    assert_file(root, "etc/passwd", "root:!old:0:0::/root:/bin/sh\n");
    put_tables("bin:a:1:0:::::\n", PASSWD);
    apply("hash:$6$a$b");
    assert_file(root, "etc/shadow", "bin:a:1:0:::::\n");
    assert_file(root, "etc/passwd", "bin:x:1:1::/bin:\nroot:$6$a$b:0:0::/root:/bin/bash\n");
    assert_string_equal(log_.text, "");
}

static void says_that_root_has_no_line(void **state)
{
    (void)state;
    apply("password:secret");
    assert_int_equal(log_.count, 1);
    assert_contains(log_.text, "etc/shadow");
    assert_null(strstr(log_.text, "secret"));
    apply("keep");
    assert_int_equal(log_.count, 1);
    assert_false(has_name(root, "etc"));
}

static void stays_in_the_root(void **state)
{
    (void)state;
    put_file(root, "etc/passwd", PASSWD);
    put_link(root, "etc/shadow", "../../outside/shadow");
    apply("locked");
    unlinkat(root, "etc/shadow", 0);
    assert_int_equal(mknodat(root, "etc/shadow", S_IFIFO | 0600, 0), 0);
    apply("locked");
    assert_file(root, "etc/passwd", "bin:x:1:1::/bin:\nroot:!x:0:0::/root:/bin/bash\n");
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(reads_what_is_wanted),       test(salts_each_hash_anew),
    test(reads_a_files_first_line),   test(refuses_nonsense_without_quoting_it),
    test(changes_the_line_in_shadow), test(takes_short_lines_and_missing_newlines),
    test(locks_as_usermod_does),      test(changes_passwd_where_it_does_not_defer),
    test(says_that_root_has_no_line), test(stays_in_the_root),
};
support_main(tests, true)
