/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "record.h"

#include "support.h"

#include <limits.h>

static int read_text(const char *text, struct pf_record *record, struct pf_error *err)
{
    return pf_record_read(text, strlen(text), record, err);
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
    assert_code(pf_record_read(with_nul, sizeof with_nul - 1, &record, &err), PF_E_CORRUPT, &err);
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
    assert_code(pf_record_read((const char *)text.data, text.length, &record, &err), PF_E_CORRUPT,
                &err);
    pf_record_end(&record);
    buffer_end(&text);
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
        cmocka_unit_test(a_record),
        cmocka_unit_test(no_records),
        cmocka_unit_test(a_path_too_long),
        cmocka_unit_test(log_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL) ? 1 : 0;
}
