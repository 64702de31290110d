/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A package's script: split, and where it is nothing but link pairs, made in a small root.
   Promises: splitting loses no byte, a pair's words are plain, and nothing outside the root is
   touched. */
#include "cage.h"
#include "fuzz.h"
#include "small_root.h"

#include "doinst.h"
#include "script.h"

#include <stdbool.h>
#include <string.h>

static void check_split(const char *script, size_t length)
{
    char *rest, *initpkg;
    size_t rest_length, initpkg_length;
    struct pf_error err = {0};
    fuzz_require(
        pf_doinst_split(script, length, &rest, &rest_length, &initpkg, &initpkg_length, &err) == 0);
    fuzz_require(rest_length + initpkg_length == length);
    fuzz_require(rest[rest_length] == '\0' && initpkg[initpkg_length] == '\0');
    fuzz_require(initpkg_length == 0 || strncmp(initpkg, "#%% begin", 9) == 0);
    /* Nothing that belongs to a section is left over. */
    fuzz_require(strncmp(rest, "#%% begin", 9) != 0 &&
                 !memmem(rest, rest_length, "\n#%% begin", 10));
    free(rest);
    free(initpkg);
}

static bool is_plain(const char *word)
{
    return *word && *word != '-' && !strpbrk(word, " \t\r\n'\"\\$`*?[]{}()<>|&;!~#^");
}

static void check_words(const struct pf_doinst_ops *ops)
{
    for (size_t i = 0; i < ops->count; i++) {
        const struct pf_doinst_op *op = &ops->ops[i];
        fuzz_require(is_plain(op->folder) && is_plain(op->name));
        fuzz_require(op->link ? is_plain(op->target) : !op->target);
    }
}

static void count_output(void *ctx, const char *text, size_t length)
{
    fuzz_require(strnlen(text, length) == length);
    *(size_t *)ctx += length;
}

static void apply(int root_fd, void *ctx)
{
    const struct pf_doinst_ops *ops = ctx;
    size_t printed = 0;
    struct pf_script_output output = {.fn = count_output, .ctx = &printed};
    struct pf_error err = {0};
    small_root_make(root_fd);
    fuzz_require(pf_script_apply(root_fd, ops, &output, &err) == 0);
}

/* Nothing but whole lines before all and behind the head are pairs. */
static void check_ends(const char *script, size_t size)
{
    struct pf_doinst_ops ops;
    struct pf_error err = {0};
    size_t head, front;
    int status = pf_doinst_parse_front(script, size, &front, &ops, &err);
    fuzz_require((status == 1) == (ops.count > 0) && (status == 1) == (front > 0));
    fuzz_require(front <= size && (front == 0 || front == size || script[front - 1] == '\n'));
    check_words(&ops);
    pf_doinst_ops_end(&ops);
    status = pf_doinst_parse_tail(script, size, &head, &ops, &err);
    fuzz_require(status == 0 || status == 1);
    fuzz_require((status == 1) == (ops.count > 0));
    if (status == 0)
        return;
    fuzz_require(head > 0 && head < size && script[head - 1] == '\n');
    check_words(&ops);
    pf_doinst_ops_end(&ops);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *script = (const char *)data;
    struct pf_doinst_ops ops;
    struct pf_error err = {0};
    check_split(script, size);
    check_ends(script, size);
    int status = pf_doinst_parse(script, size, &ops, &err);
    fuzz_require(status == 0 || status == 1);
    if (status == 0)
        return 0;
    check_words(&ops);
    if (ops.count)
        cage_run(apply, &ops);
    pf_doinst_ops_end(&ops);
    return 0;
}
