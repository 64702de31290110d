/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "decode.h"

#include "clock.h"
#include "message.h"

#include <bzlib.h>
#include <errno.h>
#include <lzma.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define IN_SIZE  (128 * 1024)
#define OUT_SIZE (256 * 1024)

/* Each frame takes time, also one of nothing; some programs write one such at the end, and pzstd
   one in front of each that has something. */
#define MAX_EMPTY_FRAMES 1000

/* A zstd frame's magic and its descriptor. */
#define FRAME_HEAD 5

/* The four libraries behind one interface. `step` moves data from in to out; it returns 0 with
   d->frame_ended set where a frame (member, stream) ended just there. */
struct codec {
    const char *name;
    unsigned char magic[6];
    size_t magic_length;
    int (*start)(struct pf_decode *d, struct pf_error *err);
    int (*step)(struct pf_decode *d, struct pf_error *err);
    int (*restart)(struct pf_decode *d, struct pf_error *err); /* before a further frame */
    void (*stop)(struct pf_decode *d);
};

struct pf_decode {
    const struct codec *codec;
    struct pf_decode_limits limits;
    int fd;
    union {
        z_stream z;
        bz_stream bz;
        lzma_stream xz;
        ZSTD_DCtx *zstd;
    };
    struct pf_digest *digest;
    struct pf_digest *checked; /* NULL: no checksum is asked for */
    unsigned char *in, *out;
    size_t in_pos, in_end; /* what is still to be decoded */
    size_t out_end;        /* what has been decoded */
    uint64_t in_total, out_total;
    uint64_t frame_start; /* of what has been decoded */
    int64_t waited_ns;
    unsigned char head[FRAME_HEAD]; /* of the zstd frame that is being decoded */
    size_t head_length;             /* so much of it has passed */
    unsigned empty_frames;          /* more of them than of others */
    bool in_eof;                    /* the file has been read to its end */
    bool frame_ended;               /* at a boundary: the file may end here */
    bool trailing;                  /* only zero bytes may follow */
};

static int corrupt(struct pf_decode *d, struct pf_error *err, const char *why)
{
    return pf_error_set(err, PF_E_CORRUPT, "the %s data is damaged: %s", d->codec->name,
                        pf_message(why));
}

static int too_much_memory(struct pf_decode *d, struct pf_error *err)
{
    return pf_error_set(err, PF_E_LIMIT, "decoding it takes more than %llu MiB of memory",
                        (unsigned long long)(d->limits.memory_bytes >> 20));
}

/* Would damage go unseen? zlib and bzip2 check always. */
static bool is_vouched_for(const struct pf_decode *d)
{
    const struct pf_checksum *sum = d->limits.checksum;
    return d->limits.unchecked || (sum && sum->kind == PF_DIGEST_SHA256);
}

static int refuse_unchecked(struct pf_decode *d, struct pf_error *err)
{
    return pf_error_set(err, PF_E_LIMIT,
                        "the %s data has no check values, so damage would go unseen; a SHA-256 of "
                        "a lockfile or the mirror vouches for it, --limit unchecked=1 takes it as "
                        "it is",
                        d->codec->name);
}

static int gzip_start(struct pf_decode *d, struct pf_error *err)
{
    /* 16: gzip wrapper only; zlib itself then checks CRC-32 and ISIZE of each member. */
    if (inflateInit2(&d->z, 15 + 16) != Z_OK)
        return pf_error_memory(err);
    return 0;
}

static int gzip_step(struct pf_decode *d, struct pf_error *err)
{
    d->z.next_in = d->in + d->in_pos;
    d->z.avail_in = (uInt)(d->in_end - d->in_pos);
    d->z.next_out = d->out + d->out_end;
    d->z.avail_out = (uInt)(OUT_SIZE - d->out_end);
    int status = inflate(&d->z, Z_NO_FLUSH);
    d->in_pos = d->in_end - d->z.avail_in;
    d->out_end = OUT_SIZE - d->z.avail_out;
    if (status == Z_STREAM_END)
        d->frame_ended = true;
    else if (status != Z_OK && status != Z_BUF_ERROR)
        return corrupt(d, err, d->z.msg ? d->z.msg : "inflate failed");
    return 0;
}

static int gzip_restart(struct pf_decode *d, struct pf_error *err)
{
    return inflateReset(&d->z) == Z_OK ? 0 : corrupt(d, err, "cannot go on after a member");
}

static void gzip_stop(struct pf_decode *d)
{
    inflateEnd(&d->z);
}

static int bzip2_start(struct pf_decode *d, struct pf_error *err)
{
    if (BZ2_bzDecompressInit(&d->bz, 0, 0) != BZ_OK)
        return pf_error_memory(err);
    return 0;
}

static int bzip2_step(struct pf_decode *d, struct pf_error *err)
{
    d->bz.next_in = (char *)d->in + d->in_pos;
    d->bz.avail_in = (unsigned)(d->in_end - d->in_pos);
    d->bz.next_out = (char *)d->out + d->out_end;
    d->bz.avail_out = (unsigned)(OUT_SIZE - d->out_end);
    int status = BZ2_bzDecompress(&d->bz);
    d->in_pos = d->in_end - d->bz.avail_in;
    d->out_end = OUT_SIZE - d->bz.avail_out;
    if (status == BZ_STREAM_END)
        d->frame_ended = true;
    else if (status != BZ_OK)
        return corrupt(d, err, "a block's check value does not match");
    return 0;
}

static void bzip2_stop(struct pf_decode *d)
{
    BZ2_bzDecompressEnd(&d->bz);
}

static int bzip2_restart(struct pf_decode *d, struct pf_error *err)
{
    bzip2_stop(d);
    memset(&d->bz, 0, sizeof d->bz);
    return bzip2_start(d, err);
}

static int xz_start(struct pf_decode *d, struct pf_error *err)
{
    lzma_mt mt = {
        .flags = (is_vouched_for(d) ? 0 : LZMA_TELL_NO_CHECK) | LZMA_TELL_UNSUPPORTED_CHECK |
                 LZMA_CONCATENATED | LZMA_FAIL_FAST,
        .threads = d->limits.threads ? d->limits.threads : 1,
        .memlimit_threading = d->limits.memory_bytes,
        .memlimit_stop = d->limits.memory_bytes,
    };
    d->xz = (lzma_stream)LZMA_STREAM_INIT;
    if (lzma_stream_decoder_mt(&d->xz, &mt) != LZMA_OK)
        return pf_error_memory(err);
    return 0;
}

static int xz_step(struct pf_decode *d, struct pf_error *err)
{
    d->xz.next_in = d->in + d->in_pos;
    d->xz.avail_in = d->in_end - d->in_pos;
    d->xz.next_out = d->out + d->out_end;
    d->xz.avail_out = OUT_SIZE - d->out_end;
    lzma_ret status = lzma_code(&d->xz, d->in_eof ? LZMA_FINISH : LZMA_RUN);
    d->in_pos = d->in_end - d->xz.avail_in;
    d->out_end = OUT_SIZE - d->xz.avail_out;
    switch (status) {
    case LZMA_OK:
    case LZMA_BUF_ERROR: /* no progress was possible: the caller sees that for itself */
        return 0;
    case LZMA_STREAM_END: /* LZMA_CONCATENATED: this is the end of the file, padding included */
        d->frame_ended = true;
        return 0;
    case LZMA_MEMLIMIT_ERROR:
        return too_much_memory(d, err);
    case LZMA_MEM_ERROR:
        return pf_error_memory(err);
    case LZMA_NO_CHECK:
        return refuse_unchecked(d, err);
    case LZMA_UNSUPPORTED_CHECK:
        return corrupt(d, err, "its integrity check is of an unknown kind");
    case LZMA_OPTIONS_ERROR:
        return corrupt(d, err, "it uses options that liblzma does not know");
    default:
        return corrupt(d, err, "a check value or length does not match");
    }
}

static int xz_restart(struct pf_decode *d, struct pf_error *err)
{
    return corrupt(d, err, "junk after the end");
}

static void xz_stop(struct pf_decode *d)
{
    lzma_end(&d->xz);
}

static int zstd_start(struct pf_decode *d, struct pf_error *err)
{
    d->zstd = ZSTD_createDCtx();
    if (!d->zstd)
        return pf_error_memory(err);
    /* The window is what a decoder must keep: it is the memory limit's only handle. */
    int log = 10;
    while (log < 31 && (UINT64_C(1) << (log + 1)) <= d->limits.memory_bytes)
        log++;
    ZSTD_bounds bounds = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax);
    if (log > bounds.upperBound)
        log = bounds.upperBound;
    ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, log);
    return 0;
}

/* The frame's head has passed: has it a check value? A frame that is passed over needs none.
   (RFC 8878, 3.1.1.1.1: bit 2 of the descriptor.) */
static int check_head(struct pf_decode *d, struct pf_error *err)
{
    bool data = memcmp(d->head, d->codec->magic, d->codec->magic_length) == 0;
    bool checked = d->head[FRAME_HEAD - 1] & 4;
    return data && !checked && !is_vouched_for(d) ? refuse_unchecked(d, err) : 0;
}

static int take_head(struct pf_decode *d, const unsigned char *data, size_t length,
                     struct pf_error *err)
{
    size_t wanted = FRAME_HEAD - d->head_length, n = length < wanted ? length : wanted;
    if (n == 0)
        return 0;
    memcpy(d->head + d->head_length, data, n);
    d->head_length += n;
    return d->head_length == FRAME_HEAD ? check_head(d, err) : 0;
}

static int zstd_step(struct pf_decode *d, struct pf_error *err)
{
    size_t from = d->in_pos;
    ZSTD_inBuffer in = {.src = d->in, .size = d->in_end, .pos = d->in_pos};
    ZSTD_outBuffer out = {.dst = d->out, .size = OUT_SIZE, .pos = d->out_end};
    size_t hint = ZSTD_decompressStream(d->zstd, &out, &in);
    d->in_pos = in.pos;
    d->out_end = out.pos;
    if (ZSTD_isError(hint)) {
        if (ZSTD_getErrorCode(hint) == ZSTD_error_frameParameter_windowTooLarge)
            return too_much_memory(d, err);
        return corrupt(d, err, ZSTD_getErrorName(hint));
    }
    if (hint == 0)
        d->frame_ended = true;
    return take_head(d, d->in + from, d->in_pos - from, err);
}

static int zstd_restart(struct pf_decode *d, struct pf_error *err)
{
    (void)err; /* ZSTD_decompressStream starts the next frame by itself */
    d->head_length = 0;
    return 0;
}

static void zstd_stop(struct pf_decode *d)
{
    ZSTD_freeDCtx(d->zstd);
}

static const struct codec codecs[] = {
    [PF_FORMAT_GZIP] = {"gzip", {0x1f, 0x8b}, 2, gzip_start, gzip_step, gzip_restart, gzip_stop},
    [PF_FORMAT_BZIP2] = {"bzip2", "BZh", 3, bzip2_start, bzip2_step, bzip2_restart, bzip2_stop},
    [PF_FORMAT_XZ] =
        {"xz", {0xfd, '7', 'z', 'X', 'Z', 0}, 6, xz_start, xz_step, xz_restart, xz_stop},
    [PF_FORMAT_ZSTD] =
        {"zstd", {0x28, 0xb5, 0x2f, 0xfd}, 4, zstd_start, zstd_step, zstd_restart, zstd_stop},
};

static void digest_input(struct pf_decode *d, size_t from, size_t length)
{
    pf_digest_add(d->digest, d->in + from, length);
    if (d->checked)
        pf_digest_add(d->checked, d->in + from, length);
}

static int64_t await_more(struct pf_decode *d)
{
    if (!d->limits.await)
        return INT64_MAX;
    int64_t start_ns = pf_clock_ns();
    int64_t there = d->limits.await(d->limits.ctx, d->in_total);
    d->waited_ns += pf_clock_ns() - start_ns;
    return there;
}

/* The file's next piece goes behind the first `have` bytes of the buffer. Returns its length, 0 at
   the end of the file, or a code. */
static ssize_t read_piece(struct pf_decode *d, size_t have, struct pf_error *err)
{
    size_t room = IN_SIZE - have;
    int64_t there = await_more(d);
    if (there < 0)
        return pf_error_set(err, PF_E_CANCELLED, "stopped");
    if ((uint64_t)there - d->in_total < room)
        room = (size_t)((uint64_t)there - d->in_total);
    ssize_t n;
    do
        n = read(d->fd, d->in + have, room);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return pf_error_errno(err, "reading the file");
    /* What was there is not there any more: it is being made anew. */
    if (n == 0 && there != INT64_MAX)
        return pf_error_set(err, PF_E_CANCELLED, "stopped");
    digest_input(d, have, (size_t)n);
    d->in_end = have + (size_t)n;
    d->in_total += (uint64_t)n;
    return n;
}

/* Reads on once all that was read has been decoded. */
static int refill(struct pf_decode *d, struct pf_error *err)
{
    if (d->in_pos < d->in_end || d->in_eof)
        return 0;
    ssize_t n = read_piece(d, 0, err);
    if (n < 0)
        return (int)n;
    d->in_pos = 0;
    d->in_eof = n == 0;
    if (d->limits.on_read)
        d->limits.on_read(d->limits.ctx, d->in_total);
    return 0;
}

/* A zstd file may begin with a frame that a decoder passes over; pzstd writes such. Their magic
   numbers are 0x184D2A50 to 0x184D2A5F (RFC 8878, 3.1.2). */
static bool begins_with_skippable(const struct pf_decode *d)
{
    static const unsigned char rest[] = {0x2a, 0x4d, 0x18};
    return d->codec == &codecs[PF_FORMAT_ZSTD] && (d->in[0] & 0xf0) == 0x50 &&
           memcmp(d->in + 1, rest, sizeof rest) == 0;
}

/* Fills the first buffer to the magic's length at least. */
static int check_magic(struct pf_decode *d, struct pf_error *err)
{
    ssize_t n = 1;
    while (n > 0 && d->in_end < d->codec->magic_length)
        n = read_piece(d, d->in_end, err);
    if (n < 0)
        return (int)n;
    if (d->in_end == 0)
        return pf_error_set(err, PF_E_CORRUPT, "the file is empty");
    if (d->in_end < d->codec->magic_length ||
        (memcmp(d->in, d->codec->magic, d->codec->magic_length) != 0 && !begins_with_skippable(d)))
        return pf_error_set(err, PF_E_CORRUPT, "the file is not %s data, as its suffix says",
                            d->codec->name);
    return 0;
}

int pf_decode_new(int fd, enum pf_format format, const struct pf_decode_limits *limits,
                  struct pf_decode **out, struct pf_error *err)
{
    if (format == PF_FORMAT_NONE)
        return pf_error_set(err, PF_E_INVALID, "not a package");
    struct pf_decode *d = calloc(1, sizeof *d);
    if (!d)
        return pf_error_memory(err);
    d->fd = fd;
    d->limits = *limits;
    d->digest = pf_digest_new(PF_DIGEST_XXH3);
    if (limits->checksum)
        d->checked = pf_digest_new(limits->checksum->kind);
    d->in = malloc(IN_SIZE);
    d->out = malloc(OUT_SIZE);
    int failed = 0;
    const struct codec *codec = &codecs[format];
    if (limits->checksum && !d->checked)
        failed = pf_error_set(err, PF_E_SYSTEM, "%s cannot be computed on this machine",
                              pf_digest_name(limits->checksum->kind));
    else if (!d->digest || !d->in || !d->out)
        failed = pf_error_memory(err);
    else if (lseek(fd, 0, SEEK_SET) < 0)
        failed = pf_error_errno(err, "reading the file");
    if (!failed) {
        d->codec = codec;
        failed = check_magic(d, err);
    }
    if (!failed)
        failed = codec->start(d, err);
    if (failed) {
        d->codec = NULL; /* nothing to stop */
        pf_decode_free(d);
        return failed;
    }
    *out = d;
    return 0;
}

static int check_trailing_zeros(struct pf_decode *d, struct pf_error *err)
{
    for (; d->in_pos < d->in_end; d->in_pos++) {
        if (d->in[d->in_pos] != 0)
            return corrupt(d, err, "junk after the end");
    }
    return 0;
}

static int check_limits(struct pf_decode *d, struct pf_error *err)
{
    if (d->out_total > d->limits.output_bytes)
        return pf_error_set(err, PF_E_LIMIT, "it unpacks to more than %llu bytes",
                            (unsigned long long)d->limits.output_bytes);
    if (d->out_total > d->limits.ratio_free_bytes && d->out_total / d->limits.ratio > d->in_total)
        return pf_error_set(err, PF_E_LIMIT, "it unpacks to more than %u times its size",
                            d->limits.ratio);
    return 0;
}

/* At the end of the file: is it the one that the mirror's list speaks of? */
static int check_checksum(struct pf_decode *d, struct pf_error *err)
{
    const struct pf_checksum *wanted = d->limits.checksum;
    char text[PF_DIGEST_TEXT_SIZE];
    if (!wanted)
        return 0;
    pf_digest_text(d->checked, text);
    if (strcmp(text, wanted->hex) == 0)
        return 0;
    return pf_error_set(err, PF_E_CORRUPT, "its %s is %s instead of %s",
                        pf_digest_name(wanted->kind), text, wanted->hex);
}

/* Another frame begins where one has ended. */
static int next_frame(struct pf_decode *d, struct pf_error *err)
{
    uint64_t here = d->out_total + d->out_end;
    if (here > d->frame_start)
        d->empty_frames -= d->empty_frames > 0;
    else if (++d->empty_frames > MAX_EMPTY_FRAMES)
        return pf_error_set(err, PF_E_LIMIT, "it has more than %d frames of nothing",
                            MAX_EMPTY_FRAMES);
    d->frame_start = here;
    d->frame_ended = false;
    return d->codec->restart(d, err);
}

int pf_decode_next(struct pf_decode *d, const void **data, size_t *length, struct pf_error *err)
{
    d->out_end = 0;
    *length = 0;
    for (;;) {
        int failed = refill(d, err);
        if (failed)
            return failed;
        if (d->frame_ended && d->in_pos < d->in_end && !d->trailing) {
            d->trailing = d->in[d->in_pos] == 0;
            failed = d->trailing ? 0 : next_frame(d, err);
            if (failed)
                return failed;
        }
        if (d->trailing) {
            failed = check_trailing_zeros(d, err);
            if (failed)
                return failed;
        }
        if (d->in_eof && d->frame_ended && d->in_pos == d->in_end)
            break;
        if (d->trailing || (d->frame_ended && d->in_pos == d->in_end))
            continue;
        size_t in_before = d->in_pos, out_before = d->out_end;
        failed = d->codec->step(d, err);
        if (failed)
            return failed;
        if (d->out_end == OUT_SIZE)
            break;
        if (d->in_eof && !d->frame_ended && d->in_pos == in_before && d->out_end == out_before)
            return corrupt(d, err, "the file ends too early");
    }
    d->out_total += d->out_end;
    *data = d->out;
    *length = d->out_end;
    return d->out_end == 0 ? check_checksum(d, err) : check_limits(d, err);
}

uint64_t pf_decode_output_bytes(const struct pf_decode *d)
{
    return d->out_total;
}

int64_t pf_decode_waited_ns(const struct pf_decode *d)
{
    return d->waited_ns;
}

void pf_decode_digest(const struct pf_decode *d, char text[PF_DIGEST_TEXT_SIZE])
{
    pf_digest_text(d->digest, text);
}

void pf_decode_free(struct pf_decode *d)
{
    if (!d)
        return;
    if (d->codec)
        d->codec->stop(d);
    pf_digest_free(d->digest);
    pf_digest_free(d->checked);
    free(d->in);
    free(d->out);
    free(d);
}
