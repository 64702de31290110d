/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rootpassword: what becomes of root's password in a root. */
#ifndef PF_ROOTPASSWORD_H
#define PF_ROOTPASSWORD_H

#include "error.h"
#include "event.h"

enum pf_rootpassword_kind {
    PF_ROOTPASSWORD_KEEP,
    PF_ROOTPASSWORD_LOCK,
    PF_ROOTPASSWORD_SET,
};

struct pf_rootpassword {
    enum pf_rootpassword_kind kind;
    char *hash; /* as crypt(5) has it; PF_ROOTPASSWORD_SET only */
};

/* Reads what somebody wants, in virt-customize's words: "keep", "locked", "password:TEXT",
   "file:PATH" (the first line of a file of the host) or "hash:CRYPT". A password is hashed here
   (SHA-512 crypt, "$6$", salted by the kernel), and only the hash stays in memory. PF_E_INVALID
   where it makes no sense; no error text quotes a password. End it with pf_rootpassword_end. */
int pf_rootpassword_read(const char *how, struct pf_rootpassword *out, struct pf_error *err);

/* Changes root's line in etc/shadow of the root as chpasswd and usermod do: the hash and the day of
   the change, or an exclamation mark before what is there; and its line in etc/passwd too, where
   that does not defer to etc/shadow by an "x", or etc/shadow has no line for root. A warning says
   where neither file has one. */
int pf_rootpassword_apply(int root_fd, const struct pf_rootpassword *password,
                          struct pf_events *events, struct pf_error *err);

void pf_rootpassword_end(struct pf_rootpassword *password);

#endif
