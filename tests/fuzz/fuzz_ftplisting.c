/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What an FTP server says of one folder: the LIST text, a NUL, the MLSD text. Promises: every entry
   is a name with the URL that pf_listing_add_child makes of it; settling keeps LIST's order. */
#include "fuzz.h"

#include "ftplisting.h"

#include <curl/curl.h>
#include <string.h>

#define FOLDER "ftp://mirror.example/pub/Plamo-8.x/x86_64/plamo/00_base/"

static void check_entry(const struct pf_listing_entry *entry)
{
    size_t length = strlen(entry->name);
    fuzz_require(fuzz_is_name(entry->name, length));
    fuzz_require(entry->size_bytes >= -1 && (!entry->folder || entry->size_bytes == -1));
    fuzz_require(strncmp(entry->url, FOLDER, strlen(FOLDER)) == 0);
    const char *rest = entry->url + strlen(FOLDER);
    size_t rest_length = strlen(rest);
    fuzz_require(
        strspn(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%") ==
        rest_length - entry->folder);
    fuzz_require(!entry->folder || rest[rest_length - 1] == '/');
    int decoded_length;
    char *decoded =
        curl_easy_unescape(NULL, rest, (int)(rest_length - entry->folder), &decoded_length);
    fuzz_require(decoded && (size_t)decoded_length == length &&
                 memcmp(decoded, entry->name, length) == 0);
    curl_free(decoded);
}

static void check(const struct pf_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++)
        check_entry(&listing->entries[i]);
}

/* The names of a, each as often or less, in the order of b. */
static void check_order(const struct pf_listing *a, char **names, size_t count)
{
    size_t at = 0;
    for (size_t i = 0; i < a->count; i++) {
        while (at < count && strcmp(names[at], a->entries[i].name) != 0)
            at++;
        fuzz_require(at < count);
        at++;
    }
}

static char **names_of(const struct pf_listing *listing)
{
    char **names = calloc(listing->count + 1, sizeof *names);
    fuzz_require(names);
    for (size_t i = 0; i < listing->count; i++) {
        names[i] = strdup(listing->entries[i].name);
        fuzz_require(names[i]);
    }
    return names;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *cut = size ? memchr(text, '\0', size) : NULL;
    size_t list_length = cut ? (size_t)(cut - text) : size;
    const char *mlsd = cut ? cut + 1 : text;
    struct pf_listing list, facts;
    size_t dropped;
    struct pf_error err = {0};
    fuzz_require(pf_ftplisting_parse_list(text, list_length, FOLDER, &list, &dropped, &err) == 0);
    check(&list);
    fuzz_require(pf_ftplisting_parse_mlsd(mlsd, (size_t)(text + size - mlsd), FOLDER, &facts, NULL,
                                          &err) == 0);
    check(&facts);
    const struct pf_listing *source = list.count ? &list : &facts;
    size_t count = source->count;
    char **names = names_of(source);
    fuzz_require(pf_ftplisting_settle(&list, &facts, &err) == 0);
    check(&list);
    check_order(&list, names, count);
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
    pf_listing_end(&list);
    pf_listing_end(&facts);
    return 0;
}
