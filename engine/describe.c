/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "describe.h"

#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Description files are smaller than this, all together. */
#define MAX_BYTES (16u << 20)

static bool is_line_for(const char *line, size_t length, const char *name)
{
    size_t n = strlen(name);
    return length > n && memcmp(line, name, n) == 0 && line[n] == ':';
}

/* Copies the lines that begin with "name:" to out (which may be NULL). Returns how many there are.
 */
static size_t copy_lines(FILE *out, const char *text, size_t length, const char *name)
{
    size_t count = 0;
    const char *end = text + length;
    for (const char *p = text; p < end;) {
        const char *newline = memchr(p, '\n', (size_t)(end - p));
        size_t n = newline ? (size_t)(newline - p) : (size_t)(end - p);
        if (is_line_for(p, n, name)) {
            count++;
            if (out) {
                fwrite(p, 1, n, out);
                fputc('\n', out);
            }
        }
        p += n + 1;
    }
    return count;
}

static bool describes(const char *text, size_t length, const struct pf_pkgname *name)
{
    return copy_lines(NULL, text, length, name->name) || copy_lines(NULL, text, length, name->stem);
}

/* *text is NULL where there is no such regular file, or it is too large. */
static int read_text(int cache_fd, const char *name, char **text, size_t *length,
                     struct pf_error *err)
{
    *text = NULL;
    pf_auto_fd int fd = openat(cache_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;
    if (fd < 0 && (errno == ENOENT || errno == ELOOP || errno == ENXIO))
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0)
        return pf_error_errno(err, "%s", name);
    int failed = S_ISREG(st.st_mode) ? pf_fs_read_fd(fd, MAX_BYTES, text, length, err) : 0;
    return failed == PF_E_LIMIT ? 0 : failed;
}

struct load {
    struct pf_descriptions *descriptions;
    const char *glob;
    size_t bytes; /* of all texts so far */
    struct pf_error *err;
};

static int load_file(void *ctx, int cache_fd, const char *name)
{
    struct load *load = ctx;
    struct pf_descriptions *d = load->descriptions;
    if (fnmatch(load->glob, name, FNM_PERIOD) != 0 || pf_pkgname_format(name) != PF_FORMAT_NONE)
        return 0;
    struct pf_description_file file = {0};
    if (read_text(cache_fd, name, &file.text, &file.length, load->err))
        return 1;
    if (!file.text || file.length > MAX_BYTES - load->bytes) {
        free(file.text);
        return 0;
    }
    load->bytes += file.length;
    file.name = strdup(name);
    struct pf_description_file *grown = realloc(d->files, (d->count + 1) * sizeof *grown);
    if (grown)
        d->files = grown;
    if (!file.name || !grown) {
        free(file.name);
        free(file.text);
        pf_error_memory(load->err);
        return 1;
    }
    d->files[d->count++] = file;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct pf_description_file *)a)->name,
                  ((const struct pf_description_file *)b)->name);
}

int pf_descriptions_load(struct pf_descriptions *d, int cache_fd, struct pf_error *err)
{
    static const char *const globs[] = {"disk*", "edisk*", "package_descriptions"};
    *d = (struct pf_descriptions){.cache_fd = cache_fd};
    struct pf_error local = {0};
    struct load load = {.descriptions = d, .err = err ? err : &local};
    for (size_t i = 0; i < sizeof globs / sizeof *globs; i++) {
        load.glob = globs[i];
        size_t before = d->count;
        int status = pf_fs_each_name(cache_fd, load_file, &load);
        if (status < 0)
            return pf_error_errno(err, "reading the cache folder");
        if (status > 0)
            return load.err->code;
        if (d->count > before)
            qsort(d->files + before, d->count - before, sizeof *d->files, by_name);
    }
    return 0;
}

void pf_descriptions_end(struct pf_descriptions *d)
{
    for (size_t i = 0; i < d->count; i++) {
        free(d->files[i].name);
        free(d->files[i].text);
    }
    free(d->files);
    *d = (struct pf_descriptions){0};
}

static void write_lines(FILE *out, const char *text, size_t length, const struct pf_pkgname *name)
{
    copy_lines(out, text, length, name->name);
    if (strcmp(name->name, name->stem) != 0)
        copy_lines(out, text, length, name->stem);
}

int pf_descriptions_write(const struct pf_descriptions *d, const struct pf_staged *staged,
                          FILE *out, struct pf_error *err)
{
    const struct pf_pkgname *name = &staged->name;
    const char *const of_package[] = {name->name, name->stem}; /* the first found wins */
    for (size_t i = 0; i < 2; i++) {
        char file[NAME_MAX + 5];
        size_t length;
        snprintf(file, sizeof file, "%s.txt", of_package[i]);
        pf_auto_free char *text = NULL;
        int failed = read_text(d->cache_fd, file, &text, &length, err);
        if (failed)
            return failed;
        if (text && describes(text, length, name)) {
            write_lines(out, text, length, name);
            return 0;
        }
    }
    for (size_t i = d->count; i-- > 0;) {
        if (describes(d->files[i].text, d->files[i].length, name)) {
            write_lines(out, d->files[i].text, d->files[i].length, name);
            return 0;
        }
    }
    const struct pf_control_file *own = pf_staged_control(staged, "slack-desc");
    if (own)
        write_lines(out, own->data, own->length, name);
    return 0;
}
