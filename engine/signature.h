/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* signature: is a file signed by one of a keyring's keys? Asks gpgv. */
#ifndef PF_SIGNATURE_H
#define PF_SIGNATURE_H

#include "error.h"

#include <stddef.h>

/* Checks the detached OpenPGP signature in the file signature_path of the given bytes by
   `gpgv --keyring KEYRING`. The bytes are handed over as they are: what was checked is what the
   caller has. 0: a good signature by a key that is neither revoked nor
   expired; PF_E_CORRUPT: a bad one, with what gpgv says of it; PF_E_INVALID: none is there, or a
   keyring that it cannot read;
   PF_E_SYSTEM: gpgv cannot be run. */
int pf_signature_check(const char *keyring, const char *signature_path, const void *data,
                       size_t length, struct pf_error *err);

#endif
