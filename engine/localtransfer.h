/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* localtransfer: a transfer from a file:// mirror: piece by piece, as one from a server, and only
   from regular files. */
#ifndef PF_LOCALTRANSFER_H
#define PF_LOCALTRANSFER_H

#include "transfer.h"

#include <stdbool.h>

/* Is the transfer's URL one of this machine? */
bool pf_localtransfer_is(const struct pf_transfer *t);

/* Begins; t->local_fd is open then. A file's time (to the nanosecond) is its validator, and what
   tells whether it is another one than the caller's copy. PF_TRANSFER_DONE: go on; else it has
   ended, and err says why. */
enum pf_transfer_end pf_localtransfer_begin(struct pf_transfer *t, struct pf_error *err);

/* Takes the next piece, as far as the rate limit allows. *more: there is some left. */
enum pf_transfer_end pf_localtransfer_step(struct pf_transfer *t, bool *more, struct pf_error *err);

/* After the last piece: puts a file in its place and fills the result. */
void pf_localtransfer_finish(struct pf_transfer *t, struct pf_fetch_result *result);

#endif
