/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pagedata.h"

#include "support.h"

static struct pf_bytes page;

static void set(const void *data, size_t length)
{
    free(page.data);
    page = (struct pf_bytes){0};
    assert_int_equal(pf_bytes_add(&page, data, length), 0);
}

static void leaves_pages_alone(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "<html>", "\x1f", "\x1f\x8b", "\x1f\x8b\x09 no method"};
    struct pf_error err = {0};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        set(texts[i], strlen(texts[i]));
        assert_ok(pf_pagedata_unpack(&page, 1000, &err), &err);
        assert_int_equal(page.length, strlen(texts[i]));
        assert_memory_equal(page.data, texts[i], page.length);
    }
    free(page.data);
    page = (struct pf_bytes){0};
    assert_ok(pf_pagedata_unpack(&page, 1000, &err), &err);
}

static void unpacks_gzip_up_to_the_limit(void **state)
{
    (void)state;
    const size_t length = 200000;
    struct buffer packed = {0};
    struct pf_error err = {0};
    char *text = malloc(length);
    memset(text, 'x', length);
    compress_to(PF_FORMAT_GZIP, text, length, &packed);
    set(packed.data, packed.length);
    assert_ok(pf_pagedata_unpack(&page, length, &err), &err);
    assert_int_equal(page.length, length);
    assert_memory_equal(page.data, text, length);
    assert_int_equal(page.data[length], '\0');
    set(packed.data, packed.length);
    assert_code(pf_pagedata_unpack(&page, length - 1, &err), PF_E_NETWORK, &err);
    assert_int_equal(page.length, packed.length);
    for (size_t cut = 3; cut < packed.length; cut++) {
        set(packed.data, cut);
        assert_code(pf_pagedata_unpack(&page, length, &err), PF_E_NETWORK, &err);
        assert_contains(err.text, "gzip");
    }
    buffer_add(&packed, "junk", 4);
    set(packed.data, packed.length);
    assert_code(pf_pagedata_unpack(&page, length, &err), PF_E_NETWORK, &err);
    free(page.data);
    page = (struct pf_bytes){0};
    buffer_end(&packed);
    free(text);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(leaves_pages_alone),
    cmocka_unit_test(unpacks_gzip_up_to_the_limit),
};
support_main(tests, false)
