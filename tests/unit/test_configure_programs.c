/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The edits that run programs. */
#include "configure.h"

#include "support.h"

#include <fcntl.h>
#include <unistd.h>

static struct temp temp;
static int root;
static struct event_log log_;
static struct pf_error err;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    put_file(temp.fd, "outside/sentinel", "kept\n");
    root = open_folder(temp.fd, "root");
    event_log_begin(&log_);
    err = (struct pf_error){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_file(temp.fd, "outside/sentinel", "kept\n");
    event_log_end(&log_);
    close(root);
    temp_end(&temp);
    return 0;
}

#define EDIT(k, p, t, l)                                                                           \
    {                                                                                              \
        .kind = (k), .path = (p), .text = (t), .lines = (l)                                        \
    }

static int configure_wish(const struct pf_profile *profile, struct pf_configure_wish wish)
{
    struct pf_configure configure;
    wish.name = "box-1";
    int failed = pf_configure_settle(&wish, profile, &configure, &err);
    if (!failed)
        failed = pf_configure_root(root, &configure, log_.events, NULL, &err);
    pf_configure_end(&configure);
    return failed;
}

static int configure(const struct pf_edit *edits)
{
    struct pf_profile profile = {.edits = edits, .default_timezone = "Asia/Tokyo"};
    return configure_wish(&profile, (struct pf_configure_wish){0});
}

static void expect_events(const char *wanted_parts, unsigned count)
{
    if (log_.count != count)
        fail_msg("%u events: %s", log_.count, log_.text);
    assert_contains(log_.text, wanted_parts);
}

#define GENERATE(t, n)                                                                             \
    {                                                                                              \
        .kind = PF_EDIT_GENERATE, .path = "sbin/gen", .makes = "etc/made", .text = (t),            \
        .drop_lines = (n)                                                                          \
    }

static void generates_files(void **state)
{
    (void)state;
    static const struct pf_edit one[] = {GENERATE("W=x\nmake\n", 2), {0}};
    put_folder(root, "etc", 0755);
    /* Its last line has no newline; tail counts it as one. */
    put_file(root, "sbin/gen",
             "make() { echo $W $LEAKED. >etc/made; echo hello; }\nexit 9\nexit 9");
    setenv("LEAKED", "leaked", 1);
    assert_ok(configure(one), &err);
    assert_file(root, "etc/made", "x .\n");
    assert_int_equal(stat_of(root, "etc/made").st_mode, S_IFREG | 0644);
    /* The root has no shell of its own: that is said, and the host's serves. */
    expect_events("|etc/made|made with this machine's shell", 2);
    expect_events("|sbin/gen|hello\n", 2);
    static const struct pf_edit all[] = {GENERATE("exit 7\n", 99), {0}};
    assert_ok(configure(all), &err);
    expect_events("|sbin/gen|ended with status 7", 4);
    static const struct pf_edit unknown[] = {GENERATE("no_such_function\n", 3), {0}};
    assert_ok(configure(unknown), &err);
    assert_contains(log_.text, "|sbin/gen|could not be run (status 127)");
}

static void generates_nothing_outside(void **state)
{
    (void)state;
    static const struct pf_edit edits[] = {GENERATE("echo x >etc/made\n", 0), {0}};
    put_file(root, "sbin/gen", "");
    put_link(root, "etc", "../outside");
    assert_ok(configure(edits), &err);
    assert_false(has_name(temp.fd, "outside/made"));
    expect_events("|etc/made|", 1);
    unlinkat(root, "etc", 0);
    assert_ok(configure(edits), &err); /* no folder */
    expect_events("|etc/made|", 2);
    put_folder(root, "etc", 0755);
    unlinkat(root, "sbin/gen", 0);
    put_link(root, "sbin/gen", "../../outside/sentinel");
    assert_ok(configure(edits), &err);
    expect_events("sbin/gen", 3);
    assert_false(has_name(root, "etc/made"));
}

static void stops_a_program_when_cancelled(void **state)
{
    (void)state;
    static const struct pf_edit edits[] = {GENERATE("sleep 20\n", 0), {0}};
    struct pf_profile profile = {.edits = edits, .default_timezone = "Asia/Tokyo"};
    struct pf_configure settled;
    atomic_bool cancel = true;
    put_file(root, "sbin/gen", "");
    put_folder(root, "etc", 0755);
    assert_ok(pf_configure_settle(&(struct pf_configure_wish){.name = "x"}, &profile, &settled,
                                  &err),
              &err);
    assert_code(pf_configure_root(root, &settled, log_.events, &cancel, &err), PF_E_CANCELLED,
                &err);
    assert_contains(err.text, "sbin/gen");
    pf_configure_end(&settled);
}

static void says_that_a_program_does_not_run(void **state)
{
    (void)state;
    static const struct pf_edit edits[] = {EDIT(PF_EDIT_RUN, "sbin/none", NULL, NULL),
                                           EDIT(PF_EDIT_RUN, "sbin/data", NULL, NULL),
                                           EDIT(PF_EDIT_RUN, "sbin/out", NULL, NULL),
                                           EDIT(PF_EDIT_WRITE, "sbin/last", "x", NULL),
                                           {0}};
    put_bytes(root, "sbin/data",
              "\x7f"
              "ELF",
              4, 0755);
    put_link(root, "sbin/out", "../../outside/sentinel");
    assert_ok(configure(edits), &err);
    assert_contains(log_.text, "|sbin/none|not run");
    assert_contains(log_.text, "|sbin/data|could not be run");
    assert_contains(log_.text, "|sbin/out|not run");
    assert_file(root, "sbin/last", "x");
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(generates_files),
    test(generates_nothing_outside),
    test(stops_a_program_when_cancelled),
    test(says_that_a_program_does_not_run),
};
support_main(tests, true)
