/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "decode.h"

#include "support.h"

#include <fcntl.h>
#include <lzma.h>
#include <unistd.h>
#include <zstd.h>

static const struct pf_decode_limits defaults = PF_DECODE_LIMITS_DEFAULT;
static struct temp temp;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    return 0;
}

static int end(void **state)
{
    (void)state;
    temp_end(&temp);
    return 0;
}

/* Decodes all of it into out. Returns the code; err has the text. */
static int decode(enum pf_format format, const void *data, size_t length,
                  const struct pf_decode_limits *limits, struct buffer *out, struct pf_error *err)
{
    struct pf_decode *d;
    *err = (struct pf_error){0};
    put_bytes(temp.fd, "f", data, length, 0644);
    int fd = openat(temp.fd, "f", O_RDONLY | O_CLOEXEC);
    lseek(fd, 0, SEEK_END); /* read from its start on, wherever it stands */
    int status = pf_decode_new(fd, format, limits, &d, err);
    if (status == 0) {
        const void *piece;
        size_t n;
        while ((status = pf_decode_next(d, &piece, &n, err)) == 0 && n > 0)
            buffer_add(out, piece, n);
        if (status == 0) {
            char wanted[PF_DIGEST_TEXT_SIZE], found[PF_DIGEST_TEXT_SIZE];
            assert_int_equal(pf_decode_output_bytes(d), out->length);
            pf_decode_digest(d, found);
            lseek(fd, 0, SEEK_SET);
            assert_int_equal(pf_digest_file(fd, PF_DIGEST_XXH3, wanted, err), 0);
            assert_string_equal(found, wanted);
        }
        pf_decode_free(d);
    }
    close(fd);
    return status;
}

static void expect_same(enum pf_format format, const struct buffer *packed, const void *data,
                        size_t length)
{
    struct buffer out = {0};
    struct pf_error err;
    if (decode(format, packed->data, packed->length, &defaults, &out, &err))
        fail_msg("%s: %s", suffix_of(format), err.text);
    assert_int_equal(out.length, length);
    if (length)
        assert_memory_equal(out.data, data, length);
    buffer_end(&out);
}

static void expect_code(enum pf_format format, const struct buffer *packed, int code)
{
    struct buffer out = {0};
    struct pf_error err;
    int status = decode(format, packed->data, packed->length, &defaults, &out, &err);
    if (status != code || err.code != code || !*err.text)
        fail_msg("%s: %d (%s), wanted %d", suffix_of(format), status, err.text, code);
    buffer_end(&out);
}

#define EACH_FORMAT(f) for (enum pf_format f = PF_FORMAT_GZIP; f <= PF_FORMAT_ZSTD; f++)

/* Compressible, and longer than any buffer of the decoder. */
static char *long_text(size_t length)
{
    char *text = malloc(length);
    uint64_t seed = 3;
    for (size_t i = 0; i < length; i++)
        text[i] = (char)('a' + random_below(&seed, 4));
    return text;
}

static void decodes_each_format(void **state)
{
    (void)state;
    static const size_t lengths[] = {0, 1, 512, 256 * 1024, 256 * 1024 + 1, 700000};
    char *text = long_text(700000);
    EACH_FORMAT(f)
    {
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            struct buffer packed = {0};
            compress_to(f, text, lengths[i], &packed);
            expect_same(f, &packed, text, lengths[i]);
            buffer_end(&packed);
        }
    }
    free(text);
}

/* Members, streams and frames behind each other are one file. */
static void decodes_several_frames(void **state)
{
    (void)state;
    EACH_FORMAT(f)
    {
        struct buffer packed = {0};
        compress_to(f, "one ", 4, &packed);
        compress_to(f, "", 0, &packed);
        compress_to(f, "two", 3, &packed);
        expect_same(f, &packed, "one two", 7);
        size_t whole = packed.length;
        for (packed.length--; packed.length > whole - 4; packed.length--)
            expect_code(f, &packed, PF_E_CORRUPT);
        buffer_end(&packed);
    }
}

/* Frames of nothing take time and give nothing; one or a few are what programs write. xz's own
   library goes on from stream to stream. */
static void refuses_frames_of_nothing_without_end(void **state)
{
    (void)state;
    EACH_FORMAT(f)
    {
        struct buffer packed = {0}, nothing = {0};
        compress_to(f, "text", 4, &packed);
        compress_to(f, "", 0, &nothing);
        for (int i = 0; i < 900; i++)
            buffer_add(&packed, nothing.data, nothing.length);
        expect_same(f, &packed, "text", 4);
        for (int i = 0; i < 200; i++)
            buffer_add(&packed, nothing.data, nothing.length);
        if (f == PF_FORMAT_XZ)
            expect_same(f, &packed, "text", 4);
        else
            expect_code(f, &packed, PF_E_LIMIT);
        buffer_end(&packed);
        buffer_end(&nothing);
    }
}

static void add_skippable(struct buffer *packed, unsigned char number, uint8_t length)
{
    const unsigned char head[] = {0x50 | number, 0x2a, 0x4d, 0x18, length, 0, 0, 0};
    buffer_add(packed, head, sizeof head);
    for (uint8_t i = 0; i < length; i++)
        buffer_add(packed, "\x28", 1);
}

/* pzstd writes one in front of each frame, also where there are many. */
static void passes_over_skippable_frames(void **state)
{
    (void)state;
    struct buffer packed = {0}, text = {0};
    for (unsigned char number = 0; number < 16; number++) {
        packed.length = 0;
        add_skippable(&packed, number, number * 3);
        compress_to(PF_FORMAT_ZSTD, "text", 4, &packed);
        expect_same(PF_FORMAT_ZSTD, &packed, "text", 4);
        add_skippable(&packed, number, 4);
        expect_same(PF_FORMAT_ZSTD, &packed, "text", 4);
        packed.length--;
        expect_code(PF_FORMAT_ZSTD, &packed, PF_E_CORRUPT);
    }
    packed.length = 0;
    for (int i = 0; i < 1500; i++) {
        add_skippable(&packed, 0, 4);
        compress_to(PF_FORMAT_ZSTD, "text", 4, &packed);
        buffer_add(&text, "text", 4);
    }
    expect_same(PF_FORMAT_ZSTD, &packed, text.data, text.length);
    packed.length = 0;
    add_skippable(&packed, 0, 200);
    for (packed.length = 3; packed.length > 0; packed.length--)
        expect_code(PF_FORMAT_ZSTD, &packed, PF_E_CORRUPT);
    EACH_FORMAT(f)
    {
        packed.length = 0;
        add_skippable(&packed, 0, 4);
        compress_to(f, "text", 4, &packed);
        if (f != PF_FORMAT_ZSTD)
            expect_code(f, &packed, PF_E_CORRUPT);
    }
    buffer_end(&packed);
    buffer_end(&text);
}

/* By xz --check=none, and zstd --no-check. */
static void compress_unchecked(enum pf_format format, const char *text, struct buffer *packed)
{
    uint8_t data[4096];
    size_t length = 0;
    if (format == PF_FORMAT_XZ) {
        assert_int_equal(lzma_easy_buffer_encode(6, LZMA_CHECK_NONE, NULL, (const uint8_t *)text,
                                                 strlen(text), data, &length, sizeof data),
                         LZMA_OK);
    } else {
        length = ZSTD_compress(data, sizeof data, text, strlen(text), 3);
        assert_false(ZSTD_isError(length));
    }
    buffer_add(packed, data, length);
}

/* A flipped bit in such data gives other bytes, and nobody would know. */
static void wants_check_values_or_a_sha256(void **state)
{
    (void)state;
    static const enum pf_format formats[] = {PF_FORMAT_XZ, PF_FORMAT_ZSTD};
    for (size_t i = 0; i < 4; i++) {
        enum pf_format f = formats[i % 2];
        struct buffer packed = {0}, out = {0};
        struct pf_error err = {0};
        struct pf_checksum sum = {.kind = PF_DIGEST_SHA256};
        struct pf_decode_limits limits = defaults;
        /* Each frame counts. */
        if (i >= 2)
            compress_to(f, "text", 4, &packed);
        compress_unchecked(f, "text", &packed);
        assert_code(decode(f, packed.data, packed.length, &limits, &out, &err), PF_E_LIMIT, &err);
        assert_contains(err.text, "check values");
        out.length = 0;
        limits.unchecked = true;
        assert_ok(decode(f, packed.data, packed.length, &limits, &out, &err), &err);
        limits.unchecked = false;
        put_bytes(temp.fd, "sum", packed.data, packed.length, 0644);
        int fd = openat(temp.fd, "sum", O_RDONLY | O_CLOEXEC);
        assert_int_equal(pf_digest_file(fd, PF_DIGEST_SHA256, sum.hex, &err), 0);
        limits.checksum = &sum;
        out.length = 0;
        assert_ok(decode(f, packed.data, packed.length, &limits, &out, &err), &err);
        sum.kind = PF_DIGEST_MD5;
        out.length = 0;
        assert_code(decode(f, packed.data, packed.length, &limits, &out, &err), PF_E_LIMIT, &err);
        close(fd);
        buffer_end(&packed);
        buffer_end(&out);
    }
}

static void decodes_xz_of_several_blocks_and_threads(void **state)
{
    (void)state;
    const size_t length = 700000;
    char *text = long_text(length);
    struct pf_error err;
    for (unsigned threads = 1; threads <= 4; threads += 3) {
        lzma_mt mt = {.threads = 1, .block_size = 200000, .preset = 1, .check = LZMA_CHECK_CRC32};
        lzma_stream xz = LZMA_STREAM_INIT;
        struct buffer packed = {0}, out = {0};
        packed.data = malloc(length);
        assert_int_equal(lzma_stream_encoder_mt(&xz, &mt), LZMA_OK);
        xz.next_in = (uint8_t *)text;
        xz.avail_in = length;
        xz.next_out = packed.data;
        xz.avail_out = length;
        assert_int_equal(lzma_code(&xz, LZMA_FINISH), LZMA_STREAM_END);
        packed.length = (size_t)xz.total_out;
        lzma_end(&xz);
        struct pf_decode_limits limits = defaults;
        limits.threads = threads;
        assert_ok(decode(PF_FORMAT_XZ, packed.data, packed.length, &limits, &out, &err), &err);
        assert_int_equal(out.length, length);
        assert_memory_equal(out.data, text, length);
        packed.data[packed.length / 2] ^= 4;
        out.length = 0;
        assert_code(decode(PF_FORMAT_XZ, packed.data, packed.length, &limits, &out, &err),
                    PF_E_CORRUPT, &err);
        buffer_end(&packed);
        buffer_end(&out);
    }
    free(text);
}

static void refuses_every_cut(void **state)
{
    (void)state;
    EACH_FORMAT(f)
    {
        struct buffer packed = {0};
        compress_to(f, "some text, some text, some text", 31, &packed);
        size_t whole = packed.length;
        for (packed.length = 0; packed.length < whole; packed.length++)
            expect_code(f, &packed, PF_E_CORRUPT);
        buffer_end(&packed);
    }
}

/* A flipped bit is an error, or it is in a field that says nothing about the content (gzip: time,
   system; padding bits): then the output is the same. It is never other output. */
static void no_flipped_bit_changes_the_output(void **state)
{
    (void)state;
    static const char text[] = "some text, some text, some text";
    EACH_FORMAT(f)
    {
        struct buffer packed = {0};
        unsigned harmless = 0;
        compress_to(f, text, sizeof text, &packed);
        for (size_t bit = 0; bit < packed.length * 8; bit++) {
            struct buffer out = {0};
            struct pf_error err;
            packed.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
            int status = decode(f, packed.data, packed.length, &defaults, &out, &err);
            if (status == 0) {
                harmless++;
                assert_int_equal(out.length, sizeof text);
                assert_memory_equal(out.data, text, sizeof text);
            } else if (status != PF_E_CORRUPT && status != PF_E_LIMIT) {
                fail_msg("%s, bit %zu: %d", suffix_of(f), bit, status);
            }
            packed.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
            buffer_end(&out);
        }
        /* xz leaves no bit unchecked; the others only a few. */
        if (f == PF_FORMAT_XZ ? harmless > 0 : harmless > 80)
            fail_msg("%s: %u bits may be flipped unseen", suffix_of(f), harmless);
        buffer_end(&packed);
    }
}

static void refuses_junk_behind_the_end(void **state)
{
    (void)state;
    static const char *const junk[] = {"x",
                                       "junk behind the end",
                                       "\x1f",
                                       "\x1f\x8b",
                                       "BZh",
                                       ("\xfd"
                                        "7zXZ"),
                                       "\x28\xb5\x2f\xfd",
                                       "\n"};
    EACH_FORMAT(f)
    {
        for (size_t i = 0; i < sizeof junk / sizeof *junk; i++) {
            struct buffer packed = {0};
            compress_to(f, "text", 4, &packed);
            buffer_add(&packed, junk[i], strlen(junk[i]));
            expect_code(f, &packed, PF_E_CORRUPT);
            buffer_end(&packed);
        }
    }
}

static void accepts_zeros_behind_the_end_and_nothing_after_them(void **state)
{
    (void)state;
    static const char zeros[300000];
    EACH_FORMAT(f)
    {
        struct buffer packed = {0};
        compress_to(f, "text", 4, &packed);
        buffer_add(&packed, zeros, 4); /* xz pads in fours */
        expect_same(f, &packed, "text", 4);
        buffer_add(&packed, zeros, sizeof zeros);
        expect_same(f, &packed, "text", 4);
        buffer_add(&packed, "x", 1);
        expect_code(f, &packed, PF_E_CORRUPT);
        buffer_end(&packed);
    }
}

static void refuses_what_the_suffix_does_not_say(void **state)
{
    (void)state;
    EACH_FORMAT(f)
    {
        struct buffer packed = {0};
        expect_code(f, &packed, PF_E_CORRUPT); /* empty */
        buffer_add(&packed, "plain text that is no package at all", 36);
        expect_code(f, &packed, PF_E_CORRUPT);
        packed.length = 0;
        compress_to(f, "text", 4, &packed);
        EACH_FORMAT(other)
        {
            if (other != f)
                expect_code(other, &packed, PF_E_CORRUPT);
        }
        expect_code(PF_FORMAT_NONE, &packed, PF_E_INVALID);
        buffer_end(&packed);
    }
}

static void limits_output_and_ratio(void **state)
{
    (void)state;
    enum { LENGTH = 8 << 20 };
    char *zeros = calloc(1, LENGTH);
    EACH_FORMAT(f)
    {
        struct buffer packed = {0}, out = {0};
        struct pf_error err;
        struct pf_decode_limits limits = defaults;
        compress_to(f, zeros, LENGTH, &packed);
        limits.output_bytes = LENGTH;
        assert_ok(decode(f, packed.data, packed.length, &limits, &out, &err), &err);
        limits.output_bytes = LENGTH - 1;
        assert_code(decode(f, packed.data, packed.length, &limits, &out, &err), PF_E_LIMIT, &err);
        limits = defaults;
        out.length = 0;
        limits.ratio = 20; /* under the default's free bytes no ratio counts */
        assert_ok(decode(f, packed.data, packed.length, &limits, &out, &err), &err);
        limits.ratio_free_bytes = 1 << 20;
        out.length = 0;
        assert_code(decode(f, packed.data, packed.length, &limits, &out, &err), PF_E_LIMIT, &err);
        assert_true(out.length < 3 << 20); /* and that soon */
        limits.ratio = 1000000;
        out.length = 0;
        assert_ok(decode(f, packed.data, packed.length, &limits, &out, &err), &err);
        buffer_end(&packed);
        buffer_end(&out);
    }
    free(zeros);
}

static void limits_memory(void **state)
{
    (void)state;
    struct buffer packed = {0}, out = {0};
    struct pf_error err;
    struct pf_decode_limits limits = defaults;
    char *text = long_text(1 << 20);
    limits.memory_bytes = 1 << 20;
    compress_to(PF_FORMAT_XZ, text, 1 << 20, &packed); /* preset 6: a dictionary of 8 MiB */
    assert_code(decode(PF_FORMAT_XZ, packed.data, packed.length, &limits, &out, &err), PF_E_LIMIT,
                &err);
    packed.length = 0;
    ZSTD_CCtx *zstd = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, 27);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_contentSizeFlag, 0);
    buffer_add(&packed, text, 1 << 20);
    ZSTD_outBuffer to = {packed.data, packed.capacity, 0};
    ZSTD_inBuffer from = {text, 1 << 10, 0};
    /* In two pieces, so that the encoder cannot take a smaller window for a small file. */
    ZSTD_compressStream2(zstd, &to, &from, ZSTD_e_flush);
    from.size = 1 << 20;
    assert_int_equal(ZSTD_compressStream2(zstd, &to, &from, ZSTD_e_end), 0);
    assert_code(decode(PF_FORMAT_ZSTD, to.dst, to.pos, &limits, &out, &err), PF_E_LIMIT, &err);
    assert_ok(decode(PF_FORMAT_ZSTD, to.dst, to.pos, &defaults, &out, &err), &err);
    ZSTD_freeCCtx(zstd);
    buffer_end(&packed);
    buffer_end(&out);
    free(text);
}

static void may_be_given_up_half_way(void **state)
{
    (void)state;
    char *text = long_text(1 << 20);
    EACH_FORMAT(f)
    {
        struct buffer packed = {0};
        struct pf_error err = {0};
        struct pf_decode *d;
        const void *piece;
        size_t n;
        compress_to(f, text, 1 << 20, &packed);
        put_bytes(temp.fd, "f", packed.data, packed.length, 0644);
        int fd = openat(temp.fd, "f", O_RDONLY | O_CLOEXEC);
        assert_ok(pf_decode_new(fd, f, &defaults, &d, &err), &err);
        assert_ok(pf_decode_next(d, &piece, &n, &err), &err);
        assert_true(n > 0 && n < 1 << 20);
        pf_decode_free(d);
        close(fd);
        buffer_end(&packed);
    }
    pf_decode_free(NULL);
    free(text);
}

/* The sum of the packed bytes, as a mirror's list would have it. */
static struct pf_checksum sum_of(enum pf_digest_kind kind, const struct buffer *packed)
{
    struct pf_checksum sum = {.kind = kind};
    struct pf_digest *digest = pf_digest_new(kind);
    assert_non_null(digest);
    pf_digest_add(digest, packed->data, packed->length);
    pf_digest_text(digest, sum.hex);
    pf_digest_free(digest);
    return sum;
}

static void checks_the_sum_of_the_packed_bytes(void **state)
{
    (void)state;
    static const enum pf_digest_kind kinds[] = {PF_DIGEST_MD5, PF_DIGEST_SHA256};
    char *text = long_text(600000);
    EACH_FORMAT(f)
    {
        struct buffer packed = {0};
        compress_to(f, text, 600000, &packed);
        buffer_add(&packed, "\0\0\0\0", 4); /* bytes behind the end are of the file, too */
        for (size_t i = 0; i < 2; i++) {
            struct pf_checksum sum = sum_of(kinds[i], &packed);
            struct pf_decode_limits limits = defaults;
            struct buffer out = {0};
            struct pf_error err;
            limits.checksum = &sum;
            assert_ok(decode(f, packed.data, packed.length, &limits, &out, &err), &err);
            assert_int_equal(out.length, 600000);
            buffer_end(&out);
        }
        buffer_end(&packed);
    }
    free(text);
}

static void refuses_another_sum(void **state)
{
    (void)state;
    static const enum pf_digest_kind kinds[] = {PF_DIGEST_MD5, PF_DIGEST_SHA256};
    EACH_FORMAT(f)
    {
        struct buffer packed = {0};
        compress_to(f, "text", 4, &packed);
        for (size_t i = 0; i < 2; i++) {
            const struct pf_checksum right = sum_of(kinds[i], &packed);
            struct pf_checksum wrong = right;
            size_t last = strlen(wrong.hex) - 1;
            wrong.hex[last] = wrong.hex[last] == '0' ? '1' : '0';
            struct pf_decode_limits limits = defaults;
            struct buffer out = {0};
            struct pf_error err;
            limits.checksum = &wrong;
            assert_code(decode(f, packed.data, packed.length, &limits, &out, &err), PF_E_CORRUPT,
                        &err);
            assert_contains(err.text, wrong.hex);
            assert_contains(err.text, right.hex);
            buffer_end(&out);
        }
        buffer_end(&packed);
    }
}

/* The sum is that of the file, not of what is in it; and a cut is a cut, whatever the sum. */
static void a_right_sum_saves_no_damaged_file(void **state)
{
    (void)state;
    EACH_FORMAT(f)
    {
        struct buffer packed = {0}, out = {0};
        struct pf_error err;
        compress_to(f, "text", 4, &packed);
        packed.length--;
        struct pf_checksum sum = sum_of(PF_DIGEST_SHA256, &packed);
        struct pf_decode_limits limits = defaults;
        limits.checksum = &sum;
        assert_code(decode(f, packed.data, packed.length, &limits, &out, &err), PF_E_CORRUPT, &err);
        buffer_end(&packed);
        buffer_end(&out);
    }
}

static int truncate_file(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_WRONLY | O_TRUNC | O_CLOEXEC);
    return fd < 0 ? -1 : close(fd);
}

/* A file that grows: what of it is there after each wait. */
struct growth {
    uint64_t step, whole_at; /* bytes; at whole_at it is whole */
    uint64_t there;
    uint64_t dropped_at; /* by then it is of no use; 0: never */
    bool cut;            /* at dropped_at, without a word */
};

static int64_t grow(void *ctx, uint64_t offset)
{
    struct growth *growth = ctx;
    assert_true(offset <= growth->there);
    growth->there = offset + growth->step;
    bool dropped = growth->dropped_at && growth->there >= growth->dropped_at;
    if (dropped && growth->cut)
        assert_int_equal(truncate_file(temp.fd, "f"), 0);
    if (dropped && !growth->cut)
        return -1;
    return growth->there >= growth->whole_at ? INT64_MAX : (int64_t)growth->there;
}

static void waits_for_what_comes(void **state)
{
    (void)state;
    static const uint64_t steps[] = {1, 2, 7, 1000};
    char *text = long_text(5000);
    EACH_FORMAT(f)
    {
        struct buffer packed = {0};
        compress_to(f, text, 5000, &packed);
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
            struct growth growth = {.step = steps[i], .whole_at = packed.length};
            struct pf_decode_limits limits = defaults;
            struct buffer out = {0};
            struct pf_error err;
            limits.await = grow;
            limits.ctx = &growth;
            assert_ok(decode(f, packed.data, packed.length, &limits, &out, &err), &err);
            assert_int_equal(out.length, 5000);
            assert_memory_equal(out.data, text, 5000);
            buffer_end(&out);
        }
        buffer_end(&packed);
    }
    free(text);
}

/* Whatever came before: it is not believed. */
static void gives_up_what_comes_anew(void **state)
{
    (void)state;
    EACH_FORMAT(f)
    {
        /* With zeros behind it, what is there before the end looks whole. */
        struct buffer packed = {0};
        compress_to(f, "text", 4, &packed);
        buffer_add(&packed, (char[64]){0}, 64);
        for (int cut = 0; cut < 2; cut++) {
            struct growth growth = {.step = packed.length - 32,
                                    .whole_at = UINT64_MAX,
                                    .dropped_at = packed.length - 30,
                                    .cut = cut};
            struct pf_decode_limits limits = defaults;
            struct buffer out = {0};
            struct pf_error err;
            limits.await = grow;
            limits.ctx = &growth;
            assert_code(decode(f, packed.data, packed.length, &limits, &out, &err), PF_E_CANCELLED,
                        &err);
            buffer_end(&out);
        }
        buffer_end(&packed);
    }
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(decodes_each_format),
    test(decodes_several_frames),
    test(refuses_frames_of_nothing_without_end),
    test(passes_over_skippable_frames),
    test(wants_check_values_or_a_sha256),
    test(decodes_xz_of_several_blocks_and_threads),
    test(refuses_every_cut),
    test(no_flipped_bit_changes_the_output),
    test(refuses_junk_behind_the_end),
    test(accepts_zeros_behind_the_end_and_nothing_after_them),
    test(refuses_what_the_suffix_does_not_say),
    test(limits_output_and_ratio),
    test(limits_memory),
    test(may_be_given_up_half_way),
    test(checks_the_sum_of_the_packed_bytes),
    test(refuses_another_sum),
    test(a_right_sum_saves_no_damaged_file),
    test(waits_for_what_comes),
    test(gives_up_what_comes_anew),
};
support_main(tests, false)
