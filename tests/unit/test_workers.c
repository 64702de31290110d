/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workers.h"

#include "support.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { COUNT = 300 };

/* Items are their own numbers + 1. */
struct run {
    struct pf_workers *workers;
    unsigned threads;
    size_t count, window;
    size_t order[COUNT];
    atomic_size_t taken;
    atomic_uint runs[COUNT];
    atomic_uint running;
    atomic_bool window_broken;
    atomic_bool hold; /* items wait while it is set */
    atomic_uint started;
    uint64_t seed;
};

static void *item_of(size_t number)
{
    return (void *)(uintptr_t)(number + 1);
}

static uint64_t work(void *ctx, void *item)
{
    struct run *run = ctx;
    size_t number = (size_t)(uintptr_t)item - 1;
    atomic_fetch_add(&run->runs[number], 1);
    atomic_fetch_add(&run->started, 1);
    /* The window counts from the next item to be taken; `taken` here lags behind by one at most. */
    if (number >= atomic_load(&run->taken) + 1 + run->window)
        atomic_store(&run->window_broken, true);
    while (atomic_load(&run->hold))
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    if (number % 7 == 0)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    return 1;
}

static void begin(struct run *run, unsigned threads, size_t count, size_t window, uint64_t seed)
{
    memset(run, 0, sizeof *run);
    run->threads = threads;
    run->count = count;
    run->window = window;
    run->seed = seed;
    for (size_t i = 0; i < count; i++)
        run->order[i] = i;
    for (size_t i = count; i > 1; i--) {
        size_t j = random_below(&run->seed, (uint32_t)i), swap = run->order[i - 1];
        run->order[i - 1] = run->order[j];
        run->order[j] = swap;
    }
    run->workers = pf_workers_new(&(struct pf_workers_settings){
        .threads = threads, .count = count, .fn = work, .ctx = run, .window = window});
    assert_non_null(run->workers);
}

static void *submit_all(void *arg)
{
    struct run *run = arg;
    for (size_t i = 0; i < run->count; i++)
        pf_workers_submit(run->workers, run->order[i], item_of(run->order[i]), 0);
    return NULL;
}

static void take_all(struct run *run)
{
    for (size_t i = 0; i < run->count; i++) {
        void *item = pf_workers_take(run->workers);
        assert_ptr_equal(item, item_of(i));
        assert_int_equal(atomic_load(&run->runs[i]), 1);
        atomic_store(&run->taken, i + 1);
    }
    assert_null(pf_workers_take(run->workers));
    assert_false(atomic_load(&run->window_broken));
    for (size_t i = 0; i < run->count; i++)
        assert_int_equal(atomic_load(&run->runs[i]), 1);
}

static const unsigned thread_counts[] = {0, 1, 2, 8, 64};

/* Submitted by another thread in any order, taken here: 0 first, each run once. */
static void gives_back_in_sequence_order(void **state)
{
    (void)state;
    static struct run run;
    static const size_t windows[] = {1, 3, 48, COUNT, SIZE_MAX};
    for (size_t t = 0; t < sizeof thread_counts / sizeof *thread_counts; t++) {
        for (size_t w = 0; w < sizeof windows / sizeof *windows; w++) {
            pthread_t thread;
            begin(&run, thread_counts[t], COUNT, windows[w] == SIZE_MAX ? SIZE_MAX / 2 : windows[w],
                  t * 10 + w);
            assert_int_equal(pthread_create(&thread, NULL, submit_all, &run), 0);
            take_all(&run);
            pthread_join(thread, NULL);
            pf_workers_free(run.workers);
        }
    }
}

static void takes_items_that_were_all_submitted_before(void **state)
{
    (void)state;
    static struct run run;
    for (size_t t = 0; t < sizeof thread_counts / sizeof *thread_counts; t++) {
        begin(&run, thread_counts[t], COUNT, 5, t);
        submit_all(&run);
        take_all(&run);
        pf_workers_free(run.workers);
    }
}

static void may_have_nothing_to_do(void **state)
{
    (void)state;
    static struct run run;
    for (size_t t = 0; t < sizeof thread_counts / sizeof *thread_counts; t++) {
        begin(&run, thread_counts[t], 0, 1, 1);
        assert_null(pf_workers_take(run.workers));
        pf_workers_free(run.workers);
    }
    pf_workers_free(NULL);
}

static void wait_for(atomic_uint *value, unsigned wanted)
{
    for (int i = 0; i < 20000 && atomic_load(value) < wanted; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_true(atomic_load(value) >= wanted);
}

/* With nothing taken, exactly the first `window` items run. */
static void runs_no_further_than_the_window(void **state)
{
    (void)state;
    static struct run run;
    begin(&run, 4, 50, 6, 3);
    submit_all(&run);
    wait_for(&run.started, 6);
    nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
    assert_int_equal(atomic_load(&run.started), 6);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(atomic_load(&run.runs[i]), 1);
    take_all(&run);
    pf_workers_free(run.workers);
}

/* Several items run at a time, which no serial pool would do. */
static void runs_items_at_the_same_time(void **state)
{
    (void)state;
    static struct run run;
    begin(&run, 8, 8, 8, 3);
    atomic_store(&run.hold, true);
    submit_all(&run);
    wait_for(&run.started, 8);
    atomic_store(&run.hold, false);
    take_all(&run);
    pf_workers_free(run.workers);
}

/* What each of two threads ran, in its order. */
struct sequences {
    atomic_uint threads;
    atomic_bool hold;
    atomic_uint started;
    size_t ran[2][COUNT], lengths[2];
};
static struct sequences sequences;

static uint64_t note_sequence(void *ctx, void *item)
{
    static _Thread_local unsigned thread;
    struct sequences *s = ctx;
    if (thread == 0)
        thread = atomic_fetch_add(&s->threads, 1) + 1;
    s->ran[thread - 1][s->lengths[thread - 1]++] = (size_t)(uintptr_t)item - 1;
    atomic_fetch_add(&s->started, 1);
    while (atomic_load(&s->hold))
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    return 1;
}

static struct pf_workers *begin_sequences(size_t window, uint64_t max_weight)
{
    sequences = (struct sequences){.hold = true};
    struct pf_workers *workers =
        pf_workers_new(&(struct pf_workers_settings){.threads = 2,
                                                     .count = COUNT,
                                                     .fn = note_sequence,
                                                     .ctx = &sequences,
                                                     .window = window,
                                                     .max_weight = max_weight});
    assert_non_null(workers);
    return workers;
}

/* The sizes are the numbers: one thread comes from below, the other from above. */
static void one_runs_the_lowest_the_others_the_largest(void **state)
{
    (void)state;
    struct pf_workers *workers = begin_sequences(COUNT, UINT64_MAX);
    pf_workers_submit(workers, 0, item_of(0), 0);
    pf_workers_submit(workers, 1, item_of(1), 1);
    wait_for(&sequences.started, 2); /* both have one: the rest comes while they are at it */
    for (size_t i = 2; i < COUNT; i++)
        pf_workers_submit(workers, i, item_of(i), i);
    atomic_store(&sequences.hold, false);
    for (size_t i = 0; i < COUNT; i++)
        assert_ptr_equal(pf_workers_take(workers), item_of(i));
    pf_workers_free(workers);
    unsigned up = 0, down = 0;
    for (unsigned t = 0; t < 2; t++) {
        const size_t *ran = sequences.ran[t], length = sequences.lengths[t];
        bool rises = true, falls = true;
        for (size_t i = 2; i < length; i++) {
            rises = rises && ran[i] > ran[i - 1];
            falls = falls && ran[i] < ran[i - 1];
        }
        up += rises;
        down += falls;
    }
    assert_true(up >= 1 && down >= 1);
}

/* Small items, and two long ones: the second and the last. */
enum { LONG = 100, SMALL = 200, FIRST_LONG = 1, LAST_LONG = SMALL + 1 };
struct balance {
    struct pf_workers *workers;
    atomic_bool hold[2]; /* the long ones */
    atomic_uint started[2];
    atomic_uint small, small_before_last; /* how many have begun, and when the last one did */
    atomic_bool hold_small, falls;
    atomic_size_t highest;
};

static uint64_t run_balanced(void *ctx, void *item)
{
    struct balance *b = ctx;
    size_t number = (size_t)(uintptr_t)item - 1;
    if (number != FIRST_LONG && number != LAST_LONG) {
        atomic_fetch_add(&b->small, 1);
        if (number < atomic_exchange(&b->highest, number))
            atomic_store(&b->falls, true);
        while (atomic_load(&b->hold_small))
            nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
        return 1;
    }
    bool last = number == LAST_LONG;
    if (last)
        atomic_store(&b->small_before_last, atomic_load(&b->small));
    else
        pf_workers_progress(b->workers, number, 60);
    atomic_store(&b->started[last], 1);
    while (atomic_load(&b->hold[last]))
        nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
    return 1;
}

/* Returns how many small ones had begun when the last long one did: one, where the thread that runs
   the lowest had taken the first long one. */
static unsigned run_balance(void)
{
    struct balance b = {.hold = {true, true}, .hold_small = true};
    b.workers = pf_workers_new(&(struct pf_workers_settings){.threads = 2,
                                                             .count = SMALL + 2,
                                                             .fn = run_balanced,
                                                             .ctx = &b,
                                                             .window = SMALL + 2,
                                                             .max_weight = UINT64_MAX});
    assert_non_null(b.workers);
    pf_workers_submit(b.workers, 0, item_of(0), 1);
    wait_for(&b.small, 1);
    pf_workers_submit(b.workers, FIRST_LONG, item_of(FIRST_LONG), LONG);
    wait_for(&b.started[0], 1);
    for (size_t i = FIRST_LONG + 1; i < LAST_LONG; i++)
        pf_workers_submit(b.workers, i, item_of(i), 1);
    pf_workers_submit(b.workers, LAST_LONG, item_of(LAST_LONG), LONG);
    atomic_store(&b.hold_small, false);
    wait_for(&b.started[1], 1);
    unsigned before = atomic_load(&b.small_before_last);
    assert_int_equal(atomic_load(&b.small), before); /* nobody else is there */
    atomic_store(&b.hold[0], false);
    wait_for(&b.small, SMALL);
    atomic_store(&b.hold[1], false);
    for (size_t i = 0; i < SMALL + 2; i++)
        assert_ptr_equal(pf_workers_take(b.workers), item_of(i));
    assert_false(before > 1 && atomic_load(&b.falls));
    pf_workers_free(b.workers);
    return before;
}

/* The first long one has 40 to go, so the last begins when some 126 small ones are left
   (4/3 of 100 for each of two threads). Then the other thread does the small ones, from below. */
static void begins_the_last_long_one_in_time(void **state)
{
    (void)state;
    unsigned before = 1;
    for (unsigned i = 0; i < 100 && before == 1; i++)
        before = run_balance();
    assert_in_range(before, SMALL - 135, SMALL - 120);
}

/* Nothing is taken: so much may wait, then everybody keeps to the window. */
static void runs_no_further_than_the_weight(void **state)
{
    (void)state;
    struct pf_workers *workers = begin_sequences(2, 3);
    atomic_store(&sequences.hold, false);
    for (size_t i = 0; i < COUNT; i++)
        pf_workers_submit(workers, i, item_of(i), i);
    wait_for(&sequences.started, 3);
    nanosleep(&(struct timespec){.tv_nsec = 30000000}, NULL);
    assert_true(atomic_load(&sequences.started) <= 5); /* three, and those in the window */
    for (size_t i = 0; i < COUNT; i++)
        assert_ptr_equal(pf_workers_take(workers), item_of(i));
    pf_workers_free(workers);
}

/* The serial twin starts no thread: the item runs on the thread that takes it. */
static pthread_t ran_on;

static uint64_t note_thread(void *ctx, void *item)
{
    (void)ctx, (void)item;
    ran_on = pthread_self();
    return 0;
}

static void serial_twin_runs_on_the_taker(void **state)
{
    (void)state;
    int item;
    struct pf_workers *workers =
        pf_workers_new(&(struct pf_workers_settings){.count = 1, .fn = note_thread, .window = 1});
    ran_on = (pthread_t)0;
    pf_workers_submit(workers, 0, &item, 0);
    assert_true(pthread_equal(ran_on, (pthread_t)0));
    assert_ptr_equal(pf_workers_take(workers), &item);
    assert_true(pthread_equal(ran_on, pthread_self()));
    pf_workers_free(workers);
}

static void *take_one(void *arg)
{
    return pf_workers_take(arg);
}

static void stop_wakes_the_taker(void **state)
{
    (void)state;
    static struct run run;
    for (size_t t = 0; t < sizeof thread_counts / sizeof *thread_counts; t++) {
        pthread_t thread;
        void *taken = &run;
        begin(&run, thread_counts[t], 10, 3, 1);
        pf_workers_submit(run.workers, 5, item_of(5), 0);
        assert_int_equal(pthread_create(&thread, NULL, take_one, run.workers), 0);
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        pf_workers_stop(run.workers);
        pf_workers_stop(run.workers);
        assert_int_equal(pthread_join(thread, &taken), 0);
        assert_null(taken);
        assert_null(pf_workers_take(run.workers));
        pf_workers_submit(run.workers, 0, item_of(0), 0); /* no fault, and nothing runs */
        assert_null(pf_workers_take(run.workers));
        pf_workers_free(run.workers);
        assert_int_equal(atomic_load(&run.runs[0]), 0);
    }
}

/* What runs already comes to its end before free returns; what waits is never started. */
static void free_waits_for_what_runs(void **state)
{
    (void)state;
    static struct run run;
    begin(&run, 2, 20, 20, 1);
    atomic_store(&run.hold, true);
    submit_all(&run);
    wait_for(&run.started, 2);
    pf_workers_stop(run.workers);
    atomic_store(&run.hold, false);
    pf_workers_free(run.workers);
    assert_int_equal(atomic_load(&run.started), 2);
}

/* Items that come piece by piece: a fn that follows each to its end. */
struct following {
    struct pf_workers *workers;
    atomic_uint begun, again, done;
    atomic_llong there; /* what was last said of the one that is followed */
    atomic_uint whole_runs[COUNT];
};

static uint64_t follow(void *ctx, void *item)
{
    struct following *f = ctx;
    size_t number = (size_t)(uintptr_t)item - 1;
    int64_t there = 0;
    atomic_fetch_add(&f->begun, 1);
    do {
        there = pf_workers_await(f->workers, number, (uint64_t)there);
        if (there != INT64_MAX)
            atomic_store(&f->there, there);
    } while (there >= 0 && there < INT64_MAX);
    if (there < 0) {
        atomic_fetch_add(&f->again, 1);
        return PF_WORK_AGAIN;
    }
    atomic_fetch_add(&f->whole_runs[number], 1);
    atomic_fetch_add(&f->done, 1);
    return 1;
}

static void begin_following(struct following *f, unsigned threads, size_t count)
{
    memset(f, 0, sizeof *f);
    f->workers = pf_workers_new(&(struct pf_workers_settings){
        .threads = threads, .count = count, .fn = follow, .ctx = f, .window = 1, .max_weight = 8});
    assert_non_null(f->workers);
}

static void wait_for_bytes(struct following *f, long long wanted)
{
    for (int i = 0; i < 20000 && atomic_load(&f->there) != wanted; i++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    assert_int_equal(atomic_load(&f->there), wanted);
}

static void begins_what_is_still_coming(void **state)
{
    (void)state;
    static struct following f;
    begin_following(&f, 2, 1);
    pf_workers_feed(f.workers, 0, item_of(0), 10, 40);
    wait_for_bytes(&f, 10);
    pf_workers_feed(f.workers, 0, item_of(0), 25, 40);
    wait_for_bytes(&f, 25);
    assert_int_equal(atomic_load(&f.done), 0);
    pf_workers_submit(f.workers, 0, item_of(0), 40);
    assert_ptr_equal(pf_workers_take(f.workers), item_of(0));
    assert_int_equal(atomic_load(&f.begun), 1);
    pf_workers_free(f.workers);
}

/* The only thread waits for bytes of the third; what becomes ready meanwhile is run by it. */
static void runs_others_while_it_waits(void **state)
{
    (void)state;
    static struct following f;
    begin_following(&f, 1, 3);
    pf_workers_feed(f.workers, 2, item_of(2), 7, 0);
    wait_for_bytes(&f, 7);
    for (size_t i = 0; i < 2; i++) {
        pf_workers_submit(f.workers, i, item_of(i), 1);
        assert_ptr_equal(pf_workers_take(f.workers), item_of(i));
    }
    assert_int_equal(atomic_load(&f.whole_runs[2]), 0);
    pf_workers_submit(f.workers, 2, item_of(2), 9);
    assert_ptr_equal(pf_workers_take(f.workers), item_of(2));
    assert_int_equal(atomic_load(&f.begun), 3);
    pf_workers_free(f.workers);
}

/* It came anew: what was done is of no use, and it is run once more only when it is whole. */
static void begins_again_what_was_in_vain(void **state)
{
    (void)state;
    static struct following f;
    begin_following(&f, 2, 2);
    pf_workers_feed(f.workers, 0, item_of(0), 10, 40);
    wait_for_bytes(&f, 10);
    pf_workers_feed(f.workers, 0, item_of(0), 0, 40);
    wait_for(&f.again, 1);
    pf_workers_feed(f.workers, 0, item_of(0), 30, 40);
    pf_workers_feed(f.workers, 1, item_of(1), 5, 40);
    wait_for_bytes(&f, 5); /* the other one is begun, not this one again */
    assert_int_equal(atomic_load(&f.begun), 2);
    for (size_t i = 0; i < 2; i++)
        pf_workers_submit(f.workers, i, item_of(i), 40);
    for (size_t i = 0; i < 2; i++)
        assert_ptr_equal(pf_workers_take(f.workers), item_of(i));
    assert_int_equal(atomic_load(&f.begun), 3);
    assert_int_equal(atomic_load(&f.whole_runs[0]), 1);
    pf_workers_free(f.workers);
}

static uint64_t refuse(void *ctx, void *item)
{
    (void)ctx, (void)item;
    return PF_WORK_AGAIN;
}

/* An item that was whole when it began has run, whatever its fn says. */
static void runs_whole_items_once(void **state)
{
    (void)state;
    for (size_t t = 0; t < sizeof thread_counts / sizeof *thread_counts; t++) {
        struct pf_workers *workers = pf_workers_new(&(struct pf_workers_settings){
            .threads = thread_counts[t], .count = 3, .fn = refuse, .window = 3, .max_weight = 8});
        assert_non_null(workers);
        for (size_t i = 0; i < 3; i++)
            pf_workers_submit(workers, i, item_of(i), 1);
        for (size_t i = 0; i < 3; i++)
            assert_ptr_equal(pf_workers_take(workers), item_of(i));
        pf_workers_free(workers);
    }
}

static void stop_wakes_who_waits_for_bytes(void **state)
{
    (void)state;
    static struct following f;
    begin_following(&f, 2, 2);
    pf_workers_feed(f.workers, 1, item_of(1), 10, 40);
    wait_for_bytes(&f, 10);
    pf_workers_stop(f.workers);
    pf_workers_free(f.workers);
    assert_int_equal(atomic_load(&f.again), 1);
}

/* Eight come at a time, by random pieces, some of them anew from the beginning. */
static void *feed_all(void *arg)
{
    struct following *f = arg;
    uint64_t seed = 5, there[COUNT] = {0};
    size_t coming[8], count = 0, next = 0;
    while (next < COUNT || count > 0) {
        while (count < 8 && next < COUNT)
            coming[count++] = next++;
        size_t i = random_below(&seed, (uint32_t)count), number = coming[i];
        uint32_t what = random_below(&seed, 10);
        if (what == 0) {
            pf_workers_submit(f->workers, number, item_of(number), there[number]);
            coming[i] = coming[--count];
        } else {
            there[number] = what == 1 ? 0 : there[number] + what;
            pf_workers_feed(f->workers, number, item_of(number), there[number], what * 10);
        }
    }
    return NULL;
}

static void follows_whatever_comes(void **state)
{
    (void)state;
    static struct following f;
    for (size_t t = 0; t < sizeof thread_counts / sizeof *thread_counts; t++) {
        pthread_t thread;
        begin_following(&f, thread_counts[t], COUNT);
        assert_int_equal(pthread_create(&thread, NULL, feed_all, &f), 0);
        for (size_t i = 0; i < COUNT; i++) {
            assert_ptr_equal(pf_workers_take(f.workers), item_of(i));
            assert_int_equal(atomic_load(&f.whole_runs[i]), 1);
        }
        pthread_join(thread, NULL);
        pf_workers_free(f.workers);
        assert_int_equal(atomic_load(&f.done), COUNT);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(gives_back_in_sequence_order),
    cmocka_unit_test(takes_items_that_were_all_submitted_before),
    cmocka_unit_test(may_have_nothing_to_do),
    cmocka_unit_test(runs_no_further_than_the_window),
    cmocka_unit_test(runs_items_at_the_same_time),
    cmocka_unit_test(one_runs_the_lowest_the_others_the_largest),
    cmocka_unit_test(begins_the_last_long_one_in_time),
    cmocka_unit_test(runs_no_further_than_the_weight),
    cmocka_unit_test(begins_what_is_still_coming),
    cmocka_unit_test(runs_others_while_it_waits),
    cmocka_unit_test(begins_again_what_was_in_vain),
    cmocka_unit_test(runs_whole_items_once),
    cmocka_unit_test(stop_wakes_who_waits_for_bytes),
    cmocka_unit_test(follows_whatever_comes),
    cmocka_unit_test(serial_twin_runs_on_the_taker),
    cmocka_unit_test(stop_wakes_the_taker),
    cmocka_unit_test(free_waits_for_what_runs),
};
support_main(tests, false)
