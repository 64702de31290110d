/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* array: arrays that grow one item at a time. */
#ifndef PF_ARRAY_H
#define PF_ARRAY_H

#include <stddef.h>

/* Makes room for one item more. array is the address of the pointer to the items, of which there
   are count; no other call has made room for more. The room doubles, so n items cost n steps. 0, or
   -1 with errno, and then nothing has changed. */
int pf_array_room(void *array, size_t count, size_t item_bytes);

#endif
