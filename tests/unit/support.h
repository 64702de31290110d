/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* support: what the unit tests share: temp folders, files, trees as text, archives in memory. */
#ifndef PF_TEST_SUPPORT_H
#define PF_TEST_SUPPORT_H

#include "error.h"
#include "pkgname.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cmocka.h>

/* Fails the test, with the error's text, unless the call returned 0. */
#define assert_ok(call, err)                                                                       \
    do {                                                                                           \
        int status_ = (call);                                                                      \
        if (status_ != 0)                                                                          \
            fail_msg("%s: %d: %s", #call, status_, (err)->text);                                   \
    } while (0)

/* Fails the test unless the call returned `code`, and err says the same and something readable. */
#define assert_code(call, wanted, err)                                                             \
    do {                                                                                           \
        int status_ = (call);                                                                      \
        if (status_ != (wanted) || (err)->code != (wanted) || !*(err)->text)                       \
            fail_msg("%s: %d, not %d: (%d) %s", #call, status_, (int)(wanted), (err)->code,        \
                     (err)->text);                                                                 \
    } while (0)

/* Fails the test unless the text has the part in it. */
#define assert_contains(text, part)                                                                \
    do {                                                                                           \
        const char *text_ = (text);                                                                \
        if (!text_ || !strstr(text_, (part)))                                                      \
            fail_msg("\"%s\" is not in \"%s\"", (part), text_ ? text_ : "(null)");                 \
    } while (0)

/* What a main does: umask 0, as the engine's callers have it; 77 where the tests need root and this
   process has not got it. */
#define support_main(tests, needs_root)                                                            \
    int main(void)                                                                                 \
    {                                                                                              \
        int skipped = support_begin(needs_root);                                                   \
        return skipped ? skipped : cmocka_run_group_tests((tests), NULL, NULL) ? 1 : 0;            \
    }
int support_begin(bool needs_root);

/* The same for tests that mount: each in a mount namespace of its own. */
#define support_main_of_mounts(tests)                                                              \
    int main(void)                                                                                 \
    {                                                                                              \
        int skipped = support_begin(true);                                                         \
        if (!skipped && !support_own_mounts()) {                                                   \
            puts("skipped: this process may not mount");                                           \
            skipped = 77;                                                                          \
        }                                                                                          \
        return skipped ? skipped : cmocka_run_group_tests((tests), NULL, NULL) ? 1 : 0;            \
    }

/* Enters a mount namespace whose mounts nobody else sees. False: this place allows none. */
bool support_own_mounts(void);

/* A temporary folder of one test. temp_end removes it, whatever is in it. */
struct temp {
    char path[64];
    int fd;
};
void temp_begin(struct temp *temp);
void temp_end(struct temp *temp);

/* Files below a folder; missing folders above are made (0755). A failure fails the test. */
void put_folder(int dir_fd, const char *path, mode_t mode);
int open_folder(int dir_fd, const char *path);
void put_bytes(int dir_fd, const char *path, const void *data, size_t length, mode_t mode);
void put_file(int dir_fd, const char *path, const char *text);
void put_link(int dir_fd, const char *path, const char *target);

/* A file's content (NUL behind it) or a link's target; NULL where there is none. Free it. */
char *get_file(int dir_fd, const char *path);
char *get_link(int dir_fd, const char *path);
bool has_name(int dir_fd, const char *path); /* follows no link in the last component */
struct stat stat_of(int dir_fd, const char *path);

void assert_file(int dir_fd, const char *path, const char *text);
void assert_link(int dir_fd, const char *path, const char *target);

/* The whole tree as text, a line a name, sorted; equal trees give equal texts. Free it. */
enum {
    TREE_TIMES = 1,        /* with mtimes */
    TREE_FOLDER_TIMES = 2, /* also of folders */
    TREE_XATTRS = 4,
    TREE_HOLES = 8, /* with the allocated blocks of regular files */
};
char *tree_text(int dir_fd, unsigned what);
void assert_same_tree(int a_fd, int b_fd, unsigned what);

/* Shell words: a process in the background, by `how` (sh or setsid sh), that would sleep for a day;
   afterwards it runs, and holds the pipe `held`. Before: pipe_begin(); after: wait_for_no_holder().
 */
#define LEAVE_BEHIND(how, mark)                                                                    \
    how " -c 'exec 3>held; : >" mark "; sleep 86400' >/dev/null 2>&1 & until [ -e " mark           \
        " ]; do sleep 0.01; done; "
/* Makes a named pipe and opens it for reading. */
int pipe_begin(int dir_fd, const char *path);
/* Waits until no process has the pipe open for writing; a minute is a failure. Closes it. */
void wait_for_no_holder(int pipe_fd);

/* Fails the test unless run(arg, 8 * small) takes a time of processor that has grown as the size
   has, not as its square: less than 32 times what run(arg, small) takes. */
void assert_linear(void (*run)(void *arg, size_t size), void *arg, size_t small);

/* A seeded generator: the same numbers everywhere. */
uint32_t random_below(uint64_t *state, uint32_t bound);

/* Bytes that grow. */
struct buffer {
    unsigned char *data;
    size_t length, capacity;
};
void buffer_add(struct buffer *buffer, const void *data, size_t length);
void buffer_end(struct buffer *buffer);

/* A ustar member, header by hand, so that hostile ones can be made. The checksum is right. */
struct tar_member {
    const char *name;
    char
        type; /* '0' file, '1' hard link, '2' link, '3' '4' devices, '5' folder, '6' fifo; 0: '0' */
    const char *data; /* may be NULL */
    size_t length;    /* of data; 0: strlen(data) */
    const char *link;
    unsigned mode; /* 0: 0644, folders 0755; NO_MODE: 0 */
    unsigned uid, gid;
    unsigned device_major, device_minor;
    long mtime; /* 0: 1000000000 */
};
#define NO_MODE  010000u
#define TAR_TIME 1000000000L

void tar_add(struct buffer *tar, const struct tar_member *member);
/* Puts a PAX header ("path=…" and the like, one record a call) before the next member. */
void tar_add_pax(struct buffer *tar, const char *key, const char *value);
void tar_end(struct buffer *tar);

/* Compresses as the format says, in one frame (member, stream). Appends to out. */
void compress_to(enum pf_format format, const void *data, size_t length, struct buffer *out);
const char *suffix_of(enum pf_format format); /* ".tgz" … */

/* Recomputes the checksum of a header that a test has changed. */
void tar_checksum(unsigned char header[512]);

/* Compresses the tar as `file`'s suffix says, stores it below dir_fd, and stages it into the new
   folder FOLDER. limits may be NULL. What pf_stage_package returns. */
struct pf_staged;
struct pf_stage_limits;
int stage_tar(int dir_fd, const char *file, const char *folder, const struct buffer *tar,
              const struct pf_stage_limits *limits, struct pf_staged **out, struct pf_error *err);

/* Adds members up to the one without a name, then the end. */
void tar_of(struct buffer *tar, const struct tar_member *members);

/* Events that a module sent, kept. Give events_sink() to it. */
struct pf_events;
struct event_log {
    struct pf_events *events;
    char text[16384]; /* "TYPE|SUBJECT|TEXT\n" each */
    unsigned count;
};
void event_log_begin(struct event_log *log);
void event_log_end(struct event_log *log);

#endif
