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
    struct pf_digest *digest = pf_digest_new(PF_DIGEST_XXH3);
    pf_digest_text(digest, text);
    assert_string_equal(text, EMPTY);
    pf_digest_add(digest, "", 0);
    pf_digest_text(digest, text);
    assert_string_equal(text, EMPTY);
    pf_digest_free(digest);
    pf_digest_free(NULL);
}

/* The test suite of RFC 1321 (A.5), and the examples of FIPS 180-2 (B.1, B.2). */
static void knows_the_published_sums(void **state)
{
    (void)state;
    static const struct {
        enum pf_digest_kind kind;
        const char *text, *sum;
    } known[] = {
        {PF_DIGEST_MD5, "", "d41d8cd98f00b204e9800998ecf8427e"},
        {PF_DIGEST_MD5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {PF_DIGEST_MD5, "abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
        {PF_DIGEST_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {PF_DIGEST_SHA256, "abc",
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {PF_DIGEST_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char text[PF_DIGEST_TEXT_SIZE];
        struct pf_digest *digest = pf_digest_new(known[i].kind);
        assert_non_null(digest);
        pf_digest_add(digest, known[i].text, strlen(known[i].text));
        pf_digest_text(digest, text);
        assert_string_equal(text, known[i].sum);
        assert_int_equal(strlen(text), pf_digest_text_length(known[i].kind));
        pf_digest_free(digest);
    }
    assert_string_equal(pf_digest_name(PF_DIGEST_XXH3), "XXH3");
    assert_string_equal(pf_digest_name(PF_DIGEST_MD5), "MD5");
    assert_string_equal(pf_digest_name(PF_DIGEST_SHA256), "SHA-256");
}

static void one_does_not_depend_on_the_pieces(enum pf_digest_kind kind)
{
    enum { LENGTH = 10000 };
    static unsigned char data[LENGTH];
    uint64_t seed = 1;
    char whole[PF_DIGEST_TEXT_SIZE], pieces[PF_DIGEST_TEXT_SIZE], other[PF_DIGEST_TEXT_SIZE];
    for (size_t i = 0; i < LENGTH; i++)
        data[i] = (unsigned char)random_below(&seed, 256);
    struct pf_digest *a = pf_digest_new(kind), *b = pf_digest_new(kind);
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
    assert_int_equal(strspn(whole, "0123456789abcdef"), pf_digest_text_length(kind));
    data[5000] ^= 1;
    pf_digest_add(a, "x", 1);
    pf_digest_text(a, other);
    assert_string_not_equal(whole, other);
    pf_digest_free(a);
    pf_digest_free(b);
}

static void does_not_depend_on_the_pieces(void **state)
{
    (void)state;
    one_does_not_depend_on_the_pieces(PF_DIGEST_XXH3);
    one_does_not_depend_on_the_pieces(PF_DIGEST_MD5);
    one_does_not_depend_on_the_pieces(PF_DIGEST_SHA256);
}

/* Zeros are zeros, stored or not; but a hole costs nothing to make, and must not take for ever. */
static void passes_over_holes(void **state)
{
    (void)state;
    struct temp temp;
    struct pf_error err = {0};
    const size_t size = 3 << 20;
    char *zeros = calloc(1, size);
    char stored[PF_DIGEST_TEXT_SIZE], sparse[PF_DIGEST_TEXT_SIZE];
    temp_begin(&temp);
    for (int i = 0; i < 3; i++) {
        memset(zeros, 0, size);
        if (i)
            memcpy(zeros + (1 << 20), "data", 4);
        put_bytes(temp.fd, "stored", zeros, size, 0644);
        put_bytes(temp.fd, "sparse", "", 0, 0644);
        int a = openat(temp.fd, "stored", O_RDONLY), b = openat(temp.fd, "sparse", O_RDWR);
        assert_int_equal(ftruncate(b, (off_t)size), 0);
        if (i)
            assert_int_equal(pwrite(b, "data", 4, 1 << 20), 4);
        if (i == 2) {
            assert_int_equal(lseek(a, 4097, SEEK_SET), 4097);
            assert_int_equal(lseek(b, 4097, SEEK_SET), 4097);
        }
        assert_ok(pf_digest_file(a, PF_DIGEST_SHA256, stored, &err), &err);
        assert_ok(pf_digest_file(b, PF_DIGEST_SHA256, sparse, &err), &err);
        assert_string_equal(stored, sparse);
        close(a);
        close(b);
    }
    int fd = openat(temp.fd, "sparse", O_RDWR);
    assert_int_equal(ftruncate(fd, (off_t)1 << 40), 0);
    assert_code(pf_digest_file(fd, PF_DIGEST_SHA256, sparse, &err), PF_E_LIMIT, &err);
    close(fd);
    free(zeros);
    temp_end(&temp);
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
    struct pf_digest *digest = pf_digest_new(PF_DIGEST_XXH3);
    pf_digest_add(digest, "456789", 6);
    pf_digest_text(digest, memory_text);
    assert_int_equal(lseek(fd, 4, SEEK_SET), 4);
    assert_ok(pf_digest_file(fd, PF_DIGEST_XXH3, file_text, &err), &err);
    assert_string_equal(file_text, memory_text);
    assert_ok(pf_digest_file(fd, PF_DIGEST_XXH3, file_text, &err), &err); /* at the end now */
    assert_string_equal(file_text, EMPTY);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_ok(pf_digest_file(fd, PF_DIGEST_MD5, file_text, &err), &err);
    assert_string_equal(file_text, "781e5e245d69b566979b86e28d23f2c7");
    close(fd);
    assert_code(pf_digest_file(temp.fd, PF_DIGEST_XXH3, file_text, &err), PF_E_SYSTEM,
                &err); /* a folder */
    pf_digest_free(digest);
    temp_end(&temp);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(knows_the_empty_input),
    cmocka_unit_test(knows_the_published_sums),
    cmocka_unit_test(does_not_depend_on_the_pieces),
    cmocka_unit_test(reads_files_from_the_present_offset),
    cmocka_unit_test(passes_over_holes),
};
support_main(tests, false)
