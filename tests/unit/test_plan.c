/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan.h"

#include "support.h"

static const char *const ignore[] = {"kernel", "ntp", "g*b", NULL};
static const struct pf_plan_rule category = {.ignore = ignore};

static void takes_packages_of_a_category(void **state)
{
    (void)state;
    static const char *const taken[] = {
        "bash-5-x86_64-B1.txz", "a-1-x86-1.tgz",
        "a-1-x86-1.tzst",       "kernel_headers-6.1-noarch-B1.txz",
        "ntpd-1-x86-1.txz",     "akernel-1-x-1.tgz",
        "kernel.tgz",           "short.txz",
    };
    static const char *const left[] = {
        "kernel-6.1-x86_64-B1.txz",
        "kernel-headers-6.1-noarch-B1.txz",
        "kernel-.tgz",
        "ntp-4-x86-1.tgz",
        "grub-2-x86-1.tgz", /* the names are globs, as wget has it */
        "a-1-x86-1.tbz",
        "disk1",
        "a-1-x86-1.txz.part",
        "a-1-x86-1.txt",
        "install.list",
        "a.tar.gz",
    };
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        if (!pf_plan_takes(&category, taken[i]))
            fail_msg("%s is left out", taken[i]);
    }
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        if (pf_plan_takes(&category, left[i]))
            fail_msg("%s is taken", left[i]);
    }
    assert_true(pf_plan_takes(&(struct pf_plan_rule){0}, "kernel-6.1-x86_64-B1.txz"));
}

/* DIR/NAME: files NAME-*, .tbz and texts too; the names to ignore do not apply. */
static void takes_what_an_addon_pattern_matches(void **state)
{
    (void)state;
    struct pf_plan_rule rule = {.pattern = "morse-*", .ignore = ignore};
    assert_true(pf_plan_takes(&rule, "morse-2-x86-1.tbz"));
    assert_true(pf_plan_takes(&rule, "morse-2-x86-1.txz"));
    assert_true(pf_plan_takes(&rule, "morse-2.txt"));
    assert_false(pf_plan_takes(&rule, "morsed-2-x86-1.txz"));
    assert_false(pf_plan_takes(&rule, "amorse-2-x86-1.txz"));
    rule.pattern = "kernel-*";
    assert_true(pf_plan_takes(&rule, "kernel-6.1-x86_64-B1.txz"));
}

#define ENTRY(n, is_folder)                                                                        \
    {                                                                                              \
        .name = (char[]){n}, .url = (char[]){"http://h/" n}, .folder = is_folder, .size_bytes = -1 \
    }

static void adds_in_listing_order_and_keeps_first_places(void **state)
{
    (void)state;
    struct pf_listing_entry first[] = {
        ENTRY("z-1-x-1.txz", false), ENTRY("disk1", false),         ENTRY("devel.txz", true),
        ENTRY("a-1-x-1.txz", false), ENTRY("ntp-1-x-1.txz", false), ENTRY("z-1-x-1.txz", false),
    };
    struct pf_listing_entry second[] = {
        ENTRY("b-1-x-1.txz", false),
        ENTRY("a-1-x-1.txz", false),
        ENTRY("a-2-x-1.txz", false),
    };
    struct pf_listing one = {first, sizeof first / sizeof *first};
    struct pf_listing two = {second, sizeof second / sizeof *second};
    static const char *const wanted[] = {"z-1-x-1.txz", "a-1-x-1.txz", "b-1-x-1.txz", "a-2-x-1.txz",
                                         "cached-1-x-1.tgz"};
    struct pf_plan plan = {0};
    struct pf_error err = {0};
    second[1].url = (char[]){"http://other/a"};
    assert_ok(pf_plan_add_folder(&plan, &category, &one, "plamo/00_base", &err), &err);
    assert_ok(pf_plan_add_folder(&plan, &category, &two, "plamo/00_base", &err), &err);
    assert_ok(pf_plan_add(&plan, "cached-1-x-1.tgz", NULL, 77, &err), &err);
    assert_ok(pf_plan_add(&plan, "z-1-x-1.txz", "http://x/", 5, &err), &err);
    assert_int_equal(plan.count, sizeof wanted / sizeof *wanted);
    for (size_t i = 0; i < plan.count; i++) {
        assert_string_equal(plan.entries[i].file, wanted[i]);
        assert_int_equal(pf_names_find(&plan.files, wanted[i]), i);
        assert_true(plan.entries[i].package);
        assert_int_equal(plan.entries[i].size_bytes, i == 4 ? 77 : -1);
    }
    assert_string_equal(plan.entries[1].url, "http://h/a-1-x-1.txz"); /* the first one's */
    assert_null(plan.entries[4].url);
    pf_plan_end(&plan);
}

/* The folder each file is from, its size where the listing tells, and no mirror but the first
   unless the crawl says otherwise. */
static void notes_places_and_sizes(void **state)
{
    (void)state;
    struct pf_listing_entry base[] = {ENTRY("a-1-x-1.txz", false), ENTRY("b-1-x-1.txz", false)};
    struct pf_listing_entry sub[] = {ENTRY("b-1-x-1.txz", false), ENTRY("c-1-x-1.txz", false)};
    base[0].size_bytes = INT64_C(5000000000);
    base[1].size_bytes = 0;
    sub[0].size_bytes = 77;
    struct pf_listing one = {base, 2}, two = {sub, 2};
    static const char *const places[] = {"plamo/00_base", "plamo/00_base",
                                         "plamo/00_base/devel.txz"};
    static const int64_t sizes[] = {INT64_C(5000000000), 0, -1};
    struct pf_plan plan = {0};
    struct pf_error err = {0};
    assert_ok(pf_plan_add_folder(&plan, &category, &one, "plamo/00_base", &err), &err);
    assert_ok(pf_plan_add_folder(&plan, &category, &two, "plamo/00_base/devel.txz", &err), &err);
    assert_int_equal(plan.home, 0);
    assert_int_equal(plan.count, 3);
    for (size_t i = 0; i < plan.count; i++) {
        assert_string_equal(plan.entries[i].place, places[i]);
        assert_int_equal(plan.entries[i].size_bytes, sizes[i]);
        assert_string_equal(plan.entries[i].checksum.hex, "");
    }
    assert_ok(pf_plan_add(&plan, "cached-1-x-1.tgz", NULL, 1, &err), &err);
    assert_null(plan.entries[3].place);
    plan.home = 2;
    pf_plan_end(&plan);
    assert_int_equal(plan.home, 0);
    assert_int_equal(plan.count, 0);
}

static void tells_texts_from_packages(void **state)
{
    (void)state;
    struct pf_listing_entry entries[] = {ENTRY("m-1.txt", false), ENTRY("m-1-x-1.tbz", false),
                                         ENTRY("m-folder", true)};
    struct pf_listing listing = {entries, 3};
    struct pf_plan plan = {0};
    struct pf_error err = {0};
    struct pf_plan_rule rule = {.pattern = "m-*"};
    assert_ok(pf_plan_add_folder(&plan, &rule, &listing, "plamo/00_base", &err), &err);
    assert_int_equal(plan.count, 2);
    assert_false(plan.entries[0].package);
    assert_true(plan.entries[1].package);
    pf_plan_end(&plan);
}

static void holds_ten_thousand(void **state)
{
    (void)state;
    enum { COUNT = 10000 };
    struct pf_plan plan = {0};
    struct pf_error err = {0};
    char file[32];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < COUNT; i++) {
            snprintf(file, sizeof file, "p%d-1-x-1.txz", COUNT - i);
            assert_ok(pf_plan_add(&plan, file, "http://h/", round, &err), &err);
        }
    }
    assert_int_equal(plan.count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        snprintf(file, sizeof file, "p%d-1-x-1.txz", COUNT - i);
        assert_string_equal(plan.entries[i].file, file);
        assert_int_equal(plan.entries[i].size_bytes, 0);
    }
    pf_plan_end(&plan);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(takes_packages_of_a_category),
    cmocka_unit_test(takes_what_an_addon_pattern_matches),
    cmocka_unit_test(adds_in_listing_order_and_keeps_first_places),
    cmocka_unit_test(notes_places_and_sizes),
    cmocka_unit_test(tells_texts_from_packages),
    cmocka_unit_test(holds_ten_thousand),
};
support_main(tests, false)
