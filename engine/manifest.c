/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "manifest.h"

#include "names.h"

#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_KEY "plamo-fast-manifest"
#define VERSION     1

int pf_manifest_init(struct pf_manifest *manifest, size_t count, struct pf_error *err)
{
    *manifest = (struct pf_manifest){0};
    manifest->entries = calloc(count ? count : 1, sizeof *manifest->entries);
    if (!manifest->entries)
        return pf_error_memory(err);
    manifest->count = count;
    return 0;
}

void pf_manifest_end(struct pf_manifest *manifest)
{
    for (size_t i = 0; i < manifest->count; i++) {
        free(manifest->entries[i].file);
        free(manifest->entries[i].url);
        free(manifest->entries[i].etag);
    }
    free(manifest->entries);
    *manifest = (struct pf_manifest){0};
}

/* A tag may be any bytes (RFC 9110, 8.8.3); one that is no text is done without. */
static const char *text_or_null(const char *tag)
{
    json_t *text = tag ? json_string(tag) : NULL;
    json_decref(text);
    return text ? tag : NULL;
}

int pf_manifest_write(const struct pf_manifest *manifest, char **text, struct pf_error *err)
{
    json_t *files = json_array();
    json_error_t error = {0};
    bool unfit = false;
    int failed = !files;
    for (size_t i = 0; i < manifest->count && !failed; i++) {
        const struct pf_manifest_entry *entry = &manifest->entries[i];
        /* A name that is not UTF-8 cannot stand in JSON; such a cache goes without a manifest. */
        json_t *item =
            json_pack_ex(&error, 0, "{s:s, s:s?, s:I, s:s, s:s*, s:s*}", "file", entry->file, "url",
                         entry->url, "size", (json_int_t)entry->size_bytes, "xxh3", entry->xxh3,
                         "sha256", entry->sha256[0] ? entry->sha256 : NULL, "etag",
                         text_or_null(entry->etag));
        unfit = !item && json_error_code(&error) == json_error_invalid_utf8;
        failed = !item || json_array_append_new(files, item) < 0;
    }
    json_t *root = failed ? NULL : json_pack("{s:i, s:O}", VERSION_KEY, VERSION, "files", files);
    *text = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
    json_decref(files);
    json_decref(root);
    if (!*text && !unfit)
        return pf_error_memory(err);
    if (!*text)
        return pf_error_set(err, PF_E_INVALID, "a file name or URL cannot be written as JSON");
    return 0;
}

/* A name of one component that stays in its folder. */
static int is_plain_file(const char *file)
{
    return *file && strlen(file) <= NAME_MAX && !strchr(file, '/') && strcmp(file, ".") != 0 &&
           strcmp(file, "..") != 0;
}

static int read_entry(json_t *item, struct pf_manifest_entry *entry, struct pf_names *seen)
{
    const char *file, *xxh3, *sha256 = "", *etag = NULL;
    json_t *url = NULL; /* a string; null or absent where the file was found in a cache */
    json_int_t size;
    if (json_unpack(item, "{s:s, s?o, s:I, s:s, s?s, s?s}", "file", &file, "url", &url, "size",
                    &size, "xxh3", &xxh3, "sha256", &sha256, "etag", &etag) < 0 ||
        size < 0 || (url && !json_is_string(url) && !json_is_null(url)) || !is_plain_file(file) ||
        strlen(xxh3) >= sizeof entry->xxh3 || strlen(sha256) >= sizeof entry->sha256 ||
        pf_names_add(seen, file) != 1)
        return -1;
    entry->size_bytes = (uint64_t)size;
    memcpy(entry->xxh3, xxh3, strlen(xxh3) + 1);
    memcpy(entry->sha256, sha256, strlen(sha256) + 1);
    entry->file = strdup(file);
    entry->url = json_is_string(url) ? strdup(json_string_value(url)) : NULL;
    entry->etag = etag ? strdup(etag) : NULL;
    bool whole = entry->file && (!json_is_string(url) || entry->url) && (!etag || entry->etag);
    return whole ? 0 : -1;
}

int pf_manifest_read(const char *text, size_t length, struct pf_manifest *out, struct pf_error *err)
{
    *out = (struct pf_manifest){0};
    json_error_t json_error;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &json_error);
    if (!root)
        return pf_error_set(err, PF_E_CORRUPT, "manifest, line %d: %s", json_error.line,
                            json_error.text);
    int version = 0;
    json_t *files = NULL;
    int result = 0;
    if (json_unpack(root, "{s:i, s:o}", VERSION_KEY, &version, "files", &files) < 0 ||
        version != VERSION || !json_is_array(files))
        result = pf_error_set(err, PF_E_CORRUPT, "not a manifest of version %d", VERSION);
    else
        result = pf_manifest_init(out, json_array_size(files), err);
    struct pf_names seen = {0};
    for (size_t i = 0; result == 0 && i < out->count; i++) {
        if (read_entry(json_array_get(files, i), &out->entries[i], &seen) < 0)
            result = pf_error_set(err, PF_E_CORRUPT, "manifest entry %zu is malformed", i + 1);
    }
    pf_names_end(&seen);
    json_decref(root);
    if (result)
        pf_manifest_end(out);
    return result;
}
