/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A file with settings of containers. Promises: it is read or refused with its line; what a
   container gets are values without blanks around them, and whole lines of a configuration. */
#include "fuzz.h"

#include "containers.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void check_value(const char *value)
{
    fuzz_require(!value || (*value && !strchr(" \t\r", *value) && !strchr(value, '\n')));
    fuzz_require(!value || !strchr(" \t\r", value[strlen(value) - 1]));
}

static void check_config(const char *config)
{
    for (const char *p = config; p && *p; p = strchr(p, '\n') + 1) {
        fuzz_require(strncmp(p, "lxc.", 4) == 0 && strchr(p, '\n'));
        fuzz_require(memchr(p, '=', strcspn(p, "\n")));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"web1", "db[1]", "x"};
    struct containers containers = {0};
    char why[512] = "";
    int status = containers_parse(&containers, "F", (const char *)data, size, why);
    fuzz_require(status == 0 ? !*why : strncmp(why, "F:", 2) == 0);
    for (size_t i = 0; status == 0 && i < sizeof names / sizeof *names; i++) {
        struct pf_container c = {.name = names[i]};
        char *config;
        fuzz_require(containers_apply(&containers, &c, &config) == 0);
        check_value(c.timezone);
        check_value(c.network);
        check_value(c.root_password);
        check_config(c.config);
        free(config);
    }
    /* All of it is wiped, which no sanitizer looks at. */
    fuzz_require(!containers.text || containers.length < malloc_usable_size(containers.text));
    containers_end(&containers);
    return 0;
}
