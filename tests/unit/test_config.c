/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "config.h"

#include "support.h"

#include <stdio.h>
#include <string.h>

static const char *const known[] = {"release", "mirror", "max-age", NULL};
static struct config config;
static char error[CONFIG_ERROR_SIZE];

static int parse(const char *text)
{
    config_end(&config);
    *error = '\0';
    return config_parse(text, strlen(text), "f", known, &config, error);
}

/* "NAME@LINE{KEY=VALUE@LINE …}" of each section. */
static const char *all(void)
{
    static char text[1024];
    size_t length = 0;
    *text = '\0';
    for (size_t i = 0; i < config.count; i++) {
        const struct config_section *s = &config.sections[i];
        length += (size_t)snprintf(text + length, sizeof text - length, "%s@%u{",
                                   s->name ? s->name : "", s->line);
        for (size_t j = 0; j < s->count; j++)
            length += (size_t)snprintf(text + length, sizeof text - length, "%s=%s@%u ",
                                       s->entries[j].key, s->entries[j].value, s->entries[j].line);
        length += (size_t)snprintf(text + length, sizeof text - length, "}");
    }
    return text;
}

static void assert_parsed(const char *text, const char *wanted)
{
    int status = parse(text);
    assert_string_equal(error, "");
    assert_int_equal(status, 0);
    assert_string_equal(all(), wanted);
}

static void reads_sections(void **state)
{
    (void)state;
    assert_parsed("", "@1{}");
    assert_parsed("# a\n\n; b\nrelease=8.x\n[web]\nmirror = a=b # c\n[ two words ]",
                  "@1{release=8.x@4 }web@5{mirror=a=b # c@6 }two words@7{}");
    assert_parsed("[a]\r\nrelease =\t8.x \r\n", "@1{}a@1{release=8.x@2 }");
    assert_parsed("[a]\nmirror =\nrelease=\n", "@1{}a@1{mirror=@2 release=@3 }");
    assert_parsed("[a]\nmirror=1\nmirror=2", "@1{}a@1{mirror=1@2 mirror=2@3 }");
}

static void goes_on_with_a_value(void **state)
{
    (void)state;
    assert_parsed("mirror = a\n  b\n\tc\n # no comment ends it\n d\n", "@1{mirror=a b c d@1 }");
    assert_int_equal(parse("mirror = a\n\n b"), -1);
    assert_string_equal(
        error, "f:3: a blank in front goes on with the value of the line before; there is none");
    assert_int_equal(parse("[a]\n b"), -1);
    assert_int_equal(parse(" b"), -1);
}

static void says_where_and_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"\nrelaese=1", "f:2: there is no key \"relaese\"; did you mean \"release\"?"},
        {"zzzzzz=1", "f:1: there is no key \"zzzzzz\""},
        {"=1", "f:1: there is no key \"\""},
        {"release", "f:1: neither KEY = VALUE nor [NAME]"},
        {"[a]\n[b]\n[a]", "f:3: section [a] is there already, at line 1"},
        {"[]", "f:1: a section needs a name: [NAME]"},
        {"[a", "f:1: a section's line is [NAME] and nothing else"},
        {"[a] b", "f:1: a section's line is [NAME] and nothing else"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(parse(cases[i].text), -1);
        assert_string_equal(error, cases[i].error);
    }
    config_end(&config);
    assert_int_equal(config_parse("[a]\n\0", 5, "f", known, &config, error), -1);
    assert_string_equal(error, "f:2: a NUL byte; this is no text");
}

static void reads_files(void **state)
{
    (void)state;
    struct temp temp;
    char path[512];
    temp_begin(&temp);
    snprintf(path, sizeof path, "%s/f", temp.path);
    config_end(&config);
    assert_int_equal(config_read(path, known, &config, error), -1);
    assert_contains(error, "No such file");
    put_file(temp.fd, "f", "[a]\nrelease = 8.x\n");
    config_end(&config);
    assert_int_equal(config_read(path, known, &config, error), 0);
    assert_string_equal(all(), "@1{}a@1{release=8.x@2 }");
    static char large[(1 << 20) + 2];
    memset(large, '#', sizeof large - 1);
    put_file(temp.fd, "f", large);
    config_end(&config);
    assert_int_equal(config_read(path, known, &config, error), -1);
    assert_contains(error, "1 MiB");
    config_end(&config);
    assert_int_equal(config_read(temp.path, known, &config, error), -1);
    config_end(&config);
    temp_end(&temp);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_sections),
    cmocka_unit_test(goes_on_with_a_value),
    cmocka_unit_test(says_where_and_what_is_wrong),
    cmocka_unit_test(reads_files),
};
support_main(tests, false)
