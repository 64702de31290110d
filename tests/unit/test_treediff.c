/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "treediff.h"

#include "support.h"

#include <stdatomic.h>
#include <unistd.h>

struct pair {
    struct temp temp;
    int a, b;
};

static void begin(struct pair *pair)
{
    temp_begin(&pair->temp);
    put_folder(pair->temp.fd, "a", 0755);
    put_folder(pair->temp.fd, "b", 0755);
    pair->a = open_folder(pair->temp.fd, "a");
    pair->b = open_folder(pair->temp.fd, "b");
}

static void end(struct pair *pair)
{
    close(pair->a);
    close(pair->b);
    temp_end(&pair->temp);
}

static int note(void *ctx, const struct pf_difference *d)
{
    char *text = ctx;
    sprintf(text + strlen(text), "%s %u\n", d->path, d->what);
    return 0;
}

static int stop_at_first(void *ctx, const struct pf_difference *d)
{
    (void)d;
    ++*(int *)ctx;
    return 7;
}

static void check(const struct pair *pair, const char *wanted)
{
    char text[1024] = "";
    struct pf_error err = {0};
    assert_ok(pf_treediff(pair->a, pair->b, note, text, NULL, &err), &err);
    assert_string_equal(text, wanted);
}

static void in_order(void **state)
{
    (void)state;
    struct pair pair;
    begin(&pair);
    put_file(pair.a, "same/file", "1");
    put_file(pair.b, "same/file", "1");
    put_file(pair.a, "z", "1");
    put_file(pair.b, "a", "1");
    put_file(pair.a, "m/content", "1");
    put_file(pair.b, "m/content", "2");
    put_file(pair.a, "m/size", "1");
    put_file(pair.b, "m/size", "22");
    put_link(pair.a, "m/link", "x");
    put_link(pair.b, "m/link", "y");
    put_link(pair.a, "m/type", "content");
    put_file(pair.b, "m/type", "1");
    put_file(pair.b, "n/not/told", "1");
    put_bytes(pair.a, "mode", "1", 1, 0600);
    put_bytes(pair.b, "mode", "1", 1, 0644);
    check(&pair, "a 1\nm/content 64\nm/link 128\nm/size 32\nm/type 4\nmode 8\nn 1\nz 2\n");
    int told = 0;
    struct pf_error err = {0};
    assert_int_equal(pf_treediff(pair.a, pair.b, stop_at_first, &told, NULL, &err), 7);
    assert_int_equal(told, 1);
    end(&pair);
}

static void large_contents(void **state)
{
    (void)state;
    struct pair pair;
    enum { SIZE = 200000 };
    char *data = calloc(1, SIZE);
    begin(&pair);
    put_bytes(pair.a, "file", data, SIZE, 0644);
    put_bytes(pair.b, "file", data, SIZE, 0644);
    check(&pair, "");
    data[SIZE - 1] = 1;
    put_bytes(pair.b, "other", data, SIZE, 0644);
    assert_int_equal(renameat(pair.b, "other", pair.b, "file"), 0);
    check(&pair, "file 64\n");
    free(data);
    end(&pair);
}

static void links_lead_nowhere(void **state)
{
    (void)state;
    struct pair pair;
    begin(&pair);
    /* Neither followed nor opened. */
    put_link(pair.a, "up", "..");
    put_link(pair.b, "up", "..");
    assert_int_equal(mkfifoat(pair.a, "fifo", 0600), 0);
    assert_int_equal(mkfifoat(pair.b, "fifo", 0600), 0);
    check(&pair, "");
    end(&pair);
}

static void too_deep(void **state)
{
    (void)state;
    struct pair pair;
    char path[1024] = "";
    struct pf_error err = {0};
    begin(&pair);
    for (int i = 0; i < 300; i++)
        strcat(path, "d/");
    path[strlen(path) - 1] = '\0';
    put_folder(pair.a, path, 0755);
    put_folder(pair.b, path, 0755);
    assert_code(pf_treediff(pair.a, pair.b, note, path, NULL, &err), PF_E_LIMIT, &err);
    end(&pair);
}

static void stopped(void **state)
{
    (void)state;
    struct pair pair;
    struct pf_error err = {0};
    char text[64] = "";
    atomic_bool stop = true;
    begin(&pair);
    put_file(pair.a, "x", "1");
    assert_code(pf_treediff(pair.a, pair.b, note, text, &stop, &err), PF_E_CANCELLED, &err);
    end(&pair);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(in_order),
    cmocka_unit_test(large_contents),
    cmocka_unit_test(links_lead_nowhere),
    cmocka_unit_test(too_deep),
    cmocka_unit_test(stopped),
};

support_main(tests, false)
