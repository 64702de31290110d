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
};

struct pf_workers {
    pf_work_fn fn;
    void *ctx;
    size_t count;
    size_t window;
    unsigned thread_count;
    pthread_t *threads;
    pthread_mutex_t mutex;
    pthread_cond_t can_run; /* a slot became ready, the window moved, or stop */
    pthread_cond_t has_run; /* a slot has run or (serial twin) became ready, or stop */
    /* All below: under mutex. */
    struct slot *slots;
    size_t taken;   /* items given back so far: the next one has this number */
    size_t scanned; /* every slot below it is running or has run */
    bool stop;
};

/* The lowest ready item within the window, or count. Plan order keeps the commits fed. */
static size_t find_ready(struct pf_workers *w)
{
    while (w->scanned < w->count && w->slots[w->scanned].state >= SLOT_RUNNING)
        w->scanned++;
    size_t end = w->window < w->count - w->taken ? w->taken + w->window : w->count;
    for (size_t i = w->scanned; i < end; i++) {
        if (w->slots[i].state == SLOT_READY)
            return i;
    }
    return w->count;
}

static void *worker_main(void *arg)
{
    struct pf_workers *w = arg;
    pthread_mutex_lock(&w->mutex);
    while (!w->stop && w->taken < w->count) {
        size_t i = find_ready(w);
        if (i == w->count) {
            if (w->scanned == w->count)
                break;
            pthread_cond_wait(&w->can_run, &w->mutex);
            continue;
        }
        w->slots[i].state = SLOT_RUNNING;
        pthread_mutex_unlock(&w->mutex);
        w->fn(w->ctx, w->slots[i].item);
        pthread_mutex_lock(&w->mutex);
        w->slots[i].state = SLOT_RUN;
        pthread_cond_broadcast(&w->has_run);
        if (w->scanned == w->count)
            pthread_cond_broadcast(&w->can_run);
    }
    pthread_mutex_unlock(&w->mutex);
    return NULL;
}

struct pf_workers *pf_workers_new(unsigned threads, size_t count, size_t window, pf_work_fn fn,
                                  void *ctx)
{
    struct pf_workers *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    *w = (struct pf_workers){.fn = fn, .ctx = ctx, .count = count, .window = window ? window : 1};
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->can_run, NULL);
    pthread_cond_init(&w->has_run, NULL);
    w->slots = calloc(count ? count : 1, sizeof *w->slots);
    w->threads = calloc(threads ? threads : 1, sizeof *w->threads);
    if (!w->slots || !w->threads)
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

void pf_workers_submit(struct pf_workers *w, size_t sequence, void *item)
{
    pthread_mutex_lock(&w->mutex);
    w->slots[sequence] = (struct slot){.state = SLOT_READY, .item = item};
    pthread_cond_signal(&w->can_run);
    if (w->thread_count == 0)
        pthread_cond_signal(&w->has_run);
    pthread_mutex_unlock(&w->mutex);
}

void *pf_workers_take(struct pf_workers *w)
{
    void *item = NULL;
    pthread_mutex_lock(&w->mutex);
    if (w->taken < w->count) {
        struct slot *slot = &w->slots[w->taken];
        enum slot_state wanted = w->thread_count ? SLOT_RUN : SLOT_READY;
        while (!w->stop && slot->state != wanted)
            pthread_cond_wait(&w->has_run, &w->mutex);
        if (!w->stop) {
            item = slot->item;
            w->taken++;
            pthread_cond_broadcast(&w->can_run);
        }
    }
    pthread_mutex_unlock(&w->mutex);
    if (item && w->thread_count == 0)
        w->fn(w->ctx, item);
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
    free(w);
}
