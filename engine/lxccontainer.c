/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lxccontainer.h"

#include "fs.h"
#include "lxcline.h"
#include "message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define GLOBAL_CONFIG "/etc/lxc/lxc.conf"
#define MAX_CONFIG    (16u << 20)

/* The whole of a file; an empty text where there is none. */
static int read_text(const char *file, char **text, struct pf_error *err)
{
    size_t length;
    *text = NULL;
    pf_auto_fd int fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) {
        *text = strdup("");
        return *text ? 0 : pf_error_memory(err);
    }
    if (fd < 0)
        return pf_error_errno(err, "%s", file);
    int failed = pf_fs_read_fd(fd, MAX_CONFIG, text, &length, err);
    return failed ? pf_error_context(err, "%s", file) : 0;
}

static char *config_path(const char *path)
{
    char *config = NULL;
    return asprintf(&config, "%s/config", path) < 0 ? NULL : config;
}

/* LXC's heading (prepend_lxc_header of its lxccontainer.c), with our name in the template's place.
 */
static const char heading[] =
    "# Template used to create this container: plamo-fast create\n"
    "# Parameters passed to the template:\n"
    "# For additional config options, please look at lxc.container.conf(5)\n"
    "\n"
    "# Uncomment the following line to support nesting containers:\n"
    "#lxc.include = " PF_LXC_CONFIG_DIR "/nesting.conf\n"
    "# (Be aware this has security implications)\n"
    "\n";

/* lxc.net.0.hwaddr, or with any other number. */
static bool is_hardware_address(const struct pf_lxcline *line)
{
    static const char family[] = "lxc.net.", leaf[] = ".hwaddr";
    size_t n = sizeof family - 1, end = sizeof leaf - 1;
    return line->key_length > n + end && memcmp(line->key, family, n) == 0 &&
           memcmp(line->key + line->key_length - end, leaf, end) == 0;
}

/* Writes the value of a hardware address with a digit for each x. The second digit is even: an odd
   one is of addresses for groups. */
static int put_hardware_address(FILE *stream, const struct pf_lxcline *line)
{
    for (size_t i = 0; i < line->value_length; i++) {
        unsigned char digit;
        if (line->value[i] != 'x' && line->value[i] != 'X') {
            putc(line->value[i], stream);
            continue;
        }
        if (getrandom(&digit, 1, 0) != 1)
            return -1;
        fprintf(stream, "%x", digit & (i == 1 ? 0xe : 0xf));
    }
    return 0;
}

static int put_defaults(FILE *stream, const char *defaults)
{
    for (const char *p = defaults; *p;) {
        struct pf_lxcline line;
        size_t length = strcspn(p, "\n");
        const char *at = p;
        bool sets = memchr(p, '=', length) && pf_lxcline_next(&at, &line) && at <= p + length + 1;
        if (sets && is_hardware_address(&line)) {
            fwrite(p, 1, (size_t)(line.value - p), stream);
            if (put_hardware_address(stream, &line) < 0)
                return -1;
            const char *rest = line.value + line.value_length; /* a quotation mark, blanks */
            fwrite(rest, 1, (size_t)(p + length - rest), stream);
            putc('\n', stream);
        } else if (strspn(p, " \t") < length) {
            fwrite(p, 1, length, stream);
            putc('\n', stream);
        }
        p += length + (p[length] == '\n');
    }
    return 0;
}

int pf_lxccontainer_begin(const char *path, const char *defaults, const char *rootfs,
                          struct pf_error *err)
{
    char *text = NULL;
    size_t length;
    pf_auto_free char *file = config_path(path);
    FILE *stream = file ? open_memstream(&text, &length) : NULL;
    if (!stream)
        return pf_error_memory(err);
    fputs(heading, stream);
    int failed = put_defaults(stream, defaults);
    fprintf(stream, "lxc.rootfs.path = %s\n", rootfs);
    if (pf_fs_close_text(stream, &text) < 0)
        return pf_error_memory(err);
    pf_auto_fd int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (failed || fd < 0 || pf_fs_write_all(fd, text, length) < 0 || pf_fs_close(&fd) < 0)
        failed = pf_error_errno(err, "writing %s", file);
    free(text);
    return failed;
}

/* A setting of LXC's own, or the fallback. */
static int read_global(const char *key, const char *fallback, char **value, struct pf_error *err)
{
    const char *const keys[] = {key, NULL};
    pf_auto_free char *text = NULL;
    struct pf_lxcline line;
    *value = NULL;
    int failed = read_text(GLOBAL_CONFIG, &text, err);
    for (const char *p = text; !failed && pf_lxcline_next(&p, &line);) {
        if (!pf_lxcline_is(&line, keys) || line.value_length == 0)
            continue;
        free(*value);
        *value = strndup(line.value, line.value_length);
    }
    if (!failed && !*value)
        *value = strdup(fallback);
    return failed || *value ? failed : pf_error_memory(err);
}

int pf_lxccontainer_default_path(char **lxcpath, struct pf_error *err)
{
    return read_global("lxc.lxcpath", "/var/lib/lxc", lxcpath, err);
}

int pf_lxccontainer_defaults(const char *file, char **text, struct pf_error *err)
{
    pf_auto_free char *named = NULL;
    *text = NULL;
    if (file && access(file, R_OK) < 0)
        return pf_error_errno(err, "the configuration for new containers, %s", file);
    int failed = file ? 0 : read_global("lxc.default_config", "/etc/lxc/default.conf", &named, err);
    return failed ? failed : read_text(file ? file : named, text, err);
}

static int is_content(void *ctx, int fd, const char *name)
{
    (void)ctx, (void)fd, (void)name;
    return 1;
}

/* The same as for the lower folders of an overlay: each is behind a colon. */
static int look_at_root(const char *path, const char *root, struct pf_error *err)
{
    static const char *const kinds[] = {"dir:", "overlay:", "overlayfs:"};
    size_t n = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        n = strncmp(root, kinds[i], strlen(kinds[i])) == 0 ? strlen(kinds[i]) : n;
    if (n == 0 && *root != '/')
        return 1; /* on a storage of another kind, which is LXC's to judge */
    bool overlay = n > 4;
    pf_auto_free char *folders = strdup(root + n);
    if (!folders)
        return pf_error_memory(err);
    char *state = NULL;
    for (char *p = overlay ? strtok_r(folders, ":", &state) : folders; p;
         p = overlay ? strtok_r(NULL, ":", &state) : NULL) {
        pf_auto_fd int fd = open(p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 || (!overlay && pf_fs_each_name(fd, is_content, NULL) != 1))
            return pf_error_advise(err, PF_E_INVALID, N_("remove the container by lxc-destroy"),
                                   "%s is a container without its root: %s is not there, or empty",
                                   path, p);
    }
    return 1;
}

static int look_at_config(const char *path, struct pf_error *err)
{
    static const char *const keys[] = {"lxc.rootfs.path", "lxc.rootfs", NULL};
    pf_auto_free char *file = config_path(path), *text = NULL, *root = NULL;
    struct pf_lxcline line;
    int failed = file ? read_text(file, &text, err) : pf_error_memory(err);
    for (const char *p = text; !failed && pf_lxcline_next(&p, &line);) {
        if (!pf_lxcline_is(&line, keys))
            continue;
        free(root);
        root = strndup(line.value, line.value_length);
        failed = root ? 0 : pf_error_memory(err);
    }
    if (failed)
        return failed;
    if (!root || !*root)
        return pf_error_advise(err, PF_E_INVALID, N_("remove it, or choose another name"),
                               "%s is there, but has no configuration that names a root", path);
    return look_at_root(path, root, err);
}

int pf_lxccontainer_look(const char *path, struct pf_error *err)
{
    pf_auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 && errno == ENOTDIR)
        return pf_error_advise(err, PF_E_INVALID, N_("remove it, or choose another name"),
                               "%s is there, but is no container", path);
    int status = fd < 0 ? -1 : pf_fs_each_name(fd, is_content, NULL);
    if (status < 0)
        return pf_error_errno(err, "%s", path);
    if (status == 0)
        return 0;
    /* LXC's mark of a container that is being made (create_partial of its lxccontainer.c). */
    if (faccessat(fd, "partial", F_OK, 0) == 0)
        return pf_error_advise(err, PF_E_INVALID, N_("lxc-destroy removes what is there"),
                               "lxc-create is making %s, or was ended meanwhile", path);
    return look_at_config(path, err);
}
