/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "signature.h"

#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
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

/* Standard input is the signed data, output and errors go to output_fd. The exit status, or a
   code. */
static int run_gpgv(const char *keyring, const char *signature_path, int data_fd, int output_fd,
                    struct pf_error *err)
{
    static const char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
    const char *const arguments[] = {"gpgv", "--keyring", keyring, signature_path, "-", NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return pf_error_memory(err);
    posix_spawn_file_actions_adddup2(&actions, data_fd, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output_fd, STDERR_FILENO);
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

int pf_signature_check(const char *keyring, const char *signature_path, const void *data,
                       size_t length, struct pf_error *err)
{
    char keyring_path[PATH_MAX];
    pf_auto_free char *output = NULL;
    size_t output_length;
    /* gpgv looks for a keyring without a slash in its home. */
    if (!realpath(keyring, keyring_path))
        return pf_error_errno(err, "the keyring %s", keyring);
    if (access(signature_path, R_OK) < 0)
        return pf_error_set(err, PF_E_INVALID, "there is no signature %s", signature_path);
    pf_auto_fd int data_fd = memory_file("signed", data, length, err);
    pf_auto_fd int output_fd = data_fd < 0 ? -1 : memory_file("gpgv", "", 0, err);
    if (data_fd < 0 || output_fd < 0)
        return PF_E_SYSTEM;
    int status = run_gpgv(keyring_path, signature_path, data_fd, output_fd, err);
    if (status <= 0)
        return status;
    if (lseek(output_fd, 0, SEEK_SET) < 0 ||
        pf_fs_read_fd(output_fd, MAX_OUTPUT, &output, &output_length, NULL))
        return pf_error_set(err, PF_E_INVALID, "%s is no good signature", signature_path);
    last_line(output);
    return pf_error_set(err, PF_E_INVALID, "%s is no good signature: %s", signature_path, output);
}
