/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "listing.h"

#include "array.h"
#include "names.h"

#include <ctype.h>
#include <curl/curl.h>
#include <gumbo.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Elements within each other; real index pages have a dozen. */
#define MAX_NESTING 512

/* More entries than this in one folder is no package folder. */
#define MAX_ENTRIES 200000

#define pf_auto_url      __attribute__((cleanup(url_cleanup_at)))
#define pf_auto_curl_str __attribute__((cleanup(curl_free_at)))

static void url_cleanup_at(CURLU **url)
{
    curl_url_cleanup(*url);
}

static void curl_free_at(char **text)
{
    curl_free(*text);
}

/* What the links of a page are compared with. */
struct page {
    CURLU *base; /* what relative links are joined to; <base href> changes it */
    char *scheme;
    char *host;
    char *port;
    char *folder; /* percent-encoded path of the page, ends in "/" */
    struct pf_names seen;
    struct pf_listing *out;
    struct pf_error *err;
};

static char *url_part(CURLU *url, CURLUPart part, unsigned flags)
{
    char *text = NULL;
    return curl_url_get(url, part, &text, flags) == CURLUE_OK ? text : NULL;
}

static bool same_place(struct page *page, CURLU *url)
{
    pf_auto_curl_str char *scheme = url_part(url, CURLUPART_SCHEME, 0);
    pf_auto_curl_str char *host = url_part(url, CURLUPART_HOST, 0);
    pf_auto_curl_str char *port = url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    if (!scheme || !host || !port || strcasecmp(host, page->host) != 0)
        return false;
    if (strcmp(scheme, page->scheme) == 0)
        return strcmp(port, page->port) == 0;
    /* A page may send us from http up to https on the standard ports, never down. */
    return strcmp(page->scheme, "http") == 0 && strcmp(scheme, "https") == 0 &&
           strcmp(page->port, "80") == 0 && strcmp(port, "443") == 0;
}

/* The part of the link's path below the page's folder, decoded into name: one component, whose
   slash at the end (if any) becomes *folder. Returns false for anything else. */
static bool child_name(struct page *page, const char *path, char name[NAME_MAX + 1], bool *folder)
{
    /* Both sides are compared decoded: servers differ in what they percent-encode. */
    int folder_length, path_length;
    pf_auto_curl_str char *base = curl_easy_unescape(NULL, page->folder, 0, &folder_length);
    pf_auto_curl_str char *full = curl_easy_unescape(NULL, path, 0, &path_length);
    if (!base || !full || path_length <= folder_length ||
        memcmp(base, full, (size_t)folder_length) != 0)
        return false;
    const char *rest = full + folder_length;
    size_t length = (size_t)(path_length - folder_length);
    /* Only the link's own slash makes a folder: "%2F" at the end is a character of a name, and no
       name has one. */
    *folder = path[strlen(path) - 1] == '/';
    if (*folder)
        length--;
    if (length == 0 || length > NAME_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)rest[i];
        if (c == '/' || c < 0x20 || c == 0x7f)
            return false;
    }
    memcpy(name, rest, length);
    name[length] = '\0';
    return strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int add_entry(struct page *page, const char *name, char *url, bool folder)
{
    struct pf_listing *out = page->out;
    /* A folder and a file of one name are different things ("devel.txz/"). */
    char key[NAME_MAX + 2];
    key[0] = folder ? 'd' : 'f';
    memcpy(key + 1, name, strlen(name) + 1);
    int added = pf_names_add(&page->seen, key);
    if (added == 0)
        return 0;
    if (added > 0 && out->count == MAX_ENTRIES)
        return pf_error_set(page->err, PF_E_LIMIT, "the page lists more than %d entries",
                            MAX_ENTRIES);
    struct pf_listing_entry entry = {.name = strdup(name), .url = strdup(url), .folder = folder};
    if (added < 0 || !entry.name || !entry.url ||
        pf_array_room(&out->entries, out->count, sizeof *out->entries) < 0) {
        free(entry.name);
        free(entry.url);
        return pf_error_set(page->err, PF_E_SYSTEM, "out of memory");
    }
    out->entries[out->count++] = entry;
    return 0;
}

static int take_link(struct page *page, const char *href)
{
    pf_auto_url CURLU *url = curl_url_dup(page->base);
    if (!url)
        return pf_error_set(page->err, PF_E_SYSTEM, "out of memory");
    /* A query, even an empty one, which some versions of libcurl do not keep. */
    if (href[strcspn(href, "?#")] == '?')
        return 0;
    if (*href == '\0' || curl_url_set(url, CURLUPART_URL, href, 0) != CURLUE_OK)
        return 0; /* "javascript:…", "mailto:…" and nonsense */
    curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
    pf_auto_curl_str char *path = url_part(url, CURLUPART_PATH, 0);
    pf_auto_curl_str char *whole = url_part(url, CURLUPART_URL, 0);
    char name[NAME_MAX + 1];
    bool folder;
    if (!path || !whole || !same_place(page, url) || !child_name(page, path, name, &folder))
        return 0;
    return add_entry(page, name, whole, folder);
}

static const char *attribute_of(const GumboNode *node, GumboTag tag, const char *name)
{
    if (node->type != GUMBO_NODE_ELEMENT || node->v.element.tag != tag)
        return NULL;
    const GumboAttribute *attribute = gumbo_get_attribute(&node->v.element.attributes, name);
    return attribute ? attribute->value : NULL;
}

/* Walks the parse tree in document order, without recursion: pages choose their own depth. */
static int walk_links(struct page *page, const GumboNode *root)
{
    const GumboNode *node = root;
    while (node) {
        const char *base = attribute_of(node, GUMBO_TAG_BASE, "href");
        const char *href = attribute_of(node, GUMBO_TAG_A, "href");
        int failed = href ? take_link(page, href) : 0;
        if (failed)
            return failed;
        if (base)
            curl_url_set(page->base, CURLUPART_URL, base, 0);
        if (node->type == GUMBO_NODE_ELEMENT && node->v.element.children.length > 0) {
            node = node->v.element.children.data[0];
            continue;
        }
        while (node != root) {
            const GumboVector *siblings = &node->parent->v.element.children;
            if (node->index_within_parent + 1 < siblings->length) {
                node = siblings->data[node->index_within_parent + 1];
                break;
            }
            node = node->parent;
        }
        if (node == root)
            return 0;
    }
    return 0;
}

/* Is it one of the elements that HTML lets stand unclosed, or that have no end? They cannot nest by
   themselves: the next of their kind, or the end of what they are in, closes them. */
static bool may_stay_open(const char *name, size_t length)
{
    static const char *const names[] = {"a",     "area", "base",  "body", "br",     "col",
                                        "dd",    "dt",   "head",  "hr",   "html",   "img",
                                        "input", "li",   "link",  "meta", "option", "p",
                                        "tbody", "td",   "tfoot", "th",   "thead",  "tr"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strlen(names[i]) == length && strncasecmp(names[i], name, length) == 0)
            return true;
    }
    return false;
}

/* The names of the elements that are open, the outermost first. */
struct nesting {
    uint64_t names[MAX_NESTING];
    size_t depth;
};

/* False where it is one too many. */
static bool open_element(struct nesting *nesting, uint64_t name)
{
    if (nesting->depth == MAX_NESTING)
        return false;
    nesting->names[nesting->depth++] = name;
    return true;
}

/* The innermost of that name ends; what was opened in it and not closed is counted on, as a parser
   keeps it. An end without a beginning ends nothing. */
static void close_element(struct nesting *nesting, uint64_t name)
{
    for (size_t i = nesting->depth; i-- > 0;) {
        if (nesting->names[i] != name)
            continue;
        nesting->depth--;
        memmove(&nesting->names[i], &nesting->names[i + 1],
                (nesting->depth - i) * sizeof nesting->names[0]);
        return;
    }
}

/* The parser's time grows with the square of the nesting depth: a rough count keeps hostile pages
   from it. Tags are counted, not understood. */
static bool nests_too_deep(const char *text, size_t length)
{
    struct nesting nesting = {.depth = 0};
    const char *end = text + length;
    for (const char *p = text; (p = memchr(p, '<', (size_t)(end - p)));) {
        p++;
        bool closes = p < end && *p == '/';
        const char *name = p + closes;
        uint64_t letters = 0; /* the first eight, in lower case */
        size_t n = 0;
        for (; name + n < end && isalnum((unsigned char)name[n]); n++)
            letters = n < 8 ? letters << 8 | (uint64_t)tolower((unsigned char)name[n]) : letters;
        if (n == 0 || may_stay_open(name, n))
            continue;
        if (closes)
            close_element(&nesting, letters);
        else if (!open_element(&nesting, letters))
            return true;
    }
    return false;
}

int pf_listing_parse_html(const char *text, size_t length, const char *page_url,
                          struct pf_listing *out, struct pf_error *err)
{
    *out = (struct pf_listing){0};
    pf_auto_url CURLU *base = curl_url();
    if (!base || curl_url_set(base, CURLUPART_URL, page_url, 0) != CURLUE_OK)
        return pf_error_set(err, PF_E_INVALID, "%s is not a URL", page_url);
    pf_auto_curl_str char *scheme = url_part(base, CURLUPART_SCHEME, 0);
    pf_auto_curl_str char *host = url_part(base, CURLUPART_HOST, 0);
    pf_auto_curl_str char *port = url_part(base, CURLUPART_PORT, CURLU_DEFAULT_PORT);
    pf_auto_curl_str char *folder = url_part(base, CURLUPART_PATH, 0);
    if (!scheme || !host || !port || !folder || folder[strlen(folder) - 1] != '/')
        return pf_error_set(err, PF_E_INVALID, "%s is not the URL of a folder", page_url);
    curl_url_set(base, CURLUPART_QUERY, NULL, 0);

    struct page page = {.base = base,
                        .scheme = scheme,
                        .host = host,
                        .port = port,
                        .folder = folder,
                        .out = out,
                        .err = err};
    if (nests_too_deep(text, length))
        return pf_error_set(err, PF_E_LIMIT, "the page nests more than %d elements", MAX_NESTING);
    GumboOutput *tree = gumbo_parse_with_options(&kGumboDefaultOptions, text, length);
    if (!tree)
        return pf_error_set(err, PF_E_SYSTEM, "out of memory");
    int result = walk_links(&page, tree->root);
    gumbo_destroy_output(&kGumboDefaultOptions, tree);
    pf_names_end(&page.seen);
    return result;
}

void pf_listing_end(struct pf_listing *listing)
{
    for (size_t i = 0; i < listing->count; i++) {
        free(listing->entries[i].name);
        free(listing->entries[i].url);
    }
    free(listing->entries);
    *listing = (struct pf_listing){0};
}
