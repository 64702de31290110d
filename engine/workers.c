/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workers.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

enum slot_state { SLOT_EMPTY, SLOT_READY, SLOT_RUNNING, SLOT_RUN };

struct slot {
    enum slot_state state;
    void *item;
    uint64_t size, weight;
};

struct pf_workers {
    struct pf_workers_settings settings;
    unsigned thread_count;
    pthread_t *threads;
    pthread_mutex_t mutex;
    pthread_cond_t can_run; /* a slot became ready, the window moved, or stop */
    pthread_cond_t has_run; /* a slot has run or (serial twin) became ready, or stop */
    /* All below: under mutex. */
    struct slot *slots;
    size_t taken;    /* items given back so far: the next one has this number */
    size_t scanned;  /* every slot below it is running or has run */
    uint64_t weight; /* of what has run and was not taken */
    unsigned begun;  /* threads that have come to life */
    size_t *heap;    /* numbers of what is ready, or was; the largest on top */
    size_t heap_count;
    bool stop;
};

static bool is_larger(const struct pf_workers *w, size_t a, size_t b)
{
    return w->slots[w->heap[a]].size > w->slots[w->heap[b]].size;
}

static void swap(struct pf_workers *w, size_t a, size_t b)
{
    size_t number = w->heap[a];
    w->heap[a] = w->heap[b];
    w->heap[b] = number;
}

static void heap_push(struct pf_workers *w, size_t number)
{
    size_t i = w->heap_count++;
    w->heap[i] = number;
    for (; i > 0 && is_larger(w, i, (i - 1) / 2); i = (i - 1) / 2)
        swap(w, i, (i - 1) / 2);
}

static void heap_pop(struct pf_workers *w)
{
    w->heap[0] = w->heap[--w->heap_count];
    for (size_t i = 0, child; (child = 2 * i + 1) < w->heap_count; i = child) {
        if (child + 1 < w->heap_count && is_larger(w, child + 1, child))
            child++;
        if (!is_larger(w, child, i))
            return;
        swap(w, i, child);
    }
}

/* Of what is ready, or count. */
static size_t find_largest(struct pf_workers *w)
{
    while (w->heap_count > 0 && w->slots[w->heap[0]].state != SLOT_READY)
        heap_pop(w);
    return w->heap_count > 0 ? w->heap[0] : w->settings.count;
}

/* The lowest ready item within the window, or count. Plan order keeps the commits fed. */
static size_t find_lowest(struct pf_workers *w)
{
    size_t count = w->settings.count, window = w->settings.window;
    size_t end = window < count - w->taken ? w->taken + window : count;
    for (size_t i = w->scanned; i < end; i++) {
        if (w->slots[i].state == SLOT_READY)
            return i;
    }
    return count;
}

/* The item to run next, or count. */
static size_t find_ready(struct pf_workers *w, bool largest)
{
    size_t count = w->settings.count;
    while (w->scanned < count && w->slots[w->scanned].state >= SLOT_RUNNING)
        w->scanned++;
    return largest && w->weight < w->settings.max_weight ? find_largest(w) : find_lowest(w);
}

static void run(struct pf_workers *w, struct slot *slot)
{
    slot->state = SLOT_RUNNING;
    pthread_mutex_unlock(&w->mutex);
    uint64_t weight = w->settings.fn(w->settings.ctx, slot->item);
    pthread_mutex_lock(&w->mutex);
    slot->state = SLOT_RUN;
    slot->weight = weight;
    w->weight += weight;
    pthread_cond_broadcast(&w->has_run);
}

static void *worker_main(void *arg)
{
    struct pf_workers *w = arg;
    size_t count = w->settings.count;
    pthread_mutex_lock(&w->mutex);
    bool largest = w->begun++ > 0;
    while (!w->stop && w->taken < count) {
        size_t i = find_ready(w, largest);
        if (i < count)
            run(w, &w->slots[i]);
        else if (w->scanned == count)
            break;
        else
            pthread_cond_wait(&w->can_run, &w->mutex);
        if (w->scanned == count)
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
    w->heap = calloc(count ? count : 1, sizeof *w->heap);
    w->threads = calloc(threads ? threads : 1, sizeof *w->threads);
    if (!w->slots || !w->heap || !w->threads)
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
    w->slots[sequence] = (struct slot){.state = SLOT_READY, .item = item, .size = size};
    if (w->settings.max_weight)
        heap_push(w, sequence);
    /* Which of them waits for just this one nobody knows. */
    pthread_cond_broadcast(&w->can_run);
    if (w->thread_count == 0)
        pthread_cond_signal(&w->has_run);
    pthread_mutex_unlock(&w->mutex);
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
    free(w->slots);
    free(w->heap);
    free(w);
}
