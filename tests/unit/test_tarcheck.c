/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What pf_tarcheck lets pass, and what it refuses, however the bytes are cut into pieces. */
#include "tarcheck.h"

#include "support.h"

static struct buffer tar;

static int begin(void **state)
{
    (void)state;
    tar = (struct buffer){0};
    return 0;
}

static int end(void **state)
{
    (void)state;
    buffer_end(&tar);
    return 0;
}

static int check_in_pieces(size_t piece, struct pf_error *err)
{
    struct pf_tarcheck check;
    int result = 0;
    pf_tarcheck_init(&check);
    for (size_t i = 0; i < tar.length && !result; i += piece)
        result = pf_tarcheck_feed(&check, tar.data + i,
                                  tar.length - i < piece ? tar.length - i : piece, err);
    pf_tarcheck_end(&check);
    return result;
}

/* What is in `tar` gives that code; a refusal names the member. The next case begins empty. */
static void expect(int code, const char *name, const char *what)
{
    static const size_t pieces[] = {1, 500, 512, 1 << 20};
    tar_end(&tar);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct pf_error err = {0};
        int found = check_in_pieces(pieces[i], &err);
        if (found != code)
            fail_msg("%s: %d (%s), not %d", what, found, err.text, code);
        if (code)
            assert_contains(err.text, name);
    }
    tar.length = 0;
}

/* Adds a member with some bytes of its header changed. */
static void add_changed(const struct tar_member *member, size_t offset, const void *bytes,
                        size_t length)
{
    size_t start = tar.length;
    tar_add(&tar, member);
    memcpy(tar.data + start + offset, bytes, length);
    tar_checksum(tar.data + start);
}

#define SIZE  124
#define UID   108
#define MTIME 136

static const struct tar_member plain = {.name = "plain", .data = "x"};

static void lets_packages_pass(void **state)
{
    (void)state;
    tar_of(&tar, (struct tar_member[]){{.name = "d/", .type = '5'},
                                       {.name = "d/f", .data = "text"},
                                       {.name = "d/l", .type = '2', .link = "f"},
                                       {.name = "d/h", .type = '1', .link = "d/f"},
                                       {.name = "d/p", .type = '6'},
                                       {0}});
    expect(0, NULL, "plain members");
    tar_add_pax(&tar, "path", "long");
    tar_add_pax(&tar, "mtime", "1500000000.123456789012345678901");
    tar_add_pax(&tar, "size", "1");
    tar_add(&tar, &plain);
    expect(0, NULL, "PAX records");
    tar_add(&tar, &plain);
    tar_end(&tar);
    buffer_add(&tar, "junk", 4);
    expect(0, NULL, "what is behind the end is for others to judge");
}

static void wants_numbers_in_range(void **state)
{
    (void)state;
    static const struct {
        size_t offset, length;
        const char *bytes;
    } cases[] = {
        {SIZE, 12, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
        {SIZE, 12, "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff"},
        {SIZE, 12, "0000000001x"},
        {UID, 8, "\xff\xff\xff\xff\xff\xff\xff\xff"},
        {UID, 8, "\x80\x00\x00\x00\xff\xff\xff\xff"},
        {MTIME, 12, "\xff\xff\xff\xff\xff\xff\xff\xfb\xff\xff\xff\xff"},
        {MTIME, 12, "\xff\x7f\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
        {MTIME, 12, "\xc0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"},
        {MTIME, 12, "\x80\x00\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        add_changed(&plain, cases[i].offset, cases[i].bytes, cases[i].length);
        expect(PF_E_CORRUPT, "plain", "a number in a header");
    }
    static const char *const records[][2] = {{"size", "-1"},
                                             {"size", "9223372036854775808"},
                                             {"size", "1e3"},
                                             {"uid", "-1"},
                                             {"gid", "x"},
                                             {"uid", "4294967295"},
                                             {"mtime", "--1"},
                                             {"mtime", "-"},
                                             {"mtime", "-17179869185"},
                                             {"mtime", "1.x"},
                                             {"mtime", "1.5."}};
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        tar_add_pax(&tar, records[i][0], records[i][1]);
        tar_add(&tar, &plain);
        expect(PF_E_CORRUPT, "", records[i][1]);
    }
}

/* Midnight of 1970-01-01 in Japan is one. */
static void takes_times_before_1970(void **state)
{
    (void)state;
    static const char *const times[] = {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
                                        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x70",
                                        "\xff\xff\xff\xff\xff\xff\xff\xfc\0\0\0\0"};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        add_changed(&plain, MTIME, times[i], 12);
        expect(0, NULL, "a binary time");
    }
    static const char *const records[] = {"-1", "-32400", "-32400.25", "-0.5", "-17179869184"};
    for (size_t i = 0; i < sizeof records / sizeof *records; i++) {
        tar_add_pax(&tar, "mtime", records[i]);
        tar_add(&tar, &plain);
        expect(0, NULL, records[i]);
    }
}

/* As some old tars summed a header's bytes. */
static void takes_sums_of_signed_bytes(void **state)
{
    (void)state;
    for (int off = 0; off < 2; off++) {
        int sum = 0;
        tar_add(&tar, &(struct tar_member){.name = "\xc6\xfc\xcb\xdc", .data = "x"});
        memset(tar.data + 148, ' ', 8);
        for (size_t i = 0; i < 512; i++)
            sum += (signed char)tar.data[i];
        snprintf((char *)tar.data + 148, 8, "%06o", (unsigned)(sum + off));
        expect(off ? PF_E_CORRUPT : 0, "", "a sum of signed bytes");
    }
}

static void wants_one_size(void **state)
{
    (void)state;
    tar_add_pax(&tar, "size", "2");
    tar_add(&tar, &plain);
    expect(PF_E_CORRUPT, "plain", "two sizes");
    tar_add_pax(&tar, "size", "1");
    tar_add(&tar, &(struct tar_member){.name = "long", .type = 'L', .data = "n"});
    tar_add(&tar, &plain);
    expect(PF_E_CORRUPT, "", "a size in front of a long name");
    tar_add_pax(&tar, "size", "1");
    tar_add_pax(&tar, "path", "x");
    tar_add(&tar, &plain);
    expect(PF_E_CORRUPT, "", "a size in front of a PAX header");
    static const char types[] = "123456";
    for (const char *type = types; *type; type++) {
        add_changed(&(struct tar_member){.name = "carries", .type = *type, .link = "plain"}, SIZE,
                    "00000000001", 12);
        expect(PF_E_CORRUPT, "carries", "data of no regular file");
    }
    tar_add(&tar, &(struct tar_member){.name = "odd", .type = 'V'});
    expect(PF_E_CORRUPT, "odd", "a volume's label");
}

static void wants_maps_of_what_is_stored(void **state)
{
    (void)state;
    static const struct {
        const char *map;
        int code;
    } maps[] = {{"0,1", 0},
                {"0,2", PF_E_CORRUPT},
                {"5,1,0,0", PF_E_CORRUPT},
                {"-1,1", PF_E_CORRUPT},
                {"9223372036854775806,1", PF_E_CORRUPT},
                {"x", PF_E_CORRUPT}};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        tar_add_pax(&tar, "GNU.sparse.map", maps[i].map);
        tar_add(&tar, &plain);
        expect(maps[i].code, "", maps[i].map);
    }
    static const struct {
        const char *text;
        int code;
    } texts[] = {{"1\n0\n512\n", 0},
                 {"0\n", PF_E_CORRUPT},
                 {"1\n0\n1024\n", PF_E_CORRUPT},
                 {"2\n0\n512\n0\n512\n", PF_E_CORRUPT},
                 {"99999999999\n", PF_E_CORRUPT},
                 {"1\n\n", PF_E_CORRUPT},
                 {"1 0 512", PF_E_CORRUPT},
                 {"1", PF_E_CORRUPT}};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char data[1024] = {0};
        memcpy(data, texts[i].text, strlen(texts[i].text));
        tar_add_pax(&tar, "GNU.sparse.major", "1");
        tar_add(&tar, &(struct tar_member){.name = "holes", .data = data, .length = sizeof data});
        tar_add(&tar, &plain);
        expect(texts[i].code, "holes", texts[i].text);
    }
}

static void wants_whole_records(void **state)
{
    (void)state;
    static const char *const bodies[] = {"5 a=b\n", "99 path=x\n", "path=x\n", "9 pathxx\n",
                                         "-9 a=bb\n"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        tar_add(&tar, &(struct tar_member){.name = "pax", .type = 'x', .data = bodies[i]});
        tar_add(&tar, &plain);
        expect(PF_E_CORRUPT, "pax", bodies[i]);
    }
    add_changed(&(struct tar_member){.name = "huge", .type = 'L'}, SIZE, "00010000000", 12);
    expect(PF_E_CORRUPT, "huge", "a name of two mebibytes");
    tar_add(&tar, &plain);
    tar.data[148] ^= 1;
    expect(PF_E_CORRUPT, "plain", "a wrong checksum");
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(lets_packages_pass),
    test(wants_numbers_in_range),
    test(wants_one_size),
    test(takes_times_before_1970),
    test(takes_sums_of_signed_bytes),
    test(wants_maps_of_what_is_stored),
    test(wants_whole_records),
};
support_main(tests, false)
