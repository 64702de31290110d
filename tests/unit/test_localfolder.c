/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "localfolder.h"

#include "support.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void url_of(const struct temp *temp, const char *host, const char *rest, char url[512])
{
    snprintf(url, 512, "file://%s%s/%s", host, temp->path, rest);
}

/* "name:size|name/|…" of the folder `rest` (percent-encoded, with its slash) below temp. */
static void check(const struct temp *temp, const char *host, const char *rest, const char *wanted)
{
    struct pf_listing listing;
    struct pf_error err = {0};
    char url[512], found[2048] = "";
    url_of(temp, host, rest, url);
    assert_ok(pf_localfolder_list(url, &listing, &err), &err);
    for (size_t i = 0; i < listing.count; i++) {
        const struct pf_listing_entry *entry = &listing.entries[i];
        size_t used = strlen(found);
        used +=
            (size_t)snprintf(found + used, sizeof found - used, "%s%s", i ? "|" : "", entry->name);
        if (entry->folder)
            snprintf(found + used, sizeof found - used, "/");
        else
            snprintf(found + used, sizeof found - used, ":%lld", (long long)entry->size_bytes);
        assert_false(entry->link);
        assert_int_equal(entry->folder, entry->size_bytes == -1);
        assert_memory_equal(entry->url, url, strlen(url));
        assert_int_equal(entry->url[strlen(entry->url) - 1] == '/', entry->folder);
    }
    pf_listing_end(&listing);
    if (strcmp(found, wanted) != 0)
        fail_msg("%s gave \"%s\", not \"%s\"", url, found, wanted);
}

static void lists_files_and_folders_by_their_bytes(void **state)
{
    (void)state;
    struct temp temp;
    temp_begin(&temp);
    put_file(temp.fd, "b.txz", "12345");
    put_file(temp.fd, "a.txz", "");
    put_file(temp.fd, "B.txz", "1");
    put_file(temp.fd, "\xe3\x81\x82.txz", "12");
    put_file(temp.fd, ".hidden", "x");
    put_file(temp.fd, "devel.txz/in", "x");
    put_folder(temp.fd, "a", 0755);
    put_folder(temp.fd, "empty", 0755);
    check(&temp, "", "",
          ".hidden:1|B.txz:1|a/|a.txz:0|b.txz:5|devel.txz/|empty/|\xe3\x81\x82.txz:2");
    check(&temp, "localhost", "devel.txz/", "in:1");
    check(&temp, "", "empty/", "");
    check(&temp, "", "devel%2Etxz/", "in:1");
    temp_end(&temp);
}

static void follows_links(void **state)
{
    (void)state;
    struct temp temp;
    temp_begin(&temp);
    put_file(temp.fd, "real/file", "123");
    put_file(temp.fd, "d/plain", "1");
    put_link(temp.fd, "d/to_file", "../real/file");
    put_link(temp.fd, "d/to_folder", "../real");
    put_link(temp.fd, "d/to_nothing", "../missing");
    put_link(temp.fd, "d/to_itself", "to_itself");
    put_link(temp.fd, "d/through_a_file", "plain/x");
    put_link(temp.fd, "d/to_dev_null", "/dev/null");
    put_link(temp.fd, "link", "d");
    check(&temp, "", "d/", "plain:1|to_file:3|to_folder/");
    check(&temp, "", "link/", "plain:1|to_file:3|to_folder/");
    check(&temp, "", "d/to_folder/", "file:3");
    temp_end(&temp);
}

static void leaves_out_what_is_no_file(void **state)
{
    (void)state;
    struct temp temp;
    temp_begin(&temp);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", temp.path);
    assert_int_equal(bind(sock, (struct sockaddr *)&address, sizeof address), 0);
    close(sock);
    assert_int_equal(mkfifoat(temp.fd, "fifo.txz", 0644), 0);
    put_link(temp.fd, "link.txz", "fifo.txz");
    put_file(temp.fd, "file", "1");
    put_file(temp.fd, "new\nline", "1");
    put_file(temp.fd, "del\x7f", "1");
    check(&temp, "", "", "file:1");
    struct pf_listing listing;
    struct pf_error err = {0};
    char url[512];
    url_of(&temp, "", "fifo.txz/", url);
    assert_code(pf_localfolder_list(url, &listing, &err), PF_E_ABSENT, &err);
    pf_listing_end(&listing);
    temp_end(&temp);
}

static void encodes_and_decodes(void **state)
{
    (void)state;
    struct temp temp;
    struct pf_listing listing;
    struct pf_error err = {0};
    char url[512], wanted[600];
    temp_begin(&temp);
    put_file(temp.fd, "a b%25/x?#;y.txz", "1");
    put_folder(temp.fd, "a b%25/d+", 0755);
    url_of(&temp, "", "a%20b%2525/", url);
    assert_ok(pf_localfolder_list(url, &listing, &err), &err);
    assert_int_equal(listing.count, 2);
    snprintf(wanted, sizeof wanted, "%sd%%2B/", url);
    assert_string_equal(listing.entries[0].url, wanted);
    snprintf(wanted, sizeof wanted, "%sx%%3F%%23%%3By.txz", url);
    assert_string_equal(listing.entries[1].url, wanted);
    pf_listing_end(&listing);
    temp_end(&temp);
}

static void says_what_is_wrong(void **state)
{
    (void)state;
    struct temp temp;
    struct pf_listing listing;
    struct pf_error err = {0};
    char url[512];
    temp_begin(&temp);
    put_file(temp.fd, "file", "1");
    put_folder(temp.fd, "closed", 0);
    url_of(&temp, "", "missing/", url);
    assert_code(pf_localfolder_list(url, &listing, &err), PF_E_ABSENT, &err);
    assert_contains(err.text, temp.path);
    pf_listing_end(&listing);
    url_of(&temp, "", "file/", url);
    assert_code(pf_localfolder_list(url, &listing, &err), PF_E_ABSENT, &err);
    pf_listing_end(&listing);
    put_link(temp.fd, "loop", "loop");
    url_of(&temp, "", "loop/", url);
    assert_code(pf_localfolder_list(url, &listing, &err), PF_E_SYSTEM, &err);
    assert_contains(err.text, "/loop");
    pf_listing_end(&listing);
    if (geteuid() != 0) {
        url_of(&temp, "", "closed/", url);
        assert_code(pf_localfolder_list(url, &listing, &err), PF_E_PERMISSION, &err);
        assert_contains(err.text, "/closed");
        pf_listing_end(&listing);
    }
    temp_end(&temp);
}

/* A folder that may be read but not entered is an error; a link may point anywhere, also there. */
static void says_what_it_may_not_look_at(void **state)
{
    (void)state;
    struct temp temp;
    struct pf_listing listing;
    struct pf_error err = {0};
    char url[512];
    temp_begin(&temp);
    put_file(temp.fd, "d/file", "1");
    put_folder(temp.fd, "closed", 0755);
    put_file(temp.fd, "closed/file", "1");
    put_file(temp.fd, "open/file", "1");
    put_link(temp.fd, "open/link", "../closed/file");
    assert_int_equal(fchmodat(temp.fd, "d", 0444, 0), 0);
    assert_int_equal(fchmodat(temp.fd, "closed", 0, 0), 0);
    bool root = geteuid() == 0;
    if (root)
        assert_int_equal(seteuid(65534), 0);
    url_of(&temp, "", "d/", url);
    int status = pf_localfolder_list(url, &listing, &err);
    pf_listing_end(&listing);
    check(&temp, "", "open/", "file:1");
    if (root)
        assert_int_equal(seteuid(0), 0);
    assert_int_equal(status, PF_E_PERMISSION);
    assert_contains(err.text, "/d/");
    assert_int_equal(fchmodat(temp.fd, "d", 0755, 0), 0);
    assert_int_equal(fchmodat(temp.fd, "closed", 0755, 0), 0);
    temp_end(&temp);
}

static void wants_the_url_of_a_folder_here(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "/tmp/",
                                      "tmp/",
                                      "file:///tmp",
                                      "http://h/tmp/",
                                      "ftp://h/",
                                      "file://host/x/",
                                      "file:///tmp/?x",
                                      "file:///tmp/?x/",
                                      "file:///tmp/#x/",
                                      "file://",
                                      "file",
                                      "nonsense://x/",
                                      "file:///tmp%00x/",
                                      "file:///tmp%0a/",
                                      "file://h:1/x/"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pf_listing listing;
        struct pf_error err = {0};
        int status = pf_localfolder_list(bad[i], &listing, &err);
        pf_listing_end(&listing);
        if (status != PF_E_INVALID || err.code != PF_E_INVALID)
            fail_msg("\"%s\": %d %s", bad[i], status, err.text);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(lists_files_and_folders_by_their_bytes),
    cmocka_unit_test(follows_links),
    cmocka_unit_test(leaves_out_what_is_no_file),
    cmocka_unit_test(encodes_and_decodes),
    cmocka_unit_test(says_what_is_wrong),
    cmocka_unit_test(says_what_it_may_not_look_at),
    cmocka_unit_test(wants_the_url_of_a_folder_here),
};
support_main(tests, false)
