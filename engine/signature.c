/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "signature.h"

#include "fs.h"
#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_OUTPUT (64u << 10)

/* gpgv's own words, without its name and in one line. */
static void last_line(char *text)
{
    size_t length = strlen(text);
    while (length && text[length - 1] == '\n')
        text[--length] = '\0';
    char *newline = strrchr(text, '\n');
    char *from = newline ? newline + 1 : text;
    if (strncmp(from, "gpgv: ", 6) == 0)
        from += 6;
    memmove(text, from, strlen(from) + 1);
}

static int memory_file(const char *name, const void *data, size_t length, struct pf_error *err)
{
    int fd = memfd_create(name, MFD_CLOEXEC);
    if (fd < 0 || (length && pf_fs_write_all(fd, data, length) < 0) || lseek(fd, 0, SEEK_SET) < 0) {
        int failed = pf_error_errno(err, "a file in memory");
        pf_close_at(&fd);
        return failed;
    }
    return fd;
}

/* A run of gpgv. */
struct run {
    int data_fd;   /* what is signed */
    int status_fd; /* what it found, for programs */
    int output_fd; /* the same for people */
};

/* The exit status, or a code. */
static int run_gpgv(const struct run *run, const char *keyring, const char *signature_path,
                    struct pf_error *err)
{
    static const char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
    const char *const arguments[] = {"gpgv",  "--status-fd",  "1", "--keyring",
                                     keyring, signature_path, "-", NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return pf_error_memory(err);
    posix_spawn_file_actions_adddup2(&actions, run->data_fd, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, run->status_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, run->output_fd, STDERR_FILENO);
    int number = posix_spawnp(&child, "gpgv", &actions, NULL, (char *const *)arguments,
                              (char *const *)environment);
    posix_spawn_file_actions_destroy(&actions);
    if (number != 0) {
        errno = number;
        return pf_error_errno(err, "running gpgv (Debian's package gpgv has it)");
    }
    while (waitpid(child, &status, 0) < 0) {
        if (errno != EINTR)
            return pf_error_errno(err, "waiting for gpgv");
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Does a line of gpgv's begin with that status? */
static bool has_status(const char *text, const char *status)
{
    static const char prefix[] = "[GNUPG:] ";
    size_t length = strlen(status);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        const char *word = line + sizeof prefix - 1;
        if (strncmp(line, prefix, sizeof prefix - 1) == 0 && strncmp(word, status, length) == 0 &&
            strchr(" \n", word[length]))
            return true;
    }
    return false;
}

/* What is against a signature; NULL: nothing that gpgv has a word for. Its exit status is 0 for a
   key that has been revoked or has expired. (GnuPG's doc/DETAILS, "General status codes".) */
static const char *fault_of(const char *status)
{
    static const struct {
        const char *word, *text;
    } faults[] = {
        {"REVKEYSIG", N_("its key has been revoked")},
        {"EXPKEYSIG", N_("its key has expired")},
        {"EXPSIG", N_("it has expired")},
    };
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        if (has_status(status, faults[i].word))
            return pf_message(faults[i].text);
    }
    return NULL;
}

static bool is_good(int exit_status, const char *status)
{
    return exit_status == 0 && has_status(status, "GOODSIG") && has_status(status, "VALIDSIG") &&
           !has_status(status, "BADSIG") && !has_status(status, "ERRSIG") && !fault_of(status);
}

static int read_output(int fd, char **text, struct pf_error *err)
{
    size_t length;
    if (lseek(fd, 0, SEEK_SET) < 0)
        return pf_error_errno(err, "a file in memory");
    return pf_fs_read_fd(fd, MAX_OUTPUT, text, &length, err);
}

static int judge(const struct run *run, int exit_status, const char *signature_path,
                 struct pf_error *err)
{
    pf_auto_free char *status = NULL, *output = NULL;
    int failed = read_output(run->status_fd, &status, err);
    if (!failed)
        failed = read_output(run->output_fd, &output, err);
    if (failed || is_good(exit_status, status))
        return failed;
    const char *fault = fault_of(status);
    last_line(output);
    return pf_error_advise(err, PF_E_CORRUPT,
                           N_("get the lockfile and its signature anew, from whom you trust"),
                           "%s is no good signature: %s", signature_path, fault ? fault : output);
}

/* gpgv reads binary keyrings only, and of others says that it does not know the key. */
static int refuse_armour(const char *path, const char *keyring, struct pf_error *err)
{
    static const char armour[] = "-----BEGIN PGP";
    char head[sizeof armour - 1];
    pf_auto_fd int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return pf_error_errno(err, "the keyring %s", keyring);
    if (pread(fd, head, sizeof head, 0) == sizeof head && memcmp(head, armour, sizeof head) == 0)
        return pf_error_set(err, PF_E_INVALID,
                            "the keyring %s is text (armoured), which gpgv does not read; make a "
                            "binary one: gpg --dearmor <%s >%s.gpg",
                            keyring, keyring, keyring);
    return 0;
}

int pf_signature_check(const char *keyring, const char *signature_path, const void *data,
                       size_t length, struct pf_error *err)
{
    char keyring_path[PATH_MAX];
    /* gpgv looks for a keyring without a slash in its home. */
    if (!realpath(keyring, keyring_path))
        return pf_error_errno(err, "the keyring %s", keyring);
    if (access(signature_path, R_OK) < 0)
        return pf_error_set(err, PF_E_INVALID, "there is no signature %s", signature_path);
    int failed = refuse_armour(keyring_path, keyring, err);
    if (failed)
        return failed;
    pf_auto_fd int data_fd = memory_file("signed", data, length, err);
    pf_auto_fd int status_fd = data_fd < 0 ? -1 : memory_file("status", "", 0, err);
    pf_auto_fd int output_fd = status_fd < 0 ? -1 : memory_file("gpgv", "", 0, err);
    if (output_fd < 0)
        return PF_E_SYSTEM;
    struct run run = {.data_fd = data_fd, .status_fd = status_fd, .output_fd = output_fd};
    int exit_status = run_gpgv(&run, keyring_path, signature_path, err);
    return exit_status < 0 ? exit_status : judge(&run, exit_status, signature_path, err);
}
