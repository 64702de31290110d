/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The configuration that new containers begin with. Promises: a container has the root that it was
   given, whatever the text says of roots; each line that is not blank is there, in order, and only
   the x of a hardware address have become digits. */
#include "cage.h"
#include "fuzz.h"

#include "lxcconfig.h"
#include "lxccontainer.h"

#include <ctype.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ROOT "/srv/c1/rootfs"

/* Lines of the configuration that are not of the given text: the heading, and the root. */
#define LINES_BEFORE 8

static bool is_blank(const char *line, size_t length)
{
    return strspn(line, " \t") >= length;
}

/* Is it the same line, but for digits in the place of x? */
static bool is_made_of(const char *made, const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        bool chosen = tolower((unsigned char)line[i]) == 'x' && isxdigit((unsigned char)made[i]);
        if (made[i] != line[i] && !chosen)
            return false;
    }
    return made[length] == '\n';
}

static void check_lines(const char *config, const char *defaults)
{
    for (unsigned i = 0; i < LINES_BEFORE; i++) {
        config = strchr(config, '\n');
        fuzz_require(config++);
    }
    for (const char *p = defaults; *p;) {
        size_t length = strcspn(p, "\n");
        if (!is_blank(p, length)) {
            fuzz_require(strlen(config) > length && is_made_of(config, p, length));
            config += length + 1;
        }
        p += length + (p[length] == '\n');
    }
    fuzz_require(strcmp(config, "lxc.rootfs.path = dir:" ROOT "\n") == 0);
}

static void run(int folder_fd, void *ctx)
{
    const char *defaults = ctx;
    char config[16384] = "", *rootfs;
    struct pf_error err = {0};
    fuzz_require(pf_lxccontainer_begin(cage_path(), defaults, "dir:" ROOT, &err) == 0);
    int fd = openat(folder_fd, "config", O_RDONLY | O_CLOEXEC);
    fuzz_require(fd >= 0 && read(fd, config, sizeof config - 1) > 0);
    close(fd);
    check_lines(config, defaults);
    fuzz_require(pf_lxcconfig_rootfs(cage_path(), &rootfs, &err) == 0);
    fuzz_require(strcmp(rootfs, ROOT) == 0);
    free(rootfs);
    /* Its root is not there. */
    fuzz_require(pf_lxccontainer_look(cage_path(), &err) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *defaults = fuzz_text(data, size < 8192 ? size : 8192);
    cage_run(run, defaults);
    free(defaults);
    return 0;
}
