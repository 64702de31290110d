/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lxcprobe.h"

#include "cleanup.h"
#include "fs.h"
#include "lxcline.h"
#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_OUTPUT (256u << 10)
/* The file that a tool has as its standard input, or error output. */
#define INPUT  "/proc/self/fd/0"
#define ERRORS "/proc/self/fd/2"

extern char **environ;

/* A file in memory. A tool may open it again by its number in /proc: all that is written comes
   behind what is there. */
static int memory_file(const char *text, struct pf_error *err)
{
    pf_auto_fd int fd = memfd_create("lxc", MFD_CLOEXEC);
    if (fd < 0 || pf_fs_write_all(fd, text, strlen(text)) < 0 || fcntl(fd, F_SETFL, O_APPEND) < 0 ||
        lseek(fd, 0, SEEK_SET) < 0)
        return pf_error_errno(err, "a file in memory");
    return pf_steal_fd(&fd);
}

/* Runs a tool. 1: it is not there; 0: *status is its exit status; or a code. */
static int run(const char *const *arguments, const char *input, int *status, char **output,
               struct pf_error *err)
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    size_t length;
    pf_auto_fd int input_fd = memory_file(input, err);
    pf_auto_fd int output_fd = input_fd < 0 ? -1 : memory_file("", err);
    if (output_fd < 0)
        return PF_E_SYSTEM;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return pf_error_memory(err);
    posix_spawn_file_actions_adddup2(&actions, input_fd, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output_fd, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output_fd, STDERR_FILENO);
    int number =
        posix_spawnp(&child, arguments[0], &actions, NULL, (char *const *)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (number == ENOENT)
        return 1;
    errno = number;
    if (number)
        return pf_error_errno(err, "running %s", arguments[0]);
    while (waitpid(child, status, 0) < 0) {
        if (errno != EINTR)
            return pf_error_errno(err, "waiting for %s", arguments[0]);
    }
    *status = WIFEXITED(*status) ? WEXITSTATUS(*status) : 1;
    return lseek(output_fd, 0, SEEK_SET) < 0
               ? pf_error_errno(err, "a file in memory")
               : pf_fs_read_fd(output_fd, MAX_OUTPUT, output, &length, err);
}

/* Of the log of lxc_file_for_each_line_mmap (LXC's parse.c): "… at line "LINE"\n". The first is the
   innermost, where files are included. */
static char *refused_line(const char *output)
{
    static const char mark[] = " at line \"";
    const char *line = strstr(output, mark);
    if (!line)
        return NULL;
    line += sizeof mark - 1;
    size_t length = strcspn(line, "\n");
    return strndup(line, length > 0 && line[length - 1] == '"' ? length - 1 : length);
}

/* What the text says, without what it includes. */
static int parse_own(const char *text, struct pf_idmap *map, struct pf_error *err)
{
    static const char *const keys[] = {"lxc.idmap", "lxc.id_map", NULL};
    struct pf_lxcline line;
    char *lines = NULL;
    size_t length;
    FILE *stream = open_memstream(&lines, &length);
    if (!stream)
        return pf_error_memory(err);
    while (pf_lxcline_next(&text, &line)) {
        if (pf_lxcline_is(&line, keys))
            fprintf(stream, "%.*s\n", (int)line.value_length, line.value);
    }
    int rc = pf_fs_close_text(stream, &lines) < 0 ? pf_error_memory(err)
                                                  : pf_idmap_parse(lines, map, err);
    free(lines);
    return rc;
}

int pf_lxcprobe_config(const char *text, bool *asked, struct pf_idmap *map, struct pf_error *err)
{
    /* The path has no containers: there is none of this name, nor need there be. */
    static const char *const arguments[] = {"lxc-info",  "-P",       "/proc/self", "-n",    "probe",
                                            "-o",        ERRORS,     "-l",         "ERROR", "-c",
                                            "lxc.idmap", "--rcfile", INPUT,        NULL};
    pf_auto_free char *output = NULL;
    int status = 0;
    int rc = run(arguments, text, &status, &output, err);
    *asked = rc == 0;
    if (rc == 1)
        return parse_own(text, map, err);
    if (rc)
        return rc;
    if (status == 0)
        return pf_idmap_parse(output, map, err);
    pf_auto_free char *line = refused_line(output);
    if (line)
        return pf_error_set(err, PF_E_INVALID,
                            "LXC refuses the line \"%s\" of a container's configuration", line);
    output[strcspn(output, "\n")] = '\0';
    return pf_error_set(err, PF_E_INVALID, "LXC refuses a container's configuration: %s", output);
}

/* "-m u:0:100000:65536" for each range, then the command. NULL where memory is short. */
static char **map_arguments(const struct pf_idmap *map, const char *const *command)
{
    size_t words = 0, at = 0;
    while (command[words])
        words++;
    char **arguments = calloc(2 * map->count + words + 3, sizeof *arguments);
    char *texts = calloc(map->count + 1, 48);
    if (!arguments || !texts) {
        free(arguments);
        free(texts);
        return NULL;
    }
    arguments[at++] = (char *)"lxc-usernsexec";
    for (size_t i = 0; i < map->count; i++) {
        const struct pf_idmap_range *r = &map->ranges[i];
        snprintf(texts + i * 48, 48, "%c:%u:%u:%u", r->type, r->inside, r->outside, r->count);
        arguments[at++] = (char *)"-m";
        arguments[at++] = texts + i * 48;
    }
    arguments[at++] = (char *)"--";
    for (size_t i = 0; i < words; i++)
        arguments[at++] = (char *)command[i];
    if (map->count == 0)
        free(texts);
    return arguments;
}

/* 1: it ended with 0; 0: with anything else; or a code. */
static int works(const struct pf_idmap *map, const char *const *command, struct pf_error *err)
{
    pf_auto_free char *output = NULL;
    int status = 0;
    char **arguments = map_arguments(map, command);
    if (!arguments)
        return pf_error_memory(err);
    int rc = run((const char *const *)arguments, "", &status, &output, err);
    free(arguments[2]); /* the texts of all */
    free(arguments);
    return rc < 0 ? rc : rc == 1 || status == 0;
}

int pf_lxcprobe_map(const struct pf_idmap *map, const char *folder, struct pf_error *err)
{
    const char *const nothing[] = {"true", NULL};
    const char *const look[] = {"test", "-x", folder, NULL};
    if (map->count == 0)
        return 0;
    int rc = works(map, nothing, err);
    if (rc == 0)
        return pf_error_advise(err, PF_E_INVALID,
                               N_("/etc/subuid and /etc/subgid must give them to root"),
                               "LXC cannot use the ids of lxc.idmap");
    if (rc > 0)
        rc = works(map, look, err);
    if (rc == 0)
        return pf_error_advise(err, PF_E_INVALID,
                               N_("every directory above it must be searchable by all"),
                               "the container's root, user %u here, cannot reach %s",
                               map->ranges[0].outside, folder);
    return rc < 0 ? rc : 0;
}
