/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "configured.h"

#include "cleanup.h"
#include "resolve.h"

#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define TEXT_CHANGED (PF_DIFFERS_SIZE | PF_DIFFERS_CONTENT)
#define FILE_MADE    (TEXT_CHANGED | PF_DIFFERS_MODE | PF_DIFFERS_OWNER)

/* Accounts are the user's from the first day on. */
static bool is_accounts(const char *path)
{
    static const char *const files[] = {"etc/passwd", "etc/shadow", "etc/group", "etc/gshadow"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (strcmp(path, files[i]) == 0)
            return true;
    }
    return false;
}

/* The path that an edit leaves something at: its own, or the one it makes. NULL: none. */
static const char *made_by(const struct pf_edit *edit)
{
    switch (edit->kind) {
    case PF_EDIT_GENERATE:
        return edit->makes;
    case PF_EDIT_RENAME:
        return edit->text;
    case PF_EDIT_REMOVE:
    case PF_EDIT_RUN:
        return NULL;
    default:
        return edit->path;
    }
}

/* The path that is gone after it. NULL: none. */
static const char *removed_by(const struct pf_edit *edit)
{
    return edit->kind == PF_EDIT_REMOVE || edit->kind == PF_EDIT_RENAME ? edit->path : NULL;
}

static bool is_at(const char *edited, const char *path)
{
    return edited && strcmp(edited, path) == 0;
}

bool pf_configured_touches(const struct pf_profile *profile, const char *path)
{
    if (is_accounts(path))
        return true;
    for (const struct pf_edit *edit = profile ? profile->edits : NULL; edit && edit->path; edit++) {
        if (is_at(made_by(edit), path) || is_at(removed_by(edit), path))
            return true;
    }
    return false;
}

/* A regular file that an edit wrote, whatever had its name. */
static unsigned file_made(const struct pf_entry *there)
{
    return FILE_MADE | (S_ISREG(there->mode) ? PF_DIFFERS_TYPE : 0);
}

static unsigned link_made(const struct pf_entry *there, bool leads_there)
{
    return S_ISLNK(there->mode) && leads_there
               ? PF_DIFFERS_TYPE | PF_DIFFERS_TARGET | PF_DIFFERS_OWNER
               : 0;
}

static unsigned node_made(const struct pf_edit *edit, const struct pf_entry *there)
{
    if (there->mode != edit->mode)
        return 0;
    dev_t device = makedev(edit->device_major, edit->device_minor);
    if (S_ISCHR(edit->mode) && there->device != device)
        return 0;
    return PF_DIFFERS_TYPE | PF_DIFFERS_MODE | PF_DIFFERS_OWNER | PF_DIFFERS_DEVICE;
}

/* What an edit may have changed at the path that it leaves something at. */
static unsigned changes_of(const struct pf_edit *edit, const struct pf_entry *there)
{
    const char *target = there->target ? there->target : "";
    switch (edit->kind) {
    case PF_EDIT_WRITE:
    case PF_EDIT_APPEND:
    case PF_EDIT_LINES_IN_PLACE:
        return TEXT_CHANGED;
    case PF_EDIT_LINES:
        /* A link gives way to the file, which gets the mode of what the link led to. */
        return TEXT_CHANGED | (S_ISREG(there->mode) ? PF_DIFFERS_TYPE : 0);
    case PF_EDIT_RENAME:
    case PF_EDIT_GENERATE:
        return file_made(there);
    case PF_EDIT_SYMLINK:
        return link_made(there, strcmp(target, edit->text) == 0);
    case PF_EDIT_TIMEZONE:
        return link_made(there, strncmp(target, edit->text, strlen(edit->text)) == 0);
    case PF_EDIT_CHMOD:
        return (there->mode & 07777) == edit->mode ? PF_DIFFERS_MODE : 0;
    case PF_EDIT_NODE:
        return node_made(edit, there);
    case PF_EDIT_REMOVE:
    case PF_EDIT_RUN:
        break;
    }
    return 0;
}

static bool has_file(int root_fd, const char *path)
{
    pf_auto_fd int fd = pf_resolve_regular(root_fd, path, O_RDONLY, 0);
    return fd >= 0;
}

/* Is the path gone when all edits have been made? The last one that is about it tells: what is
   removed may be made anew, though not where the file that makes it is missing. */
static bool is_removed(const struct pf_profile *profile, int root_fd, const char *path)
{
    bool removed = false;
    for (const struct pf_edit *edit = profile ? profile->edits : NULL; edit && edit->path; edit++) {
        if (is_at(removed_by(edit), path))
            removed = true;
        else if (is_at(made_by(edit), path) && edit->kind == PF_EDIT_GENERATE)
            removed = removed && !has_file(root_fd, edit->path);
    }
    return removed;
}

bool pf_configured_explains(const struct pf_profile *profile, int root_fd, const char *path,
                            unsigned what, const struct pf_entry *there)
{
    if (what & PF_DIFFERS_REMOVED)
        return is_removed(profile, root_fd, path);
    unsigned may = is_accounts(path) ? TEXT_CHANGED : 0;
    for (const struct pf_edit *edit = profile ? profile->edits : NULL; edit && edit->path; edit++) {
        if (is_at(made_by(edit), path))
            may |= changes_of(edit, there);
    }
    return (what & ~may) == 0;
}
