/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "members.h"

#include "support.h"

#include <limits.h>

static void normalises(void **state)
{
    (void)state;
    static const struct {
        const char *stored, *path;
    } good[] = {
        {"a", "a"},     {"./a/b", "a/b"},           {"a//b///", "a/b"}, {"./", ""},
        {".", ""},      {"././a/./b/.", "a/b"},     {"a..b", "a..b"},   {"...", "..."},
        {"..a", "..a"}, {"a/..b/c..", "a/..b/c.."},
    };
    struct pf_error err = {0};
    char out[64];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_ok(pf_members_normalise(good[i].stored, 128, out, &err), &err);
        assert_string_equal(out, good[i].path);
    }
    static const char *const bad[] = {"",     "/",      "/a",   "//a",      "..",   "../a",
                                      "a/..", "a/../b", "./..", "a/./../b", "a//.."};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err = (struct pf_error){0};
        assert_code(pf_members_normalise(bad[i], 128, out, &err), PF_E_CORRUPT, &err);
    }
}

static void bounds_names_paths_and_depth(void **state)
{
    (void)state;
    struct pf_error err = {0};
    static char stored[2 * PATH_MAX], out[2 * PATH_MAX];
    memset(stored, 'n', NAME_MAX);
    assert_ok(pf_members_normalise(stored, 1, out, &err), &err);
    stored[NAME_MAX] = 'n';
    assert_code(pf_members_normalise(stored, 1, out, &err), PF_E_CORRUPT, &err);

    assert_ok(pf_members_normalise("./a/./b//c/", 3, out, &err), &err);
    err = (struct pf_error){0};
    assert_code(pf_members_normalise("a/b/c/d", 3, out, &err), PF_E_CORRUPT, &err);

    /* A path of PATH_MAX - 1 bytes is the longest that the kernel takes. */
    for (size_t i = 0; i < PATH_MAX; i++)
        stored[i] = i % 2 ? '/' : 'd';
    stored[PATH_MAX - 1] = '\0';
    assert_ok(pf_members_normalise(stored, PATH_MAX, out, &err), &err);
    stored[PATH_MAX - 1] = '/';
    stored[PATH_MAX] = 'd';
    stored[PATH_MAX + 1] = '\0';
    err = (struct pf_error){0};
    assert_code(pf_members_normalise(stored, PATH_MAX, out, &err), PF_E_CORRUPT, &err);
}

static void builds_a_tree(void **state)
{
    (void)state;
    struct pf_members members;
    struct pf_error err = {0};
    uint32_t c, b, again, root;
    char path[16];
    assert_ok(pf_members_init(&members, &err), &err);
    assert_ok(pf_members_add_path(&members, "a/b/c", &c, &err), &err);
    assert_ok(pf_members_add_path(&members, "a/x", &again, &err), &err);
    assert_ok(pf_members_add_path(&members, "a/b", &b, &err), &err);
    assert_ok(pf_members_add_path(&members, "", &root, &err), &err);
    assert_int_equal(root, PF_NODE_ROOT);
    assert_int_equal(members.count, 5);
    assert_int_equal(members.nodes[c].parent, b);
    uint32_t a = members.nodes[PF_NODE_ROOT].first_child;
    assert_string_equal(pf_members_name(&members, a), "a");
    assert_int_equal(members.nodes[a].first_child, b); /* in the order of appearance */
    assert_int_equal(members.nodes[b].next, again);
    assert_int_equal(members.nodes[again].next, PF_NODE_NONE);
    assert_int_equal(pf_members_child(&members, a, "bxx", 1), b);
    assert_int_equal(pf_members_child(&members, a, "c", 1), PF_NODE_NONE);
    assert_int_equal(members.nodes[b].mode, S_IFDIR | 0755);
    assert_false(pf_members_is_explicit(&members, b));
    members.nodes[b].sequence = 1;
    assert_true(pf_members_is_explicit(&members, b));
    assert_int_equal(pf_members_path(&members, c, path, sizeof path), 5);
    assert_string_equal(path, "a/b/c");
    assert_int_equal(pf_members_path(&members, c, path, 6), 5);
    assert_int_equal(pf_members_path(&members, c, path, 5), -1);
    assert_int_equal(pf_members_path(&members, PF_NODE_ROOT, path, 1), 0);
    assert_string_equal(path, "");
    pf_members_end(&members);
}

static void finds_all_of_many(void **state)
{
    (void)state;
    enum { FOLDERS = 100, FILES = 100 };
    struct pf_members members;
    struct pf_error err = {0};
    char path[64], back[64];
    uint32_t node, nodes[FOLDERS * FILES];
    assert_ok(pf_members_init(&members, &err), &err);
    for (int i = 0; i < FOLDERS * FILES; i++) {
        snprintf(path, sizeof path, "d%d/f%d", i % FOLDERS, i / FOLDERS);
        assert_ok(pf_members_add_path(&members, path, &nodes[i], &err), &err);
    }
    assert_int_equal(members.count, 1 + FOLDERS + FOLDERS * FILES);
    for (int i = 0; i < FOLDERS * FILES; i++) {
        snprintf(path, sizeof path, "d%d/f%d", i % FOLDERS, i / FOLDERS);
        assert_ok(pf_members_add_path(&members, path, &node, &err), &err);
        assert_int_equal(node, nodes[i]);
        assert_true(pf_members_path(&members, node, back, sizeof back) > 0);
        assert_string_equal(back, path);
    }
    pf_members_end(&members);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(normalises),
    cmocka_unit_test(bounds_names_paths_and_depth),
    cmocka_unit_test(builds_a_tree),
    cmocka_unit_test(finds_all_of_many),
};
support_main(tests, false)
