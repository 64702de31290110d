/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mirrorpath.h"

#include "fs.h"

#include <curl/curl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int append(FILE *path, const char *component, size_t length)
{
    char *escaped = length > NAME_MAX ? NULL : curl_easy_escape(NULL, component, (int)length);
    if (!escaped)
        return -1;
    fprintf(path, "/%s", escaped);
    curl_free(escaped);
    return 0;
}

static int append_all(FILE *path, const char *place)
{
    for (const char *p = place + strspn(place, "/"); *p; p += strspn(p, "/")) {
        size_t length = strcspn(p, "/");
        if (append(path, p, length) < 0)
            return -1;
        p += length;
    }
    return 0;
}

char *pf_mirrorpath(const char *release, const char *arch, const char *place, const char *file)
{
    char *text = NULL;
    size_t size;
    FILE *path = open_memstream(&text, &size);
    if (!path)
        return NULL;
    fprintf(path, "Plamo-%s", release);
    int failed = append_all(path, arch) < 0 || append_all(path, place) < 0 ||
                 (file && append(path, file, strlen(file)) < 0);
    if (!file)
        fputc('/', path);
    if (pf_fs_close_text(path, &text) < 0 || failed) {
        free(text);
        return NULL;
    }
    return text;
}

char *pf_mirrorpath_place(const char *url, const char *release, const char *arch)
{
    pf_auto_free char *top = pf_mirrorpath(release, arch, "", NULL);
    if (!top)
        return NULL;
    /* The last of them: a mirror's own path may have the same words. */
    const char *found = NULL;
    for (const char *p = url; (p = strstr(p, top)); p++)
        found = p > url && p[-1] == '/' ? p : found;
    const char *place = found ? found + strlen(top) : NULL;
    const char *slash = place ? strrchr(place, '/') : NULL;
    if (!slash)
        return NULL;
    char *decoded = curl_easy_unescape(NULL, place, (int)(slash - place), NULL);
    char *copy = decoded && !pf_mirrorpath_has_dots(decoded) ? strdup(decoded) : NULL;
    curl_free(decoded);
    return copy;
}

bool pf_mirrorpath_has_dots(const char *path)
{
    for (const char *p = path; *p; p += strspn(p, "/")) {
        size_t length = strcspn(p, "/");
        if ((length == 1 && *p == '.') || (length == 2 && p[0] == '.' && p[1] == '.'))
            return true;
        p += length;
    }
    return false;
}
