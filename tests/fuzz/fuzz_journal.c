/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A partial folder with a journal that a crash, or somebody, has left. Promises: a file counts as
   whole only with the size noted; what is noted after that is found by the next run; nothing but
   the plan's files stays. */
#include "cage.h"
#include "fuzz.h"

#include "fs.h"
#include "journal.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define JOURNAL ".plamo-fast.journal"
#define A       "a-1-x86-1.txz"
#define B       "b-1-x86-1.txz"
#define URL     "http://mirror.example/" B

struct input {
    const uint8_t *data;
    size_t size;
};

static void put(int folder_fd, const char *name, const void *data, size_t size)
{
    int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    fuzz_require(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    close(fd);
}

/* Besides the plan's two files: a link out, a folder, and a file that nobody planned. */
static void make_folder(int folder_fd, const struct input *input)
{
    put(folder_fd, JOURNAL, input->data, input->size);
    put(folder_fd, A, "12345", 5);
    put(folder_fd, B ".part", "123", 3);
    put(folder_fd, "c-1-x86-1.txz", "1", 1);
    fuzz_require(symlinkat("../beside", folder_fd, "link") == 0);
    fuzz_require(mkdirat(folder_fd, "folder", 0755) == 0);
}

static int only_planned(void *ctx, int folder_fd, const char *name)
{
    (void)ctx, (void)folder_fd;
    static const char *const planned[] = {A, A ".part", B, B ".part", JOURNAL};
    for (size_t i = 0; i < sizeof planned / sizeof *planned; i++) {
        if (strcmp(name, planned[i]) == 0)
            return 0;
    }
    return 1;
}

static void check_adopted(int folder_fd, const bool have[2])
{
    static const char *const files[] = {A, B};
    static const off_t sizes[] = {5, 3};
    struct stat st;
    for (size_t i = 0; i < 2; i++) {
        bool there = fstatat(folder_fd, files[i], &st, AT_SYMLINK_NOFOLLOW) == 0;
        fuzz_require(there == have[i] && (!there || st.st_size == sizes[i]));
    }
    fuzz_require(pf_fs_each_name(folder_fd, only_planned, NULL) == 0);
}

/* One run: opens the journal, adopts, and notes that B is begun and A is whole. */
static void run_first(int folder_fd, const struct pf_plan *plan)
{
    struct pf_journal *journal;
    struct pf_error err = {0};
    bool have[2] = {false, false};
    fuzz_require(pf_journal_open(folder_fd, &journal, &err) == 0);
    fuzz_require(pf_journal_adopt(journal, plan, have, NULL, &err) == 0);
    check_adopted(folder_fd, have);
    const char *validator = pf_journal_validator(journal, B, URL);
    fuzz_require(!validator || !strpbrk(validator, "\t\n"));
    fuzz_require(pf_journal_note_begun(journal, B, URL, "\"tag\"", &err) == 0);
    fuzz_require(pf_journal_note_done(journal, A, 5, &err) == 0);
    pf_journal_close(journal);
    if (!have[0])
        fuzz_require(renameat(folder_fd, A ".part", folder_fd, A) == 0);
}

static void run_second(int folder_fd, const struct pf_plan *plan)
{
    struct pf_journal *journal;
    struct pf_error err = {0};
    bool have[2] = {false, false};
    fuzz_require(pf_journal_open(folder_fd, &journal, &err) == 0);
    const char *validator = pf_journal_validator(journal, B, URL);
    fuzz_require(validator && strcmp(validator, "\"tag\"") == 0);
    fuzz_require(pf_journal_adopt(journal, plan, have, NULL, &err) == 0);
    fuzz_require(have[0]);
    pf_journal_close(journal);
}

static void run(int folder_fd, void *ctx)
{
    struct pf_plan plan = {0};
    struct pf_error err = {0};
    make_folder(folder_fd, ctx);
    fuzz_require(pf_plan_add(&plan, A, "http://mirror.example/" A, 5, &err) == 0);
    fuzz_require(pf_plan_add(&plan, B, URL, -1, &err) == 0);
    run_first(folder_fd, &plan);
    run_second(folder_fd, &plan);
    pf_plan_end(&plan);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    cage_run(run, &input);
    return 0;
}
