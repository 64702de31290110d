/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "meter.h"

#include <stdlib.h>

int pf_meter_init(struct pf_meter *meter, const struct pf_plan *plan, struct pf_events *events,
                  struct pf_error *err)
{
    *meter = (struct pf_meter){.events = events, .plan = plan, .told_ms = INT64_MIN / 2};
    meter->sizes = calloc(plan->count ? plan->count : 1, sizeof *meter->sizes);
    if (!meter->sizes)
        return pf_error_memory(err);
    for (size_t i = 0; i < plan->count; i++) {
        meter->sizes[i] = pf_plan_about_bytes(&plan->entries[i]);
        if (meter->sizes[i] < 0)
            meter->unknown++;
        else
            meter->known_bytes += (uint64_t)meter->sizes[i];
    }
    return 0;
}

void pf_meter_end(struct pf_meter *meter)
{
    free(meter->sizes);
    *meter = (struct pf_meter){0};
}

static void set_size(struct pf_meter *meter, size_t index, int64_t size_bytes)
{
    int64_t *size = &meter->sizes[index];
    if (*size < 0)
        meter->unknown--;
    else
        meter->known_bytes -= (uint64_t)*size;
    *size = size_bytes;
    meter->known_bytes += (uint64_t)size_bytes;
}

void pf_meter_done(struct pf_meter *meter, size_t index, uint64_t bytes)
{
    set_size(meter, index, (int64_t)bytes);
    meter->files++;
    meter->bytes += bytes;
}

bool pf_meter_is_due(struct pf_meter *meter, int64_t now_ms)
{
    if (now_ms - meter->told_ms < PF_EVENT_INTERVAL_MS)
        return false;
    meter->told_ms = now_ms;
    meter->begun_bytes = 0;
    return true;
}

void pf_meter_running(struct pf_meter *meter, size_t index, uint64_t bytes, int64_t size_bytes)
{
    if (size_bytes >= 0 && (uint64_t)size_bytes >= bytes)
        set_size(meter, index, size_bytes);
    meter->begun_bytes += bytes;
    int64_t size = meter->sizes[index];
    pf_events_send(meter->events, &(struct pf_event){.type = PF_EVENT_TRANSFER,
                                                     .subject = meter->plan->entries[index].file,
                                                     .bytes = bytes,
                                                     .total = size > 0 ? (uint64_t)size : 0});
}

void pf_meter_tell(struct pf_meter *meter, uint64_t received)
{
    uint64_t there = meter->bytes + meter->begun_bytes;
    bool known = meter->unknown == 0 && there <= meter->known_bytes;
    pf_events_send(meter->events, &(struct pf_event){.type = PF_EVENT_FETCHING,
                                                     .index = meter->files,
                                                     .count = meter->plan->count,
                                                     .bytes = there,
                                                     .total = known ? meter->known_bytes : 0,
                                                     .received = received});
    meter->begun_bytes = 0;
}
