/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cryptomemory: memory for libcrypto, with a reserve for what it ends the process without. */
#ifndef PF_CRYPTOMEMORY_H
#define PF_CRYPTOMEMORY_H

/* Lets libcrypto take its memory from here. To be called before anything uses libcrypto; later it
   changes nothing. */
void pf_cryptomemory_use(void);

#endif
