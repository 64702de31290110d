/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "configure.h"

#include "editfile.h"
#include "fs.h"
#include "message.h"
#include "resolve.h"
#include "script.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/major.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MAX_TIMEZONE 255

/* One run over a root. */
struct run {
    int root_fd;
    struct pf_script_place place; /* its sandbox is opened when the first program is to run */
    const struct pf_configure *wish;
    struct pf_events *events;
    const atomic_bool *cancel;
    struct pf_error *err;
    unsigned skipped_devices, skipped_terminals;
};

/* A name below usr/share/zoneinfo, as the time zone database forms them. */
static bool is_timezone(const char *name)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    if (strlen(name) > MAX_TIMEZONE)
        return false;
    for (const char *p = name;; p++) {
        if (!*p || !strchr(letters, *p))
            return false;
        p += strspn(p, letters);
        p += strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-");
        if (*p != '/')
            return *p == '\0';
    }
}

static int settle_network(const char *name, enum pf_edit_when *out, struct pf_error *err)
{
    *out = PF_WHEN_DHCP;
    if (!name || strcmp(name, "dhcp") == 0)
        return 0;
    *out = PF_WHEN_NO_NETWORK;
    if (strcmp(name, "none") == 0)
        return 0;
    return pf_error_set(err, PF_E_INVALID, "network \"%s\": there are dhcp and none", name);
}

static int check_name(const char *name, struct pf_error *err)
{
    bool ok =
        *name && strlen(name) <= HOST_NAME_MAX && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
    for (const char *p = name; *p && ok; p++)
        ok = *p != '/' && (unsigned char)*p > ' ' && *p != 0x7f;
    return ok ? 0
              : pf_error_set(err, PF_E_INVALID,
                             "\"%s\" cannot be a container's name (at most %d bytes; no blanks, "
                             "slashes or control characters)",
                             name, HOST_NAME_MAX);
}

int pf_configure_settle(const struct pf_configure_wish *wish, const struct pf_profile *profile,
                        struct pf_configure *out, struct pf_error *err)
{
    *out = (struct pf_configure){
        .profile = profile,
        .name = wish->name,
        .of_container = wish->of_container,
        .no_sandbox = wish->no_sandbox,
        .timezone = wish->timezone ? wish->timezone : profile->default_timezone,
    };
    int failed = check_name(wish->name, err);
    if (failed)
        return failed;
    if (wish->timezone && !is_timezone(wish->timezone))
        return pf_error_set(err, PF_E_INVALID,
                            "\"%s\" is no time zone's name, as Europe/Berlin is one",
                            wish->timezone);
    failed = settle_network(wish->network, &out->network, err);
    if (failed)
        return failed;
    const char *password = wish->root_password ? wish->root_password : profile->root_password;
    out->default_password = password && !wish->root_password;
    return password ? pf_rootpassword_read(password, &out->root_password, err) : 0;
}

void pf_configure_end(struct pf_configure *configure)
{
    pf_rootpassword_end(&configure->root_password);
}

static int missing(const struct run *r, const struct pf_edit *edit, const char *what)
{
    pf_events_text(r->events, PF_EVENT_WARNING, edit->path, "not edited: %s", pf_message(what));
    return 0;
}

/* What a missing file or folder, or something else in its place, is to an edit; anything else is a
   failure. */
static int no_file(const struct run *r, const struct pf_edit *edit, const char *what)
{
    switch (errno) {
    case ENOENT:
    case ENOTDIR:
        return missing(r, edit, what);
    case ELOOP:
        return missing(r, edit, "its links lead nowhere");
    case ENXIO:
    case EISDIR:
    case ENOTEMPTY:
        return missing(r, edit, "it is not a regular file");
    default:
        return pf_error_errno(r->err, "editing %s", edit->path);
    }
}

/* Writes text, with the container's name in place of %N. */
static int write_text(const struct run *r, const struct pf_edit *edit, int flags)
{
    pf_auto_fd int fd =
        pf_resolve_regular(r->root_fd, edit->path, O_WRONLY | O_CREAT | flags, 0644);
    if (fd < 0)
        return no_file(r, edit, "its folder is not there");
    for (const char *p = edit->text; *p;) {
        bool name = p[0] == '%' && p[1] == 'N';
        const char *piece = name ? r->wish->name : p;
        size_t length = name ? strlen(r->wish->name) : 1 + strcspn(p + 1, "%");
        if (pf_fs_write_all(fd, piece, length) < 0)
            return pf_error_errno(r->err, "editing %s", edit->path);
        p += name ? 2 : length;
    }
    return close(pf_steal_fd(&fd)) < 0 ? pf_error_errno(r->err, "editing %s", edit->path) : 0;
}

static int remove_file(const struct run *r, const struct pf_edit *edit)
{
    const char *leaf;
    pf_auto_fd int fd = pf_resolve_parent(r->root_fd, edit->path, &leaf);
    if ((fd >= 0 && unlinkat(fd, leaf, 0) == 0) || errno == ENOENT || errno == ENOTDIR)
        return 0;
    return no_file(r, edit, "");
}

static int make_symlink(const struct run *r, const struct pf_edit *edit, const char *target)
{
    const char *leaf;
    pf_auto_fd int fd = pf_resolve_parent(r->root_fd, edit->path, &leaf);
    if (fd < 0)
        return no_file(r, edit, "its folder is not there");
    if (unlinkat(fd, leaf, 0) < 0 && errno != ENOENT)
        return no_file(r, edit, "");
    if (symlinkat(target, fd, leaf) < 0)
        return pf_error_errno(r->err, "linking %s", edit->path);
    return 0;
}

static int set_timezone(const struct run *r, const struct pf_edit *edit)
{
    pf_auto_free char *target = NULL;
    if (asprintf(&target, "%s%s", edit->text, r->wish->timezone) < 0) {
        target = NULL;
        return pf_error_memory(r->err);
    }
    int failed = make_symlink(r, edit, target);
    if (failed)
        return failed;
    pf_auto_fd int fd = pf_resolve_regular(r->root_fd, edit->path, O_RDONLY, 0);
    if (fd < 0)
        pf_events_text(r->events, PF_EVENT_WARNING, edit->path, "the root has no time zone %s",
                       r->wish->timezone);
    return 0;
}

static int rename_file(const struct run *r, const struct pf_edit *edit)
{
    const char *leaf, *new_leaf;
    pf_auto_fd int fd = pf_resolve_parent(r->root_fd, edit->path, &leaf);
    if (fd < 0)
        return no_file(r, edit, "its folder is not there");
    pf_auto_fd int new_fd = pf_resolve_parent(r->root_fd, edit->text, &new_leaf);
    if (new_fd < 0 || pf_fs_rename(fd, leaf, new_fd, new_leaf, 0) < 0)
        return no_file(r, edit, "the root has no such file");
    return 0;
}

static int change_mode(const struct run *r, const struct pf_edit *edit)
{
    pf_auto_fd int fd = pf_resolve_regular(r->root_fd, edit->path, O_RDONLY, 0);
    if (fd < 0)
        return no_file(r, edit, "the root has no such file");
    if (fchmod(fd, edit->mode) < 0)
        return pf_error_errno(r->err, "editing %s", edit->path);
    return 0;
}

/* May a device node not be made here? One warning for all of them comes at the end. */
static bool skip_device(struct run *r, const struct pf_edit *edit)
{
    if (errno != EPERM || !S_ISCHR(edit->mode))
        return false;
    r->skipped_devices++;
    return true;
}

/* Beside the name first: where no node may be made, what has the name stays. */
static int replace_node(struct run *r, const struct pf_edit *edit, int fd, const char *leaf)
{
    static const char temporary[] = ".plamo-fast.node";
    dev_t device = makedev(edit->device_major, edit->device_minor);
    unlinkat(fd, temporary, 0);
    if (S_ISDIR(edit->mode)) {
        if ((unlinkat(fd, leaf, 0) < 0 && errno != ENOENT) || mkdirat(fd, leaf, 0700) < 0 ||
            fchmodat(fd, leaf, edit->mode & 07777, 0) < 0)
            return pf_error_errno(r->err, "making %s", edit->path);
        return 0;
    }
    if (mknodat(fd, temporary, (edit->mode & S_IFMT) | 0600, device) < 0)
        return skip_device(r, edit) ? 0 : pf_error_errno(r->err, "making %s", edit->path);
    if (fchmodat(fd, temporary, edit->mode & 07777, 0) == 0 &&
        pf_fs_rename(fd, temporary, fd, leaf, 0) == 0)
        return 0;
    int number = errno;
    unlinkat(fd, temporary, 0);
    errno = number;
    return no_file(r, edit, "");
}

/* Those of the kernel's own console, by whatever path: whoever can open the node has the terminal.
 */
static bool is_terminal(const struct pf_edit *edit)
{
    return S_ISCHR(edit->mode) && (edit->device_major == TTY_MAJOR ||
                                   (edit->device_major == TTYAUX_MAJOR && edit->device_minor == 1));
}

static int make_node(struct run *r, const struct pf_edit *edit)
{
    if (is_terminal(edit) && !r->wish->of_container) {
        r->skipped_terminals++;
        return 0;
    }
    const char *leaf;
    struct stat st;
    pf_auto_free char *folder =
        strndup(edit->path, (size_t)(strrchr(edit->path, '/') - edit->path));
    if (!folder)
        return pf_error_memory(r->err);
    if (pf_fs_make_folders_in_root(r->root_fd, folder, 0755) < 0)
        return no_file(r, edit, "its folder cannot be made");
    pf_auto_fd int fd = pf_resolve_parent(r->root_fd, edit->path, &leaf);
    if (fd < 0)
        return no_file(r, edit, "its folder is not there");
    bool there = fstatat(fd, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0;
    if (!there && errno != ENOENT)
        return pf_error_errno(r->err, "making %s", edit->path);
    bool same =
        there && (st.st_mode & S_IFMT) == (edit->mode & S_IFMT) &&
        (!S_ISCHR(edit->mode) || st.st_rdev == makedev(edit->device_major, edit->device_minor));
    if (!same)
        return replace_node(r, edit, fd, leaf);
    if ((st.st_mode & 07777) != (edit->mode & 07777) &&
        fchmodat(fd, leaf, edit->mode & 07777, 0) < 0 && !skip_device(r, edit))
        return pf_error_errno(r->err, "making %s", edit->path);
    return 0;
}

static void report_unmatched(const struct run *r, const struct pf_edit *edit,
                             const struct pf_textedit *line, const char *what)
{
    bool expected = pf_textedit_expects_match(line);
    if (what)
        pf_events_text(r->events, expected ? PF_EVENT_WARNING : PF_EVENT_NOTE, edit->path,
                       expected ? N_("not edited: no line has \"%s\"") : N_("no line has \"%s\""),
                       what);
    else
        pf_events_text(r->events, PF_EVENT_WARNING, edit->path,
                       "not edited: no line to delete between \"%s\" and \"%s\"", line->match,
                       line->until);
}

static int edit_lines(const struct run *r, const struct pf_edit *edit)
{
    struct pf_editfile file;
    int failed = pf_editfile_read(r->root_fd, edit->path, &file, r->err);
    if (failed == 1)
        return no_file(r, edit, "the root has no such file");
    size_t from = 0;
    for (const struct pf_textedit *line = edit->lines; !failed && line->match; line++) {
        struct pf_textedit_result result;
        failed = pf_textedit_apply(line, file.text, file.length, from, &result, r->err);
        if (failed)
            break;
        if (result.changed == 0)
            report_unmatched(r, edit, line, result.missing);
        else
            from = result.next;
        free(file.text);
        file.text = result.text;
        file.length = result.length;
    }
    if (!failed)
        failed = pf_editfile_replace(r->root_fd, edit->path, &file.st,
                                     edit->kind == PF_EDIT_LINES_IN_PLACE, file.text, file.length,
                                     r->err);
    pf_editfile_end(&file);
    return failed;
}

/* A program's output, on its way to events. */
struct lines {
    const struct run *run;
    const char *path;
    size_t length;
    char line[1024];
};

static void flush_line(struct lines *lines)
{
    lines->line[lines->length] = '\0';
    if (lines->length)
        pf_events_text(lines->run->events, PF_EVENT_SCRIPT, lines->path, "%s", lines->line);
    lines->length = 0;
}

static void on_output(void *ctx, const char *text, size_t length)
{
    struct lines *lines = ctx;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '\n' || lines->length == sizeof lines->line - 1)
            flush_line(lines);
        if (text[i] != '\n')
            lines->line[lines->length++] = text[i];
    }
}

/* What configuring runs are the root's own programs, with the root as their "/". */
static int open_place(struct run *r)
{
    if (r->wish->no_sandbox || r->place.sandbox)
        return 0;
    return pf_script_open_sandbox(&r->place, r->err);
}

/* Runs a program of the root; `text` may be its last argument. *ran: it could be started. */
static int run_job(struct run *r, const struct pf_edit *edit, const char *const *argv,
                   const char *text, bool *ran)
{
    static const struct pf_script_limits limits = PF_SCRIPT_LIMITS_DEFAULT;
    struct lines lines = {.run = r, .path = edit->path};
    struct pf_script_output output = {.fn = on_output, .ctx = &lines};
    int status = 0;
    int rc = open_place(r);
    if (!rc)
        rc = pf_script_run_program(&r->place, argv, text, &limits, &output, r->cancel, &status,
                                   r->err);
    flush_line(&lines);
    if (rc)
        return pf_error_context(r->err, "%s", edit->path);
    *ran = status != 126 && status != 127;
    if (!*ran)
        pf_events_text(r->events, PF_EVENT_WARNING, edit->path, "could not be run (status %d)",
                       status);
    else if (status)
        pf_events_text(r->events, PF_EVENT_WARNING, edit->path, "ended with status %d", status);
    return 0;
}

static int run_program(struct run *r, const struct pf_edit *edit)
{
    pf_auto_free char *program = NULL;
    pf_auto_fd int fd = pf_resolve_regular(r->root_fd, edit->path, O_RDONLY, 0);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO)) {
        pf_events_text(r->events, PF_EVENT_WARNING, edit->path,
                       "not run: the root has no such file");
        return 0;
    }
    if (fd < 0)
        return pf_error_errno(r->err, "%s", edit->path);
    if (asprintf(&program, "/%s", edit->path) < 0) {
        program = NULL;
        return pf_error_memory(r->err);
    }
    const char *const argv[] = {program, NULL};
    bool ran;
    return run_job(r, edit, argv, NULL, &ran);
}

/* Where the last `count` lines begin, as tail counts them. */
static size_t before_last_lines(const char *text, size_t length, unsigned count)
{
    size_t at = length;
    for (unsigned i = 0; i < count && at > 0; i++) {
        const char *newline = memrchr(text, '\n', at - 1);
        at = newline ? (size_t)(newline - text) + 1 : 0;
    }
    return at;
}

/* What the shell is to run: the file less its last lines, and the edit's text. */
static char *text_to_run(const struct pf_edit *edit, const struct pf_editfile *file)
{
    size_t used = before_last_lines(file->text, file->length, edit->drop_lines);
    size_t text_length = strlen(edit->text);
    char *text = malloc(used + text_length + 1);
    if (text) {
        memcpy(text, file->text, used);
        memcpy(text + used, edit->text, text_length + 1);
    }
    return text;
}

/* With the host's shell, which writes by the path: that must not lead out of the root. */
static bool leads_outside(const struct run *r, const char *path, int parent_fd)
{
    struct stat inside, plain;
    pf_auto_free char *directory = strndup(path, (size_t)(strrchr(path, '/') - path));
    if (!directory || fstat(parent_fd, &inside) < 0 ||
        fstatat(r->root_fd, directory, &plain, 0) < 0)
        return true;
    return inside.st_dev != plain.st_dev || inside.st_ino != plain.st_ino;
}

/* A root whose own shell this machine cannot run, as it may be a 32-bit one. */
static int generate_with_host(struct run *r, const struct pf_edit *edit, const char *text,
                              int parent_fd, const char *why)
{
    static const char *const argv[] = {"/bin/sh", "-c", NULL};
    struct pf_script_place own = r->place;
    struct pf_error refusal = {0};
    bool ran;
    r->place.view = PF_SANDBOX_HOST;
    r->place.sandbox = NULL;
    int rc = leads_outside(r, edit->makes, parent_fd)
                 ? pf_error_set(&refusal, PF_E_PERMISSION, "its directory leads out of the root")
             : r->wish->no_sandbox ? 0
                                   : pf_script_open_sandbox(&r->place, &refusal);
    if (rc == PF_E_PERMISSION) {
        pf_events_text(r->events, PF_EVENT_WARNING, edit->makes, "not made: %s; %s", why,
                       refusal.text);
        rc = 0;
    } else if (!rc) {
        pf_events_text(r->events, PF_EVENT_WARNING, edit->makes,
                       "made with this machine's shell instead of the root's: %s", why);
        rc = run_job(r, edit, argv, text, &ran);
    } else if (r->err) {
        *r->err = refusal;
    }
    pf_sandbox_close(r->place.sandbox);
    r->place = own;
    return rc;
}

/* The root's own shell runs the text. */
static int generate_by(struct run *r, const struct pf_edit *edit, const char *text)
{
    static const char *const argv[] = {"/bin/sh", "-c", NULL};
    const char *leaf;
    struct pf_error why = {0};
    bool ran;
    pf_auto_fd int parent_fd = pf_resolve_parent(r->root_fd, edit->makes, &leaf);
    if (parent_fd < 0) {
        pf_events_text(r->events, PF_EVENT_WARNING, edit->makes,
                       "not made: its directory is not there");
        return 0;
    }
    int rc = open_place(r);
    if (!rc)
        rc = pf_script_try_shell(&r->place, &why);
    if (rc == PF_E_ABSENT)
        return generate_with_host(r, edit, text, parent_fd, why.text);
    if (rc && why.code && r->err)
        *r->err = why;
    return rc ? rc : run_job(r, edit, argv, text, &ran);
}

static int generate(struct run *r, const struct pf_edit *edit)
{
    struct pf_editfile file;
    int rc = pf_editfile_read(r->root_fd, edit->path, &file, r->err);
    if (rc == 1) {
        pf_events_text(r->events, PF_EVENT_WARNING, edit->makes,
                       "not made: the root has no %s that makes it", edit->path);
        return 0;
    }
    if (rc)
        return rc;
    pf_auto_free char *text = text_to_run(edit, &file);
    pf_editfile_end(&file);
    return text ? generate_by(r, edit, text) : pf_error_memory(r->err);
}

static int apply(struct run *r, const struct pf_edit *edit)
{
    switch (edit->kind) {
    case PF_EDIT_WRITE:
        return write_text(r, edit, O_TRUNC);
    case PF_EDIT_APPEND:
        return write_text(r, edit, O_APPEND);
    case PF_EDIT_REMOVE:
        return remove_file(r, edit);
    case PF_EDIT_SYMLINK:
        return make_symlink(r, edit, edit->text);
    case PF_EDIT_TIMEZONE:
        return set_timezone(r, edit);
    case PF_EDIT_RENAME:
        return rename_file(r, edit);
    case PF_EDIT_CHMOD:
        return change_mode(r, edit);
    case PF_EDIT_NODE:
        return make_node(r, edit);
    case PF_EDIT_LINES:
    case PF_EDIT_LINES_IN_PLACE:
        return edit_lines(r, edit);
    case PF_EDIT_GENERATE:
        return generate(r, edit);
    case PF_EDIT_RUN:
        return run_program(r, edit);
    }
    return pf_error_set(r->err, PF_E_INVALID, "%s: no such kind of edit", edit->path);
}

static int set_password(const struct run *r)
{
    int failed = pf_rootpassword_apply(r->root_fd, &r->wish->root_password, r->events, r->err);
    if (!failed && r->wish->default_password)
        pf_events_text(r->events, PF_EVENT_WARNING, "etc/shadow",
                       "root's password is this release's, which everybody knows: its own name; "
                       "change it, or have another one set");
    return failed ? pf_error_context(r->err, "setting root's password") : 0;
}

int pf_configure_root(int root_fd, const struct pf_configure *configure, struct pf_events *events,
                      const atomic_bool *cancel, struct pf_error *err)
{
    struct run r = {.root_fd = root_fd,
                    .wish = configure,
                    .events = events,
                    .cancel = cancel,
                    .place = {.root_fd = root_fd, .view = PF_SANDBOX_ROOT, .work_fd = -1},
                    .err = err};
    int failed = 0;
    for (const struct pf_edit *edit = configure->profile->edits; edit->path && !failed; edit++) {
        if (edit->when == PF_WHEN_ALWAYS || edit->when == configure->network)
            failed = apply(&r, edit);
    }
    pf_sandbox_close(r.place.sandbox);
    if (failed)
        return failed;
    if (r.skipped_devices)
        pf_events_text(events, PF_EVENT_WARNING, NULL,
                       "%u device nodes left out: this user may not make any", r.skipped_devices);
    if (r.skipped_terminals)
        pf_events_text(events, PF_EVENT_NOTE, NULL,
                       "%u device nodes left out: they would be this machine's terminals, and the "
                       "root is not in a container's place",
                       r.skipped_terminals);
    return set_password(&r);
}
