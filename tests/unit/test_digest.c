/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "digest.h"

#include "support.h"

#include <fcntl.h>
#include <unistd.h>

/* XXH3-128 of nothing, canonical form (the xxHash specification's own value). */
#define EMPTY "99aa06d3014798d86001c324468d497f"

static void knows_the_empty_input(void **state)
{
    (void)state;
    char text[PF_DIGEST_TEXT_SIZE];
    struct pf_digest *digest = pf_digest_new();
    pf_digest_text(digest, text);
    assert_string_equal(text, EMPTY);
    pf_digest_add(digest, "", 0);
    pf_digest_text(digest, text);
    assert_string_equal(text, EMPTY);
    pf_digest_free(digest);
    pf_digest_free(NULL);
}

static void does_not_depend_on_the_pieces(void **state)
{
    (void)state;
    enum { LENGTH = 10000 };
    static unsigned char data[LENGTH];
    uint64_t seed = 1;
    char whole[PF_DIGEST_TEXT_SIZE], pieces[PF_DIGEST_TEXT_SIZE], other[PF_DIGEST_TEXT_SIZE];
    for (size_t i = 0; i < LENGTH; i++)
        data[i] = (unsigned char)random_below(&seed, 256);
    struct pf_digest *a = pf_digest_new(), *b = pf_digest_new();
    pf_digest_add(a, data, LENGTH);
    pf_digest_text(a, whole);
    for (size_t at = 0, n; at < LENGTH; at += n) {
        n = 1 + random_below(&seed, 700);
        n = n < LENGTH - at ? n : LENGTH - at;
        pf_digest_add(b, data + at, n);
        pf_digest_text(b, other); /* reading it in between changes nothing */
    }
    pf_digest_text(b, pieces);
    assert_string_equal(whole, pieces);
    assert_int_equal(strspn(whole, "0123456789abcdef"), PF_DIGEST_TEXT_SIZE - 1);
    data[5000] ^= 1;
    pf_digest_add(a, "x", 1);
    pf_digest_text(a, other);
    assert_string_not_equal(whole, other);
    pf_digest_free(a);
    pf_digest_free(b);
}

static void reads_files_from_the_present_offset(void **state)
{
    (void)state;
    struct temp temp;
    struct pf_error err = {0};
    char file_text[PF_DIGEST_TEXT_SIZE], memory_text[PF_DIGEST_TEXT_SIZE];
    temp_begin(&temp);
    put_file(temp.fd, "f", "0123456789");
    int fd = openat(temp.fd, "f", 0);
    struct pf_digest *digest = pf_digest_new();
    pf_digest_add(digest, "456789", 6);
    pf_digest_text(digest, memory_text);
    assert_int_equal(lseek(fd, 4, SEEK_SET), 4);
    assert_ok(pf_digest_file(fd, file_text, &err), &err);
    assert_string_equal(file_text, memory_text);
    assert_ok(pf_digest_file(fd, file_text, &err), &err); /* at the end now */
    assert_string_equal(file_text, EMPTY);
    close(fd);
    assert_code(pf_digest_file(temp.fd, file_text, &err), PF_E_SYSTEM, &err); /* a folder */
    pf_digest_free(digest);
    temp_end(&temp);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(knows_the_empty_input),
    cmocka_unit_test(does_not_depend_on_the_pieces),
    cmocka_unit_test(reads_files_from_the_present_offset),
};
support_main(tests, false)
