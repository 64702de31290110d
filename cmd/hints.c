/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "hints.h"

#include "language.h"

#include <errno.h>

/* A failed system call, by its reason. */
static const char *hint_of_errno(int number)
{
    switch (number) {
    case EMFILE:
    case ENFILE:
        return N_("allow more open files (ulimit -n), or name fewer --jobs and --connections");
    case ENOMEM:
        return N_("free memory, or name fewer --jobs");
    case EIO:
        return N_("the disk has failed to read or write: the kernel's log (dmesg) tells more");
    case EROFS:
        return N_("the file system can only be read: name another folder, or mount it writable");
    case ENOENT:
    case ENOTDIR:
        return N_("check the path");
    default:
        return NULL;
    }
}

/* By the code, which leaves much open. */
static const char *hint_of_code(const struct pf_error *err)
{
    switch (err->code) {
    case PF_E_INVALID:
        return N_("--help tells what can be given");
    case PF_E_NETWORK:
        return N_("try again later, which goes on from here, or name another mirror with --mirror");
    case PF_E_ABSENT:
        return N_("check release, categories and mirror, or name another mirror with --mirror");
    case PF_E_CORRUPT:
        return N_(
            "try again or name another mirror with --mirror; --skip-corrupt goes on without a "
            "damaged package");
    case PF_E_CONFLICT:
        return N_("leave one of the packages out with --ignore");
    case PF_E_BUSY:
        return N_("try again when the other run has ended");
    case PF_E_PERMISSION:
        return N_("run it as root, or in a user namespace that may do this");
    case PF_E_NO_SPACE:
        return N_("make room and run it again: what was fetched is kept");
    case PF_E_LIMIT:
        return N_("where it is a package that can be trusted, --limit raises its limits; --ignore "
                  "leaves it out");
    case PF_E_CANCELLED:
        return N_("run it again to go on: what was fetched is kept");
    default:
        return hint_of_errno(err->sys_errno);
    }
}

const char *hints_find(const struct pf_error *err)
{
    /* Who found the fault knows best. */
    if (err->hint[0])
        return err->hint;
    const char *hint = hint_of_code(err);
    return hint ? _(hint) : NULL;
}
