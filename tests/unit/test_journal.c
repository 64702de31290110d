/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "journal.h"

#include "support.h"

#include <fcntl.h>
#include <unistd.h>

#define A "a-1-x-1.txz"
#define B "b-1-x-1.txz"
#define C "c-1-x-1.txz"

static struct temp temp;
static struct pf_plan plan;
static struct pf_journal *journal;
static struct pf_error err;
static bool have[3];

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    plan = (struct pf_plan){0};
    assert_ok(pf_plan_add(&plan, A, "http://h/a", 5, &err), &err);
    assert_ok(pf_plan_add(&plan, B, "http://h/b", -1, &err), &err);
    assert_ok(pf_plan_add(&plan, C, "http://h/c", -1, &err), &err);
    memset(have, 0, sizeof have);
    journal = NULL;
    return 0;
}

static int end(void **state)
{
    (void)state;
    pf_journal_close(journal);
    pf_plan_end(&plan);
    temp_end(&temp);
    return 0;
}

static void open_again(void)
{
    pf_journal_close(journal);
    journal = NULL;
    err = (struct pf_error){0};
    assert_ok(pf_journal_open(temp.fd, &journal, &err), &err);
}

static void adopt(void)
{
    memset(have, 0, sizeof have);
    assert_ok(pf_journal_adopt(journal, &plan, have, NULL, &err), &err);
}

/* The journal's own name: what is in the folder besides the plan's files. */
static char *journal_name(void)
{
    char *tree = tree_text(temp.fd, 0);
    char *start = strstr(tree, ".plamo-fast");
    char *name = start ? strndup(start, strcspn(start, " ")) : NULL;
    free(tree);
    return name;
}

static void adopts_what_it_vouches_for(void **state)
{
    (void)state;
    open_again();
    assert_ok(pf_journal_note_begun(journal, A, "http://h/a", "\"tag\"", &err), &err);
    assert_ok(pf_journal_note_done(journal, A, 5, &err), &err);
    put_file(temp.fd, A, "12345");
    open_again();
    adopt();
    assert_true(have[0] && !have[1] && !have[2]);
    assert_file(temp.fd, A, "12345");
}

/* Complete by a shell's run, or of another size than was noted: to be verified. */
static void makes_a_part_of_what_nobody_vouches_for(void **state)
{
    (void)state;
    open_again();
    assert_ok(pf_journal_note_done(journal, B, 5, &err), &err);
    assert_ok(pf_journal_note_begun(journal, C, "http://h/c", "\"x\"", &err), &err);
    put_file(temp.fd, A, "12345");
    put_file(temp.fd, B, "123");
    put_file(temp.fd, C, ""); /* nothing, as an unknown size might be taken for */
    open_again();
    adopt();
    assert_false(have[0] || have[1] || have[2]);
    assert_false(has_name(temp.fd, A) || has_name(temp.fd, B) || has_name(temp.fd, C));
    assert_file(temp.fd, A ".part", "12345");
    assert_file(temp.fd, B ".part", "123");
    assert_file(temp.fd, C ".part", "");
    adopt(); /* a second time changes nothing */
    assert_file(temp.fd, A ".part", "12345");
}

static void keeps_parts_and_removes_strangers(void **state)
{
    (void)state;
    open_again();
    put_file(temp.fd, A ".part", "12");
    put_file(temp.fd, "old-1-x-1.txz", "x");
    put_file(temp.fd, "old-1-x-1.txz.part", "x");
    put_file(temp.fd, ".part", "x");
    put_file(temp.fd, "folder/x", "x");
    put_link(temp.fd, B, "/etc/passwd");
    put_folder(temp.fd, C, 0755);
    put_link(temp.fd, C ".part", A ".part");
    adopt();
    char *own = journal_name();
    char *tree = tree_text(temp.fd, 0);
    assert_non_null(own);
    assert_contains(tree, A ".part 100644");
    size_t lines = 0;
    for (const char *p = tree; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 2); /* that and the journal */
    assert_false(have[0] || have[1] || have[2]);
    free(own);
    free(tree);
}

static void knows_the_validator_of_the_same_url_only(void **state)
{
    (void)state;
    open_again();
    assert_null(pf_journal_validator(journal, A, "http://h/a"));
    assert_ok(pf_journal_note_begun(journal, A, "http://h/a", "\"one two\"", &err), &err);
    assert_ok(pf_journal_note_begun(journal, B, "http://h/b", "", &err), &err);
    open_again();
    assert_string_equal(pf_journal_validator(journal, A, "http://h/a"), "\"one two\"");
    assert_null(pf_journal_validator(journal, A, "http://other/a"));
    assert_string_equal(pf_journal_validator(journal, B, "http://h/b"), "");
    assert_null(pf_journal_validator(journal, C, "http://h/c"));
    assert_ok(pf_journal_note_begun(journal, A, "http://new/a", "\"three\"", &err), &err);
    open_again();
    assert_null(pf_journal_validator(journal, A, "http://h/a"));
    assert_string_equal(pf_journal_validator(journal, A, "http://new/a"), "\"three\"");
}

/* Begun anew after it was done: what is there is no longer whole. */
static void a_new_beginning_takes_the_good_end_back(void **state)
{
    (void)state;
    open_again();
    assert_ok(pf_journal_note_done(journal, A, 5, &err), &err);
    assert_ok(pf_journal_note_begun(journal, A, "http://h/a", "x", &err), &err);
    put_file(temp.fd, A, "12345");
    open_again();
    adopt();
    assert_false(have[0]);
    assert_true(has_name(temp.fd, A ".part"));
}

/* The end of a file is noted before it gets its name: a kill in between loses nothing. */
static void gives_a_whole_part_its_name(void **state)
{
    (void)state;
    open_again();
    assert_ok(pf_journal_note_done(journal, A, 5, &err), &err);
    assert_ok(pf_journal_note_done(journal, B, 5, &err), &err);
    put_file(temp.fd, A ".part", "12345");
    put_file(temp.fd, B ".part", "1234");
    put_file(temp.fd, C ".part", "12345");
    open_again();
    adopt();
    assert_true(have[0]);
    assert_file(temp.fd, A, "12345");
    assert_false(have[1]);
    assert_false(have[2]);
    assert_true(has_name(temp.fd, B ".part"));
    assert_true(has_name(temp.fd, C ".part"));
}

/* An update fetches what another one had finished: the newer one counts, however long the older is.
 */
static void prefers_a_whole_part_to_what_has_the_name(void **state)
{
    (void)state;
    open_again();
    assert_ok(pf_journal_note_done(journal, A, 5, &err), &err);
    assert_ok(pf_journal_note_done(journal, B, 5, &err), &err);
    put_file(temp.fd, A, "older");
    put_file(temp.fd, A ".part", "newer");
    put_file(temp.fd, B ".part", "newer");
    put_file(temp.fd, B, "older");
    open_again();
    adopt();
    assert_true(have[0] && have[1]);
    assert_file(temp.fd, A, "newer");
    assert_file(temp.fd, B, "newer");
    assert_false(has_name(temp.fd, A ".part") || has_name(temp.fd, B ".part"));
}

/* A kill at any byte leaves a journal that the next run reads and goes on with. */
static void passes_over_a_line_that_was_cut(void **state)
{
    (void)state;
    open_again();
    assert_ok(pf_journal_note_done(journal, A, 5, &err), &err);
    char *name = journal_name(), *first = get_file(temp.fd, name);
    assert_ok(pf_journal_note_begun(journal, B, "http://h/b", "tag", &err), &err);
    assert_ok(pf_journal_note_done(journal, B, 3, &err), &err);
    char *all = get_file(temp.fd, name);
    for (size_t n = strlen(first); n <= strlen(all); n++) {
        put_bytes(temp.fd, name, all, n, 0644);
        put_file(temp.fd, A, "12345");
        put_file(temp.fd, B, "123");
        open_again();
        assert_ok(pf_journal_note_done(journal, C, 1, &err), &err);
        put_file(temp.fd, C, "1");
        open_again();
        adopt();
        const char *validator = pf_journal_validator(journal, B, "http://h/b");
        bool whole = n >= strlen(all) - 1; /* only the newline is missing, or nothing */
        if (!have[0] || !have[2] || (have[1] && !whole) || (!have[1] && n == strlen(all)))
            fail_msg("cut at %zu: %d %d %d", n, have[0], have[1], have[2]);
        if (validator && strcmp(validator, "tag") != 0)
            fail_msg("cut at %zu: the validator \"%s\"", n, validator);
    }
    free(name);
    free(first);
    free(all);
}

static void passes_over_lines_of_nonsense(void **state)
{
    (void)state;
    static const char nonsense[] =
        "\n\t\t\t\ndone\ndone\t" A "\ndone\t" A "\tx\ndone\t" A "\t5x\ndone\t" A "\t\nbegun\t" A
        "\tu\nother\t" A "\t5\n\xff\xfe\n";
    open_again();
    char *name = journal_name();
    put_file(temp.fd, name, nonsense);
    put_file(temp.fd, A, "12345");
    open_again();
    adopt();
    assert_false(have[0]);
    free(name);
}

/* What a power failure may make of the end of a file that was being written. */
static void goes_on_behind_zeros(void **state)
{
    (void)state;
    static const char zeros[] = "done\t" A "\t5\ndone\t" B "\0\0\0\0";
    open_again();
    char *name = journal_name();
    put_bytes(temp.fd, name, zeros, sizeof zeros - 1, 0644);
    open_again();
    assert_ok(pf_journal_note_begun(journal, B, "http://h/b", "tag", &err), &err);
    assert_ok(pf_journal_note_done(journal, C, 1, &err), &err);
    put_file(temp.fd, A, "12345");
    put_file(temp.fd, C, "1");
    open_again();
    adopt();
    assert_true(have[0] && !have[1] && have[2]);
    assert_string_equal(pf_journal_validator(journal, B, "http://h/b"), "tag");
    free(name);
}

static void removes_itself(void **state)
{
    (void)state;
    open_again();
    assert_ok(pf_journal_note_done(journal, A, 5, &err), &err);
    assert_ok(pf_journal_remove(temp.fd, &err), &err);
    char *tree = tree_text(temp.fd, 0);
    assert_string_equal(tree, "");
    free(tree);
    assert_ok(pf_journal_remove(temp.fd, &err), &err);
    pf_journal_close(NULL);
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(adopts_what_it_vouches_for),
    test(makes_a_part_of_what_nobody_vouches_for),
    test(keeps_parts_and_removes_strangers),
    test(knows_the_validator_of_the_same_url_only),
    test(a_new_beginning_takes_the_good_end_back),
    test(gives_a_whole_part_its_name),
    test(prefers_a_whole_part_to_what_has_the_name),
    test(passes_over_a_line_that_was_cut),
    test(passes_over_lines_of_nonsense),
    test(goes_on_behind_zeros),
    test(removes_itself),
};
support_main(tests, false)
