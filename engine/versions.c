/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "versions.h"

#include <archive.h>
#include <bzlib.h>
#include <crypt.h>
#include <curl/curl.h>
#include <jansson.h>
#include <lzma.h>
#include <openssl/crypto.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>

static void copy(char *version, const char *text)
{
    /* Some put a date or a name behind it. */
    snprintf(version, PF_VERSION_SIZE, "%.*s", (int)strcspn(text, " ,"), text);
}

static void of_archive(char *version)
{
    int number = archive_version_number();
    snprintf(version, PF_VERSION_SIZE, "%d.%d.%d", number / 1000000, number / 1000 % 1000,
             number % 1000);
}

static void of_bzip2(char *version)
{
    copy(version, BZ2_bzlibVersion());
}

static void of_crypt(char *version)
{
    /* It has no function that tells. */
    copy(version, XCRYPT_VERSION_STR);
}

static void of_crypto(char *version)
{
    copy(version, OpenSSL_version(OPENSSL_VERSION_STRING));
}

static void of_curl(char *version)
{
    copy(version, curl_version_info(CURLVERSION_NOW)->version);
}

static void of_jansson(char *version)
{
    copy(version, jansson_version_str());
}

static void of_lzma(char *version)
{
    copy(version, lzma_version_string());
}

static void of_seccomp(char *version)
{
    const struct scmp_version *v = seccomp_version();
    snprintf(version, PF_VERSION_SIZE, "%u.%u.%u", v->major, v->minor, v->micro);
}

static void of_xxhash(char *version)
{
    unsigned number = XXH_versionNumber();
    snprintf(version, PF_VERSION_SIZE, "%u.%u.%u", number / 10000, number / 100 % 100,
             number % 100);
}

static void of_zlib(char *version)
{
    copy(version, zlibVersion());
}

static void of_zstd(char *version)
{
    copy(version, ZSTD_versionString());
}

const char *pf_versions_get(size_t index, char version[PF_VERSION_SIZE])
{
    static const struct {
        const char *name;
        void (*tell)(char *version);
    } libraries[] = {
        {"libarchive", of_archive}, {"libbz2", of_bzip2},       {"libcrypt", of_crypt},
        {"libcrypto", of_crypto},   {"libcurl", of_curl},       {"libjansson", of_jansson},
        {"liblzma", of_lzma},       {"libseccomp", of_seccomp}, {"libxxhash", of_xxhash},
        {"libz", of_zlib},          {"libzstd", of_zstd},
    };
    if (index >= sizeof libraries / sizeof *libraries)
        return NULL;
    libraries[index].tell(version);
    return libraries[index].name;
}

unsigned pf_versions_lzma(void)
{
    return lzma_version_number();
}
