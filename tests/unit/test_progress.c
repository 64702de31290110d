/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "progress.h"

#include "support.h"

static void send(struct progress *progress, int64_t now_ms, struct pf_event event)
{
    progress_take(progress, &event, now_ms);
    progress_tick(progress, now_ms);
}

static void fetching(struct progress *progress, int64_t now_ms, uint64_t bytes, uint64_t received)
{
    send(progress, now_ms,
         (struct pf_event){.type = PF_EVENT_FETCHING,
                           .index = 1,
                           .count = 9,
                           .bytes = bytes,
                           .total = 100000,
                           .received = received});
}

/* What was there before is part of the whole, but says nothing of the rate. */
static void does_not_take_old_files_for_speed(void **state)
{
    (void)state;
    struct progress progress;
    struct barline lines[PROGRESS_MAX_LINES];
    progress_init(&progress, 0);
    for (int64_t now_ms = 0; now_ms <= 4000; now_ms += 100)
        fetching(&progress, now_ms, 50000 + (uint64_t)now_ms, (uint64_t)now_ms);
    assert_int_equal(progress_lines(&progress, 4000, lines, 4), 1);
    assert_string_equal(lines[0].label, "fetch");
    assert_true(lines[0].fraction == 0.54);
    assert_int_equal((int)lines[0].bytes_per_s, 1000);
    assert_int_equal((int)lines[0].remaining_s, 46);
    /* A stall: after a while nobody knows. */
    for (int64_t now_ms = 4100; now_ms <= 14000; now_ms += 100)
        fetching(&progress, now_ms, 54000, 4000);
    progress_lines(&progress, 14000, lines, 4);
    assert_true(lines[0].remaining_s < 0);
}

static void transfer(struct progress *progress, int64_t now_ms, const char *file, uint64_t total)
{
    send(progress, now_ms,
         (struct pf_event){.type = PF_EVENT_TRANSFER, .subject = file, .bytes = 1, .total = total});
}

static void shows_the_largest_that_take_long(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d"};
    static const uint64_t sizes[] = {100, 4000, 3000, 2000};
    struct progress progress;
    struct barline lines[PROGRESS_MAX_LINES];
    progress_init(&progress, 0);
    for (size_t i = 0; i < 4; i++)
        transfer(&progress, 0, names[i], sizes[i]);
    assert_int_equal(progress_lines(&progress, 100, lines, 2), 0);
    assert_int_equal(progress_lines(&progress, 900, lines, 2), 2);
    assert_string_equal(lines[0].label, "b");
    assert_string_equal(lines[1].label, "c");
    assert_int_equal(progress_lines(&progress, 900, lines, 9), 4);
    assert_int_equal(progress_lines(&progress, 900, lines, 0), 0);
    send(&progress, 900, (struct pf_event){.type = PF_EVENT_FETCHED, .subject = "b"});
    assert_int_equal(progress_lines(&progress, 900, lines, 2), 2);
    assert_string_equal(lines[0].label, "c");
    /* Nothing more is heard of one: it waits for another try. */
    for (int64_t now_ms = 1000; now_ms < 3000; now_ms += 100)
        transfer(&progress, now_ms, "d", 2000);
    assert_int_equal(progress_lines(&progress, 3000, lines, 9), 1);
    assert_string_equal(lines[0].label, "d");
}

static void decode(struct progress *progress, int64_t now_ms, enum pf_event_type type,
                   const char *file, uint64_t bytes)
{
    send(progress, now_ms,
         (struct pf_event){.type = type, .subject = file, .bytes = bytes, .total = 1000});
}

static void sums_up_what_is_decoded(void **state)
{
    (void)state;
    struct progress progress;
    struct barline lines[PROGRESS_MAX_LINES];
    progress_init(&progress, 0);
    send(&progress, 0, (struct pf_event){.type = PF_EVENT_INSTALLING, .count = 2, .total = 2000});
    decode(&progress, 0, PF_EVENT_DECODING, "a", 0);
    decode(&progress, 0, PF_EVENT_DECODING, "b", 0);
    decode(&progress, 10, PF_EVENT_DECODING, "b", 500);
    decode(&progress, 20, PF_EVENT_DECODED, "a", 5000);
    assert_int_equal(progress_lines(&progress, 900, lines, 4), 2);
    assert_string_equal(lines[0].label, "install");
    assert_int_equal(lines[0].bytes, 1500);
    assert_true(lines[0].fraction == 0.75);
    assert_string_equal(lines[1].label, "b");
    decode(&progress, 20, PF_EVENT_DECODED, "b", 5000);
    send(&progress, 30,
         (struct pf_event){.type = PF_EVENT_INSTALLED, .subject = "b", .index = 2, .count = 2});
    progress_lines(&progress, 900, lines, 4);
    assert_int_equal(lines[0].items, 2);
    assert_true(lines[0].fraction == 1);
    assert_false(lines[0].has_remaining);
}

/* Several roots are copied at once, and one after the other. */
static void sums_up_roots(void **state)
{
    (void)state;
    struct progress progress;
    struct barline lines[PROGRESS_MAX_LINES];
    progress_init(&progress, 0);
    for (uint64_t i = 1; i <= 3; i++) {
        const char *root = i == 1 ? "/a" : i == 2 ? "/b" : "/c";
        send(&progress, 0,
             (struct pf_event){
                 .type = PF_EVENT_COPYING, .subject = root, .index = i, .bytes = i * 100});
    }
    send(&progress, 0,
         (struct pf_event){.type = PF_EVENT_CLONED, .subject = "/b", .count = 10, .bytes = 1000});
    assert_int_equal(progress_lines(&progress, 900, lines, 4), 1);
    assert_string_equal(lines[0].label, "copy");
    assert_int_equal(lines[0].items, 14);
    assert_int_equal(lines[0].bytes, 1400);
    assert_true(lines[0].remaining_s < 0);
}

/* They become whole in any order; one that takes long comes last. */
static void counts_containers(void **state)
{
    (void)state;
    struct progress progress;
    struct barline lines[PROGRESS_MAX_LINES];
    progress_init(&progress, 0);
    for (int64_t i = 1; i <= 4; i++) {
        send(&progress, i * 1000,
             (struct pf_event){.type = PF_EVENT_CONTAINER,
                               .subject = "c",
                               .text = "made",
                               .index = (uint64_t)(10 - i),
                               .count = 10});
        progress_tick(&progress, i * 1000);
    }
    assert_int_equal(progress_lines(&progress, 4000, lines, 4), 1);
    assert_string_equal(lines[0].label, "create");
    assert_int_equal(lines[0].items, 4);
    assert_int_equal(lines[0].count, 10);
    assert_true(lines[0].fraction > 0.39 && lines[0].fraction < 0.41);
    assert_true(lines[0].has_remaining && lines[0].remaining_s > 5 && lines[0].remaining_s < 7);
    assert_true(lines[0].bytes_per_s < 0);
}

/* More than there is room for, and names without end. */
static void stands_many_files(void **state)
{
    (void)state;
    struct progress progress;
    struct barline lines[PROGRESS_MAX_LINES];
    char name[600];
    progress_init(&progress, 0);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%0500u", i);
        transfer(&progress, 0, name, i);
        snprintf(name, sizeof name, "%u", i);
        decode(&progress, 0, PF_EVENT_DECODING, name, 1);
    }
    assert_int_equal(progress_lines(&progress, 600, lines, 5000), PROGRESS_MAX_FILES);
    for (unsigned i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%u", i);
        decode(&progress, 0, PF_EVENT_DECODED, name, 1);
    }
    progress_tick(&progress, 5000);
    assert_int_equal(progress.file_count, 0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(does_not_take_old_files_for_speed),
    cmocka_unit_test(shows_the_largest_that_take_long),
    cmocka_unit_test(sums_up_what_is_decoded),
    cmocka_unit_test(sums_up_roots),
    cmocka_unit_test(counts_containers),
    cmocka_unit_test(stands_many_files),
};
support_main(tests, false)
