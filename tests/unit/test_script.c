/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "script.h"

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct temp temp;
static int root;
static struct pf_script_place place; /* without a sandbox: test_sandbox has one */
static struct pf_error err;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    root = open_folder(temp.fd, "root");
    place = (struct pf_script_place){.root_fd = root, .view = PF_SANDBOX_HOST, .work_fd = -1};
    put_file(temp.fd, "outside/sentinel", "kept");
    err = (struct pf_error){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_file(temp.fd, "outside/sentinel", "kept");
    char *outside = tree_text(temp.fd, 0);
    close(root);
    temp_end(&temp);
    free(outside);
    return 0;
}

static void collect(void *ctx, const char *text, size_t length)
{
    buffer_add(ctx, text, length);
}

/* Runs pairs in process; they must be such that need no shell. */
static void apply(int fd, const char *script, struct buffer *said)
{
    struct pf_doinst_ops ops;
    struct pf_script_output output = {collect, said};
    if (pf_doinst_parse(script, strlen(script), &ops, &err) != 1)
        fail_msg("no pairs: %s", script);
    assert_ok(pf_script_apply(fd, &ops, said ? &output : NULL, &err), &err);
    pf_doinst_ops_end(&ops);
}

static void makes_links(void **state)
{
    (void)state;
    put_file(root, "usr/lib/libz.so.1.2", "z");
    put_file(root, "usr/lib/libz.so", "an old file");
    put_file(root, "usr/share/old/deep/file", "");
    apply(root,
          "( cd usr/lib ; rm -rf libz.so )\n( cd usr/lib ; ln -sf libz.so.1.2 libz.so )\n"
          "( cd usr/share ; rm -rf old )\n( cd usr/share ; ln -sf ../lib old )\n",
          NULL);
    assert_link(root, "usr/lib/libz.so", "libz.so.1.2");
    assert_link(root, "usr/share/old", "../lib");
    assert_file(root, "usr/share/old/libz.so", "z");
}

/* "; " and not "&& ": where the folder is missing, the second half acts in the root itself. */
static void goes_on_in_the_root_where_a_folder_is_missing(void **state)
{
    (void)state;
    struct buffer said = {0};
    put_file(root, "name", "x");
    put_file(root, "d/name", "kept");
    apply(root, "( cd missing ; rm -rf name )\n( cd missing ; ln -sf target link )\n", &said);
    assert_false(has_name(root, "name"));
    assert_link(root, "link", "target");
    assert_file(root, "d/name", "kept");
    buffer_add(&said, "", 1);
    assert_contains((char *)said.data, "missing");
    buffer_end(&said);
}

static void links_into_folders(void **state)
{
    (void)state;
    put_folder(root, "d/sub", 0755);
    put_link(root, "d/to-sub", "sub");
    put_file(root, "d/file", "x");
    apply(root,
          "( cd d ; ln -sf x/t1 sub )\n( cd d ; ln -sf x/t2 to-sub )\n( cd d ; ln -sf t3 file )\n"
          "( cd d ; ln -sf nowhere dangling )\n( cd d ; ln -sf again dangling )\n",
          NULL);
    assert_link(root, "d/sub/t1", "x/t1");
    assert_link(root, "d/sub/t2", "x/t2");
    assert_link(root, "d/to-sub", "sub");
    assert_link(root, "d/file", "t3");
    assert_link(root, "d/dangling", "again");
}

static void stays_in_the_root(void **state)
{
    (void)state;
    char script[1024];
    char *before, *after;
    put_link(root, "up", "../outside");
    put_link(root, "abs", temp.path);
    put_folder(root, "etc", 0755);
    put_file(root, "etc/f", "inside");
    before = tree_text(temp.fd, 0);
    free(before);
    snprintf(script, sizeof script,
             "( cd %s/outside ; rm -rf sentinel )\n( cd up ; rm -rf sentinel )\n"
             "( cd abs/outside ; rm -rf sentinel )\n( cd up ; ln -sf x made )\n"
             "( cd etc ; rm -rf ../../outside/sentinel )\n( cd etc ; rm -rf %s/outside )\n"
             "( cd etc ; ln -sf x ../../outside/made )\n( cd etc ; ln -sf x %s/outside/made )\n"
             "( cd / ; rm -rf outside )\n( cd /etc ; rm -rf f )\n",
             temp.path, temp.path, temp.path);
    apply(root, script, NULL);
    assert_false(has_name(temp.fd, "outside/made"));
    assert_file(temp.fd, "outside/sentinel", "kept");
    assert_false(has_name(root, "etc/f")); /* an absolute folder is the root's */
    int fd = openat(temp.fd, "outside", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    after = tree_text(fd, 0);
    assert_non_null(strstr(after, "sentinel"));
    assert_null(strchr(strchr(after, '\n') + 1, '\n'));
    free(after);
    close(fd);
}

/* Folders, files and links at random over a few names. */
/* ln does not take away what the link is to lead to. */
static void keeps_a_file_from_a_link_to_itself(void **state)
{
    (void)state;
    struct buffer said = {0};
    put_file(temp.fd, "d/a", "data");
    put_file(temp.fd, "d/b", "more");
    assert_int_equal(linkat(temp.fd, "d/b", temp.fd, "d/c", 0), 0);
    apply(temp.fd,
          "( cd d ; ln -sf a a )\n( cd d ; ln -sf ./a a )\n( cd d ; ln -sf b b )\n"
          "( cd d ; ln -sf b c )\n",
          &said);
    assert_file(temp.fd, "d/a", "data");
    assert_file(temp.fd, "d/b", "more");
    assert_link(temp.fd, "d/c", "b"); /* another name of the file: nothing is lost */
    buffer_add(&said, "", 1);
    assert_contains((char *)said.data, "same file");
    buffer_end(&said);
}

static void fill(int fd, uint64_t *seed)
{
    static const char *const names[] = {"a", "b", "c", "a/a", "a/b", "b/a", "b/c", "a/a/c", "c/b"};
    static const char *const targets[] = {"a", "b", "c", "a/b", "x", "c/a", "b"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint32_t kind = random_below(seed, 5);
        if (kind == 0)
            symlinkat(targets[random_below(seed, 7)], fd, names[i]);
        else if (kind <= 2)
            mkdirat(fd, names[i], 0755);
        else if (kind == 3)
            close(openat(fd, names[i], O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0644));
    }
}

/* What leads out of a root stands last in each list. */
static void append_pair(char *script, size_t size, uint64_t *seed, bool wild)
{
    static const char *const folders[] = {"a",   "b",   "c", "a/b", "b/c", "missing",
                                          "a/a", "c/b", ".", "/",   "/a/b"};
    static const char *const names[] = {"a",      "b",   "c",    "d",  "a/b",      "b/c",
                                        "a/../b", "a/d", "../a", "/c", "../../b/d"};
    static const char *const targets[] = {"a",    "b",  "d",      "x/y",  "a/b", "b/c/",
                                          "../c", "/a", "../b/c", "/b/c", "x/"};
    size_t used = strlen(script);
    const char *folder = folders[random_below(seed, wild ? 11 : 9)];
    const char *name = names[random_below(seed, wild ? 11 : 8)];
    const char *target = targets[random_below(seed, wild ? 11 : 6)];
    /* makepkg puts an rm before each ln. Without it two ln disagree where TARGET is NAME itself:
       GNU keeps the file, busybox makes the link. */
    uint32_t kind = random_below(seed, wild ? 3 : 2) * (wild ? 1 : 2);
    if (kind != 1)
        used +=
            (size_t)snprintf(script + used, size - used, "( cd %s ; rm -rf %s )\n", folder, name);
    if (kind != 0)
        snprintf(script + used, size - used, "( cd %s ; ln -sf %s %s )\n", folder, target, name);
}

/* Runs the script in the folder, by the system's sh, rm and ln, or as the root of a busybox, which
   needs no other file. Returns false where that cannot be done here. */
static bool run_by_shell(int fd, const char *script_path, bool busybox)
{
    int box = busybox ? open("/bin/busybox", O_RDONLY) : -1;
    int script = open(script_path, O_RDONLY);
    if (busybox && (box < 0 || geteuid() != 0)) {
        close(script);
        return false;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        char *const arguments[] = {(char[]){"sh"}, NULL};
        char *const environment[] = {(char[]){"PATH=/usr/bin:/bin"}, NULL};
        dup2(script, 0);
        dup2(open("/dev/null", O_WRONLY), 2);
        if (fchdir(fd) == 0 && (!busybox || chroot(".") == 0)) {
            if (busybox)
                fexecve(box, arguments, environment);
            else
                execve("/bin/sh", arguments, environment);
        }
        _exit(126);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(script);
    if (box >= 0)
        close(box);
    return WIFEXITED(status) && WEXITSTATUS(status) != 126;
}

static void compare_with_shell(uint64_t seed, bool busybox)
{
    for (int round = 0; round < 60; round++) {
        char script[4096] = "", name[32], script_path[96];
        snprintf(name, sizeof name, "o%d", round);
        int ours = open_folder(temp.fd, name);
        snprintf(name, sizeof name, "s%d", round);
        int theirs = open_folder(temp.fd, name);
        uint64_t before = seed;
        fill(ours, &seed);
        seed = before;
        fill(theirs, &seed);
        char *start = tree_text(ours, 0);
        for (uint32_t n = 1 + random_below(&seed, 8); n > 0; n--)
            append_pair(script, sizeof script, &seed, busybox);
        put_file(temp.fd, "script", script);
        snprintf(script_path, sizeof script_path, "%s/script", temp.path);
        if (!run_by_shell(theirs, script_path, busybox)) {
            print_message("skipped: no busybox, or not root\n");
            skip();
        }
        apply(ours, script, NULL);
        char *a = tree_text(ours, 0), *b = tree_text(theirs, 0);
        if (strcmp(a, b) != 0)
            fail_msg("round %d: the script\n%son\n%sgives\n%s--- and by sh\n%s", round, script,
                     start, a, b);
        free(start);
        free(a);
        free(b);
        close(ours);
        close(theirs);
    }
}

/* No name leads out of the root here, for this shell is not confined. */
static void gives_the_tree_that_a_shell_gives(void **state)
{
    (void)state;
    compare_with_shell(5, false);
}

static void gives_the_tree_that_a_shell_gives_in_a_root_of_its_own(void **state)
{
    (void)state;
    compare_with_shell(6, true);
}

static int run(const char *script, const struct pf_script_limits *limits, struct buffer *said,
               const atomic_bool *cancel, int *status)
{
    static const struct pf_script_limits defaults = PF_SCRIPT_LIMITS_DEFAULT;
    struct pf_script_output output = {collect, said};
    put_file(root, "install/doinst.sh", script);
    int result = pf_script_run(&place, limits ? limits : &defaults, &output, cancel, status, &err);
    buffer_add(said, "", 1);
    return result;
}

static void runs_scripts(void **state)
{
    (void)state;
    struct buffer said = {0};
    int status = -1;
    setenv("LEAKED", "x", 1);
    assert_ok(run("echo \"out $1 $#\"; echo err >&2; pwd; umask; cat; echo $LEAKED.\n"
                  "echo x > made; mkdir etc; exit 3",
                  NULL, &said, NULL, &status),
              &err);
    assert_int_equal(status, 3);
    assert_contains((char *)said.data, "out -install 1\n");
    assert_contains((char *)said.data, "err\n");
    assert_contains((char *)said.data, "/root\n");
    assert_contains((char *)said.data, "0022\n.\n");
    assert_int_equal(stat_of(root, "made").st_mode, S_IFREG | 0644);
    assert_int_equal(stat_of(root, "etc").st_mode, S_IFDIR | 0755);
    /* No descriptor of the program's reaches a script, also one that is not marked for that. */
    int open_one = dup(root);
    assert_true(open_one > 2);
    said.length = 0;
    assert_ok(
        run("for f in 3 4 5 6 7 8 9; do [ ! -e /proc/$$/fd/$f ] || readlink /proc/$$/fd/$f; done",
            NULL, &said, NULL, &status),
        &err);
    close(open_one);
    assert_null(strstr((char *)said.data, "/root\n"));
    said.length = 0;
    assert_ok(run("kill -9 $$", NULL, &said, NULL, &status), &err);
    assert_int_equal(status, 128 + 9);
    said.length = 0;
    assert_ok(run("", NULL, &said, NULL, &status), &err);
    assert_int_equal(status, 0);
    assert_int_equal(said.length, 1);
    buffer_end(&said);
}

static void passes_on_bounded_output(void **state)
{
    (void)state;
    struct buffer said = {0};
    struct pf_script_limits limits = PF_SCRIPT_LIMITS_DEFAULT;
    int status = -1;
    assert_ok(run("i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; "
                  "i=$((i+1)); done; exit 4",
                  NULL, &said, NULL, &status),
              &err);
    assert_int_equal(said.length, 3000 * 41 + 1);
    limits.output_bytes = 1000;
    said.length = 0;
    assert_ok(run("i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; "
                  "i=$((i+1)); done; exit 4",
                  &limits, &said, NULL, &status),
              &err);
    assert_int_equal(said.length, 1001);
    assert_int_equal(status, 4);
    buffer_end(&said);
}

/* Other programs than doinst.sh, with a text of their own. */
static void runs_other_programs(void **state)
{
    (void)state;
    static const struct pf_script_limits limits = PF_SCRIPT_LIMITS_DEFAULT;
    static const char *const by_text[] = {"sh", "-c", NULL};
    static const char *const absent[] = {"./no-such-program", NULL};
    struct buffer said = {0};
    struct pf_script_output output = {collect, &said};
    int status = -1;
    assert_ok(pf_script_run_program(&place, by_text,
                                    "echo \"$#|$0|\"; pwd; cat; umask; echo x > made\n"
                                    "[ ! -e /proc/$$/fd/3 ] && exit 5",
                                    &limits, &output, NULL, &status, &err),
              &err);
    buffer_add(&said, "", 1);
    assert_int_equal(status, 5);
    assert_contains((char *)said.data, "0|sh|\n");
    assert_contains((char *)said.data, "/root\n0022\n");
    assert_file(root, "made", "x\n");
    assert_ok(pf_script_run_program(&place, absent, NULL, &limits, &output, NULL, &status, &err),
              &err);
    assert_int_equal(status, 127);
    buffer_end(&said);
}

/* In a root of its own a program is the root's. */
static void runs_programs_of_the_root(void **state)
{
    (void)state;
    static const struct pf_script_limits limits = PF_SCRIPT_LIMITS_DEFAULT;
    static const char *const host_only[] = {"/bin/sh", "-c", ":", NULL};
    int status = -1;
    if (geteuid() != 0)
        skip();
    place.view = PF_SANDBOX_ROOT;
    assert_ok(pf_script_run_program(&place, host_only, NULL, &limits, NULL, NULL, &status, &err),
              &err);
    assert_int_equal(status, 127);
}

static void kills_what_takes_too_long(void **state)
{
    (void)state;
    struct buffer said = {0};
    struct pf_script_limits limits = PF_SCRIPT_LIMITS_DEFAULT;
    int status = -1;
    limits.timeout_s = 1;
    assert_code(run("echo begun; sleep 86400; echo x > late", &limits, &said, NULL, &status),
                PF_E_LIMIT, &err);
    assert_contains((char *)said.data, "begun\n");
    buffer_end(&said);
}

/* What a script leaves running neither holds us up nor lives on. */
static void does_not_wait_for_what_a_script_leaves_behind(void **state)
{
    (void)state;
    struct buffer said = {0};
    int status = -1;
    int held = pipe_begin(root, "held");
    assert_ok(run(LEAVE_BEHIND("sh", "one") "echo done", NULL, &said, NULL, &status), &err);
    assert_contains((char *)said.data, "done\n");
    wait_for_no_holder(held);
    buffer_end(&said);
}

static void *set_soon(void *flag)
{
    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL);
    atomic_store((atomic_bool *)flag, true);
    return NULL;
}

static void stops_when_cancelled(void **state)
{
    (void)state;
    struct buffer said = {0};
    atomic_bool cancel = false;
    pthread_t thread;
    int status = -1;
    assert_int_equal(pthread_create(&thread, NULL, set_soon, &cancel), 0);
    assert_code(run("sleep 86400", NULL, &said, &cancel, &status), PF_E_CANCELLED, &err);
    pthread_join(thread, NULL);
    buffer_end(&said);
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(makes_links),
    test(goes_on_in_the_root_where_a_folder_is_missing),
    test(links_into_folders),
    test(stays_in_the_root),
    test(keeps_a_file_from_a_link_to_itself),
    test(gives_the_tree_that_a_shell_gives),
    test(gives_the_tree_that_a_shell_gives_in_a_root_of_its_own),
    test(runs_scripts),
    test(runs_other_programs),
    test(runs_programs_of_the_root),
    test(passes_on_bounded_output),
    test(kills_what_takes_too_long),
    test(does_not_wait_for_what_a_script_leaves_behind),
    test(stops_when_cancelled),
};
support_main(tests, false)
