/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "changes.h"

#include "support.h"

enum { MOST = 16 };

/* Splits at blanks, in place. */
static size_t split(char *text, const char *names[MOST])
{
    size_t count = 0;
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        assert_true(count < MOST);
        names[count++] = word;
    }
    return count;
}

/* Lists are words; a "!" behind a new name says that its content has changed. wanted: "+new -old
   old>new !new", and "~" at the end where the order is another. */
static void check(const char *old_list, const char *new_list, const char *wanted)
{
    char old_text[1024], new_text[1024], found[1024] = "";
    const char *old_names[MOST], *new_names[MOST];
    bool changed[MOST] = {false};
    snprintf(old_text, sizeof old_text, "%s", old_list);
    snprintf(new_text, sizeof new_text, "%s", new_list);
    size_t old_count = split(old_text, old_names), new_count = split(new_text, new_names);
    for (size_t i = 0; i < new_count; i++) {
        char *mark = strchr(new_names[i], '!');
        changed[i] = mark != NULL;
        if (mark)
            *mark = '\0';
    }
    struct pf_changes changes;
    struct pf_error err = {0};
    assert_ok(pf_changes_find(old_names, old_count, new_names, changed, new_count, &changes, &err),
              &err);
    for (size_t i = 0; i < changes.count; i++) {
        const struct pf_change *change = &changes.items[i];
        size_t used = strlen(found);
        const char *kinds[] = {[PF_CHANGE_ADDED] = "+",
                               [PF_CHANGE_REMOVED] = "-",
                               [PF_CHANGE_UPDATED] = ">",
                               [PF_CHANGE_CHANGED] = "!"};
        assert_int_equal(change->old_name == NULL, change->kind == PF_CHANGE_ADDED);
        assert_int_equal(change->new_name == NULL, change->kind == PF_CHANGE_REMOVED);
        if (change->kind == PF_CHANGE_CHANGED)
            assert_string_equal(change->old_name, change->new_name);
        snprintf(found + used, sizeof found - used, "%s%s%s%s", i ? " " : "",
                 change->kind == PF_CHANGE_UPDATED || change->kind == PF_CHANGE_REMOVED
                     ? change->old_name
                     : "",
                 kinds[change->kind], change->kind == PF_CHANGE_REMOVED ? "" : change->new_name);
    }
    if (changes.reordered)
        strcat(found, "~");
    if (strcmp(found, wanted) != 0)
        fail_msg("\"%s\" to \"%s\" gave \"%s\", not \"%s\"", old_list, new_list, found, wanted);
    pf_changes_end(&changes);
}

static void tells_the_kinds(void **state)
{
    (void)state;
    check("", "", "");
    check("a-1-x-1.txz", "a-1-x-1.txz", "");
    check("", "a-1-x-1.txz b-1-x-1.txz", "+a-1-x-1.txz +b-1-x-1.txz");
    check("a-1-x-1.txz b-1-x-1.txz", "", "a-1-x-1.txz- b-1-x-1.txz-");
    check("a-1-x-1.txz", "a-2-x-1.txz", "a-1-x-1.txz>a-2-x-1.txz");
    check("a-1-x-1.txz", "a-1-x-1.tzst", "a-1-x-1.txz>a-1-x-1.tzst");
    check("a-1-x-1.txz", "a-1-x-1.txz!", "!a-1-x-1.txz");
    check("a-1-x-1.txz", "a-2-x-1.txz!",
          "a-1-x-1.txz>a-2-x-1.txz"); /* of an update it is no news */
    check("a-1-x-1.txz", "a-b-1-x-1.txz", "+a-b-1-x-1.txz a-1-x-1.txz-");
}

static void keeps_the_orders(void **state)
{
    (void)state;
    check("d-1-x-1.txz c-1-x-1.txz b-1-x-1.txz a-1-x-1.txz",
          "n-1-x-1.txz b-2-x-1.txz a-1-x-1.txz! m-1-x-1.txz",
          "+n-1-x-1.txz b-1-x-1.txz>b-2-x-1.txz !a-1-x-1.txz +m-1-x-1.txz d-1-x-1.txz- "
          "c-1-x-1.txz-");
}

static void tells_a_new_order_alone(void **state)
{
    (void)state;
    check("a-1-x-1.txz b-1-x-1.txz", "b-1-x-1.txz a-1-x-1.txz", "~");
    check("a-1-x-1.txz b-1-x-1.txz", "b-1-x-1.txz a-1-x-1.txz!", "!a-1-x-1.txz~");
    check("a-1-x-1.txz b-1-x-1.txz c-1-x-1.txz", "b-1-x-1.txz a-1-x-1.txz", "c-1-x-1.txz-");
    check("a-1-x-1.txz b-1-x-1.txz", "b-1-x-1.txz a-1-x-1.txz c-1-x-1.txz", "+c-1-x-1.txz");
    check("a-1-x-1.txz b-1-x-1.txz", "b-1-x-1.txz a-2-x-1.txz", "a-1-x-1.txz>a-2-x-1.txz");
}

static void copes_with_several_versions(void **state)
{
    (void)state;
    check("a-1-x-1.txz a-2-x-1.txz", "a-2-x-1.txz a-3-x-1.txz", "a-1-x-1.txz>a-3-x-1.txz");
    check("a-1-x-1.txz", "a-1-x-1.txz a-2-x-1.txz", "+a-2-x-1.txz");
    check("a-1-x-1.txz", "a-2-x-1.txz a-1-x-1.txz", "+a-2-x-1.txz");
    check("a-1-x-1.txz a-2-x-1.txz", "a-3-x-1.txz", "a-1-x-1.txz>a-3-x-1.txz a-2-x-1.txz-");
    check("a-1-x-1.txz", "a-2-x-1.txz a-3-x-1.txz", "a-1-x-1.txz>a-2-x-1.txz +a-3-x-1.txz");
    check("a-1-x-1.txz a-2-x-1.txz", "a-3-x-1.txz a-4-x-1.txz",
          "a-1-x-1.txz>a-3-x-1.txz a-2-x-1.txz>a-4-x-1.txz");
}

static void takes_other_files_by_their_names(void **state)
{
    (void)state;
    check("disk1 a.txt", "disk2 a.txt!", "+disk2 !a.txt disk1-");
    check("disk1", "disk1.txz", "+disk1.txz disk1-");
    check("short.txz", "short-1-x-1.txz", "short.txz>short-1-x-1.txz"); /* both are "short" */
}

static void does_without_knowing_what_changed(void **state)
{
    (void)state;
    const char *names[] = {"a-1-x-1.txz"};
    struct pf_changes changes;
    struct pf_error err = {0};
    assert_ok(pf_changes_find(names, 1, names, NULL, 1, &changes, &err), &err);
    assert_int_equal(changes.count, 0);
    assert_false(changes.reordered);
    pf_changes_end(&changes);
    assert_ok(pf_changes_find(NULL, 0, NULL, NULL, 0, &changes, &err), &err);
    pf_changes_end(&changes);
}

/* The lists of a mirror that has one package that many times over. */
static void find_in_many(void *arg, size_t count)
{
    (void)arg;
    const char **names = calloc(2 * count, sizeof *names);
    struct pf_changes changes;
    struct pf_error err = {0};
    assert_non_null(names);
    for (size_t i = 0; i < 2 * count; i++) {
        char *name;
        assert_true(asprintf(&name, "a-%zu-x-1.txz", i) > 0);
        names[i] = name;
    }
    assert_ok(pf_changes_find(names, count, names + count, NULL, count, &changes, &err), &err);
    assert_int_equal(changes.count, count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(changes.items[i].kind, PF_CHANGE_UPDATED);
        assert_ptr_equal(changes.items[i].old_name, names[i]);
        assert_ptr_equal(changes.items[i].new_name, names[count + i]);
    }
    pf_changes_end(&changes);
    for (size_t i = 0; i < 2 * count; i++)
        free((char *)(uintptr_t)names[i]);
    free(names);
}

static void stays_linear(void **state)
{
    (void)state;
    assert_linear(find_in_many, NULL, 12500);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(tells_the_kinds),
    cmocka_unit_test(keeps_the_orders),
    cmocka_unit_test(tells_a_new_order_alone),
    cmocka_unit_test(copes_with_several_versions),
    cmocka_unit_test(takes_other_files_by_their_names),
    cmocka_unit_test(does_without_knowing_what_changed),
    cmocka_unit_test(stays_linear),
};
support_main(tests, false)
