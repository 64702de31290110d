/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz: what the fuzz targets share: the entry point, a check that ends the run, input as text. */
#ifndef PF_FUZZ_H
#define PF_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* What libFuzzer, or replay.c, calls with each input. Every target defines it, and returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process with the broken promise's text: libFuzzer then keeps the input. */
#define fuzz_require(promise)                                                                      \
    do {                                                                                           \
        if (!(promise)) {                                                                          \
            fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #promise);                  \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* A NUL-terminated copy, to be freed, without room behind it: a sanitizer sees what reads on. */
char *fuzz_text(const uint8_t *data, size_t size);

/* Takes the first byte off the input (0 where there is none): targets choose a mode by it. */
unsigned fuzz_take_byte(const uint8_t **data, size_t *size);

/* May it be the name of one thing in a folder: without a slash or control characters, neither "."
   nor ".."? What the engine has for that is itself under test. */
bool fuzz_is_name(const char *name, size_t length);

#endif
