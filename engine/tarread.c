/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tarread.h"

#include "clock.h"
#include "message.h"
#include "tarcheck.h"

#include <archive.h>
#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define TAR_BLOCK 512

/* What may be between two members: headers, and maps of holes, which libarchive keeps in memory. */
#define MAX_HEADER_BYTES (4 << 20)

struct pf_tarread {
    struct pf_decode *decode;
    struct archive *archive;
    struct archive_entry *entry; /* the current member */
    const atomic_bool *cancel;
    struct pf_error failure;  /* what stopped `feed`, for libarchive cannot carry it */
    const unsigned char *fed; /* the piece that libarchive got last; the decoder's */
    size_t fed_length;
    int64_t fed_total;
    int64_t decode_ns;
    int64_t header_limit; /* of fed_total, while a header is looked for; 0: there is none */
    struct pf_tarcheck check;
    bool short_end;   /* one block of zeros instead of two */
    int64_t data_end; /* where the last member's header or data ended */
    locale_t plain;   /* the C locale */
    locale_t callers; /* this thread's own, while it is in the C locale; else 0 */
};

static la_ssize_t feed_piece(struct pf_tarread *tar, const void **data)
{
    size_t length;
    if (tar->cancel && atomic_load(tar->cancel)) {
        pf_error_set(&tar->failure, PF_E_CANCELLED, "stopped");
        return ARCHIVE_FATAL;
    }
    if (tar->header_limit && tar->fed_total > tar->header_limit) {
        pf_error_set(&tar->failure, PF_E_LIMIT, "a member's headers take more than %d MiB",
                     MAX_HEADER_BYTES >> 20);
        return ARCHIVE_FATAL;
    }
    int64_t start_ns = pf_clock_ns(), waited_ns = pf_decode_waited_ns(tar->decode);
    if (pf_decode_next(tar->decode, data, &length, &tar->failure))
        return ARCHIVE_FATAL;
    waited_ns = pf_decode_waited_ns(tar->decode) - waited_ns;
    tar->decode_ns += pf_clock_ns() - start_ns - waited_ns;
    if (pf_tarcheck_feed(&tar->check, *data, length, &tar->failure))
        return ARCHIVE_FATAL;
    tar->fed = *data;
    tar->fed_length = length;
    tar->fed_total += (int64_t)length;
    return (la_ssize_t)length;
}

static la_ssize_t feed(struct archive *archive, void *ctx, const void **data)
{
    (void)archive;
    struct pf_tarread *tar = ctx;
    /* Errors are told in the caller's language and encoding. */
    if (tar->callers != (locale_t)0)
        uselocale(tar->callers);
    la_ssize_t length = feed_piece(tar, data);
    if (tar->callers != (locale_t)0)
        uselocale(tar->plain);
    return length;
}

static int archive_failure(struct pf_tarread *tar, struct pf_error *err)
{
    if (tar->failure.code) {
        if (err)
            *err = tar->failure;
        return tar->failure.code;
    }
    const char *why = archive_error_string(tar->archive);
    /* Some failures have no text, and no number but the C library's. */
    if ((why ? archive_errno(tar->archive) : errno) == ENOMEM)
        return pf_error_memory(err);
    return pf_error_set(err, PF_E_CORRUPT, "the tar inside is damaged: %s",
                        why ? why : pf_message(N_("unknown error")));
}

static int open_archive(struct pf_tarread *tar, struct pf_error *err)
{
    tar->archive = archive_read_new();
    if (!tar->archive)
        return pf_error_memory(err);
    /* In single steps, as libarchive's own function for them does not look at what the second says,
       and with an entry made here, as its reader does not look whether it could make its own. */
    if (archive_read_support_format_tar(tar->archive) != ARCHIVE_OK ||
        archive_read_set_read_callback(tar->archive, feed) != ARCHIVE_OK ||
        archive_read_set_callback_data(tar->archive, tar) != ARCHIVE_OK ||
        archive_read_open1(tar->archive) != ARCHIVE_OK)
        return archive_failure(tar, err);
    tar->entry = archive_entry_new2(tar->archive);
    return tar->entry ? 0 : pf_error_memory(err);
}

int pf_tarread_new(int fd, enum pf_format format, const struct pf_decode_limits *limits,
                   const atomic_bool *cancel, struct pf_tarread **out, struct pf_error *err)
{
    struct pf_tarread *tar = calloc(1, sizeof *tar);
    if (!tar)
        return pf_error_memory(err);
    tar->cancel = cancel;
    pf_tarcheck_init(&tar->check);
    tar->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    int failed = tar->plain == (locale_t)0 ? pf_error_memory(err) : 0;
    if (!failed)
        failed = pf_decode_new(fd, format, limits, &tar->decode, err);
    if (!failed)
        failed = open_archive(tar, err);
    if (failed) {
        pf_tarread_free(tar);
        return failed;
    }
    *out = tar;
    return 0;
}

void pf_tarread_free(struct pf_tarread *tar)
{
    if (!tar)
        return;
    archive_entry_free(tar->entry);
    archive_read_free(tar->archive);
    pf_tarcheck_end(&tar->check);
    pf_decode_free(tar->decode);
    if (tar->plain != (locale_t)0)
        freelocale(tar->plain);
    free(tar);
}

static int check_zeros(const unsigned char *data, size_t length, struct pf_error *err)
{
    for (size_t i = 0; i < length; i++) {
        if (data[i] != 0)
            return pf_error_set(err, PF_E_CORRUPT, "junk after the end of the tar inside");
    }
    return 0;
}

/* tar's end is two blocks of zeros, or, by some programs, one; libarchive takes the mere end of the
   stream for it, so count.
   What is behind them can only be more zeros. */
static int check_end(struct pf_tarread *tar, struct pf_error *err)
{
    int64_t padded = (tar->data_end + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
    int64_t consumed = archive_filter_bytes(tar->archive, 0);
    int64_t left = tar->fed_total - consumed; /* in the last piece */
    if (consumed < padded + TAR_BLOCK)
        return pf_error_set(err, PF_E_CORRUPT,
                            "the tar inside ends without its end-of-archive blocks, so it was cut "
                            "off; fetch it again or from another mirror (--mirror), or pack it "
                            "anew with tar");
    tar->short_end = consumed < padded + 2 * TAR_BLOCK;
    if (left < 0 || (uint64_t)left > tar->fed_length)
        return pf_error_set(err, PF_E_CORRUPT, "the end of the tar inside is out of place");
    const void *data = left ? tar->fed + tar->fed_length - left : NULL;
    size_t length = (size_t)left;
    int failed;
    do {
        failed = check_zeros(data, length, err);
        if (!failed)
            failed = pf_decode_next(tar->decode, &data, &length, err);
    } while (!failed && length);
    return failed;
}

/* libarchive converts the names of PAX headers from UTF-8 to the locale's encoding, and normalises
   them on the way. What it cannot convert it keeps as it is, with a warning: in the C locale that
   is every name that is not ASCII, so that none is changed, whatever the user's locale is. */
static int read_header(struct pf_tarread *tar)
{
    tar->callers = uselocale(tar->plain);
    int status = archive_read_next_header2(tar->archive, tar->entry);
    uselocale(tar->callers);
    tar->callers = (locale_t)0;
    const char *why = status == ARCHIVE_WARN ? archive_error_string(tar->archive) : NULL;
    return why && strstr(why, "can't be converted from UTF-8") ? ARCHIVE_OK : status;
}

int pf_tarread_next(struct pf_tarread *tar, struct archive_entry **entry, struct pf_error *err)
{
    tar->header_limit = tar->fed_total + MAX_HEADER_BYTES;
    int status = read_header(tar);
    *entry = tar->entry;
    tar->header_limit = 0;
    if (status == ARCHIVE_EOF)
        return check_end(tar, err);
    if (status != ARCHIVE_OK)
        return archive_failure(tar, err);
    tar->data_end = archive_filter_bytes(tar->archive, 0);
    return 1;
}

int pf_tarread_data(struct pf_tarread *tar, int64_t size, uint64_t sparse_free,
                    pf_tarread_sink_fn sink, void *ctx, struct pf_error *err)
{
    uint64_t stored = 0, most = size < 0 ? UINT64_MAX : (uint64_t)size;
    for (;;) {
        const void *data;
        size_t length;
        la_int64_t offset;
        int status = archive_read_data_block(tar->archive, &data, &length, &offset);
        if (status == ARCHIVE_EOF)
            break;
        if (status != ARCHIVE_OK)
            return archive_failure(tar, err);
        stored += length;
        bool within = offset >= 0 && (uint64_t)offset <= most && length <= most - (uint64_t)offset;
        if (!within)
            return pf_error_set(err, PF_E_CORRUPT, "its data and its size disagree");
        if ((uint64_t)offset > stored + sparse_free)
            return pf_error_set(err, PF_E_CORRUPT,
                                "a sparse file of far more bytes than it stores");
        int failed = length ? sink(ctx, data, length, (off_t)offset) : 0;
        if (failed)
            return failed;
    }
    tar->data_end = archive_filter_bytes(tar->archive, 0);
    if (size >= 0 && (uint64_t)size > stored + sparse_free)
        return pf_error_set(err, PF_E_CORRUPT, "a sparse file of far more bytes than it stores");
    return 0;
}

uint64_t pf_tarread_bytes(const struct pf_tarread *tar)
{
    return pf_decode_output_bytes(tar->decode);
}

int64_t pf_tarread_decode_ns(const struct pf_tarread *tar)
{
    return tar->decode_ns;
}

bool pf_tarread_short_end(const struct pf_tarread *tar)
{
    return tar->short_end;
}

struct timespec pf_tarread_mtime(struct archive_entry *entry)
{
    struct timespec time = {archive_entry_mtime(entry), archive_entry_mtime_nsec(entry)};
    /* "-5.25" is 5.25 s before 1970; libarchive gives its parts as they stand. */
    if (time.tv_sec < 0 && time.tv_nsec > 0)
        time = (struct timespec){time.tv_sec - 1, 1000000000 - time.tv_nsec};
    return time;
}

void pf_tarread_digest(const struct pf_tarread *tar, char text[PF_DIGEST_TEXT_SIZE])
{
    pf_decode_digest(tar->decode, text);
}
