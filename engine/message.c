/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "message.h"

#include "error.h"

#include <libintl.h>
#include <string.h>

const char *pf_message(const char *text)
{
    /* gettext's answer to an empty text is the catalogue's header. */
    return *text ? dgettext(PF_TEXT_DOMAIN, text) : text;
}

void pf_message_trim(char *text)
{
    size_t length = strlen(text);
    size_t lead = length;
    while (lead > 0 && length - lead < 3 && ((unsigned char)text[lead - 1] & 0xc0) == 0x80)
        lead--;
    if (lead == 0)
        return;
    unsigned char first = (unsigned char)text[lead - 1];
    size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
    if (first >= 0xc0 && length - lead + 1 < wanted)
        text[lead - 1] = '\0';
}
