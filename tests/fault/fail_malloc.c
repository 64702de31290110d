/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fail_malloc: preloaded, lets allocations fail, counted over all threads of the program that was
   started, not in its children. FAIL_MALLOC_AT=N: the N-th alone; N+: all from there on.
   FAIL_MALLOC_REPORT=FILE gets how many were asked for, if the program ends by itself. */
#include "preloaded.h"

#include <errno.h>
#include <malloc.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

/* The C library's own, under names that need no look-up, which would allocate. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

/* Set before any other thread runs. */
static bool active, for_good;
static unsigned long at;
static const char *report_path;

static atomic_ulong asked;

static bool fails(void)
{
    if (!active)
        return false;
    unsigned long number = atomic_fetch_add(&asked, 1) + 1;
    if (number != at && !(for_good && number > at))
        return false;
    errno = ENOMEM;
    return true;
}

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("FAIL_MALLOC_AT");
    report_path = getenv("FAIL_MALLOC_REPORT");
    if (!text)
        return;
    char *end;
    at = strtoul(text, &end, 10);
    for_good = *end == '+';
    active = true;
    /* What the program starts is not what is tested. */
    unsetenv("LD_PRELOAD");
}

__attribute__((destructor)) static void end(void)
{
    active = false;
    preloaded_report(report_path, atomic_load(&asked));
}

void *malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return fails() ? NULL : __libc_realloc(old, size);
}

void *reallocarray(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, bytes);
}

void *memalign(size_t alignment, size_t size)
{
    return fails() ? NULL : __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *memory = memalign(alignment, size);
    if (!memory)
        return ENOMEM;
    *out = memory;
    return 0;
}

/* glibc's own goes through a null pointer where it gets no memory for what it knows of its sources;
   libcurl asks where it could not copy HOME. Here there are no users. */
int getpwuid_r(uid_t uid, struct passwd *entry, char *buffer, size_t size, struct passwd **result)
{
    (void)uid, (void)entry, (void)buffer, (void)size;
    *result = NULL;
    return 0;
}
