/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guard.h"

#include "cleanup.h"
#include "confine.h"
#include "landlock.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>

#define CAPABILITY(number) (UINT64_C(1) << (number))

/* Files and folders of the host, as far as they are there: programs' libraries, which the resolver
   loads, and their data; what it reads itself; authorities and settings of OpenSSL and GnuTLS. A
   resolver's file may be written anew while we run, so the folders that it usually leads to are
   here, too. */
static const char *const host_paths[] = {
    "/usr",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/localtime",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/etc/ssl/certs",
    "/etc/ssl/cert.pem",
    "/etc/ssl/openssl.cnf",
    "/etc/ca-certificates",
    "/etc/pki/tls/certs",
    "/etc/pki/tls/cert.pem",
    "/etc/pki/tls/openssl.cnf",
    "/etc/pki/ca-trust",
    "/etc/gnutls",
    "/etc/crypto-policies",
    "/dev/null",
    "/dev/random",
    "/dev/urandom",
    NULL,
};

struct rules {
    struct pf_landlock refused;
    int fd;
};

/* What is not there, or out of our own reach, needs no rule. */
static int allow(const struct rules *rules, const char *path, uint64_t access)
{
    if (!path || !*path)
        return 0;
    int failed = pf_landlock_allow_path(rules->fd, &rules->refused, path, access);
    bool absent = errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == ELOOP;
    return failed && absent ? 0 : failed;
}

static int allow_reading(const struct rules *rules, const char *path)
{
    return allow(rules, path, PF_LANDLOCK_READ);
}

/* Reading of paths with colons between them, as OpenSSL takes several folders. */
static int allow_list(const struct rules *rules, const char *paths)
{
    pf_auto_free char *list = paths ? strdup(paths) : NULL;
    char *state = NULL;
    int failed = paths && !list ? -1 : 0;
    for (char *path = list ? strtok_r(list, ":", &state) : NULL; path && !failed;
         path = strtok_r(NULL, ":", &state))
        failed = allow_reading(rules, path);
    return failed;
}

static bool is_local(const char *url)
{
    return url && strncasecmp(url, "file:", 5) == 0;
}

/* Reading below what a file:// URL names; above: below the folder that it is in. */
static int allow_url(const struct rules *rules, const char *text, bool above)
{
    char *path = NULL;
    CURLU *url = curl_url();
    int failed = 0;
    if (url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
        curl_url_get(url, CURLUPART_PATH, &path, CURLU_URLDECODE) == CURLUE_OK) {
        char *slash = above ? strrchr(path, '/') : NULL;
        if (slash)
            *slash = '\0';
        failed = allow_reading(rules, path);
    }
    curl_free(path);
    curl_url_cleanup(url);
    return failed;
}

static int allow_mirrors(const struct rules *rules, const struct pf_guard *guard)
{
    int failed = 0;
    for (size_t i = 0; !failed && i < guard->mirrors->count; i++) {
        if (is_local(guard->mirrors->list[i].url))
            failed = allow_url(rules, guard->mirrors->list[i].url, false);
    }
    for (size_t i = 0; !failed && guard->plan && i < guard->plan->count; i++) {
        if (is_local(guard->plan->entries[i].url))
            failed = allow_url(rules, guard->plan->entries[i].url, true);
    }
    return failed;
}

static bool is_all_local(const struct pf_guard *guard)
{
    for (size_t i = 0; i < guard->mirrors->count; i++) {
        if (!is_local(guard->mirrors->list[i].url))
            return false;
    }
    for (size_t i = 0; guard->plan && i < guard->plan->count; i++) {
        if (!is_local(guard->plan->entries[i].url))
            return false;
    }
    return true;
}

/* What the user's own environment and options name. */
static int allow_users(const struct rules *rules, const struct pf_guard *guard)
{
    static const char *const variables[] = {"SSL_CERT_FILE", "SSL_CERT_DIR", "OPENSSL_CONF"};
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    const char *home = getenv("HOME");
    char netrc[PATH_MAX] = "";
    if (home && strlen(home) < sizeof netrc - sizeof "/.netrc")
        snprintf(netrc, sizeof netrc, "%s/.netrc", home);
    int failed = allow_reading(rules, netrc);
    for (size_t i = 0; !failed && i < sizeof variables / sizeof *variables; i++)
        failed = allow_list(rules, getenv(variables[i]));
    if (!failed)
        failed = allow_reading(rules, guard->ca_file);
    if (!failed)
        failed = allow_reading(rules, curl->cainfo);
    return failed ? failed : allow_reading(rules, curl->capath);
}

static int allow_all(const struct rules *rules, const struct pf_guard *guard)
{
    static const uint64_t downloads = LANDLOCK_ACCESS_FS_WRITE_FILE | PF_LANDLOCK_TRUNCATE |
                                      LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                                      PF_LANDLOCK_READ;
    int failed = 0;
    for (const char *const *path = host_paths; !failed && *path; path++)
        failed = allow_reading(rules, *path);
    if (!failed)
        failed = allow_users(rules, guard);
    if (!failed)
        failed = is_all_local(guard) ? allow_reading(rules, "/") : allow_mirrors(rules, guard);
    if (!failed && guard->read_fd >= 0)
        failed = pf_landlock_allow(rules->fd, &rules->refused, guard->read_fd, PF_LANDLOCK_READ);
    if (!failed && guard->written_fd >= 0)
        failed = pf_landlock_allow(rules->fd, &rules->refused, guard->written_fd, downloads);
    return failed;
}

static int restrict_files(const struct pf_guard *guard, int abi)
{
    struct rules rules = {
        .refused = {.abi = abi,
                    .files = PF_LANDLOCK_CHANGE | PF_LANDLOCK_READ | LANDLOCK_ACCESS_FS_EXECUTE,
                    .network = PF_LANDLOCK_BIND_TCP,
                    .scopes = PF_LANDLOCK_SCOPES}};
    pf_auto_fd int fd = rules.fd = pf_landlock_open(&rules.refused);
    if (fd < 0 || allow_all(&rules, guard) < 0)
        return -1;
    return pf_landlock_restrict(fd);
}

/* A handler may want to signal the whole process, which this thread cannot; faults of its own stay
   its own. */
static void leave_signals_to_others(void)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
    sigset_t others;
    sigfillset(&others);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(&others, own[i]);
    pthread_sigmask(SIG_BLOCK, &others, NULL);
}

int pf_guard_self(const struct pf_guard *guard, struct pf_error *err)
{
    static const uint64_t kept = CAPABILITY(CAP_CHOWN) | CAPABILITY(CAP_DAC_OVERRIDE) |
                                 CAPABILITY(CAP_FOWNER) | CAPABILITY(CAP_FSETID);
    int abi = pf_landlock_abi();
    leave_signals_to_others();
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || (abi && restrict_files(guard, abi) < 0) ||
        pf_confine_keep_capabilities(kept) < 0) {
        pf_error_errno(err, "confining the transfers");
        if (err)
            err->code = PF_E_PERMISSION;
        return PF_E_PERMISSION;
    }
    return 0;
}

/* A run, until its thread is joined. */
struct guarded {
    const struct pf_guard *guard;
    int (*run)(void *ctx, struct pf_error *err);
    void *ctx;
    struct pf_error *err;
    int status;
};

static void *guarded_main(void *arg)
{
    struct guarded *g = arg;
    g->status = pf_guard_self(g->guard, g->err);
    if (!g->status)
        g->status = g->run(g->ctx, g->err);
    return NULL;
}

int pf_guard_run(const struct pf_guard *guard, int (*run)(void *ctx, struct pf_error *err),
                 void *ctx, struct pf_error *err)
{
    pthread_t thread;
    struct guarded g = {.guard = guard, .run = run, .ctx = ctx, .err = err};
    if (pthread_create(&thread, NULL, guarded_main, &g) != 0)
        return pf_error_set(err, PF_E_SYSTEM, "a thread cannot be started");
    pthread_join(thread, NULL);
    return g.status;
}
