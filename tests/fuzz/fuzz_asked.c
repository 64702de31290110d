/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a builder's lock file says of the last update; an "@" stands for the digest of the settings,
   a
   "~" for a moment ago. Promises: a mirror is left unasked only by a line of these settings, of the
   last hour, not of the future; what is noted then counts, whatever was there. */
#include "fuzz.h"

#include "asked.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_AGE_S 3600

static char host[] = "http://mirror/", release[] = "8.x", arch[] = "x86_64";
static char *none[] = {NULL};
static char *mirrors[] = {host, NULL};

static const struct pf_settled settings = {
    .release = release,
    .arch = arch,
    .mirrors = mirrors,
    .categories = none,
    .contrib = none,
    .addons = none,
    .ignore = none,
    .max_age_s = MAX_AGE_S,
};

static int lock_fd = -1;
static char path[] = "/dev/shm/fuzz_asked.XXXXXX";
static char digest[128];

static void end(void)
{
    unlink(path);
}

/* The file keeps its name: what has none is nobody's, and not written to. */
static void begin(void)
{
    char line[256] = "";
    int64_t when;
    lock_fd = mkostemp(path, O_CLOEXEC);
    fuzz_require(lock_fd >= 0 && atexit(end) == 0);
    pf_asked_note(&settings, lock_fd);
    fuzz_require(pread(lock_fd, line, sizeof line - 1, 0) > 0);
    fuzz_require(sscanf(line, "asked %" SCNd64 " %127s", &when, digest) == 2);
}

/* What the line may be for it to count, read in another way: "asked", a number, the digest. */
static bool may_count(const char *text)
{
    const char *blanks = " \t\n\v\f\r";
    if (strncmp(text, "asked", 5) != 0)
        return false;
    text += 5 + strspn(text + 5, blanks);
    size_t length = strspn(text, "+-0123456789");
    long long when = strtoll(text, NULL, 10), now = time(NULL);
    text += length;
    text += strspn(text, blanks);
    return length > 0 && when > now - MAX_AGE_S - 60 && when <= now &&
           strncmp(text, digest, strlen(digest)) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[4096];
    size_t length = 0;
    if (lock_fd < 0)
        begin();
    for (size_t i = 0; i < size && length < sizeof text - sizeof digest; i++) {
        if (data[i] == '@')
            length += (size_t)sprintf(text + length, "%s", digest);
        else if (data[i] == '~')
            length += (size_t)sprintf(text + length, "%lld", (long long)time(NULL) - 5);
        else
            text[length++] = (char)data[i];
    }
    text[length] = '\0';
    fuzz_require(ftruncate(lock_fd, 0) == 0);
    fuzz_require(pwrite(lock_fd, text, length, 0) == (ssize_t)length);
    fuzz_require(!pf_asked_lately(&settings, lock_fd) || may_count(text));
    pf_asked_note(&settings, lock_fd);
    fuzz_require(pf_asked_lately(&settings, lock_fd));
    return 0;
}
