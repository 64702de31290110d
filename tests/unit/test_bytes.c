/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bytes.h"

#include "support.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void keeps_all_pieces(void **state)
{
    (void)state;
    struct pf_bytes bytes = {0};
    assert_return_code(pf_bytes_add(&bytes, "", 0), errno);
    assert_string_equal(bytes.data, "");
    assert_return_code(pf_bytes_add(&bytes, "one, ", 5), errno);
    assert_return_code(pf_bytes_add(&bytes, "two\0three", 9), errno);
    assert_int_equal(bytes.length, 14);
    assert_memory_equal(bytes.data, "one, two\0three", 15);
    free(bytes.data);
}

/* A page of 64 MiB in small pieces: one that grew by each piece would be copied a million times. */
static void moves_seldom(void **state)
{
    (void)state;
    enum { PIECE = 64, PIECES = 1 << 20 };
    char piece[PIECE];
    memset(piece, 'x', sizeof piece);
    struct pf_bytes bytes = {0};
    unsigned grown = 0;
    for (unsigned i = 0; i < PIECES; i++) {
        size_t before = bytes.capacity;
        assert_return_code(pf_bytes_add(&bytes, piece, sizeof piece), errno);
        grown += bytes.capacity != before;
    }
    assert_int_equal(bytes.length, (size_t)PIECE * PIECES);
    assert_int_equal(bytes.data[bytes.length], '\0');
    assert_in_range(grown, 1, 20);
    free(bytes.data);
}

static void takes_a_piece_larger_than_the_double(void **state)
{
    (void)state;
    enum { LARGE = 1 << 20 };
    char *piece = calloc(1, LARGE);
    assert_non_null(piece);
    struct pf_bytes bytes = {0};
    assert_return_code(pf_bytes_add(&bytes, "a", 1), errno);
    assert_return_code(pf_bytes_add(&bytes, piece, LARGE), errno);
    assert_int_equal(bytes.length, LARGE + 1);
    free(piece);
    free(bytes.data);
}

static void changes_nothing_when_it_cannot_grow(void **state)
{
    (void)state;
    struct pf_bytes bytes = {0};
    assert_return_code(pf_bytes_add(&bytes, "kept", 4), errno);
    errno = 0;
    assert_int_equal(pf_bytes_add(&bytes, "x", SIZE_MAX - 1), -1);
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(bytes.length, 4);
    assert_string_equal(bytes.data, "kept");
    free(bytes.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_all_pieces),
        cmocka_unit_test(moves_seldom),
        cmocka_unit_test(takes_a_piece_larger_than_the_double),
        cmocka_unit_test(changes_nothing_when_it_cannot_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
