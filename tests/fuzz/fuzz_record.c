/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A package's record, and the same bytes as lines of install.log. Promises: every path is one below
   the root, normalised; a stem is a plain name; a line's stem lies within the line. */
#include "fuzz.h"

#include "record.h"

#include <limits.h>
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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pf_record record;
    struct pf_error err = {0};
    char *text = fuzz_text(data, size);
    check_log(text, size);
    int status = pf_record_read(text, size, &record, &err);
    fuzz_require(status == 0 || status == PF_E_CORRUPT);
    if (status == 0) {
        fuzz_require(*record.stem && !strchr(record.stem, '/') && !strchr(record.stem, '\n'));
        for (size_t i = 0; i < record.count; i++) {
            check_path(record.files[i].path);
            fuzz_require(*record.files[i].path || record.files[i].folder);
        }
    }
    pf_record_end(&record);
    free(text);
    return 0;
}
