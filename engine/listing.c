/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "listing.h"

#include "array.h"
#include "names.h"
#include "sizehint.h"

#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <gumbo.h>
#include <limits.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Elements within each other; real index pages have a dozen. */
#define MAX_NESTING 512

/* What parsing a page may cost: elements, each of which takes memory; comparisons of attributes, of
   which each is compared with all of its element; and bytes of the page looked at for both, which a
   page with tags inside tags makes more than it has. */
#define MAX_ELEMENTS    400000
#define MAX_COMPARISONS 100000000
#define MAX_LOOKED_AT   4 /* times its length */

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

bool pf_listing_is_name(const char *name, size_t length)
{
    if (length == 0 || length > NAME_MAX)
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c == '/' || c < 0x20 || c == 0x7f)
            return false;
    }
    return name[0] != '.' || (length != 1 && (length != 2 || name[1] != '.'));
}

int pf_listing_add(struct pf_listing *listing, struct pf_names *seen,
                   const struct pf_listing_entry *entry, struct pf_error *err)
{
    size_t length = strlen(entry->name);
    if (!pf_listing_is_name(entry->name, length))
        return 0;
    /* A folder and a file of one name are different things ("devel.txz/"). */
    char key[NAME_MAX + 2];
    key[0] = entry->folder ? 'd' : 'f';
    memcpy(key + 1, entry->name, length + 1);
    int added = pf_names_add(seen, key);
    if (added == 0)
        return 0;
    if (added > 0 && listing->count == MAX_ENTRIES)
        return pf_error_set(err, PF_E_LIMIT, "the folder lists more than %d entries", MAX_ENTRIES);
    struct pf_listing_entry copy = *entry;
    copy.name = strdup(entry->name);
    copy.url = strdup(entry->url);
    if (added < 0 || !copy.name || !copy.url ||
        pf_array_room(&listing->entries, listing->count, sizeof *listing->entries) < 0) {
        free(copy.name);
        free(copy.url);
        return pf_error_memory(err);
    }
    listing->entries[listing->count++] = copy;
    return 0;
}

int pf_listing_add_child(struct pf_listing *listing, struct pf_names *seen, const char *folder_url,
                         const struct pf_listing_entry *entry, struct pf_error *err)
{
    pf_auto_curl_str char *encoded = curl_easy_escape(NULL, entry->name, 0);
    struct pf_listing_entry whole = *entry;
    if (!encoded ||
        asprintf(&whole.url, "%s%s%s", folder_url, encoded, entry->folder ? "/" : "") < 0)
        return pf_error_memory(err);
    int result = pf_listing_add(listing, seen, &whole, err);
    free(whole.url);
    return result;
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
    bool no_memory; /* a link was not understood for want of memory */
    bool is_open;   /* the last link was an entry's, and what follows it tells of it */
    char row[256];  /* that text, as far as it is of interest */
    size_t row_length;
};

/* NULL where there is no such part; *no_memory is set where that is not known. */
static char *url_part(CURLU *url, CURLUPart part, unsigned flags, bool *no_memory)
{
    char *text = NULL;
    CURLUcode code = curl_url_get(url, part, &text, flags);
    if (code == CURLUE_OUT_OF_MEMORY)
        *no_memory = true;
    return code == CURLUE_OK ? text : NULL;
}

static bool same_place(struct page *page, CURLU *url)
{
    pf_auto_curl_str char *scheme = url_part(url, CURLUPART_SCHEME, 0, &page->no_memory);
    pf_auto_curl_str char *host = url_part(url, CURLUPART_HOST, 0, &page->no_memory);
    pf_auto_curl_str char *port =
        url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT, &page->no_memory);
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
    page->no_memory = page->no_memory || !base || !full;
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
    if (!pf_listing_is_name(rest, length))
        return false;
    memcpy(name, rest, length);
    name[length] = '\0';
    return true;
}

static int join_link(struct page *page, const char *href)
{
    pf_auto_url CURLU *url = curl_url_dup(page->base);
    if (!url)
        return pf_error_memory(page->err);
    /* A query, even an empty one, which some versions of libcurl do not keep. */
    if (href[strcspn(href, "?#")] == '?')
        return 0;
    errno = 0; /* for libcurl, a base that it has no memory to join to is none */
    CURLUcode code = *href ? curl_url_set(url, CURLUPART_URL, href, 0) : CURLUE_MALFORMED_INPUT;
    page->no_memory = page->no_memory || code == CURLUE_OUT_OF_MEMORY || (code && errno == ENOMEM);
    if (code != CURLUE_OK)
        return 0; /* "javascript:…", "mailto:…" and nonsense */
    curl_url_set(url, CURLUPART_FRAGMENT, NULL, 0);
    pf_auto_curl_str char *path = url_part(url, CURLUPART_PATH, 0, &page->no_memory);
    pf_auto_curl_str char *whole = url_part(url, CURLUPART_URL, 0, &page->no_memory);
    char name[NAME_MAX + 1];
    bool folder;
    if (!path || !whole || !same_place(page, url) || !child_name(page, path, name, &folder))
        return 0;
    struct pf_listing_entry entry = {.name = name,
                                     .url = whole,
                                     .folder = folder,
                                     .size_bytes = -1};
    size_t before = page->out->count;
    int failed = pf_listing_add(page->out, &page->seen, &entry, page->err);
    page->is_open = page->out->count > before;
    return failed;
}

/* Another link, or the page's end: the text behind the last one is whole. */
static void end_row(struct page *page)
{
    page->row[page->row_length] = '\0';
    if (page->is_open)
        page->out->entries[page->out->count - 1].about_bytes = pf_sizehint_read(page->row);
    page->is_open = false;
    page->row_length = 0;
}

/* The words of a row stand in one text, or in cells of a table. */
static void take_text(struct page *page, const GumboNode *node)
{
    const char *text = node->v.text.text;
    bool in_link =
        node->parent->type == GUMBO_NODE_ELEMENT && node->parent->v.element.tag == GUMBO_TAG_A;
    size_t length = strlen(text), room = sizeof page->row - 2 - page->row_length;
    if (!page->is_open || in_link)
        return;
    length = length < room ? length : room;
    memcpy(page->row + page->row_length, text, length);
    page->row_length += length;
    if (page->row_length < sizeof page->row - 2)
        page->row[page->row_length++] = ' ';
}

/* A link that is left out is a package less: never because memory ran out. */
static int take_link(struct page *page, const char *href)
{
    end_row(page);
    int failed = join_link(page, href);
    if (!failed && page->no_memory)
        failed = pf_error_memory(page->err);
    return failed;
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
        if (node->type == GUMBO_NODE_TEXT)
            take_text(page, node);
        if (base && curl_url_set(page->base, CURLUPART_URL, base, 0) == CURLUE_OUT_OF_MEMORY)
            return pf_error_memory(page->err);
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

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r';
}

/* Counts the attributes of a tag whose name has just ended, as the HTML standard cuts them (13.2.5,
   "Tokenization"). Returns where the tag ends. */
static const char *count_attributes(const char *p, const char *end, uint64_t *count)
{
    for (*count = 0; p < end; ++*count) {
        while (p < end && (is_space(*p) || *p == '/'))
            p++;
        if (p == end || *p == '>')
            break;
        for (p++; p < end && !is_space(*p) && !strchr("/>=", *p);)
            p++;
        while (p < end && is_space(*p))
            p++;
        if (p == end || *p != '=')
            continue;
        for (p++; p < end && is_space(*p);)
            p++;
        char quote = p < end && (*p == '"' || *p == '\'') ? *p++ : '\0';
        while (p < end && (quote ? *p != quote : !is_space(*p) && *p != '>'))
            p++;
        p += quote && p < end;
    }
    return p;
}

/* Every "<" and letter is taken for a tag, also in a comment or a script: none is overlooked. */
static bool costs_too_much(const char *text, size_t length)
{
    const char *end = text + length;
    uint64_t elements = 0, comparisons = 0, looked_at = 0;
    for (const char *p = text; (p = memchr(p, '<', (size_t)(end - p)));) {
        p++;
        if (p == end || !isalpha((unsigned char)*p))
            continue;
        uint64_t attributes;
        looked_at += (uint64_t)(count_attributes(p, end, &attributes) - p);
        comparisons += attributes * attributes;
        if (++elements > MAX_ELEMENTS || comparisons > MAX_COMPARISONS ||
            looked_at > MAX_LOOKED_AT * (uint64_t)length)
            return true;
    }
    return false;
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

/* The parser goes on as if it always got memory. So its memory is counted here, and where there is
   none the parser is left by a jump. */
struct block {
    alignas(max_align_t) struct block *next;
    struct block *previous;
};

struct memory {
    struct block blocks; /* a ring */
    jmp_buf none_left;
};

static void *memory_get(void *ctx, size_t size)
{
    struct memory *memory = ctx;
    struct block *block = size < SIZE_MAX - sizeof *block ? malloc(sizeof *block + size) : NULL;
    if (!block)
        longjmp(memory->none_left, 1);
    *block = (struct block){.next = memory->blocks.next, .previous = &memory->blocks};
    block->next->previous = block->previous->next = block;
    return block + 1;
}

static void memory_put(void *ctx, void *data)
{
    (void)ctx;
    if (!data)
        return;
    struct block *block = (struct block *)data - 1;
    block->next->previous = block->previous;
    block->previous->next = block->next;
    free(block);
}

static void memory_end(struct memory *memory)
{
    for (struct block *block = memory->blocks.next; block != &memory->blocks;) {
        struct block *next = block->next;
        free(block);
        block = next;
    }
}

/* The tree is part of the memory. NULL where there was too little. */
static const GumboOutput *parse(struct memory *memory, const char *text, size_t length)
{
    GumboOptions options = kGumboDefaultOptions;
    options.allocator = memory_get;
    options.deallocator = memory_put;
    options.userdata = memory;
    return setjmp(memory->none_left) ? NULL : gumbo_parse_with_options(&options, text, length);
}

int pf_listing_parse_html(const char *text, size_t length, const char *page_url,
                          struct pf_listing *out, struct pf_error *err)
{
    *out = (struct pf_listing){0};
    bool no_memory = false;
    pf_auto_url CURLU *base = curl_url();
    CURLUcode code = base ? curl_url_set(base, CURLUPART_URL, page_url, 0) : CURLUE_OUT_OF_MEMORY;
    if (code == CURLUE_OUT_OF_MEMORY)
        return pf_error_memory(err);
    if (code != CURLUE_OK)
        return pf_error_set(err, PF_E_INVALID, "%s is not a URL", page_url);
    pf_auto_curl_str char *scheme = url_part(base, CURLUPART_SCHEME, 0, &no_memory);
    pf_auto_curl_str char *host = url_part(base, CURLUPART_HOST, 0, &no_memory);
    pf_auto_curl_str char *port = url_part(base, CURLUPART_PORT, CURLU_DEFAULT_PORT, &no_memory);
    pf_auto_curl_str char *folder = url_part(base, CURLUPART_PATH, 0, &no_memory);
    if (no_memory)
        return pf_error_memory(err);
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
    if (costs_too_much(text, length))
        return pf_error_set(err, PF_E_LIMIT,
                            "the page has more elements or attributes than an index");
    struct memory memory = {.blocks = {&memory.blocks, &memory.blocks}};
    const GumboOutput *tree = parse(&memory, text, length);
    int result = tree ? walk_links(&page, tree->root) : pf_error_memory(err);
    end_row(&page);
    memory_end(&memory);
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
