/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tarcheck: looks at the headers of a tar as they pass, and refuses what readers of tar understand
   in different ways. Pure. */
#ifndef PF_TARCHECK_H
#define PF_TARCHECK_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pf_tarcheck {
    unsigned char block[512];
    size_t have;   /* bytes of a block that is not whole yet */
    uint64_t skip; /* bytes of a member's data, padded, that are still to pass */
    bool ended;    /* a block of zeros: no header follows */

    char *extended; /* body of a PAX header, while it is gathered */
    size_t extended_have, extended_want, extended_length;

    bool long_name;      /* the body that passes is a GNU long name */
    char name[256];      /* of the next member, for messages; "": its header's */
    int64_t pax_size;    /* for the next member; -1: not said */
    int64_t sparse_end;  /* where the last piece of a file with holes ends */
    uint64_t sparse_sum; /* bytes of its pieces */
    int64_t sparse_from; /* where the next piece begins; -1: not said */
    bool sparse_pieces;  /* there were some */
    bool sparse_more;    /* the next block has more of the map */
    unsigned sparse_blocks;
    uint64_t sparse_stored;
    /* PAX sparse format 1.0: the map is text in front of the data. */
    bool text_map;
    bool map_passes;      /* it is what comes now */
    uint64_t map_bytes;   /* of the map so far */
    uint64_t map_numbers; /* still to come; the first one says how many */
    bool map_counted;     /* it has */
    int64_t map_number;   /* the one that is being read; -1: no digit yet */
};

void pf_tarcheck_init(struct pf_tarcheck *check);
void pf_tarcheck_end(struct pf_tarcheck *check);

/* Takes the next bytes of the tar. PF_E_CORRUPT for a size or owner that is negative or out of
   range, or a time that is; for a PAX size that is not the header's, or is before a header of a
   header; for data that belongs to a link, folder or device; for a map of holes whose pieces
   overlap, or are not what is stored; for a kind of member that is none of ustar, PAX or GNU tar's;
   for long names and PAX headers of more than 1 MiB. (POSIX.1-2017, pax; GNU tar manual, "Basic Tar
   Format".) */
int pf_tarcheck_feed(struct pf_tarcheck *check, const void *data, size_t length,
                     struct pf_error *err);

#endif
