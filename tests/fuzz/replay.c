/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A main for a fuzz target where there is no libFuzzer: runs it once over every file of the folders
   named. Usage: TARGET FOLDER… */
#include "fuzz.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

/* Larger inputs are none of ours. */
#define MAX_INPUT_BYTES (16u << 20)

static int give_up(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return -1;
}

/* The input lies in a block of exactly its size, so that a sanitizer sees what reads beyond it. */
static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat st;
    if (!file || fstat(fileno(file), &st) < 0 || st.st_size > MAX_INPUT_BYTES)
        return give_up(path);
    size_t size = (size_t)st.st_size;
    uint8_t *data = malloc(size ? size : 1);
    if (!data || fread(data, 1, size, file) != size)
        return give_up(path);
    fclose(file);
    /* Should the target crash, this is the last line that is seen. */
    printf("%s\n", path);
    fflush(stdout);
    LLVMFuzzerTestOneInput(data, size);
    free(data);
    return 0;
}

static int replay_folder(const char *folder, unsigned *count)
{
    struct dirent **names;
    int n = scandir(folder, &names, NULL, alphasort);
    int failed = n < 0 ? give_up(folder) : 0;
    for (int i = 0; i < n; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", folder, names[i]->d_name);
        if (names[i]->d_name[0] != '.' && !failed) {
            failed = replay_file(path);
            (*count)++;
        }
        free(names[i]);
    }
    if (n >= 0)
        free(names);
    return failed;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    for (int i = 1; i < argc; i++) {
        if (replay_folder(argv[i], &count) < 0)
            return 2;
    }
    printf("%u inputs\n", count);
    return count ? 0 : 2;
}
