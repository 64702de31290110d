/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* error: an error value with a code and a chain of context; never prints. */
#ifndef PF_ERROR_H
#define PF_ERROR_H

/* The gettext domain of the engine's texts, in errors and in events. They are English until the
   program has set its locale and bound this domain to a folder of catalogues. */
#define PF_TEXT_DOMAIN "plamo-fast"

/* What went wrong, as a caller may act on it. Functions return 0 or one of these. */
enum pf_code {
    PF_OK = 0,
    PF_E_INVALID = -1,    /* an argument, option or setting makes no sense */
    PF_E_SYSTEM = -2,     /* a system call failed */
    PF_E_NETWORK = -3,    /* the mirror could not be reached, or broke off */
    PF_E_ABSENT = -4,     /* the mirror, or the cache, has no such thing */
    PF_E_CORRUPT = -5,    /* a package or a listing is damaged or hostile */
    PF_E_CONFLICT = -6,   /* a package cannot be merged into the root as it stands */
    PF_E_BUSY = -7,       /* a lock could not be had in time */
    PF_E_PERMISSION = -8, /* a privilege is missing */
    PF_E_NO_SPACE = -9,   /* a file system is full (bytes or inodes) */
    PF_E_LIMIT = -10,     /* a limit of the engine was reached */
    PF_E_CANCELLED = -11, /* the caller asked to stop */
};

/* One error. Embedded by the caller; zero-initialise it. The text is one line without a final
   newline; it may quote bytes from outside, so a program escapes it before showing it. */
struct pf_error {
    int code;
    int sys_errno; /* errno of the failed call, or 0 */
    char text[1024];
    char hint[256]; /* what to do about it, in one clause; empty: nothing but what the code says */
};

/* Fills err (which may be NULL) and returns code. Here and below fmt is translated. */
int pf_error_set(struct pf_error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Fills err from errno: the code is derived from it and its text appended. Returns the code. */
int pf_error_errno(struct pf_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Adds what to do about it, for a person. Where err has a hint already that stays: who found the
   fault knows best. */
void pf_error_hint(struct pf_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Both at once: as pf_error_set, with a hint, which is translated here. */
int pf_error_advise(struct pf_error *err, int code, const char *hint, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* Says that memory is short. Returns PF_E_SYSTEM. */
int pf_error_memory(struct pf_error *err);

/* Puts "context: " before the text that stands in err. Returns err's code; without an err that of
   the error that this thread met last. */
int pf_error_context(struct pf_error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
