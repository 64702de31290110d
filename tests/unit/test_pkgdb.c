/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pkgdb and describe: the records, and the description lines in them. */
#include "pkgdb.h"

#include "support.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

static struct temp temp;
static int root, cache;
static struct pf_pkgdb db;
static struct pf_staged *staged;
static struct pf_error err;

static int begin(void **state)
{
    (void)state;
    struct buffer tar = {0};
    temp_begin(&temp);
    put_file(temp.fd, "outside/sentinel", "kept");
    root = open_folder(temp.fd, "root");
    cache = open_folder(temp.fd, "cache");
    db = (struct pf_pkgdb){.root_fd = root, .next_initpkg = 5000};
    tar_of(&tar, (struct tar_member[]){{.name = "./", .type = '5'},
                                       {.name = "./usr/", .type = '5'},
                                       {.name = "usr/f", .data = "x"},
                                       {.name = "install/slack-desc",
                                        .data = "# x\nname: own 1\n"
                                                "name: own 2\nnamed: no\n"},
                                       {0}});
    assert_ok(stage_tar(temp.fd, "name-1-x86-1.tgz", "s", &tar, NULL, &staged, &err), &err);
    buffer_end(&tar);
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_file(temp.fd, "outside/sentinel", "kept");
    pf_staged_free(staged);
    close(root);
    close(cache);
    temp_end(&temp);
    return 0;
}

static void prepare(void)
{
    assert_ok(pf_pkgdb_prepare(&db, &err), &err);
}

static void makes_the_folders(void **state)
{
    (void)state;
    static const char wanted[] =
        "var 40755 0:0\nvar/log 40755 0:0\nvar/log/initpkg 40755 0:0\nvar/log/packages 40755 0:0\n"
        "var/log/removed_packages 40755 0:0\nvar/log/removed_scripts 40755 0:0\n"
        "var/log/scripts 40755 0:0\nvar/log/setup 40755 0:0\nvar/log/setup/tmp 40700 0:0\n";
    for (int i = 0; i < 2; i++) {
        prepare();
        char *tree = tree_text(root, 0);
        assert_string_equal(tree, wanted);
        free(tree);
    }
    assert_int_equal(unlinkat(root, "var/log/scripts", AT_REMOVEDIR), 0);
    put_file(root, "var/log/scripts", "a file in the way");
    assert_int_equal(unlinkat(root, "var/log/initpkg", AT_REMOVEDIR), 0);
    put_link(root, "var/log/initpkg", "nowhere");
    put_folder(root, "var/log/packages", 0700); /* one that is there stays as it is */
    prepare();
    assert_true(S_ISDIR(stat_of(root, "var/log/scripts").st_mode));
    assert_true(S_ISDIR(stat_of(root, "var/log/initpkg").st_mode));
    assert_int_equal(stat_of(root, "var/log/packages").st_mode, S_IFDIR | 0700);
}

static void works_through_links_but_only_in_the_root(void **state)
{
    (void)state;
    put_folder(root, "adm", 0755);
    put_link(root, "var/log", "/adm");
    prepare();
    assert_true(has_name(root, "adm/packages"));
    assert_ok(pf_pkgdb_keep_script(&db, "n", "x", 1, &err), &err);
    assert_true(has_name(root, "adm/scripts/n"));
    assert_int_equal(unlinkat(root, "var/log", 0), 0);
    put_link(root, "var/log", "../../outside");
    pf_pkgdb_prepare(&db, &err);
    pf_pkgdb_log_text(&db, "x", 1, &err);
    assert_false(has_name(temp.fd, "outside/install.log"));
    assert_false(has_name(temp.fd, "outside/packages"));
}

static void records(void **state)
{
    (void)state;
    struct pf_descriptions descriptions;
    prepare();
    assert_ok(pf_descriptions_load(&descriptions, cache, &err), &err);
    staged->packed_bytes = 2047;
    staged->unpacked_bytes = 10240;
    assert_int_equal(pf_pkgdb_has(&db, "name", &err), 0);
    assert_ok(pf_pkgdb_record(&db, staged, "/cache/name-1-x86-1.tgz", &descriptions, &err), &err);
    assert_file(root, "var/log/packages/name",
                "PACKAGE NAME:     name-1-x86-1\n"
                "COMPRESSED PACKAGE SIZE:     1 K\n"
                "UNCOMPRESSED PACKAGE SIZE:     10 K\n"
                "PACKAGE LOCATION: /cache/name-1-x86-1.tgz\n"
                "PACKAGE DESCRIPTION:\n"
                "name: own 1\n"
                "name: own 2\n"
                "FILE LIST:\n"
                "./\n"
                "./usr/\n"
                "usr/f\n"
                "install/slack-desc\n");
    assert_int_equal(stat_of(root, "var/log/packages/name").st_mode, S_IFREG | 0644);
    assert_int_equal(pf_pkgdb_has(&db, "name", &err), 1);
    assert_int_equal(pf_pkgdb_has(&db, "nam", &err), 0);
    pf_descriptions_end(&descriptions);
}

static void logs_as_date_writes(void **state)
{
    (void)state;
    char wanted[128] = "", again[128] = "", *log = NULL;
    prepare();
    setenv("TZ", "Asia/Tokyo", 1);
    tzset();
    /* The second may change in between, and time(2) lags behind date's clock by up to a tick. */
    for (int i = 0; i < 5; i++) {
        FILE *before = popen("LC_ALL=C date '+i %a %b %e %H:%M:%S %Z %Y: name-1-x86-1'", "r");
        assert_non_null(fgets(wanted, sizeof wanted, before));
        pclose(before);
        unlinkat(root, "var/log/install.log", 0);
        assert_ok(pf_pkgdb_log_install(&db, "name-1-x86-1", &err), &err);
        FILE *after = popen("LC_ALL=C date '+i %a %b %e %H:%M:%S %Z %Y: name-1-x86-1'", "r");
        assert_non_null(fgets(again, sizeof again, after));
        pclose(after);
        log = get_file(root, "var/log/install.log");
        bool same = strcmp(wanted, again) == 0 && strcmp(log, wanted) == 0;
        free(log);
        if (same)
            break;
    }
    assert_file(root, "var/log/install.log", wanted);
    assert_ok(pf_pkgdb_log_text(&db, "said\n", 5, &err), &err);
    log = get_file(root, "var/log/install.log");
    assert_int_equal(strncmp(log, wanted, strlen(wanted)), 0);
    assert_string_equal(log + strlen(wanted), "said\n");
    free(log);
}

static void keeps_scripts(void **state)
{
    (void)state;
    prepare();
    put_link(root, "var/log/scripts/l", "../../../outside");
    assert_ok(pf_pkgdb_keep_script(&db, "n", "echo\n", 5, &err), &err);
    assert_ok(pf_pkgdb_keep_script(&db, "l", "echo\n", 5, &err), &err);
    assert_ok(pf_pkgdb_keep_script(&db, "empty", "", 0, &err), &err);
    assert_file(root, "var/log/scripts/n", "echo\n");
    assert_int_equal(stat_of(root, "var/log/scripts/n").st_mode, S_IFREG | 0755);
    assert_true(S_ISREG(stat_of(root, "var/log/scripts/l").st_mode));
    assert_file(root, "var/log/scripts/empty", "");
}

/* First boot runs them in the order of their times. */
static void initpkg_times_increase(void **state)
{
    (void)state;
    static const char *const names[] = {"z", "a", "m", "b"};
    time_t last = 0;
    prepare();
    for (size_t i = 0; i < 4; i++) {
        char path[64];
        assert_ok(pf_pkgdb_keep_initpkg(&db, names[i], "x\n", 2, &err), &err);
        assert_ok(pf_pkgdb_keep_initpkg(&db, "none", "", 0, &err), &err);
        snprintf(path, sizeof path, "var/log/initpkg/%s", names[i]);
        struct stat st = stat_of(root, path);
        assert_true(st.st_mtim.tv_sec > last); /* whole seconds: some ls know no others */
        last = st.st_mtim.tv_sec;
    }
    assert_false(has_name(root, "var/log/initpkg/none"));
    assert_ok(pf_pkgdb_keep_initpkg(&db, "a", "", 0, &err), &err);
    assert_false(has_name(root, "var/log/initpkg/a"));
}

static void check_description(const char *wanted)
{
    struct pf_descriptions descriptions;
    char *text = NULL;
    size_t length = 0;
    assert_ok(pf_descriptions_load(&descriptions, cache, &err), &err);
    FILE *out = open_memstream(&text, &length);
    assert_ok(pf_descriptions_write(&descriptions, staged, out, &err), &err);
    fclose(out);
    pf_descriptions_end(&descriptions);
    assert_string_equal(text, wanted);
    free(text);
}

static void describes_by_the_last_file_that_does(void **state)
{
    (void)state;
    check_description("name: own 1\nname: own 2\n");
    put_file(cache, "disk2", "other: x\n");
    put_file(cache, "diskfull", "\n");
    check_description("name: own 1\nname: own 2\n");
    put_file(cache, "disk1", "x\nname: disk1\n name: no\nname-1: no\nnamex: no\nname no\n");
    check_description("name: disk1\n");
    put_file(cache, "disk3", "name: disk3\nname:\nname-1-x86-1: stem\nname: more");
    check_description("name: disk3\nname:\nname: more\nname-1-x86-1: stem\n");
    put_file(cache, "edisk1", "name-1-x86-1: only the stem\n");
    check_description("name-1-x86-1: only the stem\n");
    put_file(cache, "package_descriptions", "name: package_descriptions\n");
    check_description("name: package_descriptions\n");
    put_file(cache, "name-1-x86-1.txt", "name: STEM.txt\n");
    check_description("name: STEM.txt\n");
    put_file(cache, "name.txt", "nothing about it\n");
    check_description("name: STEM.txt\n");
    put_file(cache, "name.txt", "name: NAME.txt\n");
    check_description("name: NAME.txt\n");
}

/* What cannot be read counts as absent: folders, links out, devices. */
static void takes_only_regular_files(void **state)
{
    (void)state;
    put_file(temp.fd, "outside/sentinel", "kept");
    put_folder(cache, "disk1", 0755);
    put_file(temp.fd, "elsewhere", "name: elsewhere\n");
    put_link(cache, "disk2", "../elsewhere");
    put_link(cache, "name.txt", "../elsewhere");
    assert_int_equal(mknodat(cache, "edisk", S_IFIFO | 0600, 0), 0);
    check_description("name: own 1\nname: own 2\n");
}

static void may_have_no_description(void **state)
{
    (void)state;
    staged->control_count = 0;
    check_description("");
    staged->control_count = 1;
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(makes_the_folders),
    test(works_through_links_but_only_in_the_root),
    test(records),
    test(logs_as_date_writes),
    test(keeps_scripts),
    test(initpkg_times_increase),
    test(describes_by_the_last_file_that_does),
    test(takes_only_regular_files),
    test(may_have_no_description),
};
support_main(tests, true)
