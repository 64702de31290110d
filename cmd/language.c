/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "language.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>

void language_init(void)
{
    const char *folder = secure_getenv("TEXTDOMAINDIR");
    setlocale(LC_CTYPE, "");
    setlocale(LC_MESSAGES, "");
    bindtextdomain(PF_TEXT_DOMAIN, folder && *folder ? folder : PF_LOCALE_DIR);
    /* Whatever a thread's own locale is, as that of those who read archives. */
    bind_textdomain_codeset(PF_TEXT_DOMAIN, nl_langinfo(CODESET));
    /* Read now: a thread that gives up opening files would not find it later. */
    (void)_("error: ");
}
