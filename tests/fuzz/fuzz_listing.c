/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An index page. Promise: every entry is a name, and its URL leads to that name in the page's own
   folder, on the page's host. */
#include "fuzz.h"

#include "listing.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#define HOST   "mirror.example"
#define FOLDER "/pub/Plamo-8.x/x86_64/plamo/00_base/"
#define PAGE   "http://" HOST FOLDER

static char *part_of(CURLU *url, CURLUPart part)
{
    char *text = NULL;
    curl_url_get(url, part, &text, CURLU_DEFAULT_PORT);
    return text;
}

static void check_place(CURLU *url)
{
    char *scheme = part_of(url, CURLUPART_SCHEME), *host = part_of(url, CURLUPART_HOST);
    char *port = part_of(url, CURLUPART_PORT);
    fuzz_require(scheme && host && port && strcasecmp(host, HOST) == 0);
    if (strcmp(scheme, "http") == 0)
        fuzz_require(strcmp(port, "80") == 0);
    else
        fuzz_require(strcmp(scheme, "https") == 0 && strcmp(port, "443") == 0);
    fuzz_require(curl_url_get(url, CURLUPART_QUERY, &(char *){NULL}, 0) == CURLUE_NO_QUERY);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
}

/* A server that decodes the path finds the folder's path, the name, and a folder's slash. */
static void check_path(CURLU *url, const struct pf_listing_entry *entry)
{
    char *path = part_of(url, CURLUPART_PATH);
    int length;
    char *decoded = curl_easy_unescape(NULL, path, 0, &length);
    size_t folder = strlen(FOLDER), name = strlen(entry->name);
    fuzz_require(decoded && (size_t)length == folder + name + entry->folder);
    fuzz_require(memcmp(decoded, FOLDER, folder) == 0);
    fuzz_require(memcmp(decoded + folder, entry->name, name) == 0);
    fuzz_require(!entry->folder || decoded[length - 1] == '/');
    curl_free(decoded);
    curl_free(path);
}

static void check_entry(const struct pf_listing_entry *entry)
{
    fuzz_require(fuzz_is_name(entry->name, strlen(entry->name)));
    fuzz_require(!entry->link && entry->size_bytes == -1);
    CURLU *url = curl_url();
    fuzz_require(url && curl_url_set(url, CURLUPART_URL, entry->url, 0) == CURLUE_OK);
    check_place(url);
    check_path(url, entry);
    curl_url_cleanup(url);
    for (const char *p = entry->url; *p; p++)
        fuzz_require((unsigned char)*p > 0x20 && *p != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pf_listing listing;
    struct pf_error err = {0};
    int status = pf_listing_parse_html((const char *)data, size, PAGE, &listing, &err);
    fuzz_require(status == err.code && (status == 0 || status == PF_E_LIMIT));
    for (size_t i = 0; i < listing.count; i++)
        check_entry(&listing.entries[i]);
    pf_listing_end(&listing);
    return 0;
}
