/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lists of checksums; the first byte says of which kind and where they lie. Promises: each path is
   one below the list's folder, without "..", and each sum is one. */
#include "fuzz.h"

#include "checksums.h"

#include <stdbool.h>
#include <string.h>

/* What the list is about, told by no other function: the name a sum alone stands for. */
#define OF_FILE "alone-1-x86_64-1.txz"

static bool is_path_below(const char *folder, const char *path, size_t length)
{
    size_t above = strlen(folder);
    if (above) {
        if (length <= above || memcmp(path, folder, above) != 0 || path[above] != '/')
            return false;
        path += above + 1;
        length -= above + 1;
    }
    for (;;) {
        const char *slash = memchr(path, '/', length);
        size_t n = slash ? (size_t)(slash - path) : length;
        if (!fuzz_is_name(path, n))
            return false;
        if (!slash)
            return true;
        path += n + 1;
        length -= n + 1;
    }
}

/* The set of paths does not list them: what a line might name is asked for. */
static void look_up(const struct pf_checksums *sums, const char *folder, const char *path)
{
    const struct pf_checksum *sum = pf_checksums_find(sums, path);
    if (!sum)
        return;
    fuzz_require(is_path_below(folder, path, strlen(path)));
    fuzz_require(sum->kind == PF_DIGEST_MD5 || sum->kind == PF_DIGEST_SHA256);
    fuzz_require(strlen(sum->hex) == pf_digest_text_length(sum->kind));
    fuzz_require(strspn(sum->hex, "0123456789abcdef") == strlen(sum->hex));
}

/* Asks for every piece between blanks, parentheses and line ends, as it is and below the folder. */
static void look_up_words(const struct pf_checksums *sums, const char *folder, const char *text)
{
    while (*text) {
        char path[8192];
        size_t n = strcspn(text, " \t\r\n()*");
        snprintf(path, sizeof path, "%.*s", (int)n, text);
        look_up(sums, folder, path);
        snprintf(path, sizeof path, "%s/%.*s", folder, (int)n, text);
        look_up(sums, folder, path);
        text += n + (text[n] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const folders[] = {"", "plamo/00_base"};
    unsigned mode = fuzz_take_byte(&data, &size);
    const char *folder = folders[mode >> 1 & 1];
    struct pf_checksums sums = {0};
    struct pf_error err = {0};
    fuzz_require(pf_checksums_add(&sums, (const char *)data, size,
                                  mode & 1 ? PF_DIGEST_MD5 : PF_DIGEST_SHA256, folder,
                                  mode & 4 ? OF_FILE : NULL, &err) == 0);
    fuzz_require(sums.count == sums.paths.count);
    char *text = fuzz_text(data, size);
    look_up_words(&sums, folder, text);
    free(text);
    pf_checksums_end(&sums);
    return 0;
}
