/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What pf_stage_package must refuse, and that it then leaves nothing outside its folder. */
#include "stage.h"

#include "support.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

static struct temp temp;
static struct buffer tar;
static struct pf_staged *staged;
static struct pf_error err;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    put_file(temp.fd, "sentinel", "kept");
    tar = (struct buffer){0};
    staged = NULL;
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_file(temp.fd, "sentinel", "kept");
    assert_int_equal(stat_of(temp.fd, "sentinel").st_nlink, 1);
    buffer_end(&tar);
    temp_end(&temp);
    return 0;
}

#define FILE_NAME "name-1-x86-1.tgz"

static unsigned count_descriptors(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

/* Stages what is in `tar` and expects the code; the folder's descriptor is closed then. */
static void expect(int code, const struct pf_stage_limits *limits, const char *what)
{
    static unsigned number;
    char folder[32];
    snprintf(folder, sizeof folder, "stage%u", number++);
    unsigned before = count_descriptors();
    int status = stage_tar(temp.fd, FILE_NAME, folder, &tar, limits, &staged, &err);
    if (status != code || err.code != code)
        fail_msg("%s: %d (%s), not %d", what, status, err.text, code);
    if (code) {
        assert_null(staged);
        assert_int_equal(strncmp(err.text, "package " FILE_NAME ": ", strlen(FILE_NAME) + 10), 0);
    }
    pf_staged_free(staged);
    staged = NULL;
    assert_int_equal(count_descriptors(), before);
}

#define REFUSED(...)                                                                               \
    do {                                                                                           \
        tar.length = 0;                                                                            \
        tar_of(&tar, (struct tar_member[]){__VA_ARGS__, {0}});                                     \
        expect(PF_E_CORRUPT, NULL, #__VA_ARGS__);                                                  \
    } while (0)

static void refuses_names_that_lead_out(void **state)
{
    (void)state;
    REFUSED({.name = "../sentinel", .data = "x"});
    REFUSED({.name = "../../sentinel", .data = "x"});
    REFUSED({.name = "a/../../../sentinel", .data = "x"});
    REFUSED({.name = "a/../b", .data = "x"});
    REFUSED({.name = "/etc/pf-unit-test", .data = "x"});
    REFUSED({.name = "..", .type = '5'});
    REFUSED({.name = "/", .type = '5'});
    REFUSED({.name = "a/..", .type = '2', .link = "x"});
    REFUSED({.name = "./", .data = "x"});
    REFUSED({.name = ".", .type = '2', .link = "x"});
}

static void never_writes_through_a_link_of_its_own(void **state)
{
    (void)state;
    REFUSED({.name = "l", .type = '2', .link = "../.."}, {.name = "l/sentinel", .data = "x"});
    REFUSED({.name = "l", .type = '2', .link = "/tmp"}, {.name = "l/x", .data = "x"});
    REFUSED({.name = "d/", .type = '5'}, {.name = "l", .type = '2', .link = "d"},
            {.name = "l/x", .data = "x"});
    REFUSED({.name = "l", .type = '2', .link = "."}, {.name = "l/", .type = '5'});
    REFUSED({.name = "l", .type = '2', .link = "../.."}, {.name = "l/d/", .type = '5'});
    REFUSED({.name = "l", .type = '2', .link = ""});
    /* A file in the place of the link replaces it, and is not written to its target. */
    tar.length = 0;
    tar_of(&tar, (struct tar_member[]){{.name = "l", .type = '2', .link = "../../sentinel"},
                                       {.name = "l", .data = "x"},
                                       {0}});
    expect(0, NULL, "a file in the place of a link");
}

static void refuses_hard_links_to_what_it_did_not_bring(void **state)
{
    (void)state;
    REFUSED({.name = "h", .type = '1', .link = "missing"});
    REFUSED({.name = "h", .type = '1', .link = "../../sentinel"});
    REFUSED({.name = "h", .type = '1', .link = "/etc/passwd"});
    REFUSED({.name = "h", .type = '1', .link = ""});
    REFUSED({.name = "d/", .type = '5'}, {.name = "h", .type = '1', .link = "d"});
    REFUSED({.name = "d/x", .data = "1"}, {.name = "h", .type = '1', .link = "d"});
    REFUSED({.name = "l", .type = '2', .link = "../.."},
            {.name = "h", .type = '1', .link = "l/sentinel"});
    REFUSED({.name = "d/f", .data = "1"}, {.name = "l", .type = '2', .link = "d"},
            {.name = "h", .type = '1', .link = "l/f"});
    REFUSED({.name = "h", .type = '1', .link = "later"}, {.name = "later", .data = "1"});
    REFUSED({.name = "h", .type = '1', .link = "h"});
    REFUSED({.name = "d/", .type = '5'}, {.name = "d", .type = '1', .link = "d"});
    REFUSED({.name = "d/x", .data = "1"}, {.name = "d", .type = '1', .link = "d"});
    REFUSED({.name = "f", .data = "1"}, {.name = "f", .type = '1', .link = "f", .data = "more"});
    REFUSED({.name = "install/doinst.sh", .type = '1', .link = "install/doinst.sh"});
    REFUSED({.name = "f", .data = "1"}, {.name = "h", .type = '1', .link = "f", .data = "more"});
    REFUSED({.name = "install/doinst.sh", .data = "1"},
            {.name = "h", .type = '1', .link = "install/doinst.sh"});
}

/* POSIX lets a hard link of a PAX archive carry the file again; two files would then be one. */
static void refuses_hard_links_that_carry_data(void **state)
{
    (void)state;
    tar_add(&tar, &(struct tar_member){.name = "f", .data = "1"});
    tar_add_pax(&tar, "path", "h");
    tar_add(&tar, &(struct tar_member){.name = "h", .type = '1', .link = "f", .data = "other"});
    tar_end(&tar);
    expect(PF_E_CORRUPT, NULL, "a hard link with data");
    assert_contains(err.text, "data");
}

static void refuses_files_and_folders_in_one_place(void **state)
{
    (void)state;
    REFUSED({.name = "a", .data = "1"}, {.name = "a/", .type = '5'});
    REFUSED({.name = "a/", .type = '5'}, {.name = "a", .data = "1"});
    REFUSED({.name = "a", .data = "1"}, {.name = "a/b", .data = "2"});
    REFUSED({.name = "a/b", .data = "1"}, {.name = "a", .data = "2"});
    REFUSED({.name = "a/b", .data = "1"}, {.name = "a", .type = '2', .link = "x"});
    REFUSED({.name = "a", .type = '6'}, {.name = "a/b/c/", .type = '5'});
    REFUSED({.name = "a", .data = "1"}, {.name = "a/b/c", .type = '1', .link = "a"});
}

static void guards_the_control_files(void **state)
{
    (void)state;
    REFUSED({.name = "install", .type = '2', .link = "/tmp"});
    REFUSED({.name = "install", .data = "x"});
    REFUSED({.name = "./install", .type = '6'});
    REFUSED({.name = "install/doinst.sh", .type = '2', .link = "../../../sentinel"});
    REFUSED({.name = "f", .data = "x"}, {.name = "install/doinst.sh", .type = '1', .link = "f"});
    REFUSED({.name = "install//slack-desc", .type = '6'});
    /* They are kept in memory: bounded in number… */
    for (int i = 0; i < 65; i++) {
        char name[32];
        snprintf(name, sizeof name, "install/slack-%d", i);
        if (i == 0)
            tar.length = 0;
        tar_add(&tar, &(struct tar_member){.name = name, .data = "x"});
    }
    tar_end(&tar);
    expect(PF_E_CORRUPT, NULL, "65 control files");
    /* …and in bytes, all together. */
    enum { HALF = 9 << 20 };
    char *half = calloc(1, HALF);
    assert_non_null(half);
    tar.length = 0;
    tar_add(&tar, &(struct tar_member){.name = "install/slack-a", .data = half, .length = HALF});
    tar_end(&tar);
    expect(0, NULL, "one of 9 MiB");
    tar.length = 0;
    tar_add(&tar, &(struct tar_member){.name = "install/slack-a", .data = half, .length = HALF});
    tar_add(&tar, &(struct tar_member){.name = "install/slack-b", .data = half, .length = HALF});
    tar_end(&tar);
    expect(PF_E_CORRUPT, NULL, "two of 9 MiB");
    free(half);
}

static void wants_sane_owners_and_kinds(void **state)
{
    (void)state;
    static const char *const values[] = {"4294967295", "99999999999"};
    for (size_t i = 0; i < 2; i++) {
        tar.length = 0;
        tar_add_pax(&tar, i ? "gid" : "uid", values[i]);
        tar_add(&tar, &(struct tar_member){.name = "f", .data = "x"});
        tar_end(&tar);
        expect(PF_E_CORRUPT, NULL, values[i]);
    }
}

/* Every cut of the tar inside a whole gzip file is found, at a block's end too, but one that leaves
   a block of the end. */
static void refuses_every_cut(void **state)
{
    (void)state;
    char data[1500];
    memset(data, 'x', sizeof data);
    tar_of(&tar, (struct tar_member[]){{.name = "d/", .type = '5'},
                                       {.name = "d/f", .data = data, .length = sizeof data},
                                       {.name = "d/l", .type = '2', .link = "f"},
                                       {.name = "install/doinst.sh", .data = "echo\n"},
                                       {.name = "d/h", .type = '1', .link = "d/f"},
                                       {0}});
    size_t whole = tar.length;
    for (size_t n = 0; n < whole; n += 128) {
        char what[32];
        tar.length = n;
        snprintf(what, sizeof what, "cut at %zu", n);
        expect(n == whole - 512 ? 0 : PF_E_CORRUPT, NULL, what);
    }
    tar.length = whole;
    expect(0, NULL, "whole");
}

static void refuses_anything_behind_the_end(void **state)
{
    (void)state;
    static const char zeros[300000];
    const struct tar_member member = {.name = "f", .data = "x"};
    const struct tar_member more = {.name = "g", .data = "y"};
    tar_add(&tar, &member);
    tar_end(&tar);
    size_t whole = tar.length;
    buffer_add(&tar, "x", 1);
    expect(PF_E_CORRUPT, NULL, "one byte");
    tar.length = whole;
    buffer_add(&tar, zeros, 9000);
    expect(0, NULL, "zeros");
    buffer_add(&tar, "x", 1);
    expect(PF_E_CORRUPT, NULL, "junk behind zeros");
    tar.length = whole;
    buffer_add(&tar, zeros, sizeof zeros);
    buffer_add(&tar, "x", 1);
    expect(PF_E_CORRUPT, NULL, "junk far behind");
    tar.length = whole;
    tar_add(&tar, &more);
    tar_end(&tar);
    expect(PF_E_CORRUPT, NULL, "a second tar");
    tar.length = whole - 512; /* one block of zeros only, then more */
    tar_add(&tar, &more);
    tar_end(&tar);
    expect(PF_E_CORRUPT, NULL, "a member behind one block of zeros");
    tar.length = whole - 512;
    buffer_add(&tar, "x", 1);
    expect(PF_E_CORRUPT, NULL, "junk behind one block of zeros");
}

static void refuses_damaged_headers(void **state)
{
    (void)state;
    tar_of(&tar,
           (struct tar_member[]){{.name = "f", .data = "x"}, {.name = "g", .data = "y"}, {0}});
    tar.data[1024 + 3] ^= 1; /* in the second name */
    expect(PF_E_CORRUPT, NULL, "a wrong checksum");
    tar.length = 0;
    expect(PF_E_CORRUPT, NULL, "nothing at all");
    buffer_add(&tar, "no tar, but some text that is longer than the block of a tar, ", 60);
    while (tar.length < 2048)
        buffer_add(&tar, tar.data, 60);
    expect(PF_E_CORRUPT, NULL, "text");
}

/* A few stored bytes must not become a file that fills a disk. */
static void refuses_absurd_sparse_files(void **state)
{
    (void)state;
    static const char *const real_sizes[] = {"77777777777\0", "00100000000\0",
                                             "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"};
    for (int i = 0; i < 6; i++) {
        tar.length = 0;
        tar_add(&tar,
                &(struct tar_member){.name = "sparse", .type = 'S', .data = i < 3 ? "x" : ""});
        memcpy(tar.data + 257, "ustar  ", 8);
        memset(tar.data + 345, 0, 155);
        /* The byte stands at the beginning, or nothing is stored. */
        snprintf((char *)tar.data + 386, 12, "%011o", 0);
        snprintf((char *)tar.data + 398, 12, "%011o", i < 3 ? 1 : 0);
        memcpy(tar.data + 483, real_sizes[i % 3], 12); /* 8 GiB; 16 MiB; as large as can be */
        tar_checksum(tar.data);
        tar_end(&tar);
        expect(i % 3 == 1 ? 0 : PF_E_CORRUPT, NULL, i < 3 ? "one byte" : "no byte");
    }
}

static void keeps_to_its_limits(void **state)
{
    (void)state;
    struct pf_stage_limits limits = PF_STAGE_LIMITS_DEFAULT;
    atomic_bool cancel = true;
    tar_of(&tar, (struct tar_member[]){{.name = "a/b/c", .data = "1"},
                                       {.name = "d", .data = "2"},
                                       {.name = "e/", .type = '5'},
                                       {0}});
    limits.members = 3;
    expect(0, &limits, "as many members as may be");
    limits.members = 2;
    expect(PF_E_LIMIT, &limits, "one member more");
    /* Folders that names imply have a limit of their own. */
    limits.implied = 12;
    tar.length = 0;
    tar_of(&tar, (struct tar_member[]){{.name = "1/2/3/4/5/6/7/8/9/10/11/12/f", .data = ""}, {0}});
    expect(0, &limits, "one member of as many folders as may be");
    limits.implied = 11;
    expect(PF_E_LIMIT, &limits, "one member of a folder more");
    tar.length = 0;
    tar_of(&tar, (struct tar_member[]){{.name = "a/b/c", .data = "1"},
                                       {.name = "d", .data = "2"},
                                       {.name = "e/", .type = '5'},
                                       {0}});
    limits = (struct pf_stage_limits)PF_STAGE_LIMITS_DEFAULT;
    limits.depth = 3;
    expect(0, &limits, "as deep as may be");
    limits.depth = 2;
    expect(PF_E_CORRUPT, &limits, "one level deeper");
    limits = (struct pf_stage_limits)PF_STAGE_LIMITS_DEFAULT;
    limits.text_bytes = 11;
    expect(0, &limits, "as much text as may be");
    limits.text_bytes = 6;
    expect(PF_E_LIMIT, &limits, "too much text");
    limits = (struct pf_stage_limits)PF_STAGE_LIMITS_DEFAULT;
    limits.decode.output_bytes = tar.length - 1;
    expect(PF_E_LIMIT, &limits, "too much output");
    limits = (struct pf_stage_limits)PF_STAGE_LIMITS_DEFAULT;
    limits.cancel = &cancel;
    expect(PF_E_CANCELLED, &limits, "cancelled");
}

static void wants_a_package(void **state)
{
    (void)state;
    tar_of(&tar, (struct tar_member[]){{.name = "a", .data = "1"}, {0}});
    assert_code(stage_tar(temp.fd, "disk1", "s", &tar, NULL, &staged, &err), PF_E_CORRUPT, &err);
    assert_code(stage_tar(temp.fd, "..-1-x-1.tgz", "t", &tar, NULL, &staged, &err), PF_E_CORRUPT,
                &err);
    put_file(temp.fd, "x", "not gzip");
    int fd = openat(temp.fd, "x", O_RDONLY | O_CLOEXEC);
    static const struct pf_stage_limits limits = PF_STAGE_LIMITS_DEFAULT;
    assert_code(pf_stage_package(fd, FILE_NAME, open_folder(temp.fd, "u"), &limits, &staged, &err),
                PF_E_CORRUPT, &err);
    close(fd);
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(refuses_names_that_lead_out),
    test(never_writes_through_a_link_of_its_own),
    test(refuses_hard_links_to_what_it_did_not_bring),
    test(refuses_hard_links_that_carry_data),
    test(refuses_files_and_folders_in_one_place),
    test(guards_the_control_files),
    test(wants_sane_owners_and_kinds),
    test(refuses_every_cut),
    test(refuses_anything_behind_the_end),
    test(refuses_damaged_headers),
    test(refuses_absurd_sparse_files),
    test(keeps_to_its_limits),
    test(wants_a_package),
};
support_main(tests, true)
