/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cleanup: attributes for locals that own a descriptor or memory. */
#ifndef PF_CLEANUP_H
#define PF_CLEANUP_H

/* `pf_auto_fd int fd = …;` and `pf_auto_free char *text = …;` let go at the end of the block. */
#define pf_auto_fd   __attribute__((cleanup(pf_close_at)))
#define pf_auto_free __attribute__((cleanup(pf_free_at)))

void pf_close_at(int *fd);  /* closes *fd unless negative, and leaves -1; keeps errno */
void pf_free_at(void *ptr); /* frees what the pointer at ptr points to */

/* Gives the descriptor away: returns *fd and leaves -1 behind. */
int pf_steal_fd(int *fd);

#endif
