/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* jump_clock: preloaded, sets the clock of the day forward or back for the program that was
   started, not for its children: at the N-th time that anything in it asks (JUMP_CLOCK_AT=N), by so
   many seconds (JUMP_CLOCK_BY=SECONDS). JUMP_CLOCK_REPORT=FILE gets how often it was asked for, if
   the program ends by itself. The kernel's times of files do not move. */
#include "preloaded.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Set before any other thread runs. */
static unsigned long at;
static long long by;
static const char *report_path;

static atomic_ulong asked;

__attribute__((constructor)) static void begin(void)
{
    const char *when = getenv("JUMP_CLOCK_AT"), *seconds = getenv("JUMP_CLOCK_BY");
    report_path = getenv("JUMP_CLOCK_REPORT");
    at = when ? strtoul(when, NULL, 10) : 0;
    by = seconds ? strtoll(seconds, NULL, 10) : 0;
    unsetenv("LD_PRELOAD");
}

__attribute__((destructor)) static void end(void)
{
    preloaded_report(report_path, atomic_load(&asked));
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int status = (int)syscall(SYS_clock_gettime, clock, now);
    if (status == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) && at &&
        atomic_fetch_add(&asked, 1) + 1 >= at)
        now->tv_sec += (time_t)by;
    return status;
}

time_t time(time_t *result)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result)
        *result = now.tv_sec;
    return now.tv_sec;
}

int gettimeofday(struct timeval *restrict result, void *restrict zone)
{
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *result = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}
