/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "listing.h"

#include "support.h"

#define PAGE "http://mirror.example/pub/Plamo-8.x/x86_64/plamo/00_base/"

/* "name name/ …" of what the page gives; a slash marks a folder. */
static void check_at(const char *page_url, const char *html, size_t length, const char *wanted)
{
    struct pf_listing listing;
    struct pf_error err = {0};
    char found[4096] = "";
    assert_ok(pf_listing_parse_html(html, length, page_url, &listing, &err), &err);
    for (size_t i = 0; i < listing.count; i++) {
        size_t used = strlen(found);
        snprintf(found + used, sizeof found - used, "%s%s%s", i ? " " : "", listing.entries[i].name,
                 listing.entries[i].folder ? "/" : "");
    }
    pf_listing_end(&listing);
    if (strcmp(found, wanted) != 0)
        fail_msg("\"%s\"\ngave   \"%s\",\nwanted \"%s\"", html, found, wanted);
}

static void check(const char *html, const char *wanted)
{
    check_at(PAGE, html, strlen(html), wanted);
}

static void reads_nginx(void **state)
{
    (void)state;
    check(
        "<html>\r\n<head><title>Index of /pub/</title></head>\r\n<body>\r\n<h1>Index of /pub/</h1>"
        "<hr><pre><a href=\"../\">../</a>\r\n"
        "<a href=\"devel.txz/\">devel.txz/</a>      01-Jan-2024 00:00       -\r\n"
        "<a href=\"libstdc%2B%2B-13-x86_64-B1.txz\">libstdc++-13-x86_64-B1.txz</a> 01 12\r\n"
        "<a href=\"a_very_long_name-1-x86_64-B1.txz\">a_very_long_name-1-x86_6..&gt;</a> 01 12\r\n"
        "</pre><hr></body>\r\n</html>\r\n",
        "devel.txz/ libstdc++-13-x86_64-B1.txz a_very_long_name-1-x86_64-B1.txz");
}

static void reads_apache_plain(void **state)
{
    (void)state;
    check(
        "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2 Final//EN\">\n<html><body>\n<h1>Index</h1>\n"
        "<ul><li><a href=\"/pub/Plamo-8.x/x86_64/plamo/\"> Parent Directory</a></li>\n"
        "<li><a href=\"b-1-x86-1.txz\"> b-1-x86-1.txz</a></li>\n"
        "<li><a href=\"a-1-x86-1.txz\"> a-1-x86-1.txz</a></li>\n"
        "<li><a href=\"old/\"> old/</a></li>\n</ul>\n</body></html>\n",
        "b-1-x86-1.txz a-1-x86-1.txz old/");
}

static void reads_apache_fancy(void **state)
{
    (void)state;
    check("<pre><img src=\"/icons/blank.gif\" alt=\"Icon \"> <a href=\"?C=N;O=D\">Name</a> "
          "<a href=\"?C=M;O=A\">Last modified</a> <a href=\"?C=S;O=A\">Size</a><hr>"
          "<img src=\"/icons/back.gif\"> <a href=\"/pub/Plamo-8.x/x86_64/plamo/\">Parent</a>   -\n"
          "<img src=\"/icons/folder.gif\"> <a href=\"devel.txz/\">devel.txz/</a> 2024-01-01 -\n"
          "<img src=\"/icons/unknown.gif\"> <a href=\"a-1-x86-1.txz\">a-1-x86..&gt;</a> 2K\n"
          "<a href=\"a-1-x86-1.txz?C=N;O=D\">sorted</a><hr></pre>",
          "devel.txz/ a-1-x86-1.txz");
}

static void reads_tables(void **state)
{
    (void)state;
    /* Apache HTMLTable */
    check(
        "<table><tr><th valign=\"top\"><img src=\"x\"></th><th><a href=\"?C=N;O=D\">Name</a></th>"
        "</tr><tr><td>&nbsp;</td><td><a href=\"/pub/Plamo-8.x/x86_64/plamo/\">Parent</a></td></tr>"
        "<tr><td valign=\"top\"></td><td><a href=\"x-1-x86-1.tgz\">x</a></td><td>1K</td></tr>"
        "<tr><td></td><td><a href=\"d/\">d/</a></td></tr></table>",
        "x-1-x86-1.tgz d/");
    /* lighttpd */
    check(
        "<div class=\"list\">\n<table summary=\"Directory Listing\" cellpadding=\"0\">\n<tbody>\n"
        "<tr class=\"d\"><td class=\"n\"><a href=\"../\">..</a>/</td><td "
        "class=\"m\">&nbsp;</td></tr>"
        "<tr class=\"d\"><td class=\"n\"><a href=\"d/\">d</a>/</td></tr>\n"
        "<tr><td class=\"n\"><a href=\"y-1-x86-1.tgz\">y-1-x86-1.tgz</a></td></tr></tbody></table>",
        "d/ y-1-x86-1.tgz");
    /* Caddy: "./" in front, attributes besides, markup inside the link */
    check("<table><tbody><tr class=\"file\"><td></td><td><a href=\"./d/\"><svg><use "
          "xlink:href=\"#folder\"></use></svg><span class=\"name\">d</span></a></td></tr>"
          "<tr><td><a class=f href='./z-1-x86-1.tgz'><span>z</span></a></td></tr></table>",
          "d/ z-1-x86-1.tgz");
}

static void reads_python(void **state)
{
    (void)state;
    check("<!DOCTYPE HTML>\n<html lang=\"en\">\n<head>\n<meta "
          "charset=\"utf-8\">\n</head><body>\n<ul>\n"
          "<li><a href=\"a%20b-1-x86-1.txz\">a b</a></li>\n<li><a href=\"sub/\">sub/</a></li>\n"
          "<li><a href=\"link\">link@</a></li></ul>",
          "a b-1-x86-1.txz sub/ link");
}

static void joins_links_to_the_page(void **state)
{
    (void)state;
    check("<a href=\"/pub/Plamo-8.x/x86_64/plamo/00_base/abs.txz\">1</a>"
          "<a href=\"" PAGE "url.txz\">2</a><a href=\"./rel.txz\">3</a>"
          "<a href=\"//mirror.example/pub/Plamo-8.x/x86_64/plamo/00_base/net.txz\">4</a>"
          "<a href=\"../00_base/up.txz\">5</a><a href=\"frag.txz#x\">6</a>"
          "<a href=\"HTTP://MIRROR.example:80/pub/Plamo-8.x/x86_64/plamo/00_base/case.txz\">7</a>",
          "abs.txz url.txz rel.txz net.txz up.txz frag.txz case.txz");
    /* The page's own path may be encoded in another way than its links. */
    static const char plain[] = "<a href=\"/a~b/x.txz\">", coded[] = "<a href=\"/a%7Eb/x.txz\">";
    static const char ports[] = "<a href=\"http://h:8080/d/x.txz\"><a href=\"http://h/d/y.txz\">";
    check_at("http://h/a%7eb/", plain, sizeof plain - 1, "x.txz");
    check_at("http://h/a~b/", coded, sizeof coded - 1, "x.txz");
    check_at("http://h:8080/d/", ports, sizeof ports - 1, "x.txz");
}

static void decodes_names(void **state)
{
    (void)state;
    check("<a href=\"a&amp;b%25.txz\"></a><a href=\"c%2Bd.txz\"></a><a href=\"e+f.txz\"></a>"
          "<a href=\"%e3%81%82.txz\"></a><a href=\"%2e%2e%2e.txz\">",
          "a&b%.txz c+d.txz e+f.txz \xe3\x81\x82.txz ....txz");
}

static void gives_urls_that_fetch_the_same_file(void **state)
{
    (void)state;
    struct pf_listing listing;
    struct pf_error err = {0};
    static const char html[] = "<a href=\"libstdc%2B%2B.txz\"><a href='d.txz/'>";
    assert_ok(pf_listing_parse_html(html, sizeof html - 1, PAGE, &listing, &err), &err);
    assert_int_equal(listing.count, 2);
    assert_string_equal(listing.entries[0].url, PAGE "libstdc%2B%2B.txz");
    assert_string_equal(listing.entries[1].url, PAGE "d.txz/");
    assert_int_equal(listing.entries[0].size_bytes, -1);
    assert_false(listing.entries[1].link);
    pf_listing_end(&listing);
}

static void drops_everything_else(void **state)
{
    (void)state;
    static const char *const links[] = {
        "",
        ".",
        "./",
        "..",
        "../",
        "/",
        "#top",
        "?C=N;O=D",
        "x.txz?y",
        "x.txz?",
        "sub/x.txz",
        "sub/deeper/",
        "../01_minimum/",
        "/other/x.txz",
        "/pub/Plamo-8.x/x86_64/plamo/00_basement/x.txz",
        "..%2f",
        "..%2fx.txz",
        "%2e%2e/",
        "%2e%2e",
        "%2E/",
        "a%2fb.txz",
        "x%2f",
        "a%00b.txz",
        "a%0ab.txz",
        "a%7fb.txz",
        "a%09b.txz",
        "https://other.example/pub/Plamo-8.x/x86_64/plamo/00_base/x.txz",
        "http://mirror.example.evil/pub/Plamo-8.x/x86_64/plamo/00_base/x.txz",
        "http://mirror.example:8080/pub/Plamo-8.x/x86_64/plamo/00_base/x.txz",
        "http://mirror.example@evil/pub/Plamo-8.x/x86_64/plamo/00_base/x.txz",
        "ftp://mirror.example/pub/Plamo-8.x/x86_64/plamo/00_base/x.txz",
        "file:///pub/Plamo-8.x/x86_64/plamo/00_base/x.txz",
        "javascript:alert(1)",
        "mailto:a@b",
        "data:text/html,x",
    };
    for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
        char html[512];
        snprintf(html, sizeof html, "<a href=\"%s\">x</a>", links[i]);
        check(html, "");
    }
    check("<a name=x.txz>x</a><img src=x.txz><link href=x.txz><!-- <a href=c.txz> -->"
          "<script>'<a href=s.txz>'</script><area href=y.txz>",
          "");
    char longer[600] = "<a href=\"";
    memset(longer + 9, 'n', 256);
    strcpy(longer + 265, "\">");
    check(longer, "");
}

/* Up to https is a step to more safety; down is not. */
static void never_goes_to_a_lower_scheme(void **state)
{
    (void)state;
    static const char down[] = "<a href=\"http://h/d/x.txz\"><a href=\"https://h/d/y.txz\">";
    check_at("https://h/d/", down, sizeof down - 1, "y.txz");
    check_at("http://h/d/", down, sizeof down - 1, "x.txz y.txz");
}

static void obeys_base_but_not_out_of_the_folder(void **state)
{
    (void)state;
    check(
        "<base href=\"/pub/Plamo-8.x/x86_64/plamo/\"><a href=\"00_base/x.txz\"><a href=\"y.txz\">",
        "x.txz");
    check("<base href=\"http://evil.example/\"><a href=\"x.txz\"><a href=\"" PAGE "y.txz\">",
          "y.txz");
    check("<base href=\"file:///etc/\"><a href=\"passwd\">", "");
}

static void lists_a_name_once(void **state)
{
    (void)state;
    check("<a href=\"x.txz\"><img></a><a href=\"x.txz\">x</a><a href=\"./x.txz\">y</a>"
          "<a href=\"x%2Etxz\">z</a><a href=\"x.txz/\">folder</a><a href=\"w.txz\">",
          "x.txz x.txz/ w.txz");
}

static void takes_pages_of_any_bytes(void **state)
{
    (void)state;
    check("<title>\xa5\xd7\xa5\xe9\xa5\xe2\xa4\xce</title><h1>\xff\xfe</h1><a href=\"x.txz\">\xa4",
          "x.txz");
    static const char nul[] = "<p>\0</p><a href=\"x.txz\">";
    check_at(PAGE, nul, sizeof nul - 1, "x.txz");
    check("", "");
    check("plain text, a <a href=\"cut", "");
    static const char html[] = "<pre><a href=\"a.txz\">a</a>\n<a href=\"b.txz\">b</a>";
    for (size_t n = 0; n < sizeof html - 1; n++) { /* every cut is read without a fault */
        struct pf_listing listing;
        struct pf_error err = {0};
        assert_ok(pf_listing_parse_html(html, n, PAGE, &listing, &err), &err);
        assert_true(listing.count <= 2);
        pf_listing_end(&listing);
    }
}

/* A page that is one unit again and again. */
static void parse_units(void *unit, size_t size)
{
    struct buffer html = {0};
    struct pf_listing listing;
    struct pf_error err = {0};
    while (html.length < size)
        buffer_add(&html, unit, strlen(unit));
    buffer_add(&html, "<a href=x.txz>", 14);
    int status = pf_listing_parse_html((char *)html.data, html.length, PAGE, &listing, &err);
    assert_true(status == 0 || status == PF_E_LIMIT);
    pf_listing_end(&listing);
    buffer_end(&html);
}

/* The parser's time grows with the square of the depth. However the depth is come by, a page of
   hundreds of kilobytes is refused, or read, at once. */
static void does_not_spend_minutes_on_deep_pages(void **state)
{
    (void)state;
    static char units[][16] = {"<div>",  "<b><i>",      "<b></x>", "<b><br></br>",
                               "<b x='", "<table><td>", "<a><p>",  "<b <b>"};
    for (size_t u = 0; u < sizeof units / sizeof *units; u++)
        assert_linear(parse_units, units[u], 50000);
}

static void keeps_the_order_of_many(void **state)
{
    (void)state;
    enum { COUNT = 5000 };
    struct buffer html = {0};
    struct pf_listing listing;
    struct pf_error err = {0};
    char text[64];
    for (int i = 0; i < COUNT; i++)
        buffer_add(&html, text, (size_t)snprintf(text, sizeof text, "<a href=p%d.txz>", COUNT - i));
    assert_ok(pf_listing_parse_html((char *)html.data, html.length, PAGE, &listing, &err), &err);
    assert_int_equal(listing.count, COUNT);
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "p%d.txz", COUNT - i);
        assert_string_equal(listing.entries[i].name, text);
    }
    pf_listing_end(&listing);
    buffer_end(&html);
}

static void wants_the_url_of_a_folder(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "not a url", "http://h/d", "/d/"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct pf_listing listing;
        struct pf_error err = {0};
        assert_code(pf_listing_parse_html("", 0, bad[i], &listing, &err), PF_E_INVALID, &err);
        pf_listing_end(&listing);
    }
}

/* Attributes are compared with each other, also behind a ">" that ends no tag; elements take
 * memory. */
static void refuses_pages_that_cost_too_much(void **state)
{
    (void)state;
    struct pf_listing listing;
    struct pf_error err = {0};
    static const char *const units[] = {" a%d", " a%d=\">\"", "/a%d= x"};
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        for (int many = 0; many < 2; many++) {
            struct buffer html = {0};
            buffer_add(&html, "<a href=x.txz ", 14);
            for (int i = 0; i < (many ? 20000 : 2000); i++) {
                char text[32];
                buffer_add(&html, text, (size_t)snprintf(text, sizeof text, units[u], i));
            }
            buffer_add(&html, ">x</a>", 6);
            assert_int_equal(pf_listing_parse_html((char *)html.data, html.length, PAGE, &listing,
                                                   &err),
                             many ? PF_E_LIMIT : 0);
            assert_int_equal(listing.count, !many);
            pf_listing_end(&listing);
            buffer_end(&html);
        }
    }
    struct buffer html = {0};
    for (int i = 0; i < 20000; i++) /* tags inside tags */
        buffer_add(&html, "<b x='<b y'", 11);
    assert_int_equal(pf_listing_parse_html((char *)html.data, html.length, PAGE, &listing, &err),
                     PF_E_LIMIT);
    html.length = 0;
    for (int i = 0; i < 400001; i++)
        buffer_add(&html, "<b>", 3);
    assert_int_equal(pf_listing_parse_html((char *)html.data, html.length, PAGE, &listing, &err),
                     PF_E_LIMIT);
    buffer_end(&html);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(reads_nginx),
    cmocka_unit_test(reads_apache_plain),
    cmocka_unit_test(reads_apache_fancy),
    cmocka_unit_test(reads_tables),
    cmocka_unit_test(reads_python),
    cmocka_unit_test(joins_links_to_the_page),
    cmocka_unit_test(decodes_names),
    cmocka_unit_test(gives_urls_that_fetch_the_same_file),
    cmocka_unit_test(drops_everything_else),
    cmocka_unit_test(never_goes_to_a_lower_scheme),
    cmocka_unit_test(obeys_base_but_not_out_of_the_folder),
    cmocka_unit_test(lists_a_name_once),
    cmocka_unit_test(takes_pages_of_any_bytes),
    cmocka_unit_test(does_not_spend_minutes_on_deep_pages),
    cmocka_unit_test(keeps_the_order_of_many),
    cmocka_unit_test(wants_the_url_of_a_folder),
    cmocka_unit_test(refuses_pages_that_cost_too_much),
};
support_main(tests, false)
