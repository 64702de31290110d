/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pkgname.h"

#include "support.h"

static void check(const char *file, enum pf_format format, const char *name, const char *version,
                  const char *arch, const char *build)
{
    struct pf_pkgname p;
    assert_int_equal(pf_pkgname_parse(file, &p), 0);
    assert_int_equal(p.format, format);
    assert_string_equal(p.name, name);
    assert_string_equal(p.version, version);
    assert_string_equal(p.arch, arch);
    assert_string_equal(p.build, build);
    assert_int_equal(strncmp(file, p.stem, strlen(p.stem)), 0);
    assert_int_equal(file[strlen(p.stem)], '.');
    assert_string_equal(strrchr(file, '.'), file + strlen(p.stem));
}

static void takes_names_apart(void **state)
{
    (void)state;
    check("bash-5.2.15-x86_64-B1.txz", PF_FORMAT_XZ, "bash", "5.2.15", "x86_64", "B1");
    check("kernel-headers-6.1-noarch-P2.tgz", PF_FORMAT_GZIP, "kernel-headers", "6.1", "noarch",
          "P2");
    check("libstdc++-13-x86-B1.tzst", PF_FORMAT_ZSTD, "libstdc++", "13", "x86", "B1");
    check("old-1-i386-1.tbz", PF_FORMAT_BZIP2, "old", "1", "i386", "1");
    check("a--1-x-2.tgz", PF_FORMAT_GZIP, "a-", "1", "x", "2");
    check("a---.tgz", PF_FORMAT_GZIP, "a", "", "", "");
    check("x.tgz-1.0-x86_64-B1.txz", PF_FORMAT_XZ, "x.tgz", "1.0", "x86_64", "B1");
}

/* Fewer than four segments: the whole stem is the name. */
static void keeps_short_stems_whole(void **state)
{
    (void)state;
    check("devel.txz", PF_FORMAT_XZ, "devel", "", "", "");
    check("a-1.tgz", PF_FORMAT_GZIP, "a-1", "", "", "");
    check("a-1-x86.tgz", PF_FORMAT_GZIP, "a-1-x86", "", "", "");
}

static void knows_formats(void **state)
{
    (void)state;
    assert_int_equal(pf_pkgname_format("a.tgz"), PF_FORMAT_GZIP);
    assert_int_equal(pf_pkgname_format("a.tbz"), PF_FORMAT_BZIP2);
    assert_int_equal(pf_pkgname_format("a.txz"), PF_FORMAT_XZ);
    assert_int_equal(pf_pkgname_format("a.tzst"), PF_FORMAT_ZSTD);
    static const char *const others[] = {"a",         "a.tar.gz", "a.txz.part", "a.TXZ", "a.tgz~",
                                         "disk1.txt", "tagfile",  "a.tar",      "atxz",  ""};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_int_equal(pf_pkgname_format(others[i]), PF_FORMAT_NONE);
}

static void refuses_what_is_no_package(void **state)
{
    (void)state;
    struct pf_pkgname p;
    static const char *const bad[] = {".tgz",         "-1-x-2.tgz",   "..-1-x-2.txz",
                                      ".-1-x-2.txz",  "a-1-x-2.txz/", "d/a-1-x.tgz",
                                      "install.list", "...tgz",       "a-1-x-2.txz.part"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (pf_pkgname_parse(bad[i], &p) != -1)
            fail_msg("%s is taken for package \"%s\"", bad[i], p.name);
    }
    char longest[NAME_MAX + 6];
    memset(longest, 'a', NAME_MAX + 1);
    strcpy(longest + NAME_MAX + 1, ".tgz");
    assert_int_equal(pf_pkgname_parse(longest, &p), -1);
    longest[0] = 'b';
    assert_int_equal(pf_pkgname_parse(longest + 1, &p), 0);
    assert_int_equal(strlen(p.name), NAME_MAX);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(takes_names_apart),
    cmocka_unit_test(keeps_short_stems_whole),
    cmocka_unit_test(knows_formats),
    cmocka_unit_test(refuses_what_is_no_package),
};
support_main(tests, false)
