/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ownership.h"

#include "support.h"

#include <limits.h>

/* A root that packages were "installed" in. */
struct root {
    struct temp temp;
    struct pf_installed installed;
    struct pf_ownership *ownership;
};

/* A record, its line in the log, and a script (NULL: none). */
static void put_package(const struct temp *temp, const char *name, const char *files,
                        const char *script)
{
    char text[2048], path[256];
    snprintf(text, sizeof text, "PACKAGE NAME:     %s-1-noarch-P1\nFILE LIST:\n%s", name, files);
    snprintf(path, sizeof path, "var/log/packages/%s", name);
    put_file(temp->fd, path, text);
    snprintf(path, sizeof path, "var/log/scripts/%s", name);
    if (script)
        put_file(temp->fd, path, script);
}

static void log_packages(const struct temp *temp, const char *names)
{
    char text[2048] = "", list[256];
    snprintf(list, sizeof list, "%s", names);
    for (char *name = strtok(list, " "); name; name = strtok(NULL, " "))
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "i Wed Nov 25 02:00:00 UTC 2026: %s-1-noarch-P1\nits script said: x\n", name);
    put_file(temp->fd, "var/log/install.log", text);
}

static void begin(struct root *root)
{
    struct pf_error err = {0};
    assert_ok(pf_installed_read(root->temp.fd, PF_RECORD_NAMES_PLAIN, NULL, &root->installed, &err),
              &err);
    assert_ok(pf_ownership_new(root->temp.fd, &root->installed, NULL, &root->ownership, &err),
              &err);
}

static void end(struct root *root)
{
    pf_ownership_free(root->ownership);
    pf_installed_end(&root->installed);
    temp_end(&root->temp);
}

/* "PATH: NAME, NAME!" with "!" behind those that are replaced. */
static void check(struct root *root, const char *path, const char *wanted)
{
    struct pf_owned owned;
    struct pf_error err = {0};
    char text[1024];
    assert_ok(pf_ownership_find(root->ownership, path, &owned, &err), &err);
    int n = snprintf(text, sizeof text, "%s:", owned.path);
    for (size_t i = 0; i < owned.count; i++) {
        const struct pf_claim *claim = &owned.claims[i];
        n +=
            snprintf(text + n, sizeof text - (size_t)n, " %.*s%s",
                     (int)strcspn(claim->package, "-"), claim->package, claim->replaced ? "!" : "");
    }
    assert_string_equal(text, wanted);
}

static void order_of_the_log(void **state)
{
    (void)state;
    struct root root;
    temp_begin(&root.temp);
    put_package(&root.temp, "a", "x/\nx/f\n", NULL);
    put_package(&root.temp, "b", "x/\nx/f\n", NULL);
    put_package(&root.temp, "c", "x/\nx/f\n", NULL);
    /* b was removed once, and installed anew. */
    log_packages(&root.temp, "b c a b");
    begin(&root);
    check(&root, "/x/f", "x/f: c! a! b");
    check(&root, "x//", "x: c a b");
    check(&root, "x/../x/./f", "x/f: c! a! b");
    check(&root, "nothing", "nothing:");
    end(&root);
}

/* Scripts and missing files are the root's, which is somebody else's: their product has a limit. */
static void looks_through_scripts_within_a_limit(void **state)
{
    (void)state;
    static const char begins[] = "if true; then rm usr/f; fi\n#";
    const size_t length = 4 << 20;
    struct root root;
    struct pf_owned owned;
    struct pf_error err = {0};
    char *script = malloc(length + 1);
    memset(script, 'x', length);
    memcpy(script, begins, sizeof begins - 1);
    script[length] = '\0';
    temp_begin(&root.temp);
    put_package(&root.temp, "a", "usr/\nusr/f\n", script);
    log_packages(&root.temp, "a");
    begin(&root);
    for (int i = 0; i < 1000; i++) {
        assert_ok(pf_ownership_find(root.ownership, "usr/f", &owned, &err), &err);
        assert_non_null(owned.scripted_by);
    }
    int rc = 0;
    for (int i = 0; !rc && i < 100; i++)
        rc = pf_ownership_find(root.ownership, "usr/f", &owned, &err);
    assert_int_equal(rc, PF_E_LIMIT);
    end(&root);
    free(script);
}

static void links(void **state)
{
    (void)state;
    struct root root;
    temp_begin(&root.temp);
    put_package(&root.temp, "a", "usr/lib/\nusr/lib/f\nold/\nold/f\n",
                "( cd usr ; rm -rf lib64 )\n( cd usr ; ln -sf lib lib64 )\n");
    put_package(&root.temp, "b", "usr/lib64/\nusr/lib64/f\n",
                "( cd . ; rm -rf old )\n( cd . ; ln -sf usr/lib old )\n");
    /* A shell's: one that came true, one that did not. */
    put_package(&root.temp, "c", "usr/lib64/c\n",
                "if true\n( cd usr ; ln -sf lib made )\n( cd usr ; ln -sf lib skipped )\nfi\n");
    /* A link that only the root tells of. */
    put_package(&root.temp, "d", "unknown/d\n", NULL);
    put_link(root.temp.fd, "unknown", "/usr/lib");
    put_link(root.temp.fd, "usr/made", "lib");
    put_link(root.temp.fd, "up", "../../../usr");
    log_packages(&root.temp, "a b c d");
    begin(&root);
    check(&root, "usr/lib64", "usr/lib64: a");
    check(&root, "usr/lib64/f", "usr/lib/f: a! b");
    check(&root, "usr/lib", "usr/lib: a b");
    check(&root, "old", "old: a! b");
    check(&root, "old/f", "usr/lib/f: a! b");
    check(&root, "usr/made", "usr/made: c");
    check(&root, "usr/skipped", "usr/skipped:");
    check(&root, "usr/lib/d", "usr/lib/d: d");
    check(&root, "up/lib/c", "usr/lib/c: c");
    end(&root);
}

static void winners(void **state)
{
    (void)state;
    struct root root;
    char real[PATH_MAX];
    temp_begin(&root.temp);
    put_package(&root.temp, "a", "x/\nx/f\nx/g\n", "( cd . ; ln -sf x y )\n");
    put_package(&root.temp, "b", "y/\ny/f\n", NULL);
    log_packages(&root.temp, "a b");
    begin(&root);
    assert_true(pf_ownership_is_winner(root.ownership, "y/f", false, "b-1-noarch-P1", real));
    assert_string_equal(real, "x/f");
    assert_false(pf_ownership_is_winner(root.ownership, "x/f", false, "a-1-noarch-P1", real));
    assert_true(pf_ownership_is_winner(root.ownership, "x/g", false, "a-1-noarch-P1", real));
    assert_true(pf_ownership_is_winner(root.ownership, "x", true, "b-1-noarch-P1", real));
    assert_false(pf_ownership_is_winner(root.ownership, "x", false, "b-1-noarch-P1", real));
    assert_false(pf_ownership_is_winner(root.ownership, "z", false, "b-1-noarch-P1", real));
    end(&root);
}

static void loops(void **state)
{
    (void)state;
    struct root root;
    struct pf_owned owned;
    struct pf_error err = {0};
    temp_begin(&root.temp);
    put_package(&root.temp, "a", "loop/f\nf\n", NULL);
    put_link(root.temp.fd, "loop", "loop");
    log_packages(&root.temp, "a");
    begin(&root);
    check(&root, "f", "f: a");
    assert_code(pf_ownership_find(root.ownership, "loop/f", &owned, &err), PF_E_INVALID, &err);
    end(&root);
}

static void no_records(void **state)
{
    (void)state;
    struct temp temp;
    struct pf_installed installed;
    struct pf_error err = {0};
    temp_begin(&temp);
    assert_code(pf_installed_read(temp.fd, PF_RECORD_NAMES_PLAIN, NULL, &installed, &err),
                PF_E_ABSENT, &err);
    pf_installed_end(&installed);
    put_file(temp.fd, "var/log/packages/bad", "no record\n");
    assert_code(pf_installed_read(temp.fd, PF_RECORD_NAMES_PLAIN, NULL, &installed, &err),
                PF_E_CORRUPT, &err);
    assert_contains(err.text, "var/log/packages/bad");
    pf_installed_end(&installed);
    temp_end(&temp);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(looks_through_scripts_within_a_limit),
    cmocka_unit_test(links),
    cmocka_unit_test(order_of_the_log),
    cmocka_unit_test(links),
    cmocka_unit_test(winners),
    cmocka_unit_test(loops),
    cmocka_unit_test(no_records),
};

support_main(tests, false)
