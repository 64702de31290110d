/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record.h"

#include "support.h"

#include <limits.h>

static int read_text(const char *text, struct pf_record *record, struct pf_error *err)
{
    return pf_record_read(text, strlen(text), PF_RECORD_NAMES_PLAIN, record, err);
}

static void a_record(void **state)
{
    (void)state;
    static const char text[] = "PACKAGE NAME:     bash-5.2-x86_64-P1\n"
                               "COMPRESSED PACKAGE SIZE:     4 K\n"
                               "PACKAGE DESCRIPTION:\n"
                               "bash: a shell\n"
                               "FILE LIST:\n"
                               "./\n"
                               "bin/\n"
                               "./bin//bash\n"
                               "\n"
                               "usr/share/doc/a b\n"
                               "no newline at the end";
    static const struct pf_record_file wanted[] = {
        {"", true},
        {"bin", true},
        {"bin/bash", false},
        {"usr/share/doc/a b", false},
        {"no newline at the end", false},
    };
    struct pf_record record;
    struct pf_error err = {0};
    assert_ok(read_text(text, &record, &err), &err);
    assert_string_equal(record.stem, "bash-5.2-x86_64-P1");
    assert_int_equal(record.count, sizeof wanted / sizeof *wanted);
    for (size_t i = 0; i < record.count; i++) {
        assert_string_equal(record.files[i].path, wanted[i].path);
        assert_int_equal(record.files[i].folder, wanted[i].folder);
    }
    pf_record_end(&record);
}

static void no_records(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "PACKAGE NAME: a-1-1-1\n",
        "FILE LIST:\nbin/\n",
        "PACKAGE NAME:   \nFILE LIST:\nbin/\n",
        "PACKAGE NAME: ../x\nFILE LIST:\nbin/\n",
        "PACKAGE NAME: a-1-1-1\nFILE LIST:\n/etc/passwd\n",
        "PACKAGE NAME: a-1-1-1\nFILE LIST:\na/../../b\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct pf_record record;
        struct pf_error err = {0};
        assert_code(read_text(texts[i], &record, &err), PF_E_CORRUPT, &err);
        pf_record_end(&record);
    }
    struct pf_record record;
    struct pf_error err = {0};
    static const char with_nul[] = "PACKAGE NAME: a-1-1-1\nFILE LIST:\na\0b\n";
    assert_code(pf_record_read(with_nul, sizeof with_nul - 1, PF_RECORD_NAMES_PLAIN, &record, &err),
                PF_E_CORRUPT, &err);
    pf_record_end(&record);
}

static void a_path_too_long(void **state)
{
    (void)state;
    static const char head[] = "PACKAGE NAME: a-1-1-1\nFILE LIST:\n";
    struct buffer text = {0};
    struct pf_record record;
    struct pf_error err = {0};
    buffer_add(&text, head, strlen(head));
    for (int i = 0; i < PATH_MAX; i++)
        buffer_add(&text, "a/", 2);
    assert_code(pf_record_read((const char *)text.data, text.length, PF_RECORD_NAMES_PLAIN, &record,
                               &err),
                PF_E_CORRUPT, &err);
    pf_record_end(&record);
    buffer_end(&text);
}

/* As GNU tar 1.26 prints them in the C locale. */
static void names_with_escapes(void **state)
{
    (void)state;
    static const struct {
        const char *name, *listed;
    } names[] = {
        {"usr/share/a b'\"$", "usr/share/a b'\"$"},
        {"back\\slash", "back\\\\slash"},
        {"\\n", "\\\\n"},
        {"\a\b\t\n\v\f\r", "\\a\\b\\t\\n\\v\\f\\r"},
        {"\001\033[31m\177", "\\001\\033[31m\\177"},
        {"\0337", "\\0337"},
        {"日", "\\346\\227\\245"},
        {"\200\377", "\\200\\377"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[64];
        const char *name = names[i].name;
        size_t length = pf_record_write_name(PF_RECORD_NAMES_ESCAPED, name, text);
        assert_int_equal(length, strlen(names[i].listed));
        assert_memory_equal(text, names[i].listed, length);
        text[length] = '\0';
        pf_record_read_name(PF_RECORD_NAMES_ESCAPED, text);
        assert_string_equal(text, name);
        if (!strchr(name, '\n')) {
            length = pf_record_write_name(PF_RECORD_NAMES_PLAIN, name, text);
            assert_int_equal(length, strlen(name));
            assert_memory_equal(text, name, length);
        }
    }
}

/* Nothing that tar writes: it stays as it is. */
static void no_escapes(void **state)
{
    (void)state;
    static const char *const texts[] = {"\\",    "a\\",   "\\x",  "\\12",
                                        "\\400", "\\000", "\\18", "\\\200"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[16];
        snprintf(text, sizeof text, "%s", texts[i]);
        pf_record_read_name(PF_RECORD_NAMES_ESCAPED, text);
        assert_string_equal(text, texts[i]);
    }
}

static void a_record_with_escapes(void **state)
{
    (void)state;
    static const char text[] = "PACKAGE NAME: a-1-1-1\nFILE LIST:\n./usr/\\346\\227\\245/\na\\nb\n";
    static const char climbs[] = "PACKAGE NAME: a-1-1-1\nFILE LIST:\na/\\056./b\n";
    struct pf_record record;
    struct pf_error err = {0};
    assert_ok(pf_record_read(text, strlen(text), PF_RECORD_NAMES_ESCAPED, &record, &err), &err);
    assert_int_equal(record.count, 2);
    assert_string_equal(record.files[0].path, "usr/日");
    assert_true(record.files[0].folder);
    assert_string_equal(record.files[1].path, "a\nb");
    pf_record_end(&record);
    assert_code(pf_record_read(climbs, strlen(climbs), PF_RECORD_NAMES_ESCAPED, &record, &err),
                PF_E_CORRUPT, &err);
    pf_record_end(&record);
}

static void log_lines(void **state)
{
    (void)state;
    static const struct {
        const char *line, *stem;
    } lines[] = {
        {"i Wed Nov 25 02:00:00 UTC 2026: bash-5.2-x86_64-P1", "bash-5.2-x86_64-P1"},
        {"i Wed Nov  5 02:00:00 +09 2026: a b: c", "a b: c"},
        {"a script's endi Wed Nov 25 02:00:00 UTC 2026: bash-5.2-x86_64-P1", "bash-5.2-x86_64-P1"},
        {"i Wed Nov 25 02:00:00 UTC 2026: ", NULL},
        {"i Wed Nov 25 02:00:00  2026: bash", NULL},
        {"i Wed Nov 25 02:00:00 UTC 20x6: bash", NULL},
        {"i Wed Nov 25 02:00:00 UTC 2026", NULL},
        {"d Wed Nov 25 02:00:00 UTC 2026: bash-5.2-x86_64-P1", NULL},
        {"i no colon", NULL},
        {"i", NULL},
        {"", NULL},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *stem = NULL;
        size_t length = 0;
        bool found = pf_record_log_line(lines[i].line, strlen(lines[i].line), &stem, &length);
        assert_int_equal(found, lines[i].stem != NULL);
        if (found) {
            assert_int_equal(length, strlen(lines[i].stem));
            assert_memory_equal(stem, lines[i].stem, length);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record),        cmocka_unit_test(no_records),
        cmocka_unit_test(a_path_too_long), cmocka_unit_test(names_with_escapes),
        cmocka_unit_test(no_escapes),      cmocka_unit_test(a_record_with_escapes),
        cmocka_unit_test(log_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
