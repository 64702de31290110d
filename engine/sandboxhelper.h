/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sandboxhelper: the process that a sandbox is kept in, and the jobs it runs. Only for sandbox and
   the two kinds of helper: sandboxnamespaces and sandboxalone. They call nothing but the kernel:
   the caller may have had threads, and their locks are held for ever in the copy. */
#ifndef PF_SANDBOXHELPER_H
#define PF_SANDBOXHELPER_H

#include "confine.h"
#include "sandbox.h"
#include "syscallfilter.h"

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A request is one message: the job's words, each with its NUL, and one or two descriptors: where
   its output goes, and a text that is its last word. A message without any ends the job that runs.
   Each job is answered by one message, as is the making of the sandbox. The end of the connection
   ends all. A job whose first word is empty is a trial: all is made for it, and nothing run. */
#define PF_SANDBOX_REQUEST_BYTES 8192
#define PF_SANDBOX_WORDS         16

/* Where the connection is in the helper. */
#define PF_SANDBOX_CONNECTION 3

/* How often a job's processes are counted: a script that does nothing but fork makes some hundreds
   in that time. */
#define PF_SANDBOX_COUNT_INTERVAL_MS 10

/* The names below dev/ that a program may open. */
#define PF_SANDBOX_DEVICES 6

struct pf_sandbox_device {
    const char *name;
    unsigned major_number, minor_number;
};

extern const struct pf_sandbox_device pf_sandbox_devices[PF_SANDBOX_DEVICES];

enum pf_sandbox_end {
    PF_SANDBOX_KILLED,  /* by somebody outside */
    PF_SANDBOX_ENDED,   /* status tells how */
    PF_SANDBOX_REFUSED, /* step could not be done, number is its errno */
    PF_SANDBOX_CROWDED, /* there were too many processes */
    PF_SANDBOX_LIMITED, /* the job ended, but not as without the sandbox: step says why */
};

/* Memory that caller and helper share. The helper's (and its job's) until it answers, then the
   caller's; a script never has it. */
struct pf_sandbox_answer {
    enum pf_sandbox_end end;
    int status;
    const char *step; /* a constant, at the same place in both */
    int number;
    bool unstarted; /* the program could not be executed */
};

struct pf_sandboxhelper {
    enum pf_sandbox_view view;
    bool has_work; /* the root is "root" of dir_fd, beside the script's view */
    int dir_fd;    /* where it begins: see PF_SCRIPTVIEW_…; or the root itself */
    int socket_fd;
    struct pf_sandbox_answer *answer;
    bool *chrooted; /* shared, too: "/" is no mount point */
    struct pf_confine confine;
    struct pf_filter *filter; /* of which confine has the program */
    /* The same, and the removal of names watched; not for pf_sandboxalone_run. */
    struct pf_filter *watching;
    const char *const *environment;
    unsigned processes; /* of a job at once, threads counted */
};

struct pf_sandbox_request {
    char text[PF_SANDBOX_REQUEST_BYTES];
    char *words[PF_SANDBOX_WORDS + 2];
    int output_fd, text_fd; /* -1: none */
};

/* Tells what failed, from errno, and ends the calling process. */
_Noreturn void pf_sandboxhelper_refuse(const struct pf_sandboxhelper *helper, const char *step);

/* What both kinds begin with: no file of the caller's but the connection, a session of its own, the
   working directory dir_fd. */
void pf_sandboxhelper_begin(struct pf_sandboxhelper *helper);

/* Waits for a message. False: the caller has gone. */
bool pf_sandboxhelper_receive(struct pf_sandbox_request *request);

void pf_sandboxhelper_answer(void);

/* fork(2) as the kernel has it. */
pid_t pf_sandboxhelper_fork(void);

/* In the program's own process: its files, signals, session and umask; the text becomes its last
   word. `keep_fd` (-1: none) stays open. */
void pf_sandboxhelper_set_files(const struct pf_sandboxhelper *helper,
                                struct pf_sandbox_request *request, int keep_fd);

/* Becomes the program, or ends as shells do where it cannot. */
_Noreturn void pf_sandboxhelper_exec(const struct pf_sandboxhelper *helper,
                                     const struct pf_sandbox_request *request);

/* A listener for the watched calls (see syscallfilter.h) goes from the process that they are of to
   the helper, by a socket. -1 at the other end: it ended before it had one. */
int pf_sandboxhelper_send_listener(int socket_fd, int listener);
int pf_sandboxhelper_receive_listener(int socket_fd);

/* Which of the filter's calls it is; NULL: none. */
const struct pf_watched_call *pf_sandboxhelper_find_call(const struct pf_filter *filter,
                                                         const struct seccomp_data *data);

/* Answers a watched call: 0 lets it go on, else it fails with that errno. */
void pf_sandboxhelper_reply(int listener, uint64_t id, int number);

/* Opens the memory of a process; copies a string of it to text: its length, or -1 where it does not
   fit. */
int pf_sandboxhelper_open_memory(int proc_fd, pid_t pid, int flags);
ssize_t pf_sandboxhelper_read_string(int memory_fd, uint64_t address, char *text, size_t size);

/* The helpers. Each runs in a process that was forked for it, and ends it. */
_Noreturn void pf_sandboxnamespaces_run(struct pf_sandboxhelper *helper);
_Noreturn void pf_sandboxalone_run(struct pf_sandboxhelper *helper);

#endif
