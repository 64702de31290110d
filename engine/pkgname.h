/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pkgname: a package's file name, taken apart: NAME-VERSION-ARCH-BUILD.SUFFIX. */
#ifndef PF_PKGNAME_H
#define PF_PKGNAME_H

#include <limits.h>

/* How the tar inside is compressed; the file name's suffix says it. */
enum pf_format {
    PF_FORMAT_NONE,  /* not a package */
    PF_FORMAT_GZIP,  /* .tgz */
    PF_FORMAT_BZIP2, /* .tbz */
    PF_FORMAT_XZ,    /* .txz */
    PF_FORMAT_ZSTD,  /* .tzst */
};

struct pf_pkgname {
    enum pf_format format;
    char stem[NAME_MAX + 1]; /* the file name without its suffix */
    char name[NAME_MAX + 1]; /* what the package database calls it */
    /* Within stem; empty where the stem has fewer than four segments. */
    char version[NAME_MAX + 1];
    char arch[NAME_MAX + 1];
    char build[NAME_MAX + 1];
};

/* The format that a file name's suffix stands for. */
enum pf_format pf_pkgname_format(const char *file);

/* Takes a file name (no folder) apart as installpkg does: NAME is all before the last three dashes,
   or the whole stem where there are fewer than four segments. Returns 0, or -1 where the file is no
   package or its NAME cannot be a file's name in the database (empty, "." or ".."). */
int pf_pkgname_parse(const char *file, struct pf_pkgname *out);

#endif
