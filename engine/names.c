/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "names.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

struct pf_name {
    char *text; /* NULL: the slot is free */
    uint64_t hash;
    size_t number;
};

/* The slot of the string, or the free one where it belongs. capacity > count, so one is found. */
static struct pf_name *slot_of(struct pf_name *slots, size_t capacity, const char *text,
                               uint64_t hash)
{
    size_t i = hash & (capacity - 1);
    while (slots[i].text && (slots[i].hash != hash || strcmp(slots[i].text, text) != 0))
        i = (i + 1) & (capacity - 1);
    return &slots[i];
}

static int grow(struct pf_names *names)
{
    size_t capacity = names->capacity ? names->capacity * 2 : 64;
    struct pf_name *slots = calloc(capacity, sizeof *slots);
    if (!slots)
        return -1;
    for (size_t i = 0; i < names->capacity; i++) {
        struct pf_name *old = &names->slots[i];
        if (old->text)
            *slot_of(slots, capacity, old->text, old->hash) = *old;
    }
    free(names->slots);
    names->slots = slots;
    names->capacity = capacity;
    return 0;
}

int pf_names_add(struct pf_names *names, const char *text)
{
    if (names->count * 2 >= names->capacity && grow(names) < 0)
        return -1;
    uint64_t hash = XXH3_64bits(text, strlen(text));
    struct pf_name *slot = slot_of(names->slots, names->capacity, text, hash);
    if (slot->text)
        return 0;
    slot->text = strdup(text);
    if (!slot->text)
        return -1;
    slot->hash = hash;
    slot->number = names->count++;
    return 1;
}

int64_t pf_names_find(const struct pf_names *names, const char *text)
{
    if (names->capacity == 0)
        return -1;
    uint64_t hash = XXH3_64bits(text, strlen(text));
    const struct pf_name *slot = slot_of(names->slots, names->capacity, text, hash);
    return slot->text ? (int64_t)slot->number : -1;
}

void pf_names_end(struct pf_names *names)
{
    for (size_t i = 0; i < names->capacity; i++)
        free(names->slots[i].text);
    free(names->slots);
    *names = (struct pf_names){0};
}
