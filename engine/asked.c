/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "asked.h"

#include "digest.h"
#include "fs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* With its NUL, so that no two lists of texts look the same. */
static void add(struct pf_digest *digest, const char *text)
{
    pf_digest_add(digest, text, strlen(text) + 1);
}

static void add_list(struct pf_digest *digest, char *const *list)
{
    for (; *list; list++)
        add(digest, *list);
    add(digest, "");
}

/* Empty where there is no memory. */
static void digest_settings(const struct pf_settled *s, char text[PF_DIGEST_TEXT_SIZE])
{
    struct pf_digest *digest = pf_digest_new(PF_DIGEST_XXH3);
    *text = '\0';
    if (!digest)
        return;
    add(digest, s->release);
    add(digest, s->arch);
    add_list(digest, s->mirrors);
    add_list(digest, s->categories);
    add_list(digest, s->contrib);
    add_list(digest, s->addons);
    add_list(digest, s->ignore);
    add(digest, s->skip_corrupt ? "skip" : "");
    add(digest, s->no_checksums ? "" : "checksums");
    pf_digest_text(digest, text);
    pf_digest_free(digest);
}

bool pf_asked_lately(const struct pf_settled *settings, int fd)
{
    char line[128], digest[PF_DIGEST_TEXT_SIZE], noted[PF_DIGEST_XXH3_TEXT_SIZE];
    int64_t when;
    ssize_t length = settings->max_age_s ? pread(fd, line, sizeof line - 1, 0) : 0;
    if (length <= 0 || settings->lock.count)
        return false;
    line[length] = '\0';
    digest_settings(settings, digest);
    if (sscanf(line, "asked %" SCNd64 " %32s\n", &when, noted) != 2 || strcmp(noted, digest) != 0)
        return false;
    int64_t now = time(NULL);
    return when <= now && when > now - settings->max_age_s;
}

void pf_asked_note(const struct pf_settled *settings, int fd)
{
    char line[128], digest[PF_DIGEST_TEXT_SIZE];
    digest_settings(settings, digest);
    int length = snprintf(line, sizeof line, "asked %" PRId64 " %s\n", (int64_t)time(NULL), digest);
    if (!pf_fs_is_own(fd) || pf_fs_set_length(fd, 0) < 0)
        return;
    /* Of a line that is cut off nothing counts. */
    if (pwrite(fd, line, (size_t)length, 0) != length)
        pf_fs_set_length(fd, 0);
}
