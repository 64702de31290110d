/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "configure.h"

#include "fs.h"
#include "resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A configuration file larger than this is none. */
#define MAX_FILE_BYTES (16u << 20)

struct configure {
    int root_fd;
    const char *name;
    struct pf_events *events;
    struct pf_error *err;
};

static int missing(const struct configure *c, const struct pf_edit *edit, const char *what)
{
    pf_events_text(c->events, PF_EVENT_WARNING, edit->path, "not edited: %s", what);
    return 0;
}

/* What a missing file or folder is to an edit; anything else is a failure. */
static int no_file(const struct configure *c, const struct pf_edit *edit, const char *what)
{
    if (errno == ENOENT || errno == ENOTDIR)
        return missing(c, edit, what);
    if (errno == ENXIO)
        return missing(c, edit, "it is not a regular file");
    return pf_error_errno(c->err, "editing %s", edit->path);
}

/* Writes text, with the container's name in place of %N. */
static int write_text(const struct configure *c, const struct pf_edit *edit, int flags)
{
    pf_auto_fd int fd =
        pf_resolve_regular(c->root_fd, edit->path, O_WRONLY | O_CREAT | flags, 0644);
    if (fd < 0)
        return no_file(c, edit, "its folder is not there");
    for (const char *p = edit->text; *p;) {
        bool name = p[0] == '%' && p[1] == 'N';
        const char *piece = name ? c->name : p;
        size_t length = name ? strlen(c->name) : 1 + strcspn(p + 1, "%");
        if (pf_fs_write_all(fd, piece, length) < 0)
            return pf_error_errno(c->err, "editing %s", edit->path);
        p += name ? 2 : length;
    }
    return close(pf_steal_fd(&fd)) < 0 ? pf_error_errno(c->err, "editing %s", edit->path) : 0;
}

static int remove_file(const struct configure *c, const struct pf_edit *edit)
{
    const char *leaf;
    pf_auto_fd int fd = pf_resolve_parent(c->root_fd, edit->path, &leaf);
    if ((fd < 0 || unlinkat(fd, leaf, 0) < 0) && errno != ENOENT && errno != ENOTDIR)
        return pf_error_errno(c->err, "removing %s", edit->path);
    return 0;
}

static int make_symlink(const struct configure *c, const struct pf_edit *edit)
{
    const char *leaf;
    pf_auto_fd int fd = pf_resolve_parent(c->root_fd, edit->path, &leaf);
    if (fd < 0)
        return no_file(c, edit, "its folder is not there");
    if ((unlinkat(fd, leaf, 0) < 0 && errno != ENOENT) || symlinkat(edit->text, fd, leaf) < 0)
        return pf_error_errno(c->err, "linking %s", edit->path);
    return 0;
}

/* 1: there is no such regular file, errno tells. */
static int read_lines(const struct configure *c, const struct pf_edit *edit, char **text,
                      size_t *length, struct stat *st)
{
    pf_auto_fd int fd = pf_resolve_regular(c->root_fd, edit->path, O_RDONLY, 0);
    if (fd < 0)
        return 1;
    if (fstat(fd, st) < 0)
        return pf_error_errno(c->err, "editing %s", edit->path);
    int failed = pf_fs_read_fd(fd, MAX_FILE_BYTES, text, length, c->err);
    return failed ? pf_error_context(c->err, "editing %s", edit->path) : 0;
}

/* As sed -i has it: a new file with the old one's owner and mode takes the name. */
static int replace_lines(const struct configure *c, const struct pf_edit *edit, const char *text,
                         size_t length, const struct stat *st)
{
    const char *leaf;
    pf_auto_fd int fd = pf_resolve_parent(c->root_fd, edit->path, &leaf);
    if (fd < 0)
        return pf_error_errno(c->err, "editing %s", edit->path);
    int failed = pf_fs_replace_file(fd, leaf, text, length, 0600, c->err);
    if (!failed && (fchownat(fd, leaf, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
                    fchmodat(fd, leaf, st->st_mode & 07777, 0) < 0))
        failed = pf_error_errno(c->err, "editing %s", edit->path);
    return failed;
}

static int edit_lines(const struct configure *c, const struct pf_edit *edit)
{
    char *text = NULL;
    size_t length = 0;
    struct stat st;
    int failed = read_lines(c, edit, &text, &length, &st);
    if (failed == 1)
        return no_file(c, edit, "the root has no such file");
    for (const struct pf_textedit *line = edit->lines; !failed && line->match; line++) {
        char *edited;
        size_t edited_length, changed;
        failed = pf_textedit_apply(line, text, length, &edited, &edited_length, &changed, c->err);
        if (failed)
            break;
        if (changed == 0)
            pf_events_text(c->events, PF_EVENT_NOTE, edit->path, "no line has \"%s\"", line->match);
        free(text);
        text = edited;
        length = edited_length;
    }
    if (!failed)
        failed = replace_lines(c, edit, text, length, &st);
    free(text);
    return failed;
}

int pf_configure_root(int root_fd, const struct pf_profile *profile, const char *name,
                      struct pf_events *events, struct pf_error *err)
{
    struct configure c = {.root_fd = root_fd, .name = name, .events = events, .err = err};
    for (const struct pf_edit *edit = profile->edits; edit->path; edit++) {
        int failed = 0;
        switch (edit->kind) {
        case PF_EDIT_WRITE:
            failed = write_text(&c, edit, O_TRUNC);
            break;
        case PF_EDIT_APPEND:
            failed = write_text(&c, edit, O_APPEND);
            break;
        case PF_EDIT_REMOVE:
            failed = remove_file(&c, edit);
            break;
        case PF_EDIT_SYMLINK:
            failed = make_symlink(&c, edit);
            break;
        case PF_EDIT_LINES:
            failed = edit_lines(&c, edit);
            break;
        }
        if (failed)
            return failed;
    }
    return 0;
}
