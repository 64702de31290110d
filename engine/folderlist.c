/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "folderlist.h"

#include "ftplisting.h"
#include "localfolder.h"

#include <string.h>
#include <strings.h>

/* An index page of a folder with a hundred thousand packages is smaller than this. */
#define MAX_PAGE_BYTES (32u << 20)

/* RFC 959: the command is not understood, or not done here. */
static bool is_unknown_command(long status)
{
    return status >= 500 && status <= 504;
}

/* A page or an address that cannot be used is the mirror's fault. */
static int blame_mirror(int failed, struct pf_error *err)
{
    if (failed == PF_E_LIMIT || failed == PF_E_INVALID)
        err->code = PF_E_NETWORK;
    return failed ? err->code : 0;
}

/* One answer has come. After the last one the caller hears of it. */
static int answered(struct pf_folderlist *list)
{
    if (--list->expected > 0)
        return 0;
    if (list->error.code == 0 && list->server &&
        blame_mirror(pf_ftplisting_settle(&list->listing, &list->facts, &list->error),
                     &list->error))
        pf_error_context(&list->error, "the mirror's index");
    return list->done(list->ctx, &list->error, list->unsafe);
}

static void keep_failure(struct pf_folderlist *list, const struct pf_fetch_result *result)
{
    list->error = result->error;
    list->unsafe = result->unsafe;
    pf_error_context(&list->error, "the mirror's index");
}

static int on_page(void *ctx, const struct pf_fetch_result *result)
{
    struct pf_folderlist *list = ctx;
    if (result->error.code)
        keep_failure(list, result);
    else if (blame_mirror(pf_listing_parse_html(result->data ? result->data : "", result->length,
                                                result->effective_url, &list->listing,
                                                &list->error),
                          &list->error))
        pf_error_context(&list->error, "index page %s", result->url);
    list->expected = 0;
    return list->done(list->ctx, &list->error, list->unsafe);
}

static int ask_for_list(struct pf_folderlist *list, struct pf_error *err);

/* As wget does it: "LIST -a", which shows hidden files too; where that gives nothing, LIST. */
static bool is_to_be_asked_plainly(const struct pf_folderlist *list,
                                   const struct pf_fetch_result *result)
{
    if (list->plain)
        return false;
    return result->error.code ? is_unknown_command(result->status) || result->status == 550
                              : result->length == 0;
}

static int on_list(void *ctx, const struct pf_fetch_result *result)
{
    struct pf_folderlist *list = ctx;
    if (is_to_be_asked_plainly(list, result)) {
        list->plain = true;
        return ask_for_list(list, &list->error) ? answered(list) : 0;
    }
    if (result->error.code)
        keep_failure(list, result);
    else if (blame_mirror(pf_ftplisting_parse_list(result->data ? result->data : "", result->length,
                                                   result->url, &list->listing, NULL, &list->error),
                          &list->error))
        pf_error_context(&list->error, "the folder %s", result->url);
    if (list->plain && list->listing.count > 0)
        list->server->no_list_a = true;
    return answered(list);
}

/* MLSD only adds to what LIST says: without it there is less to know, and nothing is wrong. */
static int on_mlsd(void *ctx, const struct pf_fetch_result *result)
{
    struct pf_folderlist *list = ctx;
    struct pf_error ignored = {0};
    if (result->error.code && is_unknown_command(result->status))
        list->server->no_mlsd = true;
    else if (!result->error.code)
        pf_ftplisting_parse_mlsd(result->data ? result->data : "", result->length, result->url,
                                 &list->facts, NULL, &ignored);
    return answered(list);
}

static int ask(struct pf_folderlist *list, pf_fetch_done_fn done, const char *ftp_command,
               struct pf_error *err)
{
    struct pf_fetch_page page = {.url = list->url,
                                 .max_bytes = MAX_PAGE_BYTES,
                                 .attempts = list->attempts,
                                 .ftp_command = ftp_command,
                                 .done = done,
                                 .ctx = list};
    return pf_fetch_page(list->fetch, &page, err);
}

static int ask_for_list(struct pf_folderlist *list, struct pf_error *err)
{
    return ask(list, on_list, list->plain ? NULL : "LIST -a", err);
}

static int ask_ftp(struct pf_folderlist *list, struct pf_error *err)
{
    list->expected = list->server->no_mlsd ? 1 : 2;
    list->plain = list->server->no_list_a;
    int failed = ask_for_list(list, err);
    return failed || list->expected == 1 ? failed : ask(list, on_mlsd, "MLSD", err);
}

int pf_folderlist_ask(struct pf_folderlist *list, struct pf_fetch *fetch,
                      struct pf_folderlist_server *server, const char *url, unsigned attempts,
                      pf_folderlist_fn done, void *ctx, struct pf_error *err)
{
    list->fetch = fetch;
    list->url = url;
    list->attempts = attempts;
    list->done = done;
    list->ctx = ctx;
    if (strncasecmp(url, "file:", 5) == 0) {
        if (pf_localfolder_list(url, &list->listing, &list->error))
            pf_error_context(&list->error, "the mirror");
        return done(ctx, &list->error, false);
    }
    if (strncasecmp(url, "ftp:", 4) == 0) {
        list->server = server;
        return ask_ftp(list, err);
    }
    list->expected = 1;
    return ask(list, on_page, NULL, err);
}

void pf_folderlist_end(struct pf_folderlist *list)
{
    pf_listing_end(&list->listing);
    pf_listing_end(&list->facts);
}
