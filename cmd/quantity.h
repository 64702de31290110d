/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* quantity: amounts as people write them. */
#ifndef PF_CMD_QUANTITY_H
#define PF_CMD_QUANTITY_H

#include <stdint.h>

/* Reads a rate as curl and wget take it for --limit-rate: bytes a second, with k, M, G or T behind
   them (small or capital) for 1024, 1024² and so on, and a decimal fraction ("500k", "1.5m"). "0"
   is no limit. Returns 0, or -1 where it is no such text, is too large, or is above 0 but below one
   byte. */
int quantity_parse_rate(const char *text, uint64_t *bytes_per_s);

/* Reads an amount, of bytes or of things: the same without a fraction, and more than 0. */
int quantity_parse_amount(const char *text, uint64_t *amount);

/* Reads a time: a whole number of seconds, or with s, m, h, d or w behind it of seconds, minutes,
   hours, days or weeks. */
int quantity_parse_duration(const char *text, uint64_t *seconds);

#endif
