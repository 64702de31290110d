/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "signals.h"

#include "screen.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

/* A handler has no argument to find its engine by. */
static struct pf_engine *_Atomic watched;
static atomic_int caught;
/* Written before the signals are watched for. */
static char answer[256];
static atomic_size_t answer_length;

static void end_at_once(int number)
{
    screen_abandon();
    _exit(128 + number);
}

static void on_signal(int number)
{
    if (atomic_exchange(&caught, number))
        end_at_once(number);
    struct pf_engine *engine = atomic_load(&watched);
    if (!engine)
        end_at_once(number);
    pf_engine_cancel(engine);
    int before = errno;
    size_t length = atomic_load(&answer_length);
    if (length && write(STDERR_FILENO, answer, length) < 0) {
        /* Nobody to hear it. */
    }
    errno = before;
}

void signals_watch(struct pf_engine *engine)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    atomic_store(&watched, engine);
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction before;
        /* What was ignored when we started (nohup) stays ignored. */
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    }
}

void signals_answer(const char *line)
{
    atomic_store(&answer_length, 0);
    int length = line ? snprintf(answer, sizeof answer, "%s\n", line) : 0;
    if (length > 0 && (size_t)length < sizeof answer)
        atomic_store(&answer_length, (size_t)length);
}

int signals_caught(void)
{
    return atomic_load(&caught);
}
