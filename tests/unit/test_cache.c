/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cache.h"

#include "fs.h"
#include "support.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

static struct temp temp;
static struct pf_cache *cache;
static struct event_log log_;
static struct pf_error err;

static int begin(void **state)
{
    (void)state;
    temp_begin(&temp);
    event_log_begin(&log_);
    err = (struct pf_error){0};
    assert_ok(pf_cache_open(temp.path, "8.x", "x86_64", &cache, &err), &err);
    return 0;
}

static int end(void **state)
{
    (void)state;
    pf_cache_close(cache);
    event_log_end(&log_);
    temp_end(&temp);
    return 0;
}

static void names_its_folders_as_the_template_does(void **state)
{
    (void)state;
    assert_string_equal(cache->partial, "partial-plamo-8.x-x86_64");
    assert_string_equal(cache->complete, "cache-plamo-8.x-x86_64");
    assert_string_equal(cache->root, "rootfs-plamo-8.x-x86_64");
    assert_string_equal(cache->base, temp.path);
    static const char *const bad[] = {"", ".", "..", "a/b", "/", ".x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pf_cache *other = NULL;
        assert_code(pf_cache_open(temp.path, bad[i], "x86", &other, &err), PF_E_INVALID, &err);
        assert_code(pf_cache_open(temp.path, "8.x", bad[i], &other, &err), PF_E_INVALID, &err);
    }
}

/* In a cache folder that everybody may write to, each of ours may be another's. */
static void believes_nobody_elses_folders(void **state)
{
    (void)state;
    const char *const names[] = {cache->root, cache->complete, cache->partial, cache->work};
    for (size_t i = 0; i < 4; i++) {
        for (int writable = 0; writable < 2; writable++) {
            char file[NAME_MAX + 8];
            snprintf(file, sizeof file, "%s/f", names[i]);
            put_file(temp.fd, file, "planted");
            if (writable)
                assert_int_equal(fchmodat(temp.fd, names[i], 0757, 0), 0);
            else
                assert_int_equal(fchownat(temp.fd, names[i], 4242, 4242, 0), 0);
            err = (struct pf_error){0};
            assert_code(pf_cache_has(cache, names[i], &err), PF_E_PERMISSION, &err);
            assert_contains(err.text, names[i]);
            err = (struct pf_error){0};
            assert_code(pf_cache_open_folder(cache, names[i], &err), PF_E_PERMISSION, &err);
            if (i != 2)
                assert_code(pf_cache_purge(cache, &err), PF_E_PERMISSION, &err);
            assert_file(temp.fd, file, "planted");
            assert_ok(pf_fs_remove_tree(temp.fd, names[i], &err), &err);
        }
    }
    put_file(temp.fd, ".plamo-fast-trash/f", "another's");
    assert_int_equal(fchownat(temp.fd, ".plamo-fast-trash", 4242, 4242, 0), 0);
    assert_ok(pf_cache_remove_work(cache, &err), &err);
    assert_file(temp.fd, ".plamo-fast-trash/f", "another's");
}

/* As the shell makes them. */
static void closes_folders_to_others(void **state)
{
    (void)state;
    put_folder(temp.fd, cache->root, 0755);
    int fd = pf_cache_open_folder(cache, cache->root, &err);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(stat_of(temp.fd, cache->root).st_mode & 07777, 0700);
}

static void makes_its_folder(void **state)
{
    (void)state;
    struct pf_cache *other;
    char path[96];
    snprintf(path, sizeof path, "%s/a/b", temp.path);
    assert_ok(pf_cache_open(path, "8.x", "x86", &other, &err), &err);
    assert_true(has_name(temp.fd, "a/b"));
    pf_cache_close(other);
    put_file(temp.fd, "file", "");
    snprintf(path, sizeof path, "%s/file", temp.path);
    assert_int_not_equal(pf_cache_open(path, "8.x", "x86", &other, &err), 0);
    pf_cache_close(NULL);
}

static void tells_what_is_there(void **state)
{
    (void)state;
    assert_int_equal(pf_cache_has(cache, cache->complete, &err), 0);
    put_folder(temp.fd, cache->complete, 0755);
    assert_int_equal(pf_cache_has(cache, cache->complete, &err), 1);
    put_link(temp.fd, cache->root, cache->complete);
    assert_true(pf_cache_has(cache, cache->root, &err) < 0);
    assert_true(pf_cache_open_folder(cache, cache->root, &err) < 0);
    put_file(temp.fd, cache->partial, "");
    assert_true(pf_cache_has(cache, cache->partial, &err) < 0);
    int fd = pf_cache_open_folder(cache, cache->complete, &err);
    assert_true(fd >= 0);
    close(fd);
}

/* What the cache gives, names with blanks between. */
static char *read_cache(void)
{
    static char text[8192];
    struct pf_manifest manifest;
    text[0] = '\0';
    assert_ok(pf_cache_read(cache, &manifest, log_.events, &err), &err);
    for (size_t i = 0; i < manifest.count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s ", manifest.entries[i].file);
    pf_manifest_end(&manifest);
    return text;
}

static char *ls_cr(const char *folder)
{
    static char text[8192];
    char command[512];
    snprintf(command, sizeof command, "cd %s/%s && LC_ALL=C ls -cr *.t*z* | tr '\\n' ' '",
             temp.path, folder);
    FILE *pipe = popen(command, "r");
    text[fread(text, 1, sizeof text - 1, pipe)] = '\0';
    pclose(pipe);
    return text;
}

static void put_package(const char *folder, const char *file)
{
    char path[NAME_MAX + 64];
    snprintf(path, sizeof path, "%s/%.60s", folder, file);
    put_file(temp.fd, path, file);
}

/* A cache that the shell template filled: oldest ctime first, equal ones by name descending. */
static void reads_a_foreign_cache_in_ls_cr_order(void **state)
{
    (void)state;
    static const char *const files[] = {"m-1-x-1.txz", "z-1-x-1.tgz", "a-1-x-1.tzst",
                                        "B-1-x-1.txz", "k-1-x-1.tbz", "short.txz"};
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
            put_package(cache->complete, files[(i * 5 + (size_t)round) % 6]);
            if (round % 2)
                nanosleep(&(struct timespec){.tv_nsec = 12000000}, NULL);
        }
        put_package(cache->complete, "disk1");
        put_package(cache->complete, "notes.txt");
        put_folder(temp.fd, "cache-plamo-8.x-x86_64/folder.d", 0755);
        char *ours = read_cache();
        assert_string_equal(ours, ls_cr(cache->complete));
        assert_int_equal(log_.count, 0); /* nothing to be said about it */
    }
}

/* Files of one and the same ctime: no clock tick between them. */
static void orders_equal_ctimes_by_name_descending(void **state)
{
    (void)state;
    char first[512], second[512];
    for (int attempt = 0; attempt < 200; attempt++) {
        snprintf(first, sizeof first, "%s/a-1-x-1.txz", cache->complete);
        snprintf(second, sizeof second, "%s/b-1-x-1.txz", cache->complete);
        put_file(temp.fd, first, "");
        put_file(temp.fd, second, "");
        struct stat a = stat_of(temp.fd, first), b = stat_of(temp.fd, second);
        if (a.st_ctim.tv_sec == b.st_ctim.tv_sec && a.st_ctim.tv_nsec == b.st_ctim.tv_nsec) {
            assert_string_equal(read_cache(), "b-1-x-1.txz a-1-x-1.txz ");
            return;
        }
        unlinkat(temp.fd, first, 0);
        unlinkat(temp.fd, second, 0);
    }
    print_message("skipped: this file system never gives two files one ctime\n");
    skip();
}

static void fill_manifest(struct pf_manifest *manifest, const char *const *files, size_t count)
{
    assert_ok(pf_manifest_init(manifest, count, &err), &err);
    for (size_t i = 0; i < count; i++) {
        manifest->entries[i].file = strdup(files[i]);
        manifest->entries[i].url = strdup("http://h/");
        manifest->entries[i].size_bytes = strlen(files[i]);
        strcpy(manifest->entries[i].xxh3, i == 1 ? "" : "99aa06d3014798d86001c324468d497f");
    }
}

static const char *const planned[] = {"z-1-x-1.txz", "text.txt", "a-1-x-1.tgz"};

static void complete(void)
{
    struct pf_manifest manifest;
    for (size_t i = 3; i-- > 0;)
        put_package(cache->partial, planned[i]);
    fill_manifest(&manifest, planned, 3);
    assert_ok(pf_cache_complete(cache, &manifest, &err), &err);
    pf_manifest_end(&manifest);
}

static void completes_with_a_manifest(void **state)
{
    (void)state;
    struct pf_manifest manifest;
    complete();
    assert_false(has_name(temp.fd, cache->partial));
    assert_string_equal(read_cache(), "z-1-x-1.txz text.txt a-1-x-1.tgz ");
    assert_ok(pf_cache_read(cache, &manifest, log_.events, &err), &err);
    assert_string_equal(manifest.entries[0].xxh3, "99aa06d3014798d86001c324468d497f");
    assert_string_equal(manifest.entries[1].xxh3, "");
    assert_int_equal(manifest.entries[0].size_bytes, strlen(planned[0]));
    pf_manifest_end(&manifest);
    assert_int_equal(log_.count, 0);
}

/* An update: nothing of the old folder is left, neither under its name nor under another. */
static void takes_the_place_of_a_complete_folder(void **state)
{
    (void)state;
    struct pf_manifest manifest;
    complete();
    put_package(cache->partial, "new-1-x-1.txz");
    fill_manifest(&manifest, planned, 0);
    assert_ok(pf_cache_begin_root(cache, &err), &err);
    assert_ok(pf_cache_begin_exchange(cache, &manifest, &err), &err);
    assert_ok(pf_cache_exchange(cache, &err), &err);
    assert_ok(pf_cache_end_exchange(cache, 0, &err), &err);
    assert_true(has_name(temp.fd, "cache-plamo-8.x-x86_64/new-1-x-1.txz"));
    assert_false(has_name(temp.fd, "cache-plamo-8.x-x86_64/z-1-x-1.txz"));
    assert_false(has_name(temp.fd, cache->partial));
    assert_false(has_name(temp.fd, ".plamo-fast-trash"));
    pf_manifest_end(&manifest);
}

static void removes_the_partial_folder_alone(void **state)
{
    (void)state;
    complete();
    put_package(cache->partial, "new-1-x-1.txz");
    assert_int_equal(mkdirat(temp.fd, cache->root, 0755), 0);
    assert_ok(pf_cache_remove_partial(cache, &err), &err);
    assert_false(has_name(temp.fd, cache->partial));
    assert_true(has_name(temp.fd, cache->root));
    assert_true(has_name(temp.fd, cache->complete));
}

static void falls_back_where_the_manifest_does_not_fit(void **state)
{
    (void)state;
    complete();
    char *good = get_file(temp.fd, "cache-plamo-8.x-x86_64/.plamo-fast.manifest.json");
    assert_non_null(good);
    put_package(cache->complete, "new-1-x-1.txz"); /* one more */
    assert_string_equal(read_cache(), ls_cr(cache->complete));
    assert_int_equal(log_.count, 1);
    unlinkat(temp.fd, "cache-plamo-8.x-x86_64/new-1-x-1.txz", 0);
    assert_string_equal(read_cache(), "z-1-x-1.txz text.txt a-1-x-1.tgz ");
    assert_int_equal(log_.count, 1);
    put_file(temp.fd, "cache-plamo-8.x-x86_64/z-1-x-1.txz", "another size"); /* changed */
    assert_string_equal(read_cache(), ls_cr(cache->complete));
    assert_int_equal(log_.count, 2);
    unlinkat(temp.fd, "cache-plamo-8.x-x86_64/z-1-x-1.txz", 0); /* one less */
    assert_string_equal(read_cache(), "a-1-x-1.tgz ");
    assert_int_equal(log_.count, 3);
    put_file(temp.fd, "cache-plamo-8.x-x86_64/.plamo-fast.manifest.json", "nonsense");
    assert_string_equal(read_cache(), "a-1-x-1.tgz ");
    assert_int_equal(log_.count, 4);
    free(good);
}

static void needs_a_cache_to_read(void **state)
{
    (void)state;
    struct pf_manifest manifest;
    assert_true(pf_cache_read(cache, &manifest, log_.events, &err) < 0);
    put_folder(temp.fd, cache->complete, 0755);
    assert_ok(pf_cache_read(cache, &manifest, log_.events, &err), &err);
    assert_int_equal(manifest.count, 0);
    pf_manifest_end(&manifest);
}

/* The shell installs in the order of ctimes: ours strictly increase in plan order. */
static void stamps_strictly_increase(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    struct pf_stamper stamper = {.dir_fd = open_folder(temp.fd, cache->complete)};
    struct timespec last = {0};
    char wanted[1024] = "", file[32];
    for (int i = 0; i < COUNT; i++) {
        snprintf(file, sizeof file, "p%02d-1-x-1.txz", i * 7 % COUNT);
        put_package(cache->complete, file);
        struct timespec times[2] = {{.tv_sec = 100 + i}, {.tv_sec = 200 + i, .tv_nsec = 5}};
        assert_int_equal(utimensat(stamper.dir_fd, file, times, 0), 0);
    }
    for (int i = 0; i < COUNT; i++) {
        int stamped = 0;
        snprintf(file, sizeof file, "p%02d-1-x-1.txz", i * 3 % COUNT);
        for (int tries = 0; stamped == 0 && tries < 1000; tries++) {
            stamped = pf_cache_stamp(&stamper, file, &err);
            if (stamped == 0)
                nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
        }
        assert_int_equal(stamped, 1);
        struct stat st = stat_of(stamper.dir_fd, file);
        assert_true(st.st_ctim.tv_sec > last.tv_sec ||
                    (st.st_ctim.tv_sec == last.tv_sec && st.st_ctim.tv_nsec > last.tv_nsec));
        assert_int_equal(st.st_mtim.tv_nsec, 5); /* the mtime stays */
        last = st.st_ctim;
        snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), "%s ", file);
    }
    assert_string_equal(ls_cr(cache->complete), wanted);
    assert_string_equal(read_cache(), wanted);
    assert_true(pf_cache_stamp(&stamper, "missing", &err) < 0);
    close(stamper.dir_fd);
}

/* Where the clock was set back, no later file could get a later ctime: all are stamped anew. */
static void begins_again_when_the_clock_was_set_back(void **state)
{
    (void)state;
    put_package(cache->complete, "a-1-x-1.txz");
    struct pf_stamper stamper = {.dir_fd = open_folder(temp.fd, cache->complete),
                                 .last = {.tv_sec = time(NULL) + 3600}};
    assert_int_equal(pf_cache_stamp(&stamper, "a-1-x-1.txz", &err), 2);
    assert_int_equal(pf_cache_stamp(&stamper, "a-1-x-1.txz", &err), 1);
    close(stamper.dir_fd);
}

/* JSON holds UTF-8 only. The ctimes hold the order too, so such a cache goes without a manifest. */
static void goes_without_a_manifest_that_cannot_be_written(void **state)
{
    (void)state;
    static const char *const names[] = {"\xc6\xfc-1-x-1.txz"};
    struct pf_manifest manifest;
    put_package(cache->partial, names[0]);
    fill_manifest(&manifest, names, 1);
    assert_ok(pf_cache_complete(cache, &manifest, &err), &err);
    pf_manifest_end(&manifest);
    assert_false(has_name(temp.fd, "cache-plamo-8.x-x86_64/.plamo-fast.manifest.json"));
    assert_string_equal(read_cache(), "\xc6\xfc-1-x-1.txz ");
}

/* A fifo under the manifest's name must not hold anybody up. */
static void waits_at_no_fifo(void **state)
{
    (void)state;
    complete();
    int fd = open_folder(temp.fd, cache->complete);
    assert_int_equal(unlinkat(fd, ".plamo-fast.manifest.json", 0), 0);
    assert_int_equal(mknodat(fd, ".plamo-fast.manifest.json", S_IFIFO | 0600, 0), 0);
    close(fd);
    assert_non_null(strstr(read_cache(), "z-1-x-1.txz"));
}

static void publishes_a_root_by_one_rename(void **state)
{
    (void)state;
    char path[512];
    put_file(temp.fd, ".plamo-fast-work-8.x-x86_64/root/left", "by a killed run");
    assert_ok(pf_cache_begin_root(cache, &err), &err);
    assert_int_equal(stat_of(temp.fd, cache->work).st_mode, S_IFDIR | 0700);
    snprintf(path, sizeof path, "%s/root", cache->work);
    assert_int_equal(stat_of(temp.fd, path).st_mode, S_IFDIR | 0755);
    snprintf(path, sizeof path, "%s/root/left", cache->work);
    assert_false(has_name(temp.fd, path));
    snprintf(path, sizeof path, "%s/stage", cache->work);
    assert_true(has_name(temp.fd, path));
    snprintf(path, sizeof path, "%s/root/f", cache->work);
    put_file(temp.fd, path, "x");
    assert_false(has_name(temp.fd, cache->root));
    assert_ok(pf_cache_publish_root(cache, &err), &err);
    assert_file(temp.fd, "rootfs-plamo-8.x-x86_64/f", "x");
    assert_ok(pf_cache_remove_work(cache, &err), &err);
    assert_false(has_name(temp.fd, cache->work));
    assert_ok(pf_cache_remove_work(cache, &err), &err);
    /* Never over one that is there. */
    assert_ok(pf_cache_begin_root(cache, &err), &err);
    assert_int_not_equal(pf_cache_publish_root(cache, &err), 0);
    assert_file(temp.fd, "rootfs-plamo-8.x-x86_64/f", "x");
}

static void purges_downloads_and_root_only(void **state)
{
    (void)state;
    assert_ok(pf_cache_purge(cache, &err), &err); /* nothing there */
    put_file(temp.fd, "rootfs-plamo-8.x-x86_64/a/b", "x");
    put_link(temp.fd, "rootfs-plamo-8.x-x86_64/l", "../kept");
    put_file(temp.fd, "cache-plamo-8.x-x86_64/p-1-x-1.txz", "x");
    put_file(temp.fd, "cache-plamo-7.x-x86_64/p-1-x-1.txz", "other release");
    put_file(temp.fd, "rootfs-plamo-8.x-x86/f", "other architecture");
    put_file(temp.fd, "partial-plamo-8.x-x86_64/p", "still wanted");
    put_file(temp.fd, "kept/f", "x");
    assert_ok(pf_cache_purge(cache, &err), &err);
    char *tree = tree_text(temp.fd, 0);
    assert_null(strstr(tree, "rootfs-plamo-8.x-x86_64"));
    assert_null(strstr(tree, "cache-plamo-8.x-x86_64"));
    assert_contains(tree, "cache-plamo-7.x-x86_64/p-1-x-1.txz");
    assert_contains(tree, "rootfs-plamo-8.x-x86/f");
    assert_contains(tree, "partial-plamo-8.x-x86_64/p");
    assert_contains(tree, "kept/f");
    free(tree);
}

static void removes_what_killed_runs_have_left(void **state)
{
    (void)state;
    for (int purge = 0; purge < 2; purge++) {
        put_file(temp.fd, ".plamo-fast-work-8.x-x86_64/stage/f", "x");
        put_file(temp.fd, ".plamo-fast-trash/a/b", "x");
        put_file(temp.fd, ".plamo-fast-work-7.x-x86_64/stage/f", "of another release");
        assert_ok(purge ? pf_cache_purge(cache, &err) : pf_cache_remove_work(cache, &err), &err);
        assert_false(has_name(temp.fd, ".plamo-fast-work-8.x-x86_64"));
        assert_false(has_name(temp.fd, ".plamo-fast-trash"));
        assert_true(has_name(temp.fd, ".plamo-fast-work-7.x-x86_64"));
    }
}

#define test(f) cmocka_unit_test_setup_teardown(f, begin, end)
static const struct CMUnitTest tests[] = {
    test(names_its_folders_as_the_template_does),
    test(believes_nobody_elses_folders),
    test(closes_folders_to_others),
    test(makes_its_folder),
    test(tells_what_is_there),
    test(reads_a_foreign_cache_in_ls_cr_order),
    test(orders_equal_ctimes_by_name_descending),
    test(completes_with_a_manifest),
    test(takes_the_place_of_a_complete_folder),
    test(removes_the_partial_folder_alone),
    test(falls_back_where_the_manifest_does_not_fit),
    test(begins_again_when_the_clock_was_set_back),
    test(goes_without_a_manifest_that_cannot_be_written),
    test(waits_at_no_fifo),
    test(needs_a_cache_to_read),
    test(stamps_strictly_increase),
    test(publishes_a_root_by_one_rename),
    test(purges_downloads_and_root_only),
    test(removes_what_killed_runs_have_left),
};
support_main(tests, false)
