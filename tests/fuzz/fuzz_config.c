/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A configuration file. Promises: what is read are known keys and named sections, each name once,
   in the order of their lines; an error is one line that names the file and a line that is there.
 */
#include "fuzz.h"

#include "config.h"

#include <string.h>

static const char *const known[] = {"release", "arch", "mirror", "cache", "max-age", NULL};

static bool is_known(const char *key)
{
    const char *const *name = known;
    while (*name && strcmp(*name, key) != 0)
        name++;
    return *name != NULL;
}

static void check_text(const char *text)
{
    size_t length = strlen(text);
    fuzz_require(!strchr(text, '\n'));
    fuzz_require(length == 0 || (!strchr(" \t\r", *text) && !strchr(" \t\r", text[length - 1])));
}

static void check_section(const struct config *config, size_t index, unsigned lines)
{
    const struct config_section *section = &config->sections[index];
    fuzz_require((index == 0) == !section->name);
    if (index > 0)
        check_text(section->name);
    for (size_t i = 1; i < index; i++)
        fuzz_require(strcmp(config->sections[i].name, section->name) != 0);
    unsigned line = index > 0 ? section->line : 0;
    for (size_t i = 0; i < section->count; i++) {
        fuzz_require(is_known(section->entries[i].key));
        check_text(section->entries[i].value);
        fuzz_require(section->entries[i].line > line && section->entries[i].line <= lines);
        line = section->entries[i].line;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char error[CONFIG_ERROR_SIZE] = "";
    struct config config;
    char *text = malloc(size + 1);
    fuzz_require(text);
    memcpy(text, data, size);
    text[size] = '\0';
    unsigned lines = 1;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    if (config_parse(text, size, "name", known, &config, error) == 0) {
        for (size_t i = 0; i < config.count; i++)
            check_section(&config, i, lines);
    } else {
        unsigned line = 0;
        fuzz_require(sscanf(error, "name:%u: ", &line) == 1 && line >= 1 && line <= lines);
    }
    config_end(&config);
    free(text);
    return 0;
}
