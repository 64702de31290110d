/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ftplisting.h"

#include "support.h"

#include <limits.h>

#define FOLDER "ftp://mirror.example/pub/Plamo-8.x/x86_64/plamo/00_base/"

typedef int parser(const char *text, size_t length, const char *folder_url, struct pf_listing *out,
                   size_t *dropped, struct pf_error *err);

/* "name:size name/ name@:size …": a slash marks a folder, an "@" a link; no size where none is
   known. */
static void show(const struct pf_listing *listing, char *text, size_t size)
{
    *text = '\0';
    for (size_t i = 0; i < listing->count; i++) {
        const struct pf_listing_entry *entry = &listing->entries[i];
        size_t used = strlen(text);
        used += (size_t)snprintf(text + used, size - used, "%s%s%s%s", i ? "|" : "", entry->name,
                                 entry->folder ? "/" : "", entry->link ? "@" : "");
        if (entry->size_bytes != -1)
            snprintf(text + used, size - used, ":%lld", (long long)entry->size_bytes);
    }
}

static void check_bytes(parser *parse, const char *text, size_t length, const char *wanted,
                        size_t wanted_dropped)
{
    struct pf_listing listing;
    struct pf_error err = {0};
    char found[4096];
    size_t dropped = 99;
    assert_ok(parse(text, length, FOLDER, &listing, &dropped, &err), &err);
    show(&listing, found, sizeof found);
    if (strcmp(found, wanted) != 0 || dropped != wanted_dropped)
        fail_msg("\"%s\"\ngave   \"%s\" and %zu dropped,\nwanted \"%s\" and %zu", text, found,
                 dropped, wanted, wanted_dropped);
    for (size_t i = 0; i < listing.count; i++) {
        const char *url = listing.entries[i].url;
        assert_memory_equal(url, FOLDER, strlen(FOLDER));
        assert_int_equal(url[strlen(url) - 1] == '/', listing.entries[i].folder);
    }
    pf_listing_end(&listing);
}

static void list(const char *text, const char *wanted)
{
    check_bytes(pf_ftplisting_parse_list, text, strlen(text), wanted, 0);
}

static void list_drops(const char *text, const char *wanted, size_t dropped)
{
    check_bytes(pf_ftplisting_parse_list, text, strlen(text), wanted, dropped);
}

static void mlsd(const char *text, const char *wanted, size_t dropped)
{
    check_bytes(pf_ftplisting_parse_mlsd, text, strlen(text), wanted, dropped);
}

static void reads_vsftpd(void **state)
{
    (void)state;
    list("drwxr-xr-x    2 0        0            4096 Jan 05 12:30 devel.txz\r\n"
         "-rw-r--r--    1 0        0             640 Mar 01  2024 libstdc++-13-x86_64-B1.txz\r\n"
         "lrwxrwxrwx    1 ftp      ftp             9 Jan 05 12:30 latest -> devel.txz\r\n"
         "-rw-------    1 1000     1000     12345678901 Dec 31  1999 two words.txz\r\n",
         "devel.txz/|libstdc++-13-x86_64-B1.txz:640|latest@|two words.txz:12345678901");
}

static void reads_pure_ftpd(void **state)
{
    (void)state;
    list("drwxr-xr-x    4 0          0                4096 Jan  5 12:30 .\r\n"
         "drwxr-xr-x    4 0          0                4096 Jan  5 12:30 ..\r\n"
         "-rw-r--r--    1 0          0                 640 Mar  1  2024 a-1-x86-1.txz\r\n"
         "drwxr-xr-x    2 0          0                4096 Jan  5 12:30 old\r\n",
         "a-1-x86-1.txz:640|old/");
}

static void reads_proftpd(void **state)
{
    (void)state;
    list("drwxr-xr-x   2 ftp      ftp          4096 Jan  5 12:30 devel.txz\r\n"
         "-rw-r--r--   1 ftp      ftp           640 Mar  1  2024 a-1-x86-1.txz\r\n"
         "lrwxrwxrwx   1 ftp      ftp            13 Jan  5 12:30 b.txz -> a-1-x86-1.txz\r\n",
         "devel.txz/|a-1-x86-1.txz:640|b.txz@");
}

static void reads_ls(void **state)
{
    (void)state;
    list("total 12\n"
         "drwxr-xr-x+ 2 root root  4096 Jan  5 12:30 acl\n"
         "-rw-r--r--. 1 root root   640 Mar  1  2024 selinux\n"
         "-rwsr-sr-t@ 1 root wheel    0 Mar  1  2024 mac\n"
         "-rw-r--r-- 1 root 17 Jan 5 12:30:59 no_group\n"
         "-rw-r--r-- 1 18 Jan 5 9:30 no_owner\n"
         "-rw-r--r-- 1 Domain Users All Staff 19 Jan 5 12:30 words\n"
         "-rw-r--r-- 1 Jan 10 2024 Mar 5 12:00 jan\n"
         "-rw-r--r-- 1 12 34 20 jan 5 12:30 numbers\n"
         "-rw-r--r-- 1 root root 21 2024-03-01 12:30 long-iso\n"
         "-rw-r--r-- 1 root root 22 2024-03-01 12:30:31.000000000 +0900 full-iso\n"
         "-rw-r--r-- 1 root root 23 2024-03-01 12:30:31 seconds",
         "acl/|selinux:640|mac:0|no_group:17|no_owner:18|words:19|jan:2024|numbers:20|long-iso:21|"
         "full-iso:22|seconds:23");
    list("total 0\n", "");
    list("TOTAL 0\r\n\r\n\n", "");
    list("", "");
}

static void reads_dos(void **state)
{
    (void)state;
    list("01-02-26  03:04PM       <DIR>          devel.txz\r\n"
         "12-31-2024  11:59AM                 1234 a-1-x86-1.txz\r\n"
         "2026-01-02  15:04  <DIR> two words\r\n"
         "01-02-26  03:04pm 5  leading\r\n"
         "01-02-26  03:04PM       <DIR>            leading\r\n",
         "devel.txz/|a-1-x86-1.txz:1234|two words/| leading:5|  leading/");
    list_drops("01-02-26  03:04PM  <SYMLINKD>  x [y]\r\n01-02-26 x\n01-02-26\n01-02-26 03:04PM\n"
               "01-02-26 03:04PM <DIR>\n01-02-26 03:04PM 12\n",
               "", 6);
}

static void keeps_names_as_they_are(void **state)
{
    (void)state;
#define BEFORE "-rw-r--r-- 1 o g 1 Jan  5 12:30 "
    list(
        BEFORE " leading\n" BEFORE "   \n" BEFORE "trailing \r\n" BEFORE "a  b\n" BEFORE
               "x -> y\n" BEFORE "\xa5\xd7\xa5\xe9\n" BEFORE "12 Feb 1 2024 z\n" BEFORE "a\\b\n",
        " leading:1|   :1|trailing :1|a  b:1|x -> y:1|\xa5\xd7\xa5\xe9:1|12 Feb 1 2024 z:1|a\\b:1");
    list("lrwxrwxrwx 1 o g 1 Jan  5 12:30 a b -> c -> d\n", "a b@");
    list("drwxr-xr-x 1 o g 1 Jan  5 12:30 marked/\n", "marked/");
    list(BEFORE "x\n" BEFORE "x\ndrwxr-xr-x 1 o g 1 Jan  5 12:30 x\n", "x:1|x/");
}

static void leaves_out_what_is_no_file(void **state)
{
    (void)state;
    list("crw-rw-rw- 1 root root 1, 3 Jan  5 12:30 null\n"
         "brw-rw---- 1 root disk 8, 0 Jan  5 12:30 sda\n"
         "prw-r--r-- 1 root root    0 Jan  5 12:30 pipe\n"
         "srwxr-xr-x 1 root root    0 Jan  5 12:30 socket\n"
         "-rw-r--r-- 1 root root    5 Jan  5 12:30 file\n",
         "file:5");
}

static void counts_what_it_drops(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "garbage",
        "/:",
        "total",
        "total many",
        "total 5 and more",
        "-rw-r--r--",
        "-rw-r--r-- 1",
        "-rw-r--r-- 1 o g",
        "-rw-r--r-- 1 o g 1 Jan  5 12:30",
        "-rw-r--r-- 1 o g 1 Jan  5 12:30 ",
        "-rw-r--r-- 1 o g x Jan  5 12:30 x",
        "-rw-r--r-- 1 Jan  5 12:30 x",
        "-rw-r--r-- 1 o g 1 Jan  555 12:30 x",
        "-rw-r--r-- 1 o g 1 Jan  5 1230:1 x",
        "-rw-r--r-- 1 o g 1 Foo  5 12:30 x",
        "-rw-r--r-- 1 o g 1 2024-01-05 x",
        "-rw-r--r-- 1 o g 1 2024-01-05 12:30:31.000000000 x",
        "-rw-r--r-- 1 o g -1 Jan  5 12:30 x",
        "-rw-r--r 1 o g 1 Jan  5 12:30 x",
        "-rw-r--r--++ 1 o g 1 Jan  5 12:30 x",
        "-rw-r--r--! 1 o g 1 Jan  5 12:30 x",
        "-rw-?--r-- 1 o g 1 Jan  5 12:30 x",
        "lrwxrwxrwx 1 o g 1 Jan  5 12:30 no_target",
        "lrwxrwxrwx 1 o g 1 Jan  5 12:30  -> nothing",
        "?rwxrwxrwx 1 o g 1 Jan  5 12:30 x",
        "-rw-r--r-- 1 o g 1 Jan  5 12:30 a/b",
        "-rw-r--r-- 1 o g 1 Jan  5 12:30 /etc/passwd",
        "drwxr-xr-x 1 o g 1 Jan  5 12:30 /",
        "drwxr-xr-x 1 o g 1 Jan  5 12:30 ../",
        "-rw-r--r-- 1 o g 1 Jan  5 12:30 a\tb",
        "-rw-r--r-- 1 o g 1 Jan  5 12:30 a\rb",
        "-rw-r--r-- 1 o g 1 Jan  5 12:30 a\x7f",
        "+i8388621.48594,m825718503,r,s280,\teplf",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        bool parent = strstr(lines[i], "../") != NULL;
        list_drops(lines[i], "", parent ? 0 : 1);
    }
    struct pf_listing listing;
    struct pf_error err = {0};
    assert_ok(pf_ftplisting_parse_list("garbage", 7, FOLDER, &listing, NULL, &err), &err);
    assert_int_equal(listing.count, 0);
    pf_listing_end(&listing);
}

static void reads_mlsd(void **state)
{
    (void)state;
    /* pure-ftpd */
    mlsd("type=cdir;sizd=4096;modify=20240101000000;UNIX.mode=0755;unique=11g1; .\r\n"
         "type=pdir;sizd=4096;modify=20240101000000;UNIX.mode=0755;unique=11g1; ..\r\n"
         "type=file;siz=7;size=640;modify=20240301000000;UNIX.uid=0;UNIX.gid=0; a-1-x86-1.txz\r\n"
         "type=dir;sizd=4096;modify=20240101000000;UNIX.mode=0755;unique=11g2; devel.txz\r\n"
         "type=OS.unix=slink:a-1-x86-1.txz;size=13;modify=20240101000000; b.txz\r\n",
         "a-1-x86-1.txz:640|devel.txz/|b.txz@", 0);
    /* proftpd */
    mlsd("modify=20240101000000;perm=flcdmpe;type=cdir;unique=801U2;UNIX.group=0; .\r\n"
         "modify=20240301000000;perm=adfr;size=640;type=file;unique=801U3;UNIX.group=0; a b\r\n"
         "modify=20240301000000;perm=adfr;size=13;type=OS.unix=symlink;unique=801U4; l\r\n",
         "a b:640|l@", 0);
    mlsd("TYPE=File;SIZE=5;  leading\nType=DIR; d;e\ntype=file; no_size\ntype=file last",
         " leading:5|d;e/|no_size|last", 0);
    mlsd("type=OS.unix=chr-1/3; null\ntype=OS.unix=pipe; p\ntype=cdir; /pub/x\r\n\r\n", "", 0);
    mlsd("garbage\n nothing\nsize=5; x\ntype=file;size=5;x\ntype=file; a/b\ntype=file; \n"
         "type; x\n=; x\n;;; x\n",
         "", 9);
}

static void takes_no_size_for_a_wrong_one(void **state)
{
    (void)state;
    list("-rw-r--r-- 1 o g 9223372036854775807 Jan  5 12:30 most\n"
         "-rw-r--r-- 1 o g 9223372036854775808 Jan  5 12:30 more\n"
         "-rw-r--r-- 1 o g 99999999999999999999999999999999999999999 Jan  5 12:30 far\n"
         "-rw-r--r-- 1 o g 000000000000000000000000000000012 Jan  5 12:30 zeros\n",
         "most:9223372036854775807|more|far|zeros:12");
    mlsd("type=file;size=9223372036854775808; a\ntype=file;size=-1; b\ntype=file;size=; c\n"
         "type=file;size=5x; d\n",
         "a|b|c|d", 0);
}

static void encodes_urls(void **state)
{
    (void)state;
    static const char text[] = BEFORE "x;type=a\n" BEFORE "a b%2F?#.txz\n" BEFORE "~\xa5+-_.\n"
                                      "drwxr-xr-x 1 o g 1 Jan  5 12:30 d&d\n";
    static const char *const wanted[] = {FOLDER "x%3Btype%3Da", FOLDER "a%20b%252F%3F%23.txz",
                                         FOLDER "~%A5%2B-_.", FOLDER "d%26d/"};
    struct pf_listing listing;
    struct pf_error err = {0};
    assert_ok(pf_ftplisting_parse_list(text, sizeof text - 1, FOLDER, &listing, NULL, &err), &err);
    assert_int_equal(listing.count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(listing.entries[i].url, wanted[i]);
    pf_listing_end(&listing);
}

static void settle(const char *list_text, const char *facts_text, const char *wanted,
                   const char *last_url)
{
    struct pf_listing listing, facts;
    struct pf_error err = {0};
    char found[4096];
    assert_ok(pf_ftplisting_parse_list(list_text, strlen(list_text), FOLDER, &listing, NULL, &err),
              &err);
    assert_ok(pf_ftplisting_parse_mlsd(facts_text, strlen(facts_text), FOLDER, &facts, NULL, &err),
              &err);
    assert_ok(pf_ftplisting_settle(&listing, &facts, &err), &err);
    pf_listing_end(&facts);
    show(&listing, found, sizeof found);
    assert_string_equal(found, wanted);
    if (last_url)
        assert_string_equal(listing.entries[listing.count - 1].url, last_url);
    pf_listing_end(&listing);
}

static void settles_by_the_facts(void **state)
{
    (void)state;
#define LINK "lrwxrwxrwx 1 o g 1 Jan  5 12:30 "
    /* The order of LIST, type and size of MLSD. */
    settle(BEFORE "b\n" BEFORE "a\n", "type=file;size=7; a\ntype=file;size=8; b\n", "b:8|a:7",
           FOLDER "a");
    /* What only one has stays as LIST rules. */
    settle(BEFORE "b\n" BEFORE "only\n", "type=file;size=7; more\ntype=file; b\n", "b|only:1",
           FOLDER "only");
    /* Links: to a folder, to a file, and where the facts know no more. */
    settle(LINK "d -> x\n", "type=dir; d\n", "d/@", FOLDER "d/");
    settle(LINK "f -> x\n", "type=file;size=9; f\n", "f@:9", FOLDER "f");
    settle(LINK "l -> x\n", "type=OS.unix=slink:x;size=3; l\n", "l@", FOLDER "l");
    settle("drwxr-xr-x 1 o g 1 Jan  5 12:30 f+\n", "type=file;size=9; f+\n", "f+:9", FOLDER "f%2B");
    /* A link that LIST does not show as one. */
    settle("drwxr-xr-x 1 o g 1 Jan  5 12:30 d\n", "type=OS.unix=symlink; d\n", "d/", FOLDER "d/");
    /* LIST in a format that nobody knows. */
    settle("VMS DIR A.TXZ;1\n", "type=file;size=9; b\ntype=dir; a\n", "b:9|a/", FOLDER "a/");
    settle("", "", "", NULL);
    /* Two of LIST that the facts make one; two facts of one name. */
    settle(BEFORE "x\ndrwxr-xr-x 1 o g 1 Jan  5 12:30 x\n", "type=dir; x\ntype=file;size=4; x\n",
           "x/", FOLDER "x/");
}

static void wants_the_url_of_a_folder(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "ftp://h/d"};
    struct pf_listing listing;
    struct pf_error err = {0};
    for (size_t i = 0; i < 2; i++) {
        assert_code(pf_ftplisting_parse_list("", 0, bad[i], &listing, NULL, &err), PF_E_INVALID,
                    &err);
        pf_listing_end(&listing);
        assert_code(pf_ftplisting_parse_mlsd("", 0, bad[i], &listing, NULL, &err), PF_E_INVALID,
                    &err);
        pf_listing_end(&listing);
    }
}

static void reads_every_cut(void **state)
{
    (void)state;
    static const char text[] = "total 1\r\n" BEFORE "a\r\n" LINK "l -> x\r\n"
                               "01-02-26  03:04PM  <DIR> d\r\ntype=file;size=1; m\r\n";
    for (size_t n = 0; n <= sizeof text - 1; n++) {
        struct pf_listing listing;
        struct pf_error err = {0};
        char *exact = malloc(n ? n : 1);
        assert_non_null(exact);
        memcpy(exact, text, n);
        assert_ok(pf_ftplisting_parse_list(exact, n, FOLDER, &listing, NULL, &err), &err);
        assert_true(listing.count <= 3);
        pf_listing_end(&listing);
        assert_ok(pf_ftplisting_parse_mlsd(exact, n, FOLDER, &listing, NULL, &err), &err);
        assert_true(listing.count <= 1);
        pf_listing_end(&listing);
        free(exact);
    }
    static const char nul[] = BEFORE "a\0b\n\0\n" BEFORE "c\n-rw-r--r--\0 1 o g 1";
    check_bytes(pf_ftplisting_parse_list, nul, sizeof nul - 1, "c:1", 3);
    static const char nul_fact[] = "type=file; a\0b\n\0\ntype=file\0; c\ntype=file; d";
    check_bytes(pf_ftplisting_parse_mlsd, nul_fact, sizeof nul_fact - 1, "d", 2);
}

/* What the next text is made of, and who reads it. */
struct repeated {
    const char *start, *unit;
    parser *parse;
};

static void parse_repeated(void *arg, size_t size)
{
    const struct repeated *repeated = arg;
    struct buffer text = {0};
    struct pf_listing listing;
    struct pf_error err = {0};
    buffer_add(&text, repeated->start, strlen(repeated->start));
    while (text.length < size)
        buffer_add(&text, repeated->unit, strlen(repeated->unit));
    assert_ok(repeated->parse((char *)text.data, text.length, FOLDER, &listing, NULL, &err), &err);
    pf_listing_end(&listing);
    buffer_end(&text);
}

/* Megabytes of whatever: read at once, and nothing comes of it that a listing must not hold. */
static void takes_any_bytes_in_linear_time(void **state)
{
    (void)state;
    static const char *const units[] = {"x",
                                        "-rw-r--r-- ",
                                        "1 Jan ",
                                        "1 Jan 5 ",
                                        "; ",
                                        "type=file;",
                                        " -> ",
                                        "1 ",
                                        "\n",
                                        "\r",
                                        "type=file; a",
                                        "99999999",
                                        BEFORE "a\r",
                                        "-rw-r--r-- 1 ",
                                        "01-02-26 03:04PM "};
    parser *const parsers[] = {pf_ftplisting_parse_list, pf_ftplisting_parse_mlsd};
    for (size_t u = 0; u < 2 * sizeof units / sizeof *units; u++) {
        struct repeated repeated = {u % 3 ? "" : "-rw-r--r-- 1 o g ", units[u / 2], parsers[u % 2]};
        assert_linear(parse_repeated, &repeated, 128 << 10);
    }
    uint64_t seed = 7;
    static const char letters[] = "-drwxl type=file;size 0123:JanDIR<>./\\\r\n\n\n";
    struct buffer noise = {0};
    for (int i = 0; i < 1 << 20; i++)
        buffer_add(&noise, &letters[random_below(&seed, sizeof letters)], 1);
    for (size_t i = 0; i < 2; i++) {
        struct pf_listing listing;
        struct pf_error err = {0};
        assert_ok(parsers[i]((char *)noise.data, noise.length, FOLDER, &listing, NULL, &err), &err);
        for (size_t e = 0; e < listing.count; e++)
            assert_true(
                pf_listing_is_name(listing.entries[e].name, strlen(listing.entries[e].name)));
        pf_listing_end(&listing);
    }
    buffer_end(&noise);
}

static void refuses_names_too_long_and_lists_too_long(void **state)
{
    (void)state;
    char line[sizeof BEFORE + NAME_MAX + 3] = BEFORE;
    memset(line + sizeof BEFORE - 1, 'n', NAME_MAX + 1);
    list_drops(line, "", 1);
    line[sizeof BEFORE - 1 + NAME_MAX] = '\0';
    struct pf_listing listing;
    struct pf_error err = {0};
    assert_ok(pf_ftplisting_parse_list(line, strlen(line), FOLDER, &listing, NULL, &err), &err);
    assert_int_equal(listing.count, 1);
    assert_int_equal(strlen(listing.entries[0].name), NAME_MAX);
    pf_listing_end(&listing);

    struct buffer text = {0};
    char one[64];
    for (int i = 0; i <= 200000; i++)
        buffer_add(&text, one, (size_t)snprintf(one, sizeof one, "type=file; %d\n", i));
    assert_code(pf_ftplisting_parse_mlsd((char *)text.data, text.length, FOLDER, &listing, NULL,
                                         &err),
                PF_E_LIMIT, &err);
    pf_listing_end(&listing);
    buffer_end(&text);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_vsftpd),
    cmocka_unit_test(reads_pure_ftpd),
    cmocka_unit_test(reads_proftpd),
    cmocka_unit_test(reads_ls),
    cmocka_unit_test(reads_dos),
    cmocka_unit_test(keeps_names_as_they_are),
    cmocka_unit_test(leaves_out_what_is_no_file),
    cmocka_unit_test(counts_what_it_drops),
    cmocka_unit_test(reads_mlsd),
    cmocka_unit_test(takes_no_size_for_a_wrong_one),
    cmocka_unit_test(encodes_urls),
    cmocka_unit_test(settles_by_the_facts),
    cmocka_unit_test(wants_the_url_of_a_folder),
    cmocka_unit_test(reads_every_cut),
    cmocka_unit_test(takes_any_bytes_in_linear_time),
    cmocka_unit_test(refuses_names_too_long_and_lists_too_long),
};
support_main(tests, false)
