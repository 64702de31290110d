/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "rootpassword.h"

#include "cleanup.h"
#include "editfile.h"
#include "fs.h"
#include "message.h"

#include <crypt.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SECONDS_A_DAY 86400

static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
    free(text);
}

static int hash_password(const char *password, char **hash, struct pf_error *err)
{
    void *data = NULL;
    int size = 0;
    if (!*password)
        return pf_error_set(err, PF_E_INVALID, "the root password is empty");
    if (strlen(password) >= CRYPT_MAX_PASSPHRASE_SIZE)
        return pf_error_set(err, PF_E_INVALID, "the root password is longer than %d bytes",
                            CRYPT_MAX_PASSPHRASE_SIZE - 1);
    char *setting = crypt_gensalt_ra("$6$", 0, NULL, 0);
    char *made = setting ? crypt_ra(password, setting, &data, &size) : NULL;
    int failed = made ? 0 : pf_error_errno(err, "hashing the root password");
    *hash = made ? strdup(made) : NULL;
    if (made && !*hash)
        failed = pf_error_memory(err);
    if (data)
        explicit_bzero(data, (size_t)size);
    free(data);
    free(setting);
    return failed;
}

/* One line at most: what follows it is no part of the password. */
static int read_first_line(const char *path, char *line, size_t size, struct pf_error *err)
{
    size_t used = 0;
    pf_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return pf_error_set(err, PF_E_INVALID, "the root password's file %s: %s", path,
                            strerror(errno));
    /* No stdio: its buffers would keep the password. */
    while (used < size && !memchr(line, '\n', used)) {
        ssize_t n = read(fd, line + used, size - used);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pf_error_set(err, PF_E_INVALID, "the root password's file %s: %s", path,
                                strerror(errno));
        if (n == 0)
            break;
        used += (size_t)n;
    }
    char *end = memchr(line, '\n', used);
    if (!end && used == size)
        return pf_error_set(err, PF_E_INVALID, "the first line of %s is too long for a password",
                            path);
    *(end ? end : line + used) = '\0';
    if (strlen(line) != (end ? (size_t)(end - line) : used))
        return pf_error_set(err, PF_E_INVALID, "the first line of %s is no text", path);
    return 0;
}

static int hash_file(const char *path, char **hash, struct pf_error *err)
{
    char line[CRYPT_MAX_PASSPHRASE_SIZE + 1];
    int failed = read_first_line(path, line, sizeof line, err);
    if (!failed)
        failed = hash_password(line, hash, err);
    explicit_bzero(line, sizeof line);
    return failed;
}

/* A field of etc/shadow: what crypt can check, or what by its first character nothing matches. A
   password given for a hash by mistake must not get into that file. */
static int check_hash(const char *text, char **hash, struct pf_error *err)
{
    bool ok = *text != '\0';
    for (const char *p = text; *p && ok; p++)
        ok = *p > ' ' && *p < 0x7f && *p != ':';
    if (ok && *text != '!' && *text != '*') {
        int salt = crypt_checksalt(text);
        ok = salt != CRYPT_SALT_INVALID && (*text == '$' || *text == '_' || strlen(text) == 13);
    }
    if (!ok)
        return pf_error_set(err, PF_E_INVALID,
                            "the root password's hash is none that crypt(5) knows");
    *hash = strdup(text);
    return *hash ? 0 : pf_error_memory(err);
}

/* What stands behind the prefix, or NULL where it does not begin so. */
static const char *behind(const char *text, const char *prefix)
{
    size_t n = strlen(prefix);
    return strncmp(text, prefix, n) == 0 ? text + n : NULL;
}

int pf_rootpassword_read(const char *how, struct pf_rootpassword *out, struct pf_error *err)
{
    const char *value;
    *out = (struct pf_rootpassword){.kind = PF_ROOTPASSWORD_KEEP};
    if (strcmp(how, "keep") == 0)
        return 0;
    if (strcmp(how, "locked") == 0) {
        out->kind = PF_ROOTPASSWORD_LOCK;
        return 0;
    }
    out->kind = PF_ROOTPASSWORD_SET;
    if ((value = behind(how, "password:")))
        return hash_password(value, &out->hash, err);
    if ((value = behind(how, "file:")))
        return hash_file(value, &out->hash, err);
    if ((value = behind(how, "hash:")))
        return check_hash(value, &out->hash, err);
    return pf_error_advise(
        err, PF_E_INVALID,
        N_("keep, locked, password:TEXT, file:PATH and hash:CRYPT are what can be given"),
        "the root password is none of the words that it can be");
}

void pf_rootpassword_end(struct pf_rootpassword *password)
{
    wipe(password->hash);
    *password = (struct pf_rootpassword){0};
}

/* A file of lines of fields, and where root's line is in it. */
struct table {
    const char *path;
    struct pf_editfile file;
    char *field; /* root's second field; NULL: there is no such line */
    size_t field_length;
};

static int read_table(int root_fd, const char *path, struct table *table, struct pf_error *err)
{
    *table = (struct table){.path = path};
    int failed = pf_editfile_read(root_fd, path, &table->file, err);
    if (failed)
        return failed == 1 ? 0 : failed;
    for (char *p = table->file.text; p && *p; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, "root:", 5) == 0) {
            table->field = p + 5;
            table->field_length = strcspn(table->field, ":\n");
            return 0;
        }
    }
    return 0;
}

/* Puts the new second field in, and where day is given, a new third one, if the line has one. */
static int change(int root_fd, const struct table *table, const struct pf_rootpassword *password,
                  const char *day, struct pf_error *err)
{
    const struct pf_editfile *file = &table->file;
    bool set = password->kind == PF_ROOTPASSWORD_SET;
    const char *rest = table->field + table->field_length;
    char *text;
    size_t length;
    if (!set && *table->field == '!')
        return 0;
    FILE *stream = open_memstream(&text, &length);
    if (!stream)
        return pf_error_memory(err);
    fwrite(file->text, 1, (size_t)(table->field - file->text), stream);
    if (set)
        fputs(password->hash, stream);
    else
        fprintf(stream, "!%.*s", (int)table->field_length, table->field);
    if (set && day && *rest == ':') {
        fprintf(stream, ":%s", day);
        rest += 1 + strcspn(rest + 1, ":\n");
    }
    fwrite(rest, 1, file->length - (size_t)(rest - file->text), stream);
    int failed = pf_fs_close_text(stream, &text) == 0 ? 0 : pf_error_memory(err);
    if (!failed)
        failed = pf_editfile_replace(root_fd, table->path, &file->st, false, text, length, err);
    if (text)
        explicit_bzero(text, length);
    free(text);
    return failed;
}

int pf_rootpassword_apply(int root_fd, const struct pf_rootpassword *password,
                          struct pf_events *events, struct pf_error *err)
{
    struct table shadow = {0}, passwd = {0};
    char day[24];
    if (password->kind == PF_ROOTPASSWORD_KEEP)
        return 0;
    snprintf(day, sizeof day, "%lld", (long long)time(NULL) / SECONDS_A_DAY);
    int failed = read_table(root_fd, "etc/shadow", &shadow, err);
    if (!failed)
        failed = read_table(root_fd, "etc/passwd", &passwd, err);
    if (!failed && !shadow.field && !passwd.field)
        pf_events_text(events, PF_EVENT_WARNING, "etc/shadow",
                       "root's password is not changed: no line for root here or in etc/passwd");
    if (!failed && shadow.field)
        failed = change(root_fd, &shadow, password, day, err);
    bool deferred = passwd.field_length == 1 && passwd.field && *passwd.field == 'x';
    if (!failed && passwd.field && (!shadow.field || !deferred))
        failed = change(root_fd, &passwd, password, NULL, err);
    pf_editfile_end(&shadow.file);
    pf_editfile_end(&passwd.file);
    return failed;
}
