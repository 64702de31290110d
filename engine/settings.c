/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#define DEFAULT_MIRROR         "https://repository.plamolinux.org/pub/linux/Plamo"
#define DEFAULT_CACHE          "/var/cache/lxc"
#define DEFAULT_CONNECTIONS    8
#define DEFAULT_LOCK_TIMEOUT_S 600
#define MAX_JOBS               256

static const char *const none[] = {NULL};

/* This machine's architecture as Plamo names it: i386 … i686 are x86. */
static char *host_arch(void)
{
    struct utsname name;
    if (uname(&name) < 0)
        return NULL;
    if (strlen(name.machine) == 4 && name.machine[0] == 'i' && strcmp(name.machine + 2, "86") == 0)
        return strdup("x86");
    return strdup(name.machine);
}

static char **copy_list(const char *const *list)
{
    size_t count = 0;
    while (list[count])
        count++;
    char **copy = calloc(count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = strdup(list[i]);
        if (!copy[i]) {
            for (size_t j = 0; j < i; j++)
                free(copy[j]);
            free(copy);
            return NULL;
        }
    }
    return copy;
}

static void free_list(char **list)
{
    for (size_t i = 0; list && list[i]; i++)
        free(list[i]);
    free(list);
}

static int check_arch(const char *arch, const char *host, struct pf_error *err)
{
    if (strcmp(arch, "x86") != 0 && strcmp(arch, "x86_64") != 0)
        return pf_error_set(err, PF_E_INVALID,
                            "architecture \"%s\": Plamo Linux has x86 and x86_64", arch);
    if (strcmp(host, "x86") == 0 && strcmp(arch, "x86_64") == 0)
        return pf_error_set(err, PF_E_INVALID,
                            "an x86_64 container cannot be made on an x86 machine");
    return 0;
}

static int check_mirror(const char *mirror, struct pf_error *err)
{
    CURLU *url = curl_url();
    char *scheme = NULL, *query = NULL;
    bool ok = url && curl_url_set(url, CURLUPART_URL, mirror, 0) == CURLUE_OK &&
              curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
              curl_url_get(url, CURLUPART_QUERY, &query, 0) != CURLUE_OK;
    curl_free(scheme);
    curl_free(query);
    curl_url_cleanup(url);
    return ok ? 0
              : pf_error_set(err, PF_E_INVALID,
                             "mirror \"%s\": not an http or https URL like "
                             "https://host/pub/linux/Plamo",
                             mirror);
}

static unsigned default_jobs(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors < 1 ? 1 : processors > MAX_JOBS ? MAX_JOBS : (unsigned)processors;
}

static int copy_all(const struct pf_settings *s, const char *release, const char *host,
                    struct pf_settled *out, struct pf_error *err)
{
    const struct pf_profile *profile = out->profile;
    out->release = strdup(release);
    out->arch = strdup(s->arch ? s->arch : host);
    out->mirror = strdup(s->mirror ? s->mirror : DEFAULT_MIRROR);
    out->cache_folder = strdup(s->cache_folder ? s->cache_folder : DEFAULT_CACHE);
    out->categories = copy_list(s->categories ? s->categories : profile->default_categories);
    out->contrib = copy_list(s->contrib ? s->contrib : none);
    out->addons = copy_list(s->addons ? s->addons : profile->default_addons);
    out->ignore = copy_list(s->ignore ? s->ignore : profile->default_ignore);
    if (!out->release || !out->arch || !out->mirror || !out->cache_folder || !out->categories ||
        !out->contrib || !out->addons || !out->ignore)
        return pf_error_set(err, PF_E_SYSTEM, "out of memory");
    return 0;
}

int pf_settle(const struct pf_settings *s, struct pf_settled *out, struct pf_error *err)
{
    *out = (struct pf_settled){.skip_corrupt = s->skip_corrupt};
    const char *release = s->release ? s->release : pf_profile_default_release();
    out->profile = pf_profile_find(release);
    if (!out->profile)
        return pf_error_set(err, PF_E_INVALID,
                            "release \"%s\" is not one that can be built: "
                            "name one like 7.x or 8.x",
                            release);
    if (s->jobs > MAX_JOBS)
        return pf_error_set(err, PF_E_INVALID, "%u jobs: at most %d", s->jobs, MAX_JOBS);
    out->jobs = s->jobs ? s->jobs : default_jobs();
    out->connections = s->connections ? s->connections : DEFAULT_CONNECTIONS;
    out->lock_timeout_s = s->lock_timeout_s ? s->lock_timeout_s : DEFAULT_LOCK_TIMEOUT_S;
    if (s->lock_timeout_s == PF_NO_WAIT)
        out->lock_timeout_s = 0;
    char *host = host_arch();
    int failed = host ? copy_all(s, release, host, out, err)
                      : pf_error_set(err, PF_E_SYSTEM, "this machine's architecture is not known");
    if (!failed)
        failed = check_arch(out->arch, host, err);
    if (!failed)
        failed = check_mirror(out->mirror, err);
    free(host);
    return failed;
}

void pf_settled_end(struct pf_settled *settled)
{
    free(settled->release);
    free(settled->arch);
    free(settled->mirror);
    free(settled->cache_folder);
    free_list(settled->categories);
    free_list(settled->contrib);
    free_list(settled->addons);
    free_list(settled->ignore);
    *settled = (struct pf_settled){0};
}
