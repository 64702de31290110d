/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "settings.h"

#include "lock.h"
#include "mirrors.h"

#include <curl/curl.h>
#include <errno.h>
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
static const char *const default_mirrors[] = {DEFAULT_MIRROR, NULL};

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

/* Who may read what is behind a password is no business of logs, manifests and error texts. */
static int refuse_password(CURLU *url, struct pf_error *err)
{
    char *password = NULL;
    bool has = curl_url_get(url, CURLUPART_PASSWORD, &password, 0) == CURLUE_OK;
    curl_free(password);
    return has ? pf_error_set(err, PF_E_INVALID,
                              "a mirror's URL has a password in it: put it into ~/.netrc")
               : 0;
}

static bool is_scheme(const char *scheme)
{
    static const char *const schemes[] = {"http", "https", "ftp", "file"};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (strcmp(scheme, schemes[i]) == 0)
            return true;
    }
    return false;
}

static int check_mirror(const char *mirror, struct pf_error *err)
{
    CURLU *url = curl_url();
    char *scheme = NULL, *query = NULL;
    bool ok = url && curl_url_set(url, CURLUPART_URL, mirror, 0) == CURLUE_OK &&
              curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK && is_scheme(scheme) &&
              curl_url_get(url, CURLUPART_QUERY, &query, 0) != CURLUE_OK;
    int failed = ok ? refuse_password(url, err)
                    : pf_error_set(err, PF_E_INVALID,
                                   "mirror \"%s\": not an http, https, ftp or file URL like "
                                   "https://host/pub/linux/Plamo",
                                   mirror);
    curl_free(scheme);
    curl_free(query);
    curl_url_cleanup(url);
    return failed;
}

static int check_mirrors(char **mirrors, struct pf_error *err)
{
    size_t count = 0;
    for (; mirrors[count]; count++) {
        int failed = check_mirror(mirrors[count], err);
        if (failed)
            return failed;
        /* A path is put behind it. */
        size_t length = strlen(mirrors[count]);
        while (length && mirrors[count][length - 1] == '/')
            mirrors[count][--length] = '\0';
    }
    if (count == 0 || count > PF_MIRRORS_MAX)
        return pf_error_set(err, PF_E_INVALID, "%zu mirrors: from 1 to %d can be used", count,
                            PF_MIRRORS_MAX);
    return 0;
}

static int check_combination(const struct pf_settled *settled, struct pf_error *err)
{
    if (settled->offline && settled->update)
        return pf_error_set(err, PF_E_INVALID, "an update asks the mirror: it cannot be offline");
    if (settled->lock.count && settled->skip_corrupt)
        return pf_error_set(err, PF_E_INVALID,
                            "a lockfile's packages are all needed: none can be skipped");
    if (settled->ca_file && access(settled->ca_file, R_OK) < 0)
        return pf_error_set(err, PF_E_INVALID, "the CA file \"%s\" cannot be read: %s",
                            settled->ca_file, strerror(errno));
    return 0;
}

static unsigned default_jobs(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    return processors < 1 ? 1 : processors > MAX_JOBS ? MAX_JOBS : (unsigned)processors;
}

/* What the lockfile says, else what the caller says, else the default. */
static const char *const *first(char **locked, const char *const *wanted,
                                const char *const *fallback)
{
    if (locked)
        return (const char *const *)locked;
    return wanted ? wanted : fallback;
}

static int copy_all(const struct pf_settings *s, const char *release, const char *host,
                    struct pf_settled *out, struct pf_error *err)
{
    const struct pf_profile *profile = out->profile;
    out->release = strdup(release);
    const char *arch = out->lock.arch ? out->lock.arch : s->arch;
    out->arch = strdup(arch ? arch : host);
    out->mirrors = copy_list(s->mirrors ? s->mirrors : default_mirrors);
    out->ca_file = s->ca_file ? strdup(s->ca_file) : NULL;
    out->cache_folder = strdup(s->cache_folder ? s->cache_folder : DEFAULT_CACHE);
    const struct pf_lockfile *lock = &out->lock;
    out->categories =
        copy_list(first(lock->categories, s->categories, profile->default_categories));
    out->contrib = copy_list(first(lock->contrib, s->contrib, none));
    out->addons = copy_list(first(lock->addons, s->addons, profile->default_addons));
    out->ignore = copy_list(first(lock->ignore, s->ignore, profile->default_ignore));
    if (!out->release || !out->arch || !out->mirrors || (s->ca_file && !out->ca_file) ||
        !out->cache_folder || !out->categories || !out->contrib || !out->addons || !out->ignore)
        return pf_error_memory(err);
    return 0;
}

/* The lockfile says what is built; the caller may say the same, or nothing. */
static int open_lock(const struct pf_settings *s, struct pf_settled *out, struct pf_error *err)
{
    int failed = pf_lock_open(s->lock_file, s->keyring, &out->lock, err);
    if (failed)
        return failed;
    if ((s->release && strcmp(s->release, out->lock.release) != 0) ||
        (s->arch && strcmp(s->arch, out->lock.arch) != 0))
        return pf_error_set(err, PF_E_INVALID, "the lockfile %s is for Plamo %s on %s",
                            s->lock_file, out->lock.release, out->lock.arch);
    return 0;
}

int pf_settle(const struct pf_settings *s, struct pf_settled *out, struct pf_error *err)
{
    *out = (struct pf_settled){
        .limits = s->limits,
        .own_mirrors = s->mirrors != NULL,
        .limit_bytes_per_s = s->limit_bytes_per_s,
        .least_bytes_per_s = s->least_bytes_per_s,
        .stall_timeout_s = s->stall_timeout_s,
        .fetch_timeout_s = s->fetch_timeout_s,
        .ip_version = s->ip_version,
        .skip_corrupt = s->skip_corrupt,
        .no_checksums = s->no_checksums,
        .digest = s->digest,
        .offline = s->offline,
        .update = s->update,
        .max_age_s = s->max_age_s,
        .keep = s->keep,
        .no_sandbox = s->no_sandbox,
    };
    int failed = s->lock_file ? open_lock(s, out, err) : 0;
    if (failed)
        return failed;
    const char *release = out->lock.release ? out->lock.release : s->release;
    if (!release)
        release = pf_profile_default_release();
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
    failed = host ? copy_all(s, release, host, out, err)
                  : pf_error_set(err, PF_E_SYSTEM, "this machine's architecture is not known");
    if (!failed)
        failed = check_arch(out->arch, host, err);
    if (!failed)
        failed = check_mirrors(out->mirrors, err);
    if (!failed)
        failed = check_combination(out, err);
    free(host);
    return failed;
}

void pf_settled_end(struct pf_settled *settled)
{
    free(settled->release);
    free(settled->arch);
    pf_lockfile_end(&settled->lock);
    free(settled->ca_file);
    free_list(settled->mirrors);
    free(settled->cache_folder);
    free_list(settled->categories);
    free_list(settled->contrib);
    free_list(settled->addons);
    free_list(settled->ignore);
    *settled = (struct pf_settled){0};
}
