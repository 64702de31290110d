/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter.h"

#include "support.h"

static struct pf_event last;
static unsigned sent;

static void keep(void *ctx, const struct pf_event *event)
{
    (void)ctx;
    last = *event;
    sent++;
}

static void begin(struct pf_meter *meter, const struct pf_plan *plan, struct pf_events **events)
{
    struct pf_error err = {0};
    sent = 0;
    *events = pf_events_new(keep, NULL);
    assert_ok(pf_meter_init(meter, plan, *events, &err), &err);
}

static void knows_the_total_when_every_size_is_known(void **state)
{
    (void)state;
    char a[] = "a", b[] = "b", c[] = "c";
    struct pf_plan_entry entries[] = {{.file = a, .size_bytes = 100},
                                      {.file = b, .size_bytes = -1, .about_bytes = 900},
                                      {.file = c, .size_bytes = -1}};
    struct pf_plan plan = {.entries = entries, .count = 3};
    struct pf_meter meter;
    struct pf_events *events;
    begin(&meter, &plan, &events);
    assert_true(pf_meter_is_due(&meter, 0));
    pf_meter_running(&meter, 0, 40, -1);
    assert_int_equal(last.type, PF_EVENT_TRANSFER);
    assert_string_equal(last.subject, "a");
    assert_int_equal(last.bytes, 40);
    assert_int_equal(last.total, 100);
    pf_meter_tell(&meter, 40);
    assert_int_equal(last.type, PF_EVENT_FETCHING);
    assert_int_equal(last.total, 0);
    assert_int_equal(last.received, 40);
    /* The server tells of the third, and of the second something else than the page. */
    assert_false(pf_meter_is_due(&meter, PF_EVENT_INTERVAL_MS - 1));
    assert_true(pf_meter_is_due(&meter, PF_EVENT_INTERVAL_MS));
    pf_meter_running(&meter, 2, 1, 50);
    pf_meter_running(&meter, 1, 2, 950);
    pf_meter_tell(&meter, 0);
    assert_int_equal(last.bytes, 3);
    assert_int_equal(last.total, 1100);
    /* What is there counts as it is. */
    pf_meter_done(&meter, 0, 120);
    pf_meter_tell(&meter, 0);
    assert_int_equal(last.index, 1);
    assert_int_equal(last.count, 3);
    assert_int_equal(last.bytes, 120);
    assert_int_equal(last.total, 1120);
    pf_meter_end(&meter);
    pf_events_free(events);
}

/* A page may say anything: no total is less than what is there. */
static void believes_no_small_total(void **state)
{
    (void)state;
    char a[] = "a";
    struct pf_plan_entry entries[] = {{.file = a, .size_bytes = -1, .about_bytes = 10}};
    struct pf_plan plan = {.entries = entries, .count = 1};
    struct pf_meter meter;
    struct pf_events *events;
    begin(&meter, &plan, &events);
    pf_meter_is_due(&meter, 0);
    pf_meter_running(&meter, 0, 500, 20);
    pf_meter_tell(&meter, 500);
    assert_int_equal(last.bytes, 500);
    assert_int_equal(last.total, 0);
    pf_meter_end(&meter);
    pf_events_free(events);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(knows_the_total_when_every_size_is_known),
    cmocka_unit_test(believes_no_small_total),
};
support_main(tests, false)
