/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "journal.h"

#include "array.h"
#include "fs.h"
#include "names.h"
#include "partfile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL   ".plamo-fast.journal"
#define MAX_BYTES (256u << 20)

/* What the journal says of one file; later lines replace earlier ones. */
struct state {
    bool done;
    uint64_t size_bytes;
    char *url;
    char *validator;
};

struct pf_journal {
    int folder_fd; /* the caller's */
    int fd;
    struct pf_names files; /* numbers of states */
    struct state *states;
};

static struct state *state_of(struct pf_journal *journal, const char *file)
{
    size_t count = journal->files.count;
    int64_t number = pf_names_find(&journal->files, file);
    if (number >= 0)
        return &journal->states[number];
    if (pf_array_room(&journal->states, count, sizeof *journal->states) < 0 ||
        pf_names_add(&journal->files, file) != 1)
        return NULL;
    journal->states[count] = (struct state){0};
    return &journal->states[count];
}

static int set_begun(struct pf_journal *journal, const char *file, const char *url,
                     const char *validator)
{
    struct state *state = state_of(journal, file);
    if (!state)
        return -1;
    free(state->url);
    free(state->validator);
    *state = (struct state){.url = strdup(url), .validator = strdup(validator)};
    return state->url && state->validator ? 0 : -1;
}

static int set_done(struct pf_journal *journal, const char *file, uint64_t size_bytes)
{
    struct state *state = state_of(journal, file);
    if (!state)
        return -1;
    state->done = true;
    state->size_bytes = size_bytes;
    return 0;
}

/* Exactly "begun\tFILE\tURL\tVALIDATOR" or "done\tFILE\tSIZE". No field can hold a tab or a
   newline: names come from listings without control characters, URLs and header values likewise. */
static int read_line(struct pf_journal *journal, char *line)
{
    char *fields[4] = {0};
    for (size_t i = 0; i < 4 && line; i++)
        fields[i] = strsep(&line, "\t");
    if (line)
        return 0;
    if (fields[3] && strcmp(fields[0], "begun") == 0)
        return set_begun(journal, fields[1], fields[2], fields[3]);
    if (fields[2] && !fields[3] && strcmp(fields[0], "done") == 0) {
        char *end;
        uintmax_t size = strtoumax(fields[2], &end, 10);
        if (*fields[2] && *end == '\0')
            return set_done(journal, fields[1], size);
    }
    return 0;
}

static int read_all(struct pf_journal *journal, struct pf_error *err)
{
    pf_auto_free char *text = NULL;
    size_t length;
    int failed = pf_fs_read_fd(journal->fd, MAX_BYTES, &text, &length, err);
    if (failed)
        return pf_error_context(err, JOURNAL);
    char *rest = text, *end = text + length;
    for (char *newline; (newline = memchr(rest, '\n', (size_t)(end - rest))); rest = newline + 1) {
        *newline = '\0';
        /* After a power failure a file may end in zeros; what was added since stands behind them.
         */
        bool whole = strlen(rest) == (size_t)(newline - rest);
        if (whole && read_line(journal, rest) < 0)
            return pf_error_memory(err);
    }
    /* A line without its newline was cut by a crash: more fields than any line has make it void. */
    static const char void_end[] = "\t\t\t\t\n";
    if (rest < end && pf_fs_write_all(journal->fd, void_end, sizeof void_end - 1) < 0)
        return pf_error_errno(err, JOURNAL);
    return 0;
}

int pf_journal_open(int partial_fd, struct pf_journal **out, struct pf_error *err)
{
    struct pf_journal *journal = calloc(1, sizeof *journal);
    if (!journal)
        return pf_error_memory(err);
    journal->folder_fd = partial_fd;
    journal->fd = pf_fs_open_own(partial_fd, JOURNAL, O_RDWR | O_APPEND);
    int failed = journal->fd < 0 ? pf_error_errno(err, JOURNAL) : read_all(journal, err);
    if (failed) {
        pf_journal_close(journal);
        return failed;
    }
    *out = journal;
    return 0;
}

void pf_journal_close(struct pf_journal *journal)
{
    if (!journal)
        return;
    pf_close_at(&journal->fd);
    for (size_t i = 0; i < journal->files.count; i++) {
        free(journal->states[i].url);
        free(journal->states[i].validator);
    }
    free(journal->states);
    pf_names_end(&journal->files);
    free(journal);
}

struct adoption {
    struct pf_journal *journal;
    const struct pf_plan *plan;
    bool *have;
    bool reused;
    struct pf_error *err;
};

/* The plan's number of a file, also of its .part; -1: not in the plan. */
static int64_t planned(const struct pf_plan *plan, const char *name, bool *part)
{
    static const char suffix[] = PF_PARTFILE_SUFFIX;
    size_t length = strlen(name);
    int64_t number = pf_names_find(&plan->files, name);
    *part = false;
    if (number >= 0 || length < sizeof suffix ||
        strcmp(name + length - (sizeof suffix - 1), suffix) != 0)
        return number;
    *part = true;
    char whole[NAME_MAX + 1];
    memcpy(whole, name, length - (sizeof suffix - 1));
    whole[length - (sizeof suffix - 1)] = '\0';
    return pf_names_find(&plan->files, whole);
}

static int adopt_name(void *ctx, int fd, const char *name)
{
    struct adoption *a = ctx;
    bool part;
    struct stat st;
    int64_t number = planned(a->plan, name, &part);
    if (strcmp(name, JOURNAL) == 0)
        return 0;
    if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : pf_error_errno(a->err, "%s", name);
    if (number < 0 || !S_ISREG(st.st_mode))
        return pf_fs_remove_tree(fd, name, a->err);
    a->reused = true;
    const char *whole_name = a->plan->entries[number].file;
    int64_t known = pf_names_find(&a->journal->files, whole_name);
    const struct state *state = known < 0 ? NULL : &a->journal->states[known];
    bool whole = state && state->done && state->size_bytes == (uint64_t)st.st_size;
    /* Killed before it got its name; what has the name is older. */
    if (part && whole) {
        if (pf_fs_rename(fd, name, fd, whole_name, 0) < 0)
            return pf_error_errno(a->err, "%s", name);
        a->have[number] = true;
    }
    if (part)
        return 0;
    a->have[number] = whole;
    if (whole)
        return 0;
    char part_name[NAME_MAX + 1];
    int length = snprintf(part_name, sizeof part_name, "%s" PF_PARTFILE_SUFFIX, name);
    if (length < 0 || (size_t)length >= sizeof part_name)
        return pf_fs_remove_tree(fd, name, a->err);
    return pf_fs_rename(fd, name, fd, part_name, 0) < 0 ? pf_error_errno(a->err, "%s", name) : 0;
}

int pf_journal_adopt(struct pf_journal *journal, const struct pf_plan *plan, bool *have,
                     bool *reused, struct pf_error *err)
{
    struct adoption adoption = {.journal = journal, .plan = plan, .have = have, .err = err};
    struct pf_error local = {0};
    if (!err)
        adoption.err = &local;
    adoption.err->code = 0;
    int status = pf_fs_each_name(journal->folder_fd, adopt_name, &adoption);
    if (reused)
        *reused = adoption.reused;
    if (status == 0)
        return 0;
    if (adoption.err->code)
        return adoption.err->code;
    return pf_error_errno(err, "reading the partial folder");
}

const char *pf_journal_validator(const struct pf_journal *journal, const char *file,
                                 const char *url)
{
    int64_t number = pf_names_find(&journal->files, file);
    if (number < 0)
        return NULL;
    const struct state *state = &journal->states[number];
    return state->url && strcmp(state->url, url) == 0 ? state->validator : NULL;
}

/* One write(2) a line: a kill leaves it whole or cut, never mixed with another. */
static int append(struct pf_journal *journal, struct pf_error *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int append(struct pf_journal *journal, struct pf_error *err, const char *fmt, ...)
{
    pf_auto_free char *line = NULL;
    va_list args;
    va_start(args, fmt);
    int length = vasprintf(&line, fmt, args);
    va_end(args);
    if (length < 0) {
        line = NULL;
        return pf_error_memory(err);
    }
    return pf_fs_write_all(journal->fd, line, (size_t)length) < 0 ? pf_error_errno(err, JOURNAL)
                                                                  : 0;
}

int pf_journal_note_begun(struct pf_journal *journal, const char *file, const char *url,
                          const char *validator, struct pf_error *err)
{
    return append(journal, err, "begun\t%s\t%s\t%s\n", file, url, validator);
}

int pf_journal_note_done(struct pf_journal *journal, const char *file, uint64_t size_bytes,
                         struct pf_error *err)
{
    return append(journal, err, "done\t%s\t%" PRIu64 "\n", file, size_bytes);
}

int pf_journal_remove(int folder_fd, struct pf_error *err)
{
    if (unlinkat(folder_fd, JOURNAL, 0) < 0 && errno != ENOENT)
        return pf_error_errno(err, JOURNAL);
    return 0;
}
