/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tarcheck.h"

#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK        512u
#define MAX_EXTENDED (1u << 20)
#define MAX_SIZE     (INT64_C(1) << 40)
#define MAX_ID       (INT64_C(0xfffffffe))
/* No file system here keeps times of the year 2514, nor of 1425. */
#define MAX_TIME (INT64_C(1) << 34)
/* Blocks of one map of holes, with 21 pieces each. */
#define MAX_SPARSE_BLOCKS 4096u
/* In a header a size has eleven octal digits. */
#define MAX_OCTAL_SIZE INT64_C(077777777777)

static int refuse(const struct pf_tarcheck *c, struct pf_error *err, const char *why)
{
    const char *name = c->name;
    int length = (int)strnlen(name, sizeof c->name);
    if (length == 0) {
        name = (const char *)c->block;
        length = (int)strnlen(name, 100);
    }
    return pf_error_set(err, PF_E_CORRUPT, "member %.*s: %s", length, name, pf_message(why));
}

/* An octal number, or GNU's binary one. -1: negative, too large or no number. Blank is 0. */
static int64_t field(const unsigned char *p, size_t width)
{
    int64_t value = 0;
    if (*p & 0x80) {
        if (*p != 0x80)
            return -1;
        for (size_t i = 1; i < width; i++) {
            if (value >> 55)
                return -1;
            value = value << 8 | p[i];
        }
        return value;
    }
    size_t i = 0;
    while (i < width && p[i] == ' ')
        i++;
    for (; i < width && p[i] >= '0' && p[i] <= '7'; i++)
        value = value << 3 | (p[i] - '0');
    for (; i < width; i++) {
        if (p[i] != ' ' && p[i] != '\0')
            return -1;
    }
    return value;
}

static bool in_range(int64_t value, int64_t most)
{
    return value >= 0 && value <= most;
}

/* A time, which GNU's binary numbers may put before 1970: two's complement. */
static bool is_time(const unsigned char *p, size_t width)
{
    if (*p != 0xff)
        return in_range(field(p, width), MAX_TIME);
    int64_t value = -1;
    for (size_t i = 1; i < width && value >= -MAX_TIME; i++)
        value = value * 256 + p[i];
    return value >= -MAX_TIME;
}

/* Reads a decimal number up to `end`. -1: it is none, or too large. */
static int64_t decimal(const char *p, const char *end)
{
    int64_t value = p < end ? 0 : -1;
    for (; p < end; p++) {
        if (*p < '0' || *p > '9' || value > INT64_MAX / 10 - 1)
            return -1;
        value = value * 10 + (*p - '0');
    }
    return value;
}

/* Of a time, which may be before 1970 and have a fraction: how far from 1970 it is. */
static int64_t seconds(const char *p, const char *end)
{
    if (p == end)
        return -1;
    if (*p == '-')
        p++;
    const char *point = memchr(p, '.', (size_t)(end - p));
    for (const char *digit = point ? point + 1 : end; digit < end; digit++) {
        if (*digit < '0' || *digit > '9')
            return -1;
    }
    return decimal(p, point ? point : end);
}

/* The next piece of a file with holes. */
static int add_piece(struct pf_tarcheck *c, int64_t offset, int64_t length, struct pf_error *err)
{
    if (!in_range(offset, MAX_SIZE * 8) || !in_range(length, MAX_SIZE) || offset < c->sparse_end)
        return refuse(c, err, "a map of holes that is out of order or out of range");
    c->sparse_end = offset + length;
    c->sparse_sum += (uint64_t)length;
    c->sparse_pieces = true;
    return 0;
}

static bool is_key(const char *record, const char *equals, const char *key)
{
    size_t length = (size_t)(equals - record);
    return strlen(key) == length && memcmp(record, key, length) == 0;
}

/* PAX sparse format 0.1: offset,length,offset,length… */
static int add_map(struct pf_tarcheck *c, const char *p, const char *end, struct pf_error *err)
{
    int64_t offset = -1;
    while (p < end) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        int64_t number = decimal(p, comma ? comma : end);
        int failed = offset >= 0 ? add_piece(c, offset, number, err) : 0;
        if (failed)
            return failed;
        if (offset < 0 && number < 0)
            return refuse(c, err, "a map of holes that is no list of numbers");
        offset = offset >= 0 ? -1 : number;
        p = comma ? comma + 1 : end;
    }
    return 0;
}

static int take_record(struct pf_tarcheck *c, bool global, const char *record, const char *equals,
                       const char *end, struct pf_error *err)
{
    const char *value = equals + 1;
    if (is_key(record, equals, "size")) {
        c->pax_size = decimal(value, end);
        if (global || !in_range(c->pax_size, MAX_SIZE))
            return refuse(c, err, "a PAX size that no member has");
    } else if (is_key(record, equals, "uid") || is_key(record, equals, "gid")) {
        if (!in_range(decimal(value, end), MAX_ID))
            return refuse(c, err, "an owner that no system has");
    } else if (is_key(record, equals, "mtime")) {
        if (!in_range(seconds(value, end), MAX_TIME))
            return refuse(c, err, "a time that no system has");
    } else if (is_key(record, equals, "path") || is_key(record, equals, "GNU.sparse.name")) {
        snprintf(c->name, sizeof c->name, "%.*s", (int)(end - value), value);
    } else if (is_key(record, equals, "GNU.sparse.major")) {
        c->text_map = end - value == 1 && *value == '1';
    } else if (is_key(record, equals, "GNU.sparse.offset")) {
        c->sparse_from = decimal(value, end);
    } else if (is_key(record, equals, "GNU.sparse.numbytes")) {
        return add_piece(c, c->sparse_from, decimal(value, end), err);
    } else if (is_key(record, equals, "GNU.sparse.map")) {
        return add_map(c, value, end, err);
    }
    return 0;
}

/* "LENGTH KEY=VALUE\n", again and again. */
static int take_extended(struct pf_tarcheck *c, bool global, struct pf_error *err)
{
    const char *p = c->extended, *end = p + c->extended_length;
    while (p < end) {
        const char *space = memchr(p, ' ', (size_t)(end - p));
        int64_t length = space ? decimal(p, space) : -1;
        if (length < 1 || length > end - p || p[length - 1] != '\n' || space + 1 >= p + length)
            return refuse(c, err, "a PAX record that is none");
        const char *equals = memchr(space, '=', (size_t)(p + length - 1 - space));
        if (!equals)
            return refuse(c, err, "a PAX record that is none");
        int failed = take_record(c, global, space + 1, equals, p + length - 1, err);
        if (failed)
            return failed;
        p += length;
    }
    return 0;
}

static void forget_extended(struct pf_tarcheck *c)
{
    free(c->extended);
    c->extended = NULL;
    c->extended_have = c->extended_want = c->extended_length = 0;
}

/* After a member: what was said in front of it is no more. */
static void forget_member(struct pf_tarcheck *c)
{
    c->name[0] = '\0';
    c->pax_size = c->sparse_from = -1;
    c->sparse_end = 0;
    c->sparse_sum = 0;
    c->sparse_pieces = c->sparse_more = c->text_map = c->map_passes = c->map_counted = false;
    c->map_bytes = c->map_numbers = 0;
    c->map_number = -1;
    c->sparse_blocks = 0;
}

static uint64_t pad(int64_t size)
{
    return ((uint64_t)size + BLOCK - 1) / BLOCK * BLOCK;
}

static int begin_sparse(struct pf_tarcheck *c, int64_t stored, struct pf_error *err);

/* A member with data, or one that can have none. */
static int take_member(struct pf_tarcheck *c, char type, int64_t size, struct pf_error *err)
{
    bool has_data = type == '0' || type == '\0' || type == '7' || type == 'S';
    int64_t pax = c->pax_size;
    bool too_large_for_octal = pax > MAX_OCTAL_SIZE && (size == 0 || size == MAX_OCTAL_SIZE);
    if (pax >= 0 && pax != size && !too_large_for_octal)
        return refuse(c, err, "its header and its PAX header disagree on its size");
    size = pax >= 0 ? pax : size;
    if (!has_data && size)
        return refuse(c, err, "data that belongs to no regular file");
    if (type == 'S')
        return begin_sparse(c, size, err);
    if (c->text_map) {
        c->sparse_stored = (uint64_t)size;
        c->map_passes = true;
        return size ? 0 : refuse(c, err, "a map of holes that is not there");
    }
    if (c->sparse_pieces && c->sparse_sum != (uint64_t)size)
        return refuse(c, err, "a map of holes that is not of what is stored");
    c->skip = pad(size);
    forget_member(c);
    return 0;
}

/* A header that tells of the member behind it. */
static int take_preface(struct pf_tarcheck *c, char type, int64_t size, struct pf_error *err)
{
    if (size > MAX_EXTENDED)
        return refuse(c, err, "a header of more than a mebibyte");
    if (c->pax_size >= 0)
        return refuse(c, err, "a PAX size in front of a header that is no member's");
    if (type == 'K') {
        c->skip = pad(size);
        return 0;
    }
    c->extended = malloc(pad(size) + 1);
    if (!c->extended)
        return pf_error_memory(err);
    c->extended_length = (size_t)size;
    c->extended_want = pad(size);
    c->long_name = type == 'L';
    c->extended[size] = '\0';
    return 0;
}

static int take_header(struct pf_tarcheck *c, struct pf_error *err)
{
    const unsigned char *b = c->block;
    int64_t size = field(b + 124, 12);
    unsigned sum = 0;
    int old_sum = 0; /* some old tars took the bytes for signed */
    for (size_t i = 0; i < BLOCK; i++) {
        unsigned char byte = i >= 148 && i < 156 ? ' ' : b[i];
        sum += byte;
        old_sum += (signed char)byte;
    }
    if (sum == 8 * ' ') {
        c->ended = true;
        return 0;
    }
    if (field(b + 148, 8) != sum && field(b + 148, 8) != old_sum)
        return refuse(c, err, "its header's checksum does not match");
    if (!in_range(size, MAX_SIZE))
        return refuse(c, err, "a size that is negative or out of range");
    if (!in_range(field(b + 108, 8), MAX_ID) || !in_range(field(b + 116, 8), MAX_ID))
        return refuse(c, err, "an owner that no system has");
    if (!is_time(b + 136, 12))
        return refuse(c, err, "a time that no system has");
    char type = (char)b[156];
    if (type == '\0' || strchr("01234567S", type))
        return take_member(c, type, size, err);
    if (strchr("LKxXg", type))
        return take_preface(c, type, size, err);
    return refuse(c, err, "a kind of member that packages do not have");
}

/* GNU tar's own map: pairs of offset and length; a pair of nothing ends it. */
static int take_pairs(struct pf_tarcheck *c, const unsigned char *p, unsigned count,
                      struct pf_error *err)
{
    for (; count > 0 && *p; count--, p += 24) {
        int failed = add_piece(c, field(p, 12), field(p + 12, 12), err);
        if (failed)
            return failed;
    }
    return 0;
}

static int end_sparse(struct pf_tarcheck *c, struct pf_error *err)
{
    if (c->sparse_sum != c->sparse_stored)
        return refuse(c, err, "a map of holes that is not of what is stored");
    c->skip = pad((int64_t)c->sparse_stored);
    forget_member(c);
    return 0;
}

static int begin_sparse(struct pf_tarcheck *c, int64_t stored, struct pf_error *err)
{
    c->sparse_stored = (uint64_t)stored;
    /* The blocks of the map that follow overwrite the header's. */
    if (c->name[0] == '\0')
        snprintf(c->name, sizeof c->name, "%.100s", (const char *)c->block);
    int failed = take_pairs(c, c->block + 386, 4, err);
    c->sparse_more = c->block[482] != 0;
    return failed || c->sparse_more ? failed : end_sparse(c, err);
}

static int take_sparse(struct pf_tarcheck *c, struct pf_error *err)
{
    if (++c->sparse_blocks > MAX_SPARSE_BLOCKS)
        return refuse(c, err, "a map of holes without end");
    int failed = take_pairs(c, c->block, 21, err);
    c->sparse_more = c->block[504] != 0;
    return failed || c->sparse_more ? failed : end_sparse(c, err);
}

/* Gathers the body of a header. */
static int take_body(struct pf_tarcheck *c, const char *data, size_t length, struct pf_error *err)
{
    size_t wanted =
        c->extended_have < c->extended_length ? c->extended_length - c->extended_have : 0;
    memcpy(c->extended + c->extended_have, data, length < wanted ? length : wanted);
    c->extended_have += length;
    if (c->extended_have < c->extended_want)
        return 0;
    int failed = 0;
    if (c->long_name)
        snprintf(c->name, sizeof c->name, "%s", c->extended);
    else
        failed = take_extended(c, c->block[156] == 'g', err);
    forget_extended(c);
    return failed;
}

/* One number of a map that is text: how many pieces there are, or a half of one. */
static int take_number(struct pf_tarcheck *c, struct pf_error *err)
{
    int64_t number = c->map_number;
    c->map_number = -1;
    if (number < 0)
        return refuse(c, err, "a map of holes that is no list of numbers");
    if (!c->map_counted) {
        c->map_counted = true;
        c->map_numbers = (uint64_t)number * 2;
        if (number > MAX_SPARSE_BLOCKS * 21)
            return refuse(c, err, "a map of holes without end");
        return 0;
    }
    if (c->map_numbers-- % 2 == 0) {
        c->sparse_from = number;
        return 0;
    }
    return add_piece(c, c->sparse_from, number, err);
}

/* After the last number: the map is padded to a block, and what is behind it is the data. */
static int end_map(struct pf_tarcheck *c, struct pf_error *err)
{
    uint64_t padded = pad((int64_t)c->map_bytes);
    if (padded + c->sparse_sum != c->sparse_stored)
        return refuse(c, err, "a map of holes that is not of what is stored");
    c->skip = pad((int64_t)c->sparse_stored) - c->map_bytes;
    forget_member(c);
    return 0;
}

static int take_map_byte(struct pf_tarcheck *c, char byte, struct pf_error *err)
{
    if (c->map_bytes == c->sparse_stored)
        return refuse(c, err, "a map of holes that is not whole");
    c->map_bytes++;
    if (byte != '\n') {
        int64_t before = c->map_number < 0 ? 0 : c->map_number;
        if (byte < '0' || byte > '9' || before > MAX_SIZE * 8)
            return refuse(c, err, "a map of holes that is no list of numbers");
        c->map_number = before * 10 + (byte - '0');
        return 0;
    }
    int failed = take_number(c, err);
    return failed || c->map_numbers ? failed : end_map(c, err);
}

static int take_map(struct pf_tarcheck *c, const char *data, size_t length, size_t *taken,
                    struct pf_error *err)
{
    int failed = 0;
    for (*taken = 0; *taken < length && c->map_passes && !failed; ++*taken)
        failed = take_map_byte(c, data[*taken], err);
    return failed;
}

/* Takes at most `length` bytes, and says how many. */
static int take_some(struct pf_tarcheck *c, const char *data, size_t length, size_t *taken,
                     struct pf_error *err)
{
    if (c->skip > 0) {
        *taken = length < c->skip ? length : (size_t)c->skip;
        c->skip -= *taken;
        return 0;
    }
    if (c->map_passes)
        return take_map(c, data, length, taken, err);
    if (c->extended) {
        size_t left = c->extended_want - c->extended_have;
        *taken = length < left ? length : left;
        return take_body(c, data, *taken, err);
    }
    *taken = length < BLOCK - c->have ? length : BLOCK - c->have;
    memcpy(c->block + c->have, data, *taken);
    c->have += *taken;
    if (c->have < BLOCK)
        return 0;
    c->have = 0;
    return c->sparse_more ? take_sparse(c, err) : take_header(c, err);
}

void pf_tarcheck_init(struct pf_tarcheck *c)
{
    *c = (struct pf_tarcheck){0};
    forget_member(c);
}

void pf_tarcheck_end(struct pf_tarcheck *c)
{
    forget_extended(c);
}

int pf_tarcheck_feed(struct pf_tarcheck *c, const void *data, size_t length, struct pf_error *err)
{
    const char *p = data;
    while (length > 0 && !c->ended) {
        size_t taken = 0;
        int failed = take_some(c, p, length, &taken, err);
        if (failed)
            return failed;
        p += taken;
        length -= taken;
    }
    return 0;
}
