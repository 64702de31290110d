/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workers.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

/* An item of a sixteenth of all sizes, or more, is long: where it begins decides on the end. */
#define LONG_PART 16

#define NO_THREAD UINT_MAX

enum slot_state { SLOT_EMPTY, SLOT_READY, SLOT_RUNNING, SLOT_RUN };

struct slot {
    enum slot_state state;
    void *item;
    uint64_t size, weight;
    uint64_t there;        /* bytes of an item that is still coming */
    _Atomic uint64_t done; /* of its size, while it runs; not under the mutex */
    bool whole;            /* it was submitted */
    bool fed;              /* its number is among those in `fed` */
    bool tried;            /* it has been begun once before it was whole, which is enough */
    bool dropped;          /* what was there when it began is not its any more */
};

/* Numbers of what is ready, or was; what goes before all others is on top. */
struct heap {
    size_t *numbers;
    size_t count;
    bool (*before)(const struct slot *slots, size_t a, size_t b);
};

struct pf_workers {
    struct pf_workers_settings settings;
    unsigned thread_count;
    pthread_t *threads;
    pthread_mutex_t mutex;
    pthread_cond_t can_run; /* a slot became ready or got more, the window moved, or stop */
    pthread_cond_t has_run; /* a slot has run or (serial twin) became ready, or stop */
    /* All below: under mutex. */
    struct slot *slots;
    size_t taken;           /* items given back so far: the next one has this number */
    size_t unbegun;         /* items that are neither running nor have run */
    uint64_t weight;        /* of what has run and was not taken */
    unsigned begun;         /* threads that have come to life */
    unsigned lowest_thread; /* the one that runs the lowest; NO_THREAD: the next that looks */
    size_t unsubmitted;
    uint64_t total, ready_size; /* sizes of what was submitted, and of what of it is ready */
    size_t *running;            /* numbers; a thread that waits for bytes runs two */
    size_t running_count;
    struct heap lowest, largest;
    size_t *fed; /* numbers of items that are still coming; no more than come at a time */
    size_t fed_count;
    bool stop;
};

static bool is_lower(const struct slot *slots, size_t a, size_t b)
{
    (void)slots;
    return a < b;
}

static bool is_larger(const struct slot *slots, size_t a, size_t b)
{
    return slots[a].size > slots[b].size;
}

static bool goes_before(const struct pf_workers *w, const struct heap *heap, size_t a, size_t b)
{
    return heap->before(w->slots, heap->numbers[a], heap->numbers[b]);
}

static void swap(struct heap *heap, size_t a, size_t b)
{
    size_t number = heap->numbers[a];
    heap->numbers[a] = heap->numbers[b];
    heap->numbers[b] = number;
}

static void heap_push(const struct pf_workers *w, struct heap *heap, size_t number)
{
    size_t i = heap->count++;
    heap->numbers[i] = number;
    for (; i > 0 && goes_before(w, heap, i, (i - 1) / 2); i = (i - 1) / 2)
        swap(heap, i, (i - 1) / 2);
}

static void heap_pop(const struct pf_workers *w, struct heap *heap)
{
    heap->numbers[0] = heap->numbers[--heap->count];
    for (size_t i = 0, child; (child = 2 * i + 1) < heap->count; i = child) {
        if (child + 1 < heap->count && goes_before(w, heap, child + 1, child))
            child++;
        if (!goes_before(w, heap, child, i))
            return;
        swap(heap, i, child);
    }
}

/* May that one run now, by what waits already? */
static bool is_allowed(const struct pf_workers *w, size_t number)
{
    return number - w->taken < w->settings.window || w->weight < w->settings.max_weight;
}

/* The first of what is ready, or count. */
static size_t find_first(const struct pf_workers *w, struct heap *heap)
{
    while (heap->count > 0 && w->slots[heap->numbers[0]].state != SLOT_READY)
        heap_pop(w, heap);
    return heap->count > 0 ? heap->numbers[0] : w->settings.count;
}

/* The item to run next, or count. Plan order keeps the commits fed. */
static size_t find_ready(struct pf_workers *w, bool largest)
{
    size_t count = w->settings.count;
    size_t number = largest ? find_first(w, &w->largest) : count;
    if (number == count || !is_allowed(w, number))
        number = find_first(w, &w->lowest);
    return number < count && is_allowed(w, number) ? number : count;
}

/* Of what is still coming the largest that may be begun, or count. */
static size_t find_fed(struct pf_workers *w)
{
    size_t found = w->settings.count;
    for (size_t i = 0; i < w->fed_count;) {
        size_t number = w->fed[i];
        struct slot *slot = &w->slots[number];
        if (slot->state != SLOT_EMPTY || slot->tried || slot->there == 0) {
            slot->fed = false;
            w->fed[i] = w->fed[--w->fed_count];
            continue;
        }
        if (is_allowed(w, number) &&
            (found == w->settings.count || is_larger(w->slots, number, found)))
            found = number;
        i++;
    }
    return found;
}

/* Is it time for the largest item, as all others would be done before it otherwise? Sizes are no
   times, so it begins by a quarter too early: the small ones even out the rest. Nobody knows while
   items are still to come. */
static bool is_urgent(struct pf_workers *w)
{
    size_t number = w->unsubmitted ? w->settings.count : find_first(w, &w->largest);
    if (number == w->settings.count || !is_allowed(w, number))
        return false;
    uint64_t size = w->slots[number].size, left = w->ready_size;
    for (size_t i = 0; i < w->running_count; i++) {
        const struct slot *slot = &w->slots[w->running[i]];
        uint64_t done = atomic_load_explicit(&slot->done, memory_order_relaxed);
        left += done < slot->size ? slot->size - done : 0;
    }
    return size > 0 && size >= w->total / LONG_PART && size >= left / 4 * 3 / w->settings.threads;
}

/* Does a thread that is free run the largest? */
static bool takes_largest(struct pf_workers *w, unsigned thread)
{
    if (w->settings.max_weight == 0 || w->settings.threads < 2)
        return false;
    if (w->lowest_thread == NO_THREAD)
        w->lowest_thread = thread;
    if (w->lowest_thread == thread && is_urgent(w))
        w->lowest_thread = NO_THREAD;
    return w->lowest_thread != thread;
}

static void make_ready(struct pf_workers *w, size_t number)
{
    w->slots[number].state = SLOT_READY;
    w->ready_size += w->slots[number].size;
    if (w->thread_count == 0)
        return;
    heap_push(w, &w->lowest, number);
    if (w->settings.max_weight)
        heap_push(w, &w->largest, number);
}

static void run(struct pf_workers *w, size_t number)
{
    struct slot *slot = &w->slots[number];
    if (slot->state == SLOT_READY)
        w->ready_size -= slot->size;
    slot->state = SLOT_RUNNING;
    atomic_store_explicit(&slot->done, 0, memory_order_relaxed);
    w->running[w->running_count++] = number;
    bool began_whole = slot->whole;
    void *item = slot->item;
    slot->tried |= !began_whole;
    slot->dropped = false;
    w->unbegun--;
    pthread_mutex_unlock(&w->mutex);
    uint64_t weight = w->settings.fn(w->settings.ctx, item);
    pthread_mutex_lock(&w->mutex);
    size_t at = 0;
    while (w->running[at] != number)
        at++;
    w->running[at] = w->running[--w->running_count];
    if (weight == PF_WORK_AGAIN && !began_whole) {
        w->unbegun++;
        slot->state = SLOT_EMPTY;
        if (slot->whole)
            make_ready(w, number);
        return;
    }
    slot->state = SLOT_RUN;
    slot->weight = weight == PF_WORK_AGAIN ? 0 : weight;
    w->weight += slot->weight;
    pthread_cond_broadcast(&w->has_run);
}

static void *worker_main(void *arg)
{
    struct pf_workers *w = arg;
    size_t count = w->settings.count;
    pthread_mutex_lock(&w->mutex);
    unsigned thread = w->begun++;
    while (!w->stop && w->taken < count) {
        size_t number = find_ready(w, takes_largest(w, thread));
        if (number == count && (number = find_fed(w)) < count && w->lowest_thread == thread)
            w->lowest_thread = NO_THREAD; /* that will take long */
        if (number < count)
            run(w, number);
        else if (w->unbegun == 0)
            break;
        else
            pthread_cond_wait(&w->can_run, &w->mutex);
        if (w->unbegun == 0)
            pthread_cond_broadcast(&w->can_run);
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

struct pf_workers *pf_workers_new(const struct pf_workers_settings *settings)
{
    struct pf_workers *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    size_t count = settings->count;
    unsigned threads = settings->threads;
    w->settings = *settings;
    w->settings.window = settings->window ? settings->window : 1;
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->can_run, NULL);
    pthread_cond_init(&w->has_run, NULL);
    w->slots = calloc(count ? count : 1, sizeof *w->slots);
    w->unbegun = w->unsubmitted = count;
    w->lowest.before = is_lower;
    w->lowest.numbers = calloc(count ? count : 1, sizeof *w->lowest.numbers);
    w->largest.before = is_larger;
    w->largest.numbers = calloc(count ? count : 1, sizeof *w->largest.numbers);
    w->fed = calloc(count ? count : 1, sizeof *w->fed);
    w->threads = calloc(threads ? threads : 1, sizeof *w->threads);
    w->running = calloc(threads ? threads : 1, 2 * sizeof *w->running);
    if (!w->running || !w->slots || !w->lowest.numbers || !w->largest.numbers || !w->fed ||
        !w->threads)
        goto fail;
    for (; w->thread_count < threads; w->thread_count++) {
        int failed = pthread_create(&w->threads[w->thread_count], NULL, worker_main, w);
        if (failed) {
            errno = failed;
            goto fail;
        }
    }
    return w;
fail:;
    int saved = errno;
    pf_workers_free(w);
    errno = saved;
    return NULL;
}

void pf_workers_submit(struct pf_workers *w, size_t sequence, void *item, uint64_t size)
{
    pthread_mutex_lock(&w->mutex);
    struct slot *slot = &w->slots[sequence];
    slot->item = item;
    slot->size = size;
    slot->whole = true;
    w->total += size;
    w->unsubmitted--;
    if (slot->state == SLOT_EMPTY)
        make_ready(w, sequence);
    /* Which of them waits for just this one nobody knows. */
    pthread_cond_broadcast(&w->can_run);
    if (w->thread_count == 0)
        pthread_cond_signal(&w->has_run);
    pthread_mutex_unlock(&w->mutex);
}

void pf_workers_feed(struct pf_workers *w, size_t sequence, void *item, uint64_t there,
                     uint64_t size)
{
    if (w->thread_count == 0)
        return;
    pthread_mutex_lock(&w->mutex);
    struct slot *slot = &w->slots[sequence];
    slot->dropped |= there < slot->there;
    slot->there = there;
    if (slot->state == SLOT_EMPTY) {
        slot->item = item;
        slot->size = size > there ? size : there;
        if (!slot->fed)
            w->fed[w->fed_count++] = sequence;
        slot->fed = true;
    }
    pthread_cond_broadcast(&w->can_run);
    pthread_mutex_unlock(&w->mutex);
}

void pf_workers_progress(struct pf_workers *w, size_t sequence, uint64_t done)
{
    atomic_store_explicit(&w->slots[sequence].done, done, memory_order_relaxed);
}

int64_t pf_workers_await(struct pf_workers *w, size_t sequence, uint64_t offset)
{
    const struct slot *slot = &w->slots[sequence];
    int64_t there = 0;
    pthread_mutex_lock(&w->mutex);
    while (there == 0) {
        size_t number = w->settings.count;
        if (slot->dropped)
            there = -1;
        else if (slot->whole)
            there = INT64_MAX;
        else if (w->stop)
            there = -1;
        else if ((number = find_ready(w, false)) < w->settings.count)
            run(w, number);
        else if (slot->there > offset)
            there = (int64_t)slot->there;
        else
            pthread_cond_wait(&w->can_run, &w->mutex);
    }
    pthread_mutex_unlock(&w->mutex);
    return there;
}

void *pf_workers_take(struct pf_workers *w)
{
    void *item = NULL;
    pthread_mutex_lock(&w->mutex);
    if (w->taken < w->settings.count) {
        struct slot *slot = &w->slots[w->taken];
        enum slot_state wanted = w->thread_count ? SLOT_RUN : SLOT_READY;
        while (!w->stop && slot->state != wanted)
            pthread_cond_wait(&w->has_run, &w->mutex);
        if (!w->stop) {
            item = slot->item;
            w->weight -= slot->weight;
            w->taken++;
            pthread_cond_broadcast(&w->can_run);
        }
    }
    pthread_mutex_unlock(&w->mutex);
    if (item && w->thread_count == 0)
        w->settings.fn(w->settings.ctx, item);
    return item;
}

void pf_workers_stop(struct pf_workers *w)
{
    pthread_mutex_lock(&w->mutex);
    w->stop = true;
    pthread_cond_broadcast(&w->can_run);
    pthread_cond_broadcast(&w->has_run);
    pthread_mutex_unlock(&w->mutex);
}

void pf_workers_free(struct pf_workers *w)
{
    if (!w)
        return;
    pf_workers_stop(w);
    for (unsigned i = 0; i < w->thread_count; i++)
        pthread_join(w->threads[i], NULL);
    pthread_cond_destroy(&w->has_run);
    pthread_cond_destroy(&w->can_run);
    pthread_mutex_destroy(&w->mutex);
    free(w->threads);
    free(w->running);
    free(w->slots);
    free(w->lowest.numbers);
    free(w->largest.numbers);
    free(w->fed);
    free(w);
}
