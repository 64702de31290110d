/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* message: the engine's texts in the language that the program has chosen (gettext). */
#ifndef PF_MESSAGE_H
#define PF_MESSAGE_H

/* Marks a text that pf_message translates where it is used. What the functions of error and event
   take needs no mark. */
#define N_(text) text

/* The text in the user's language, or itself where there is no translation or it is empty. errno
   stays. Not for the sandbox's processes, which call nothing but the kernel. */
const char *pf_message(const char *text) __attribute__((format_arg(1)));

/* Takes away the beginning of a UTF-8 character that is not whole at a cut text's end. */
void pf_message_trim(char *text);

#endif
