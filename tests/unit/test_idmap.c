/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "idmap.h"

#include "support.h"

static struct pf_idmap map;
static struct pf_error err;

static void nothing_is_the_hosts_own(void **state)
{
    (void)state;
    uint32_t id;
    assert_ok(pf_idmap_parse("", &map, &err), &err);
    assert_int_equal(map.count, 0);
    assert_true(pf_idmap_uid(&map, 42, &id));
    assert_int_equal(id, 42);
    assert_ok(pf_idmap_parse("lxc.idmap =\n", &map, &err), &err);
    assert_int_equal(map.count, 0);
}

static void reads_what_lxc_info_prints(void **state)
{
    (void)state;
    uint32_t id;
    assert_ok(pf_idmap_parse("lxc.idmap = u 0 100000 1000\ng 0 200000 65536\nu 1000 5 1\n", &map,
                             &err),
              &err);
    assert_true(pf_idmap_uid(&map, 999, &id));
    assert_int_equal(id, 100999);
    assert_true(pf_idmap_uid(&map, 1000, &id));
    assert_int_equal(id, 5);
    assert_false(pf_idmap_uid(&map, 1001, &id));
    assert_true(pf_idmap_gid(&map, 1001, &id));
    assert_int_equal(id, 201001);
    assert_false(pf_idmap_gid(&map, 65536, &id));
}

static void refuses_what_makes_no_sense(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "u 0 100000 0",           "x 0 100000 10",     "u 0 100000",
        "u 0 100000 10 7",        "u 1 4294967295 10", "u 0 1 1",
        "u 1 100000 10\ng 0 1 1",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        err = (struct pf_error){0};
        assert_code(pf_idmap_parse(texts[i], &map, &err), PF_E_INVALID, &err);
    }
}

static void tells_maps_apart(void **state)
{
    (void)state;
    struct pf_idmap other;
    assert_ok(pf_idmap_parse("u 0 100000 10\ng 0 100000 10", &map, &err), &err);
    assert_ok(pf_idmap_parse("u 0 100000 10\ng 0 100000 10\n", &other, &err), &err);
    assert_true(pf_idmap_same(&map, &other));
    assert_ok(pf_idmap_parse("u 0 100000 10\ng 0 100000 11", &other, &err), &err);
    assert_false(pf_idmap_same(&map, &other));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(nothing_is_the_hosts_own),
    cmocka_unit_test(reads_what_lxc_info_prints),
    cmocka_unit_test(refuses_what_makes_no_sense),
    cmocka_unit_test(tells_maps_apart),
};
support_main(tests, false)
