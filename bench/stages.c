/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stages: runs one stage of the engine alone, and tells how long it took: bench-stages STAGE …
   "prepare" is all that makes a cached root, by the public library; the others use the modules. */
#include "cleanup.h"
#include "clock.h"
#include "clone.h"
#include "commit.h"
#include "decode.h"
#include "fs.h"
#include "options.h"
#include "report.h"
#include "stage.h"
#include "trace.h"
#include "unverified.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_JOBS 256

static const char help[] =
    "Usage: bench-stages prepare [OPTIONS of plamo-fast build]\n"
    "       bench-stages decode JOBS FILE…          check, and throw away\n"
    "       bench-stages decode-unverified JOBS FILE…\n"
    "       bench-stages stage JOBS FOLDER FILE…    unpack each into FOLDER/NUMBER\n"
    "       bench-stages commit FOLDER FILE…        merge what was unpacked before the clock "
    "starts\n"
    "       bench-stages clone JOBS FROM TO\n"
    "Prints the seconds that it took.\n";

/* Files, and what is done with each by several threads. */
struct work {
    char **files;
    size_t count;
    int (*fn)(struct work *work, size_t index, struct pf_error *err);
    int folder_fd;             /* stage: where */
    struct pf_staged **staged; /* what came of each */
    atomic_size_t next;
    atomic_int code;
};

static void finish(int64_t start_ns)
{
    printf("%.6f\n", (double)(pf_clock_ns() - start_ns) / 1e9);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int decode_file(struct work *work, size_t index, struct pf_error *err)
{
    const struct pf_decode_limits limits = PF_DECODE_LIMITS_DEFAULT;
    const char *path = work->files[index];
    struct pf_decode *decode;
    const void *data;
    size_t length;
    pf_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return pf_error_errno(err, "%s", path);
    int failed = pf_decode_new(fd, pf_pkgname_format(base_name(path)), &limits, &decode, err);
    if (failed)
        return failed;
    do
        failed = pf_decode_next(decode, &data, &length, err);
    while (!failed && length);
    pf_decode_free(decode);
    return failed;
}

static int decode_file_unverified(struct work *work, size_t index, struct pf_error *err)
{
    const char *path = work->files[index];
    pf_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? pf_error_errno(err, "%s", path) : unverified_decode(fd, err);
}

static int stage_file(struct work *work, size_t index, struct pf_error *err)
{
    const struct pf_stage_limits limits = PF_STAGE_LIMITS_DEFAULT;
    const char *path = work->files[index];
    char name[32];
    snprintf(name, sizeof name, "%zu", index);
    pf_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || mkdirat(work->folder_fd, name, 0700) < 0)
        return pf_error_errno(err, "%s", path);
    int to = openat(work->folder_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return to < 0 ? pf_error_errno(err, "%s", name)
                  : pf_stage_package(fd, base_name(path), to, &limits, &work->staged[index], err);
}

static void *worker_main(void *arg)
{
    struct work *work = arg;
    size_t i;
    while (!atomic_load(&work->code) && (i = atomic_fetch_add(&work->next, 1)) < work->count) {
        struct pf_error err = {0};
        int failed = work->fn(work, i, &err);
        if (failed)
            atomic_store(&work->code, report_failure(&err, 0));
    }
    return NULL;
}

static int run_all(struct work *work, unsigned jobs)
{
    pthread_t threads[MAX_JOBS];
    unsigned started = 0;
    while (started + 1 < jobs && started < MAX_JOBS &&
           pthread_create(&threads[started], NULL, worker_main, work) == 0)
        started++;
    worker_main(work);
    for (unsigned i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    return atomic_load(&work->code);
}

static int open_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        report_error("%s: %s", path, strerror(errno));
    return fd;
}

static int decode(bool verified, unsigned jobs, char **files, size_t count)
{
    struct work work = {.files = files,
                        .count = count,
                        .fn = verified ? decode_file : decode_file_unverified};
    int64_t start_ns = pf_clock_ns();
    int status = run_all(&work, jobs);
    finish(start_ns);
    return status;
}

static int commit_all(struct work *work, int root_fd)
{
    struct pf_error err = {0};
    struct pf_commit *commit = pf_commit_new(root_fd, PF_RECORD_NAMES_PLAIN);
    int failed = commit ? 0 : pf_error_memory(&err);
    for (size_t i = 0; i < work->count && !failed; i++)
        failed = pf_commit_package(commit, work->staged[i], false, &err);
    if (!failed)
        failed = pf_commit_finish(commit, &err);
    pf_commit_free(commit);
    return failed ? report_failure(&err, 0) : EXIT_DONE;
}

/* Both: only the second half is timed where the commits are what is asked for. */
static int stage(unsigned jobs, const char *folder, char **files, size_t count, bool commits)
{
    pf_auto_fd int fd = open_folder(folder);
    struct work work = {.files = files, .count = count, .fn = stage_file, .folder_fd = fd};
    work.staged = calloc(count + 1, sizeof *work.staged);
    if (fd < 0 || !work.staged)
        return EXIT_FAILED;
    int64_t start_ns = pf_clock_ns();
    int status = run_all(&work, jobs);
    if (status == EXIT_DONE && commits) {
        if (mkdirat(fd, "root", 0755) < 0)
            report_error("%s/root: %s", folder, strerror(errno));
        pf_auto_fd int root_fd = openat(fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        start_ns = pf_clock_ns();
        status = root_fd < 0 ? EXIT_FAILED : commit_all(&work, root_fd);
    }
    finish(start_ns);
    for (size_t i = 0; i < count; i++)
        pf_staged_free(work.staged[i]);
    free(work.staged);
    return status;
}

static int copy(unsigned jobs, const char *from, const char *to)
{
    struct pf_clone_settings settings = {.threads = jobs};
    struct pf_clone_result result;
    struct pf_error err = {0};
    pf_auto_fd int from_fd = open_folder(from);
    pf_auto_fd int to_fd = open_folder(to);
    if (from_fd < 0 || to_fd < 0)
        return EXIT_FAILED;
    int64_t start_ns = pf_clock_ns();
    int failed = pf_clone_tree(from_fd, to_fd, &settings, &result, &err);
    finish(start_ns);
    return failed ? report_failure(&err, 0) : EXIT_DONE;
}

enum { OPT_TRACE = OPT_OF_COMMAND };

static const struct option long_options[] = {
    OPTIONS_LONG,
    {"trace", required_argument, NULL, OPT_TRACE},
    {0},
};

static int run_prepare(const struct pf_settings *settings)
{
    struct pf_engine *engine;
    struct pf_error err = {0};
    int64_t start_ns = pf_clock_ns();
    int failed = pf_engine_new(settings, &engine, &err);
    if (failed)
        return report_failure(&err, 0);
    failed = pf_engine_prepare(engine, &err);
    finish(start_ns);
    pf_engine_free(engine);
    return failed ? report_failure(&err, 0) : EXIT_DONE;
}

static int prepare(int argc, char **argv)
{
    struct options options = {.verbosity = -1, .uses = OPTIONS_ALL};
    struct trace *trace = NULL;
    int option, taken = 1;
    while (taken > 0 && (option = options_next(argc, argv, OPTIONS_SHORT, long_options)) != -1) {
        if (option == OPT_TRACE)
            taken = !trace && (trace = trace_open(optarg)) ? 1 : -1;
        else
            taken = options_take(&options, option, optarg);
    }
    report_init("bench-stages", options.verbosity);
    options.settings.spans = trace != NULL;
    options.settings.on_event = trace ? trace_event : report_event;
    options.settings.event_ctx = trace;
    int status = taken > 0 ? run_prepare(&options.settings) : EXIT_USAGE;
    if (trace_close(trace) < 0)
        status = EXIT_FAILED;
    options_end(&options);
    return status;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    unsigned jobs = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    report_init("bench-stages", -1);
    pf_engine_init_process();
    if (strcmp(what, "prepare") == 0)
        return prepare(argc - 1, argv + 1);
    bool verified = strcmp(what, "decode") == 0;
    if ((verified || strcmp(what, "decode-unverified") == 0) && jobs)
        return decode(verified, jobs, argv + 3, (size_t)argc - 3);
    if (strcmp(what, "stage") == 0 && jobs && argc > 3)
        return stage(jobs, argv[3], argv + 4, (size_t)argc - 4, false);
    if (strcmp(what, "commit") == 0 && argc > 2)
        return stage(2, argv[2], argv + 3, (size_t)argc - 3, true);
    if (strcmp(what, "clone") == 0 && jobs && argc == 5)
        return copy(jobs, argv[3], argv[4]);
    fputs(help, stderr);
    return EXIT_USAGE;
}
