/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* clock: time that only goes forward, for intervals. */
#ifndef PF_CLOCK_H
#define PF_CLOCK_H

#include <stdint.h>

/* Milliseconds since some point in the past, whatever is done to the wall clock. */
int64_t pf_clock_ms(void);

/* The same in nanoseconds: CLOCK_MONOTONIC. */
int64_t pf_clock_ns(void);

#endif
