/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "error.h"

#include "message.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Translated, and where it is too long cut between two characters. */
static void put_text(char *text, size_t size, const char *fmt, va_list args)
{
    if ((size_t)vsnprintf(text, size, pf_message(fmt), args) >= size)
        pf_message_trim(text);
}

/* Of the error that this thread met last, for callers who want no text. */
static _Thread_local int last_code = PF_E_SYSTEM;

/* The number is an errno or 0. */
static int fill(struct pf_error *err, int code, int number, const char *fmt, va_list args)
{
    last_code = code;
    if (!err)
        return code;
    put_text(err->text, sizeof err->text, fmt, args);
    err->code = code;
    err->sys_errno = number;
    err->hint[0] = '\0';
    return code;
}

int pf_error_set(struct pf_error *err, int code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(err, code, 0, fmt, args);
    va_end(args);
    return code;
}

void pf_error_hint(struct pf_error *err, const char *fmt, ...)
{
    if (!err || err->hint[0])
        return;
    va_list args;
    va_start(args, fmt);
    put_text(err->hint, sizeof err->hint, fmt, args);
    va_end(args);
}

int pf_error_advise(struct pf_error *err, int code, const char *hint, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    fill(err, code, 0, fmt, args);
    va_end(args);
    if (err &&
        (size_t)snprintf(err->hint, sizeof err->hint, "%s", pf_message(hint)) >= sizeof err->hint)
        pf_message_trim(err->hint);
    return code;
}

static int code_of_errno(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
        return PF_E_NO_SPACE;
    case EACCES:
    case EPERM:
        return PF_E_PERMISSION;
    default:
        return PF_E_SYSTEM;
    }
}

int pf_error_errno(struct pf_error *err, const char *fmt, ...)
{
    int number = errno;
    int code = code_of_errno(number);
    va_list args;
    va_start(args, fmt);
    fill(err, code, number, fmt, args);
    va_end(args);
    if (!err)
        return code;
    size_t used = strlen(err->text);
    char buffer[128];
    size_t room = sizeof err->text - used;
    if ((size_t)snprintf(err->text + used, room, ": %s",
                         strerror_r(number, buffer, sizeof buffer)) >= room)
        pf_message_trim(err->text);
    return code;
}

int pf_error_memory(struct pf_error *err)
{
    return pf_error_set(err, PF_E_SYSTEM, "out of memory");
}

int pf_error_context(struct pf_error *err, const char *fmt, ...)
{
    if (!err)
        return last_code;
    char context[sizeof err->text];
    va_list args;
    va_start(args, fmt);
    put_text(context, sizeof context, fmt, args);
    va_end(args);
    char tail[sizeof err->text];
    memcpy(tail, err->text, sizeof tail);
    /* Where both do not fit, the beginning is what names the thing; the end is cut. */
    size_t used = strlen(context);
    size_t tail_length = strlen(tail);
    size_t room = sizeof err->text - 1;
    if (used > room - 2)
        used = room - 2;
    if (tail_length > room - 2 - used)
        tail_length = room - 2 - used;
    bool cut = tail[tail_length] != '\0';
    memcpy(err->text, context, used);
    memcpy(err->text + used, ": ", 2);
    memcpy(err->text + used + 2, tail, tail_length);
    err->text[used + 2 + tail_length] = '\0';
    if (cut)
        pf_message_trim(err->text);
    return err->code;
}
