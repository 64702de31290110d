/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A package's record, and the same bytes as lines of install.log. Promises: every path is one below
   the root, normalised; a stem is a plain name; a line's stem lies within the line; an escaped name
   is one printable line and gives the name back. */
#include "fuzz.h"

#include "record.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static void check_path(const char *path)
{
    fuzz_require(strlen(path) < PATH_MAX && *path != '/');
    for (const char *p = path; *p;) {
        size_t length = strcspn(p, "/");
        fuzz_require(length > 0 && length <= NAME_MAX);
        fuzz_require(!(length == 1 && *p == '.') && !(length == 2 && memcmp(p, "..", 2) == 0));
        p += length;
        fuzz_require(*p == '\0' || p[1] != '\0');
        p += *p == '/';
    }
}

static void check_log(const char *text, size_t size)
{
    for (const char *line = text; line < text + size;) {
        const char *newline = memchr(line, '\n', (size_t)(text + size - line));
        size_t length = newline ? (size_t)(newline - line) : (size_t)(text + size - line);
        const char *stem;
        size_t stem_length;
        if (pf_record_log_line(line, length, &stem, &stem_length)) {
            fuzz_require(stem > line && stem + stem_length == line + length);
            fuzz_require(stem_length > 0);
        }
        line += length + 1;
    }
}

/* What tar prints of a name is one line, and gives the name back. */
static void check_name(const char *name)
{
    size_t most = strlen(name) * PF_RECORD_ESCAPE_MAX;
    char *listed = malloc(most + 1);
    fuzz_require(listed != NULL);
    size_t length = pf_record_write_name(PF_RECORD_NAMES_ESCAPED, name, listed);
    fuzz_require(length <= most);
    listed[length] = '\0';
    for (const char *p = listed; *p; p++)
        fuzz_require(*p >= ' ' && *p <= '~');
    pf_record_read_name(PF_RECORD_NAMES_ESCAPED, listed);
    fuzz_require(strcmp(listed, name) == 0);
    free(listed);
}

static void check_record(const char *text, size_t size, enum pf_record_names names)
{
    struct pf_record record;
    struct pf_error err = {0};
    int status = pf_record_read(text, size, names, &record, &err);
    fuzz_require(status == 0 || status == PF_E_CORRUPT);
    if (status == 0) {
        fuzz_require(*record.stem && !strchr(record.stem, '/') && !strchr(record.stem, '\n'));
        for (size_t i = 0; i < record.count; i++) {
            check_path(record.files[i].path);
            fuzz_require(*record.files[i].path || record.files[i].folder);
        }
    }
    pf_record_end(&record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    check_log(text, size);
    check_name(text);
    check_record(text, size, PF_RECORD_NAMES_PLAIN);
    check_record(text, size, PF_RECORD_NAMES_ESCAPED);
    free(text);
    return 0;
}
