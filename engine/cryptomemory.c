/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cryptomemory.h"

#include <openssl/crypto.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 8, SLOT_SIZE = 256 };

/* OpenSSL 3.3 and later does not survive that there is no memory for some of what its
   crypto/threads_pthread.c asks for: it waits for ever for its own beginning where its first two
   locks (56 bytes) are not to be had, and an assertion ends the process where a thread that reads
   the list of configured modules, as the first to use libcrypto does, does not get its share of
   that list's lock (240 bytes). All else that fails is reported. libcrypto gives its allocator no
   context, so these are the process's. A slot belongs to the thread that has taken it. */
static struct slot {
    alignas(max_align_t) unsigned char bytes[SLOT_SIZE];
    atomic_bool taken;
} reserve[SLOTS];

static bool is_vital(const char *file, size_t size)
{
    static const char name[] = "threads_pthread.c";
    size_t length = file ? strlen(file) : 0, n = sizeof name - 1;
    return size <= SLOT_SIZE && length >= n && strcmp(file + length - n, name) == 0;
}

static void *take_slot(void)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (!atomic_exchange(&reserve[i].taken, true))
            return reserve[i].bytes;
    }
    return NULL;
}

/* The slot that memory is, or NULL. */
static struct slot *slot_of(const void *memory)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (memory == reserve[i].bytes)
            return &reserve[i];
    }
    return NULL;
}

static void *allocate(size_t size, const char *file, int line)
{
    (void)line;
    void *memory = malloc(size);
    return !memory && is_vital(file, size) ? take_slot() : memory;
}

static void *resize(void *memory, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    if (!slot_of(memory))
        return realloc(memory, size);
    return size <= SLOT_SIZE ? memory : NULL;
}

static void release(void *memory, const char *file, int line)
{
    (void)file, (void)line;
    struct slot *slot = slot_of(memory);
    if (slot)
        atomic_store(&slot->taken, false);
    else
        free(memory);
}

void pf_cryptomemory_use(void)
{
    /* Refused where libcrypto has memory already: it goes on with what it has. */
    CRYPTO_set_mem_functions(allocate, resize, release);
}
