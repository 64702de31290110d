/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "signals.h"

#include "screen.h"

#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* A handler has no argument to find its engine by. */
static struct pf_engine *_Atomic watched;
static atomic_int caught;

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
    if (engine)
        pf_engine_cancel(engine);
    else
        end_at_once(number);
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

int signals_caught(void)
{
    return atomic_load(&caught);
}
