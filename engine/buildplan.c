/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "buildplan.h"

#include "clock.h"
#include "crawl.h"
#include "guard.h"
#include "landlock.h"
#include "lock.h"

#include <stdint.h>

static int open_fetch(struct pf_build *build, struct pf_error *err)
{
    const struct pf_settled *s = build->settings;
    if (build->fetch)
        return 0;
    pf_mirrors_init(&build->mirrors, (const char *const *)s->mirrors);
    struct pf_fetch_settings settings = PF_FETCH_SETTINGS_DEFAULT;
    settings.connections = s->connections;
    settings.limit_bytes_per_s = s->limit_bytes_per_s;
    if (s->least_bytes_per_s)
        settings.stall_bytes_per_s = s->least_bytes_per_s;
    if (s->stall_timeout_s)
        settings.stall_time_s = s->stall_timeout_s;
    settings.total_time_s = s->fetch_timeout_s;
    settings.ip_version = s->ip_version;
    settings.ca_file = s->ca_file;
    settings.mirrors = &build->mirrors;
    settings.events = build->events;
    settings.cancel = build->stop;
    int failed = pf_fetch_new(&settings, &build->fetch, err);
    if (!failed && pf_landlock_abi() == 0)
        pf_events_text(build->events, PF_EVENT_NOTE, NULL,
                       "the transfers are not confined by Landlock, which this kernel has not got");
    return failed;
}

void pf_build_end(struct pf_build *build)
{
    pf_fetch_free(build->fetch);
    build->fetch = NULL;
}

/* A walk over a mirror, on a thread of its own. */
struct walk {
    struct pf_build *build;
    const struct pf_crawl_wish *wish;
    struct pf_plan *plan;
};

/* Nothing is written while only pages are read. */
static int run_guarded(struct walk *walk, int (*run)(void *ctx, struct pf_error *err),
                       struct pf_error *err)
{
    struct pf_guard guard = {.written_fd = -1,
                             .read_fd = -1,
                             .mirrors = &walk->build->mirrors,
                             .plan = walk->plan,
                             .ca_file = walk->build->settings->ca_file};
    return pf_guard_run(&guard, run, walk, err);
}

static int run_crawl(void *ctx, struct pf_error *err)
{
    struct walk *walk = ctx;
    return pf_crawl(walk->build->fetch, walk->wish, walk->plan, walk->build->events, err);
}

static int run_sizes(void *ctx, struct pf_error *err)
{
    struct walk *walk = ctx;
    return pf_crawl_sizes(walk->build->fetch, walk->plan, err);
}

int pf_build_sizes(struct pf_build *build, struct pf_plan *plan, struct pf_error *err)
{
    struct walk walk = {.build = build, .plan = plan};
    return run_guarded(&walk, run_sizes, err);
}

static int crawl(struct pf_build *build, struct pf_plan *plan, struct pf_error *err)
{
    const struct pf_settled *s = build->settings;
    struct pf_crawl_wish wish = {
        .mirrors = &build->mirrors,
        .release = s->release,
        .arch = s->arch,
        .categories = (const char *const *)s->categories,
        .contrib = (const char *const *)s->contrib,
        .addons = (const char *const *)s->addons,
        .ignore = (const char *const *)s->ignore,
        .known_categories = s->profile->known_categories,
        .known_contrib = s->profile->known_contrib,
        .checksums = !s->no_checksums,
    };
    pf_events_text(build->events, PF_EVENT_PHASE, NULL, "reading the mirror's index");
    struct walk walk = {.build = build, .wish = &wish, .plan = plan};
    int64_t span = pf_span_begin(build->events);
    int failed = run_guarded(&walk, run_crawl, err);
    pf_span_end(build->events, span, "crawl", NULL);
    build->home = plan->home;
    return failed;
}

/* The lockfile's own URLs, unless the caller names a mirror. */
static int plan_of_lock(struct pf_build *build, struct pf_plan *plan, struct pf_error *err)
{
    const struct pf_settled *s = build->settings;
    build->home = plan->home = 0;
    return pf_lock_plan(&s->lock, s->own_mirrors ? s->mirrors[0] : NULL, plan, err);
}

/* About. 0: the mirror does not say it of each file. */
static uint64_t total_bytes(const struct pf_plan *plan)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < plan->count; i++) {
        int64_t bytes = pf_plan_about_bytes(&plan->entries[i]);
        if (bytes < 0)
            return 0;
        sum += (uint64_t)bytes;
    }
    return sum;
}

int pf_build_plan(struct pf_build *build, struct pf_plan *plan, struct pf_error *err)
{
    const struct pf_settled *s = build->settings;
    int64_t start_ms = pf_clock_ms();
    int failed = open_fetch(build, err);
    if (!failed)
        failed = s->lock.count ? plan_of_lock(build, plan, err) : crawl(build, plan, err);
    if (!failed)
        pf_events_send(build->events, &(struct pf_event){.type = PF_EVENT_PLANNED,
                                                         .count = plan->count,
                                                         .total = total_bytes(plan)});
    build->stats->plan_s += (double)(pf_clock_ms() - start_ms) / 1000;
    return failed;
}
