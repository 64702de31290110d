/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "screen.h"

#include "cells.h"
#include "language.h"
#include "progress.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL_MS 100

/* Files of which each has a line. */
#define MOST_FILES 4

/* No shorter run needs bars. */
#define FIRST_MS 150

/* Autowrap is off while lines are drawn: whatever the width is by then, a line is one row. */
static const char wrap_off[] = "\x1b[?7l", wrap_on[] = "\x1b[?7h";
static const char clear_below[] = "\r\x1b[J", clear_line[] = "\x1b[K";

struct screen {
    int fd;
    bool colour;
    bool (*interrupted)(void);
    pthread_t thread;
    pthread_mutex_t output; /* the terminal; taken before `state`, never after it */
    bool drawn;             /* under output: bars are there */
    struct winsize size;    /* likewise: when they were drawn */
    pthread_mutex_t state;  /* all below; not held while the terminal is written to */
    pthread_cond_t wake;
    struct progress progress;
    bool stop;
};

/* One at a time; set by screen_begin, before other threads know of it. */
static struct screen *current;

/* For the signal handler: the terminal to be cleared; -1: none. */
static atomic_int dirty_fd = -1;

/* Between the two threads that may write when the program ends at once: who draws says that it
   writes, then looks whether it still may; who abandons says so, then looks whether somebody
   writes. */
static atomic_bool writing, abandoned;

/* A terminal that takes nothing more holds up nobody longer. */
#define ABANDON_TRIES   20
#define ABANDON_WAIT_NS 5000000L

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, text, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) /* the terminal is gone: so is who looks at it */
            return;
        text += n;
        length -= (size_t)n;
    }
}

/* Another job has the terminal: it is not to be drawn over. */
static bool is_in_background(int fd)
{
    pid_t front = tcgetpgrp(fd);
    return front > 0 && front != getpgrp();
}

static void put_phase(FILE *out, const struct screen *screen, int64_t now, unsigned columns)
{
    char text[BARLINE_SIZE], time[16], line[256];
    bool ends = screen->interrupted && screen->interrupted();
    cells_time(time, sizeof time, (double)(now - screen->progress.start_ms) / 1000);
    snprintf(line, sizeof line, "%s %s",
             ends ? _("stopping; once more stops at once") : screen->progress.phase, time);
    cells_fit(text, sizeof text, line, columns);
    fputs(text, out);
}

/* The bars, with the cursor back at their beginning. Under `state`. */
static void put_bars(FILE *out, struct screen *screen)
{
    struct winsize size = {0};
    struct barline lines[PROGRESS_MAX_LINES];
    int64_t now = now_ms();
    if (ioctl(screen->fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0 || size.ws_row == 0)
        size = (struct winsize){.ws_col = 80, .ws_row = 24};
    /* The last column stays free: a few terminals wrap although they were told not to. */
    unsigned columns = size.ws_col > 1 ? size.ws_col - 1u : 1;
    if (columns > BARLINE_MAX_COLUMNS)
        columns = BARLINE_MAX_COLUMNS;
    progress_tick(&screen->progress, now);
    size_t count = progress_lines(&screen->progress, now, lines, MOST_FILES);
    /* Room for the line of the phase, and one that is not ours. */
    size_t rows = size.ws_row > 2 ? size.ws_row - 2u : 0;
    count = count < rows ? count : rows;
    /* A terminal that was resized has wrapped our lines anew, and keeps in mind that it did. */
    bool resized = size.ws_col != screen->size.ws_col || size.ws_row != screen->size.ws_row;
    screen->size = size;
    fprintf(out, "%s%s", resized ? clear_below : "\r", wrap_off);
    put_phase(out, screen, now, columns);
    fputs(clear_line, out);
    for (size_t i = 0; i < count; i++) {
        char text[BARLINE_SIZE];
        barline_format(text, &lines[i], columns, screen->colour);
        fprintf(out, "\n\r%s%s", text, clear_line);
    }
    fputs("\x1b[J", out);
    if (count)
        fprintf(out, "\x1b[%zuA", count);
    fprintf(out, "\r%s", wrap_on);
}

/* Under `output`. above, which may be NULL, comes before the bars. */
static void draw(struct screen *screen, const char *above, size_t above_length)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    if (!out) {
        write_all(screen->fd, above, above_length);
        return;
    }
    if (above_length) {
        fputs(screen->drawn ? clear_below : "", out);
        fwrite(above, 1, above_length, out);
    }
    pthread_mutex_lock(&screen->state);
    bool shown = !screen->stop && now_ms() - screen->progress.start_ms >= FIRST_MS &&
                 !is_in_background(screen->fd);
    if (shown)
        put_bars(out, screen);
    pthread_mutex_unlock(&screen->state);
    fclose(out);
    screen->drawn = shown || (screen->drawn && !above_length);
    if (screen->drawn)
        atomic_store(&dirty_fd, screen->fd);
    atomic_store(&writing, true);
    if (!atomic_load(&abandoned))
        write_all(screen->fd, text, length);
    atomic_store(&writing, false);
    free(text);
}

static void *draw_main(void *arg)
{
    struct screen *screen = arg;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    for (;;) {
        pthread_mutex_lock(&screen->output);
        draw(screen, NULL, 0);
        pthread_mutex_unlock(&screen->output);
        clock_gettime(CLOCK_MONOTONIC, &next);
        next.tv_nsec += INTERVAL_MS * 1000000L;
        next.tv_sec += next.tv_nsec / 1000000000L;
        next.tv_nsec %= 1000000000L;
        pthread_mutex_lock(&screen->state);
        while (!screen->stop &&
               pthread_cond_timedwait(&screen->wake, &screen->state, &next) != ETIMEDOUT)
            ;
        bool stop = screen->stop;
        pthread_mutex_unlock(&screen->state);
        if (stop)
            return NULL;
    }
}

static void free_screen(struct screen *screen)
{
    pthread_cond_destroy(&screen->wake);
    pthread_mutex_destroy(&screen->state);
    pthread_mutex_destroy(&screen->output);
    free(screen);
}

int screen_begin(int fd, bool colour, bool (*interrupted)(void))
{
    struct screen *screen = calloc(1, sizeof *screen);
    pthread_condattr_t attributes;
    if (!screen)
        return -1;
    *screen = (struct screen){.fd = fd, .colour = colour, .interrupted = interrupted};
    pthread_mutex_init(&screen->output, NULL);
    pthread_mutex_init(&screen->state, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&screen->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    progress_init(&screen->progress, now_ms());
    if (pthread_create(&screen->thread, NULL, draw_main, screen) != 0) {
        free_screen(screen);
        return -1;
    }
    current = screen;
    return 0;
}

void screen_end(void)
{
    struct screen *screen = current;
    if (!screen)
        return;
    pthread_mutex_lock(&screen->state);
    screen->stop = true;
    pthread_cond_signal(&screen->wake);
    pthread_mutex_unlock(&screen->state);
    pthread_join(screen->thread, NULL);
    current = NULL;
    atomic_store(&dirty_fd, -1);
    if (screen->drawn)
        write_all(screen->fd, clear_below, sizeof clear_below - 1);
    free_screen(screen);
}

void screen_event(const struct pf_event *event)
{
    struct screen *screen = current;
    if (!screen)
        return;
    pthread_mutex_lock(&screen->state);
    progress_take(&screen->progress, event, now_ms());
    pthread_mutex_unlock(&screen->state);
}

bool screen_print(const char *text, size_t length)
{
    struct screen *screen = current;
    if (!screen)
        return false;
    pthread_mutex_lock(&screen->output);
    draw(screen, text, length);
    pthread_mutex_unlock(&screen->output);
    return true;
}

void screen_abandon(void)
{
    static const char text[] = "\x1b[?7h\r\x1b[J";
    atomic_store(&abandoned, true);
    for (int i = 0; atomic_load(&writing) && i < ABANDON_TRIES; i++)
        nanosleep(&(struct timespec){.tv_nsec = ABANDON_WAIT_NS}, NULL);
    int fd = atomic_exchange(&dirty_fd, -1);
    if (fd >= 0 && write(fd, text, sizeof text - 1) < 0)
        return;
}
