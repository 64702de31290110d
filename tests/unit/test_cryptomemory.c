/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cryptomemory.h"

#include "support.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <stdbool.h>

static bool exhausted;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size)
{
    return exhausted ? NULL : __real_malloc(size);
}

static int begin(void **state)
{
    (void)state;
    pf_cryptomemory_use();
    /* It readies itself for errors, which it could not do later. */
    ERR_clear_error();
    exhausted = true;
    return 0;
}

static int end(void **state)
{
    (void)state;
    exhausted = false;
    return 0;
}

static void keeps_what_libcrypto_cannot_do_without(void **state)
{
    (void)state;
    static const char file[] = "../crypto/threads_pthread.c";
    unsigned char *all[8];
    for (size_t n = 0; n < 8; n++) {
        all[n] = CRYPTO_zalloc(240, file, 1);
        assert_non_null(all[n]);
        for (size_t i = 0; i < 240; i++)
            assert_int_equal(all[n][i], 0);
        memset(all[n], 1, 240);
    }
    assert_null(CRYPTO_zalloc(240, file, 1));
    assert_ptr_equal(CRYPTO_realloc(all[3], 250, file, 1), all[3]);
    assert_null(CRYPTO_realloc(all[3], 4096, file, 1));
    CRYPTO_free(all[3], file, 1);
    assert_ptr_equal(CRYPTO_malloc(8, file, 1), all[3]);
    for (size_t n = 0; n < 8; n++)
        CRYPTO_free(all[n], file, 1);
    assert_null(CRYPTO_malloc(4096, file, 1));
}

static void leaves_other_failures_to_libcrypto(void **state)
{
    (void)state;
    assert_null(CRYPTO_malloc(8, "../crypto/threads_lib.c", 1));
    assert_null(CRYPTO_malloc(8, "", 0));
    assert_null(CRYPTO_malloc(8, NULL, 0));
}

static void gives_ordinary_memory(void **state)
{
    (void)state;
    exhausted = false;
    char *text = CRYPTO_malloc(4, __FILE__, __LINE__);
    assert_non_null(text);
    memcpy(text, "abc", 4);
    text = CRYPTO_realloc(text, 4096, __FILE__, __LINE__);
    assert_non_null(text);
    assert_string_equal(text, "abc");
    CRYPTO_free(text, __FILE__, __LINE__);
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(keeps_what_libcrypto_cannot_do_without),
    test(leaves_other_failures_to_libcrypto),
    test(gives_ordinary_memory),
};
support_main(tests, false)
