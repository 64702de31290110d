/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stage: one package file becomes a private tree of its own, fully verified, plus what the later
   stages need to know of it, in memory. One decode. */
#ifndef PF_STAGE_H
#define PF_STAGE_H

#include "decode.h"
#include "digest.h"
#include "error.h"
#include "members.h"
#include "pkgname.h"
#include "record.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pf_stage_limits {
    struct pf_decode_limits decode;
    uint32_t members;     /* entries in one archive */
    uint32_t implied;     /* folders that its names imply and that are no entries */
    unsigned depth;       /* folders within each other */
    uint64_t text_bytes;  /* member names of one package, together */
    uint64_t sparse_free; /* a file of more bytes than were stored may be this much larger */
    bool inherits;        /* see pf_fs_inherits, of the folder that the packages are staged in */
    enum pf_record_names listed; /* how the file list has the names of members */
    const atomic_bool *cancel;   /* may be NULL; set: staging stops with PF_E_CANCELLED */
};

#define PF_STAGE_LIMITS_DEFAULT                                                                    \
    {                                                                                              \
        .decode = PF_DECODE_LIMITS_DEFAULT, .members = 500000, .implied = 100000, .depth = 128,    \
        .text_bytes = 64u << 20, .sparse_free = 64u << 20                                          \
    }

/* A file of the package system (install/doinst.sh, install/slack-…), kept in memory: no program but
   a script of the same package ever sees it. */
struct pf_control_file {
    char *name; /* below install/ */
    char *data; /* NUL-terminated */
    size_t length;
    mode_t mode;
    uid_t uid;
    gid_t gid;
    struct timespec mtime;
};

/* A staged package. */
struct pf_staged {
    struct pf_pkgname name;
    int dir_fd;                /* its tree; -1: it has no files */
    struct pf_members members; /* what is in the tree, in archive order */
    char *file_list;           /* the members' names, a line each, for the record */
    size_t file_list_length;
    struct pf_control_file *controls;
    size_t control_count;
    uint64_t packed_bytes;    /* of the package file */
    uint64_t unpacked_bytes;  /* of the tar inside */
    int64_t decode_ns;        /* spent in the decoder */
    bool short_end;           /* the tar ends with one block of zeros instead of two */
    uint32_t skipped_devices; /* device nodes that this process may not make (user namespace) */
    char digest[PF_DIGEST_TEXT_SIZE]; /* of the package file */
};

/* Verifies the package in fd (not owned) and unpacks it into dir_fd, an empty folder that nobody
   else uses; the result owns dir_fd, and so does a failure. Owners, modes and times are set; the
   caller has set umask 0. file is the package's file name; it is in front of every error text. */
int pf_stage_package(int fd, const char *file, int dir_fd, const struct pf_stage_limits *limits,
                     struct pf_staged **out, struct pf_error *err);

/* The bytes of memory that it takes. */
uint64_t pf_staged_memory(const struct pf_staged *staged);

/* The control file of that name ("doinst.sh"), or NULL. */
const struct pf_control_file *pf_staged_control(const struct pf_staged *staged, const char *name);

/* Frees the memory and closes the folder; the tree on disk is the caller's to remove. */
void pf_staged_free(struct pf_staged *staged);

#endif
