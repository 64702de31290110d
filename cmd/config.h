/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config: a configuration file's sections of keys and values. */
#ifndef PF_CMD_CONFIG_H
#define PF_CMD_CONFIG_H

#include <stddef.h>

/* Lines of a file in UTF-8:

       # a comment, also with ';'
       KEY = VALUE      above the first section: for all of them, unless they say otherwise
       [NAME]           a section begins; names are not empty and come once each
       KEY = VALUE      to the line's end, without the blanks around it; may be empty

   A line that begins with a blank goes on with the value of the line before. */
struct config_entry {
    char *key, *value;
    unsigned line; /* from 1 */
};

struct config_section {
    char *name; /* NULL: what stands above the first one */
    unsigned line;
    struct config_entry *entries;
    size_t count;
};

struct config {
    struct config_section *sections; /* the first one is that without a name */
    size_t count;
};

#define CONFIG_ERROR_SIZE 512

/* Reads text: length bytes without a NUL, and one behind them. known: the keys that may stand
   there, ended by NULL. name is what errors call the file: they are written to error as "NAME:LINE:
   what is wrong", an unknown key with the known one nearest to it. 0, or -1. The caller ends config
   in any case. */
int config_parse(const char *text, size_t length, const char *name, const char *const *known,
                 struct config *config, char error[CONFIG_ERROR_SIZE]);

/* The same of the file PATH, of at most 1 MiB. */
int config_read(const char *path, const char *const *known, struct config *config,
                char error[CONFIG_ERROR_SIZE]);

void config_end(struct config *config);

#endif
