/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stage.h"

#include "support.h"

#include <fcntl.h>
#include <locale.h>
#include <unistd.h>

static struct temp temp;
static struct buffer tar;
static struct pf_staged *staged;
static struct pf_error err;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    tar = (struct buffer){0};
    staged = NULL;
    return 0;
}

static int end(void **state)
{
    (void)state;
    pf_staged_free(staged);
    buffer_end(&tar);
    temp_end(&temp);
    return 0;
}

#define FILE_NAME "name-1-x86-1.tgz"

static void stage(const struct tar_member *members)
{
    if (members)
        tar_of(&tar, members);
    assert_ok(stage_tar(temp.fd, FILE_NAME, "s", &tar, NULL, &staged, &err), &err);
}

static void check_list(const char *wanted)
{
    assert_string_equal(staged->file_list, wanted);
    assert_int_equal(staged->file_list_length, strlen(wanted));
}

static void unpacks_every_kind(void **state)
{
    (void)state;
    stage((struct tar_member[]){
        {.name = "./", .type = '5', .mode = 0711},
        {.name = "bin/", .type = '5', .mode = 01777, .uid = 3, .gid = 4},
        {.name = "bin/su", .data = "program", .mode = 04711, .uid = 0, .gid = 9},
        {.name = "bin/plain", .data = "x", .mode = NO_MODE, .uid = 70000, .gid = 80000},
        {.name = "bin/sh", .type = '2', .link = "su", .uid = 5, .gid = 6, .mtime = 12345},
        {.name = "bin/hard", .type = '1', .link = "bin/su"},
        {.name = "dev/null", .type = '3', .mode = 0666, .device_major = 1, .device_minor = 3},
        {.name = "dev/loop0", .type = '4', .mode = 0660, .device_major = 7, .device_minor = 0},
        {.name = "dev/initctl", .type = '6', .mode = 0600, .uid = 1, .gid = 2},
        {.name = "closed/", .type = '5', .mode = NO_MODE},
        {.name = "closed/in", .data = "y", .mode = 06755},
        {.name = "empty/", .type = '5', .mode = 02750, .uid = 8},
        {.name = "nothing", .data = ""},
        {0},
    });
    static const char wanted[] =
        "bin 41777 3:4\n"
        "bin/hard 104711 0:9 7:92ed7784 =bin/hard(2) @1000000000.000000000\n"
        "bin/plain 100000 70000:80000 1:8cdc1683 @1000000000.000000000\n"
        "bin/sh 120777 5:6 -> su @12345.000000000\n"
        "bin/su 104711 0:9 7:92ed7784 =bin/hard(2) @1000000000.000000000\n"
        "closed 40000 0:0\n"
        "closed/in 106755 0:0 1:fbdb2615 @1000000000.000000000\n"
        "dev 40755 0:0\n"
        "dev/initctl 10600 1:2 @1000000000.000000000\n"
        "dev/loop0 60660 0:0 7,0 @1000000000.000000000\n"
        "dev/null 20666 0:0 1,3 @1000000000.000000000\n"
        "empty 42750 8:0\n"
        "nothing 100644 0:0 0:00000000 @1000000000.000000000\n";
    char *tree = tree_text(staged->dir_fd, TREE_TIMES);
    assert_string_equal(tree, wanted);
    free(tree);
    check_list("./\nbin/\nbin/su\nbin/plain\nbin/sh\nbin/hard\ndev/null\ndev/loop0\n"
               "dev/initctl\nclosed/\nclosed/in\nempty/\nnothing\n");
    assert_int_equal(staged->skipped_devices, 0);
    assert_int_equal(staged->members.nodes[PF_NODE_ROOT].mode & 07777, 0711);
}

static void knows_the_package_and_its_sizes(void **state)
{
    (void)state;
    static const char *const files[] = {"name-1-x86-1.tgz", "name-1-x86-1.tbz", "name-1-x86-1.txz",
                                        "name-1-x86-1.tzst"};
    char *first = NULL;
    tar_of(&tar, (struct tar_member[]){{.name = "a/b", .data = "content"}, {0}});
    for (size_t i = 0; i < 4; i++) {
        char digest[PF_DIGEST_TEXT_SIZE];
        assert_ok(stage_tar(temp.fd, files[i], files[i] + 12, &tar, NULL, &staged, &err), &err);
        assert_string_equal(staged->name.name, "name");
        assert_string_equal(staged->name.stem, "name-1-x86-1");
        assert_int_equal(staged->unpacked_bytes, tar.length);
        assert_int_equal(staged->packed_bytes, stat_of(temp.fd, files[i]).st_size);
        int fd = openat(temp.fd, files[i], O_RDONLY | O_CLOEXEC);
        assert_ok(pf_digest_file(fd, PF_DIGEST_XXH3, digest, &err), &err);
        assert_string_equal(staged->digest, digest);
        close(fd);
        char *tree = tree_text(staged->dir_fd, TREE_TIMES);
        if (first)
            assert_string_equal(tree, first);
        else
            first = strdup(tree);
        free(tree);
        pf_staged_free(staged);
        staged = NULL;
    }
    free(first);
}

static void normalises_names_but_records_them_as_stored(void **state)
{
    (void)state;
    stage((struct tar_member[]){{.name = "./a//b/./c", .data = "1"},
                                {.name = "./d/", .type = '5'},
                                {.name = &"../e"[3], .data = "2"},
                                {0}});
    assert_file(staged->dir_fd, "a/b/c", "1");
    assert_true(has_name(staged->dir_fd, "d"));
    assert_file(staged->dir_fd, "e", "2");
    check_list("./a//b/./c\n./d/\ne\n");
}

static void reads_long_names(void **state)
{
    (void)state;
    char gnu[300], pax[260], list[600];
    memset(gnu, 'g', sizeof gnu);
    memcpy(gnu, "d/", 2);
    gnu[120] = '/';
    gnu[sizeof gnu - 1] = '\0';
    memset(pax, 'p', sizeof pax);
    memcpy(pax, "\xe3\x81\x82/", 4);
    pax[200] = '\0';
    tar_add(&tar, &(struct tar_member){
                      .name = "././@LongLink", .type = 'L', .data = gnu, .length = sizeof gnu});
    tar_add(&tar, &(struct tar_member){.name = "cut", .data = "1"});
    tar_add_pax(&tar, "path", pax);
    tar_add(&tar, &(struct tar_member){.name = "cut", .data = "2"});
    tar_end(&tar);
    stage(NULL);
    assert_file(staged->dir_fd, gnu, "1");
    assert_file(staged->dir_fd, pax, "2");
    assert_false(has_name(staged->dir_fd, "cut"));
    snprintf(list, sizeof list, "%s\n%s\n", gnu, pax);
    check_list(list);
}

/* The bytes of a name are the archive's, whatever the user's locale is: UTF-8 is not brought into
   another form, and what is none is kept. */
static void names_do_not_depend_on_the_locale(void **state)
{
    (void)state;
    static const char *const locales[] = {"C", "C.UTF-8", "POSIX"};
    /* 日本, the same in EUC-JP, が as two characters, é likewise, K of Kelvin, an overlong "/". */
    static const char *const names[] = {"\xe6\x97\xa5\xe6\x9c\xac",
                                        "\xc6\xfc\xcb\xdc",
                                        "\xe3\x81\x8b\xe3\x82\x99",
                                        "e\xcc\x81",
                                        "\xe2\x84\xaa",
                                        "\xc0\xaf"};
    for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
        char hard[32], link[32], plain[32];
        snprintf(hard, sizeof hard, "hard-%s", names[n]);
        snprintf(link, sizeof link, "link-%s", names[n]);
        snprintf(plain, sizeof plain, "plain-%s", names[n]);
        tar_add_pax(&tar, "path", names[n]);
        tar_add(&tar, &(struct tar_member){.name = "x", .data = "1"});
        tar_add(&tar, &(struct tar_member){.name = plain, .data = "2"});
        tar_add_pax(&tar, "linkpath", names[n]);
        tar_add(&tar, &(struct tar_member){.name = link, .type = '2', .link = "y"});
        tar_add_pax(&tar, "linkpath", names[n]);
        tar_add(&tar, &(struct tar_member){.name = hard, .type = '1', .link = "y"});
        tar_add_pax(&tar, "uname", names[n]);
        tar_add(&tar, &(struct tar_member){.name = "owned", .data = "3"});
        tar_add_pax(&tar, "gname", names[n]);
        tar_add(&tar, &(struct tar_member){.name = "owned", .data = "3"});
    }
    tar_end(&tar);
    for (size_t i = 0; i < 3; i++) {
        char folder[8];
        snprintf(folder, sizeof folder, "s%zu", i);
        assert_non_null(setlocale(LC_ALL, locales[i]));
        assert_ok(stage_tar(temp.fd, FILE_NAME, folder, &tar, NULL, &staged, &err), &err);
        for (size_t n = 0; n < sizeof names / sizeof *names; n++) {
            char name[32];
            assert_file(staged->dir_fd, names[n], "1");
            snprintf(name, sizeof name, "hard-%s", names[n]);
            assert_file(staged->dir_fd, name, "1");
            snprintf(name, sizeof name, "link-%s", names[n]);
            assert_link(staged->dir_fd, name, names[n]);
            snprintf(name, sizeof name, "plain-%s", names[n]);
            assert_file(staged->dir_fd, name, "2");
        }
        assert_true(uselocale((locale_t)0) == LC_GLOBAL_LOCALE);
        pf_staged_free(staged);
        staged = NULL;
    }
    setlocale(LC_ALL, "C");
}

static void keeps_times_before_1970(void **state)
{
    (void)state;
    static const char tokyo[12] = "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x70";
    tar_add(&tar, &(struct tar_member){.name = "binary", .data = "1"});
    memcpy(tar.data + 136, tokyo, sizeof tokyo);
    tar_checksum(tar.data);
    tar_add_pax(&tar, "mtime", "-32400.25");
    tar_add(&tar, &(struct tar_member){.name = "pax", .data = "2"});
    tar_add_pax(&tar, "mtime", "-1");
    tar_add(&tar, &(struct tar_member){.name = "link", .type = '2', .link = "x"});
    tar_end(&tar);
    stage(NULL);
    assert_int_equal(stat_of(staged->dir_fd, "binary").st_mtim.tv_sec, -32400);
    assert_int_equal(stat_of(staged->dir_fd, "pax").st_mtim.tv_sec, -32401);
    assert_int_equal(stat_of(staged->dir_fd, "pax").st_mtim.tv_nsec, 750000000);
    assert_int_equal(stat_of(staged->dir_fd, "link").st_mtim.tv_sec, -1);
}

/* As old tars summed them, and ended. */
static void takes_what_old_tars_wrote(void **state)
{
    (void)state;
    int sum = 0;
    tar_add(&tar, &(struct tar_member){.name = "\xc6\xfc", .data = "1"});
    memset(tar.data + 148, ' ', 8);
    for (size_t i = 0; i < 512; i++)
        sum += (signed char)tar.data[i];
    snprintf((char *)tar.data + 148, 8, "%06o", (unsigned)sum);
    size_t members = tar.length;
    tar_end(&tar);
    stage(NULL);
    assert_false(staged->short_end);
    pf_staged_free(staged);
    tar.length = members + 512;
    assert_ok(stage_tar(temp.fd, FILE_NAME, "one", &tar, NULL, &staged, &err), &err);
    assert_true(staged->short_end);
    assert_file(staged->dir_fd, "\xc6\xfc", "1");
    pf_staged_free(staged);
    tar.length = members;
    assert_code(stage_tar(temp.fd, FILE_NAME, "none", &tar, NULL, &staged, &err), PF_E_CORRUPT,
                &err);
    assert_contains(err.text, "end-of-archive");
}

/* As the tar of each release prints them: facts 3.4. But a newline must forge no line. */
static void lists_names_as_the_release_does(void **state)
{
    (void)state;
    static const char *const wanted[] = {
        [PF_RECORD_NAMES_PLAIN] = "a\\nb\nback\\slash\n日\n",
        [PF_RECORD_NAMES_ESCAPED] = "a\\nb\nback\\\\slash\n\\346\\227\\245\n",
    };
    tar_of(&tar, (struct tar_member[]){{.name = "a\nb", .data = "1"},
                                       {.name = "back\\slash", .data = "2"},
                                       {.name = "日", .data = "3"},
                                       {0}});
    for (int i = 0; i < 2; i++) {
        struct pf_stage_limits limits = PF_STAGE_LIMITS_DEFAULT;
        limits.listed = (enum pf_record_names)i;
        const char *folder = i ? "escaped" : "plain";
        assert_ok(stage_tar(temp.fd, FILE_NAME, folder, &tar, &limits, &staged, &err), &err);
        assert_file(staged->dir_fd, "a\nb", "1");
        check_list(wanted[i]);
        pf_staged_free(staged);
        staged = NULL;
    }
}

static void the_last_of_two_members_counts(void **state)
{
    (void)state;
    stage((struct tar_member[]){{.name = "f", .data = "first, and longer", .mode = 0755},
                                {.name = "d/", .type = '5', .mode = 0700},
                                {.name = "d/x", .data = "x"},
                                {.name = "f", .data = "second", .uid = 3},
                                {.name = "l", .type = '2', .link = "f"},
                                {.name = "l", .data = "no link any more"},
                                {.name = "d/", .type = '5', .mode = 0751, .mtime = 77},
                                {0}});
    assert_file(staged->dir_fd, "f", "second");
    assert_int_equal(stat_of(staged->dir_fd, "f").st_mode, S_IFREG | 0644);
    assert_int_equal(stat_of(staged->dir_fd, "f").st_uid, 3);
    assert_true(S_ISREG(stat_of(staged->dir_fd, "l").st_mode));
    assert_file(staged->dir_fd, "l", "no link any more");
    assert_file(staged->dir_fd, "d/x", "x");
    assert_int_equal(stat_of(staged->dir_fd, "d").st_mode, S_IFDIR | 0751);
    uint32_t d = pf_members_child(&staged->members, PF_NODE_ROOT, "d", 1);
    assert_int_equal(staged->members.nodes[d].mtime.tv_sec, 77);
    assert_int_equal(staged->members.nodes[d].sequence, 7);
    check_list("f\nd/\nd/x\nf\nl\nl\nd/\n");
}

static void links_hard(void **state)
{
    (void)state;
    stage((struct tar_member[]){{.name = "./a", .data = "x"},
                                {.name = "sub/b", .type = '1', .link = "./a"},
                                {.name = "l", .type = '2', .link = "nowhere"},
                                {.name = "m", .type = '1', .link = "l"},
                                {.name = "a", .data = "new"},
                                {0}});
    assert_file(staged->dir_fd, "sub/b", "x"); /* the old file; "a" was replaced later */
    assert_file(staged->dir_fd, "a", "new");
    assert_link(staged->dir_fd, "m", "nowhere");
    assert_int_equal(stat_of(staged->dir_fd, "m").st_ino, stat_of(staged->dir_fd, "l").st_ino);
}

/* GNU tar writes them where it is given a folder, and then what is in it. */
static void takes_hard_links_to_themselves(void **state)
{
    (void)state;
    stage((struct tar_member[]){
        {.name = "./a", .data = "x", .mode = 02711, .gid = 22},
        {.name = "b", .type = '1', .link = "a"},
        {.name = "l", .type = '2', .link = "a"},
        {.name = "dev/null", .type = '3', .mode = 0666, .device_major = 1, .device_minor = 3},
        {.name = "install/doinst.sh", .data = "echo"},
        {.name = "a", .type = '1', .link = "./a", .mode = 0600, .gid = 23},
        {.name = "b", .type = '1', .link = "a"},
        {.name = "a", .type = '1', .link = "b"},
        {.name = "l", .type = '1', .link = "l"},
        {.name = "dev/null", .type = '1', .link = "dev/null"},
        {.name = "./install/doinst.sh", .type = '1', .link = "install/doinst.sh"},
        {0}});
    struct stat a = stat_of(staged->dir_fd, "a");
    assert_file(staged->dir_fd, "a", "x");
    assert_int_equal(a.st_mode, S_IFREG | 02711);
    assert_int_equal(a.st_gid, 22);
    assert_int_equal(a.st_nlink, 2);
    assert_int_equal(a.st_ino, stat_of(staged->dir_fd, "b").st_ino);
    assert_link(staged->dir_fd, "l", "a");
    assert_true(S_ISCHR(stat_of(staged->dir_fd, "dev/null").st_mode));
    assert_string_equal(pf_staged_control(staged, "doinst.sh")->data, "echo");
    check_list("./a\nb\nl\ndev/null\ninstall/doinst.sh\na\nb\na\nl\ndev/null\n"
               "./install/doinst.sh\n");
}

/* An old GNU sparse member: data at 4096 and at 1 MiB, 2 MiB in all. */
static void keeps_holes(void **state)
{
    (void)state;
    char data[1024];
    memset(data, 'A', 512);
    memset(data + 512, 'B', 512);
    tar_add(&tar,
            &(struct tar_member){.name = "sparse", .type = 'S', .data = data, .length = 1024});
    memcpy(tar.data + 257, "ustar  ", 8);
    memset(tar.data + 345, 0, 155);
    snprintf((char *)tar.data + 386, 12, "%011o", 4096);
    snprintf((char *)tar.data + 398, 12, "%011o", 512);
    snprintf((char *)tar.data + 410, 12, "%011o", 1 << 20);
    snprintf((char *)tar.data + 422, 12, "%011o", 512);
    snprintf((char *)tar.data + 434, 12, "%011o", 2 << 20);
    snprintf((char *)tar.data + 446, 12, "%011o", 0);
    snprintf((char *)tar.data + 483, 12, "%011o", 2 << 20);
    tar_checksum(tar.data);
    tar_end(&tar);
    stage(NULL);
    struct stat st = stat_of(staged->dir_fd, "sparse");
    assert_int_equal(st.st_size, 2 << 20);
    assert_true(st.st_blocks * 512 < 1 << 20);
    char *content = get_file(staged->dir_fd, "sparse");
    for (int i = 0; i < 2 << 20; i++) {
        char wanted = i >= 4096 && i < 4608                 ? 'A'
                      : i >= 1 << 20 && i < (1 << 20) + 512 ? 'B'
                                                            : '\0';
        if (content[i] != wanted)
            fail_msg("byte %d is %d", i, content[i]);
    }
    free(content);
}

static void keeps_control_files_in_memory(void **state)
{
    (void)state;
    stage((struct tar_member[]){
        {.name = "install/", .type = '5', .mode = 0700},
        {.name = "install/slack-desc", .data = "name: text\n"},
        {.name = "./install/doinst.sh", .data = "old"},
        {.name = "install/doinst.sh", .data = "echo x\n", .mode = 0751, .uid = 3, .gid = 4},
        {.name = "install/other", .data = "stays"},
        {.name = "usr/install/doinst.sh", .data = "no control file"},
        {0}});
    const struct pf_control_file *script = pf_staged_control(staged, "doinst.sh");
    assert_non_null(script);
    assert_string_equal(script->data, "echo x\n");
    assert_int_equal(script->length, 7);
    assert_int_equal(script->mode & 07777, 0751);
    assert_int_equal(script->uid, 3);
    assert_int_equal(script->gid, 4);
    assert_int_equal(script->mtime.tv_sec, TAR_TIME);
    assert_string_equal(pf_staged_control(staged, "slack-desc")->data, "name: text\n");
    assert_null(pf_staged_control(staged, "other"));
    assert_int_equal(staged->control_count, 2);
    assert_false(has_name(staged->dir_fd, "install/doinst.sh"));
    assert_false(has_name(staged->dir_fd, "install/slack-desc"));
    assert_file(staged->dir_fd, "install/other", "stays");
    assert_file(staged->dir_fd, "usr/install/doinst.sh", "no control file");
    check_list("install/\ninstall/slack-desc\n./install/doinst.sh\ninstall/doinst.sh\n"
               "install/other\nusr/install/doinst.sh\n");
}

/* Names, texts and the control files, of which each may be large. */
static void tells_the_memory_that_it_takes(void **state)
{
    (void)state;
    enum { LENGTH = 100000 };
    static char script[LENGTH + 1];
    memset(script, '#', LENGTH);
    stage((struct tar_member[]){{.name = "install/doinst.sh", .data = script}, {0}});
    uint64_t bytes = pf_staged_memory(staged);
    assert_true(bytes >= LENGTH + sizeof *staged + 2 * sizeof(struct pf_node));
    assert_true(bytes < 2 * LENGTH);
}

static void may_have_nothing_in_it(void **state)
{
    (void)state;
    tar_add(&tar, &(struct tar_member){.name = "./", .type = '5'});
    tar_end(&tar);
    stage(NULL);
    assert_int_equal(staged->members.count, 1);
    check_list("./\n");
}

static void takes_large_files_and_padding(void **state)
{
    (void)state;
    enum { LENGTH = 3000000 };
    static char data[LENGTH], zeros[10240 * 40];
    uint64_t seed = 1;
    for (size_t i = 0; i < LENGTH; i++)
        data[i] = (char)random_below(&seed, 250);
    tar_of(&tar, (struct tar_member[]){{.name = "big", .data = data, .length = LENGTH}, {0}});
    buffer_add(&tar, zeros, sizeof zeros);
    stage(NULL);
    char *content = get_file(staged->dir_fd, "big");
    assert_memory_equal(content, data, LENGTH);
    assert_int_equal(stat_of(staged->dir_fd, "big").st_size, LENGTH);
    assert_int_equal(staged->unpacked_bytes, tar.length);
    free(content);
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(unpacks_every_kind),
    test(knows_the_package_and_its_sizes),
    test(normalises_names_but_records_them_as_stored),
    test(reads_long_names),
    test(names_do_not_depend_on_the_locale),
    test(lists_names_as_the_release_does),
    test(the_last_of_two_members_counts),
    test(links_hard),
    test(takes_hard_links_to_themselves),
    test(keeps_times_before_1970),
    test(takes_what_old_tars_wrote),
    test(keeps_holes),
    test(keeps_control_files_in_memory),
    test(tells_the_memory_that_it_takes),
    test(may_have_nothing_in_it),
    test(takes_large_files_and_padding),
};
support_main(tests, true)
