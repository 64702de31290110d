/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "generation.h"

#include "array.h"
#include "fs.h"
#include "trash.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Two updates within one second: the later one's time is put off. */
#define MAX_PUT_OFF_S 1000

bool pf_generation_is(const char *name, const char *prefix)
{
    static const char pattern[] = "-00000000T000000Z";
    size_t length = strlen(prefix);
    if (strncmp(name, prefix, length) != 0 || strlen(name) != length + sizeof pattern - 1)
        return false;
    bool fits = true;
    for (size_t i = 0; fits && pattern[i]; i++)
        fits = pattern[i] == '0' ? isdigit((unsigned char)name[length + i])
                                 : name[length + i] == pattern[i];
    return fits;
}

/* The names of the folders kept, which sort by their times. */
struct kept {
    const char *prefix;
    char **names;
    size_t count;
};

static int note_kept(void *ctx, int dir_fd, const char *name)
{
    struct kept *kept = ctx;
    if (!pf_generation_is(name, kept->prefix) || !pf_fs_belongs_to_us(dir_fd, name))
        return 0;
    char *copy = strdup(name);
    if (!copy || pf_array_room(&kept->names, kept->count, sizeof *kept->names) < 0) {
        free(copy);
        return 1;
    }
    kept->names[kept->count++] = copy;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int drop_oldest(int dir_fd, const char *prefix, unsigned most, struct pf_error *err)
{
    struct kept kept = {.prefix = prefix};
    int status = pf_fs_each_name(dir_fd, note_kept, &kept);
    int failed = status < 0 ? pf_error_errno(err, "reading the cache folder")
                            : (status > 0 ? pf_error_memory(err) : 0);
    if (kept.count)
        qsort(kept.names, kept.count, sizeof *kept.names, by_name);
    for (size_t i = 0; !failed && i + most < kept.count; i++) {
        int moved = pf_trash_put(dir_fd, kept.names[i], err);
        failed = moved < 0 ? moved : 0;
    }
    for (size_t i = 0; i < kept.count; i++)
        free(kept.names[i]);
    free(kept.names);
    return failed;
}

int pf_generation_keep(int dir_fd, const char *name, const char *prefix, unsigned most,
                       struct pf_error *err)
{
    char kept[NAME_MAX + 1], text[32];
    time_t now = time(NULL);
    for (time_t when = now; when < now + MAX_PUT_OFF_S; when++) {
        struct tm tm;
        strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", gmtime_r(&when, &tm));
        snprintf(kept, sizeof kept, "%s-%s", prefix, text);
        if (faccessat(dir_fd, kept, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
            continue;
        if (pf_fs_rename(dir_fd, name, dir_fd, kept, 0) < 0)
            return pf_error_errno(err, "keeping %s as %s", name, kept);
        return drop_oldest(dir_fd, prefix, most, err);
    }
    return pf_error_set(err, PF_E_CONFLICT, "no name is free to keep %s under", name);
}
