/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "localfolder.h"

#include "array.h"
#include "cleanup.h"
#include "fs.h"
#include "names.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What is in the folder, whatever it is. */
struct entry_names {
    char **items;
    size_t count;
};

/* The path that the URL stands for, the caller's to curl_free. NULL where it is no folder's. */
static char *path_of(const char *url)
{
    CURLU *parts = curl_url();
    char *scheme = NULL, *path = NULL;
    bool is_folder = parts && !strpbrk(url, "?#") &&
                     curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                     curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                     strcmp(scheme, "file") == 0 &&
                     curl_url_get(parts, CURLUPART_PATH, &path, CURLU_URLDECODE) == CURLUE_OK &&
                     *path == '/' && url[strlen(url) - 1] == '/';
    curl_free(scheme);
    curl_url_cleanup(parts);
    if (is_folder)
        return path;
    curl_free(path);
    return NULL;
}

static int open_folder(const char *path, struct pf_error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    if (errno == ENOENT || errno == ENOTDIR)
        return pf_error_set(err, PF_E_ABSENT, "%s is not there", path);
    return pf_error_errno(err, "folder %s", path);
}

/* Collects a name that a listing may have; 1 where memory is short. */
static int take_name(void *ctx, int fd, const char *name)
{
    (void)fd;
    struct entry_names *names = ctx;
    if (!pf_listing_is_name(name, strlen(name)))
        return 0;
    char *copy = strdup(name);
    if (!copy || pf_array_room(&names->items, names->count, sizeof *names->items) < 0) {
        free(copy);
        return 1;
    }
    names->items[names->count++] = copy;
    return 0;
}

static int read_names(int fd, const char *path, struct entry_names *names, struct pf_error *err)
{
    int status = pf_fs_each_name(fd, take_name, names);
    if (status < 0)
        return pf_error_errno(err, "folder %s", path);
    return status ? pf_error_memory(err) : 0;
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* 1: st is what the name stands for; 0: it stands for nothing. Negative: an error. */
static int look_at(int fd, const char *path, const char *name, struct stat *st,
                   struct pf_error *err)
{
    if (fstatat(fd, name, st, 0) == 0)
        return 1;
    struct stat itself;
    int number = errno;
    /* A link may point anywhere, also where nobody may look. */
    if (number == ENOENT ||
        (fstatat(fd, name, &itself, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(itself.st_mode)))
        return 0;
    errno = number;
    return pf_error_errno(err, "%s%s", path, name);
}

static int add_entries(int fd, const char *url, const char *path, const struct entry_names *names,
                       struct pf_listing *out, struct pf_error *err)
{
    struct pf_names seen = {0};
    int result = 0;
    for (size_t i = 0; result == 0 && i < names->count; i++) {
        struct stat st;
        int there = look_at(fd, path, names->items[i], &st, err);
        if (there < 0)
            result = there;
        if (there <= 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
            continue;
        bool folder = S_ISDIR(st.st_mode);
        struct pf_listing_entry entry = {.name = names->items[i],
                                         .folder = folder,
                                         .size_bytes = folder ? -1 : st.st_size};
        result = pf_listing_add_child(out, &seen, url, &entry, err);
    }
    pf_names_end(&seen);
    return result;
}

/* Lists the folder at path. */
static int list_path(const char *url, const char *path, struct pf_listing *out,
                     struct pf_error *err)
{
    pf_auto_fd int fd = open_folder(path, err);
    if (fd < 0)
        return fd;
    struct entry_names names = {0};
    int result = read_names(fd, path, &names, err);
    if (result == 0 && names.count > 0) {
        qsort(names.items, names.count, sizeof *names.items, by_bytes);
        result = add_entries(fd, url, path, &names, out, err);
    }
    for (size_t i = 0; i < names.count; i++)
        free(names.items[i]);
    free(names.items);
    return result;
}

int pf_localfolder_list(const char *url, struct pf_listing *out, struct pf_error *err)
{
    *out = (struct pf_listing){0};
    char *path = path_of(url);
    if (!path)
        return pf_error_set(err, PF_E_INVALID, "%s is not the URL of a folder here", url);
    int result = list_path(url, path, out, err);
    curl_free(path);
    return result;
}
