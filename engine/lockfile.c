/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lockfile.h"

#include "listing.h"
#include "message.h"
#include "names.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_KEY "plamo-fast-lock"
#define VERSION     1

static json_t *json_of_list(char *const *list)
{
    json_t *array = json_array();
    for (; array && *list; list++) {
        if (json_array_append_new(array, json_string(*list)) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

static json_t *json_of_entries(const struct pf_lockfile *lock)
{
    json_t *array = json_array();
    for (size_t i = 0; array && i < lock->count; i++) {
        const struct pf_lockfile_entry *entry = &lock->entries[i];
        json_t *item = json_pack("{s:s, s:s, s:I, s:s}", "file", entry->file, "url", entry->url,
                                 "size", (json_int_t)entry->size_bytes, "sha256", entry->sha256);
        if (!item || json_array_append_new(array, item) < 0) {
            json_decref(array);
            return NULL;
        }
    }
    return array;
}

int pf_lockfile_write(const struct pf_lockfile *lock, char **text, struct pf_error *err)
{
    json_t *root =
        json_pack("{s:i, s:s, s:s, s:o, s:o, s:o, s:o, s:s*, s:o}", VERSION_KEY, VERSION, "release",
                  lock->release, "arch", lock->arch, "categories", json_of_list(lock->categories),
                  "contrib", json_of_list(lock->contrib), "addons", json_of_list(lock->addons),
                  "ignore", json_of_list(lock->ignore), "tree", lock->tree[0] ? lock->tree : NULL,
                  "files", json_of_entries(lock));
    char *dumped = root ? json_dumps(root, JSON_INDENT(1)) : NULL;
    json_decref(root);
    /* A text file ends with a newline. */
    size_t length = dumped ? strlen(dumped) : 0;
    *text = dumped ? realloc(dumped, length + 2) : NULL;
    if (!*text) {
        free(dumped);
        return pf_error_set(err, PF_E_INVALID,
                            "a file name or URL cannot be written into a lockfile");
    }
    memcpy(*text + length, "\n", 2);
    return 0;
}

static int malformed(struct pf_error *err, const char *what)
{
    return pf_error_set(err, PF_E_INVALID, "the lockfile is malformed: %s", pf_message(what));
}

static int read_list(json_t *array, char ***out, struct pf_error *err)
{
    size_t count = json_array_size(array);
    if (!json_is_array(array))
        return malformed(err, "a list is missing");
    char **list = *out = calloc(count + 1, sizeof *list);
    if (!list)
        return pf_error_memory(err);
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(array, i));
        if (!text)
            return malformed(err, "a list has something else than strings");
        list[i] = strdup(text);
        if (!list[i])
            return pf_error_memory(err);
    }
    return 0;
}

static bool is_sha256(const char *text)
{
    return strlen(text) == pf_digest_text_length(PF_DIGEST_SHA256) &&
           strspn(text, "0123456789abcdef") == strlen(text);
}

static int read_entry(json_t *item, struct pf_lockfile_entry *entry, struct pf_names *seen,
                      struct pf_error *err)
{
    const char *file, *url, *sha256;
    json_int_t size;
    json_error_t why;
    if (json_unpack_ex(item, &why, JSON_STRICT, "{s:s, s:s, s:I, s:s}", "file", &file, "url", &url,
                       "size", &size, "sha256", &sha256) < 0)
        return malformed(err, why.text);
    if (!pf_listing_is_name(file, strlen(file)))
        return malformed(err, "a file's name is none");
    if (size < 0 || !is_sha256(sha256))
        return pf_error_set(err, PF_E_INVALID, "the lockfile is malformed: size or digest of %s",
                            file);
    int added = pf_names_add(seen, file);
    if (added == 0)
        return pf_error_set(err, PF_E_INVALID, "the lockfile is malformed: %s stands there twice",
                            file);
    entry->size_bytes = (uint64_t)size;
    memcpy(entry->sha256, sha256, strlen(sha256) + 1);
    entry->file = strdup(file);
    entry->url = strdup(url);
    return added < 0 || !entry->file || !entry->url ? pf_error_memory(err) : 0;
}

static int read_entries(json_t *array, struct pf_lockfile *out, struct pf_error *err)
{
    struct pf_names seen = {0};
    size_t count = json_array_size(array);
    if (count == 0)
        return malformed(err, "it has no file");
    out->entries = calloc(count, sizeof *out->entries);
    if (!out->entries)
        return pf_error_memory(err);
    out->count = count;
    int failed = 0;
    for (size_t i = 0; !failed && i < count; i++)
        failed = read_entry(json_array_get(array, i), &out->entries[i], &seen, err);
    pf_names_end(&seen);
    return failed;
}

static int read_tree(const char *text, struct pf_lockfile *out, struct pf_error *err)
{
    static const char prefix[] = PF_LOCKFILE_TREE_PREFIX;
    if (!text)
        return 0;
    if (strncmp(text, prefix, sizeof prefix - 1) != 0 || !is_sha256(text + sizeof prefix - 1))
        return malformed(err, "the digest of the tree");
    memcpy(out->tree, text, strlen(text) + 1);
    return 0;
}

static int read_root(json_t *root, struct pf_lockfile *out, struct pf_error *err)
{
    int version;
    const char *release, *arch, *tree = NULL;
    json_t *categories, *contrib, *addons, *ignore, *files;
    json_error_t why;
    if (json_unpack_ex(root, &why, JSON_STRICT, "{s:i, s:s, s:s, s:o, s:o, s:o, s:o, s?s, s:o}",
                       VERSION_KEY, &version, "release", &release, "arch", &arch, "categories",
                       &categories, "contrib", &contrib, "addons", &addons, "ignore", &ignore,
                       "tree", &tree, "files", &files) < 0)
        return malformed(err, why.text);
    if (version != VERSION)
        return pf_error_set(err, PF_E_INVALID, "the lockfile is of version %d, and this is %d",
                            version, VERSION);
    out->release = strdup(release);
    out->arch = strdup(arch);
    if (!out->release || !out->arch)
        return pf_error_memory(err);
    int failed = read_list(categories, &out->categories, err);
    if (!failed)
        failed = read_list(contrib, &out->contrib, err);
    if (!failed)
        failed = read_list(addons, &out->addons, err);
    if (!failed)
        failed = read_list(ignore, &out->ignore, err);
    if (!failed)
        failed = read_tree(tree, out, err);
    return failed ? failed : read_entries(files, out, err);
}

int pf_lockfile_read(const char *text, size_t length, struct pf_lockfile *out, struct pf_error *err)
{
    *out = (struct pf_lockfile){0};
    json_error_t why;
    json_t *root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return pf_error_set(err, PF_E_INVALID, "the lockfile is malformed: line %d: %s", why.line,
                            why.text);
    int failed = read_root(root, out, err);
    json_decref(root);
    return failed;
}

static void free_list(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

void pf_lockfile_end(struct pf_lockfile *lock)
{
    free(lock->release);
    free(lock->arch);
    free_list(lock->categories);
    free_list(lock->contrib);
    free_list(lock->addons);
    free_list(lock->ignore);
    for (size_t i = 0; i < lock->count; i++) {
        free(lock->entries[i].file);
        free(lock->entries[i].url);
    }
    free(lock->entries);
    *lock = (struct pf_lockfile){0};
}
