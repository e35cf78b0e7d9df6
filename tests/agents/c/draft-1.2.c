/* SPDX-License-Identifier: MIT */
/*
 * draft: an agent that is written against the 1.2 of tests/agents/draft.py and still runs on hosts of 1.0. It lists
 * /@DRAFT/one to /@DRAFT/three, gives each a weight where the host has room for one, hints at their number where the
 * host takes hints, and says which it found in a message: "version 1.2, room 216, hint 0, warmed 1".
 */
#include <stdlib.h>

#include "bplugin_sdk.h"

struct bp_agent {
  const bp_host_api *host;
  int warmed;
};
struct bp_job {
  const bp_host_api *host;
  bp_agent *agent;
  uint32_t next, at, kind;
};

static const char *const names[] = { "/@DRAFT/one", "/@DRAFT/two", "/@DRAFT/three" };

static bp_status create(const bp_host_api *host, bp_agent **out)
{
  bp_agent *agent = *out = calloc(1, sizeof *agent);
  if (!agent)
    return BP_E_NOMEM;
  agent->host = host;
  return BP_OK;
}

static bp_status warm_up(bp_agent *agent)
{
  agent->warmed = 1;
  return BP_OK;
}

static bp_status begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out)
{
  bp_job *job = *out = calloc(1, sizeof *job);
  if (!job)
    return BP_E_NOMEM;
  job->host = host;
  job->agent = agent;
  job->kind = why->kind;
  return BP_OK;
}

static bp_status next_entries(bp_job *job, bp_batch *batch)
{
  bp_page page;
  bp_entry entry;
  bp_status status = bp_page_init(&page, batch), hint = BP_E_UNSUPPORTED;
  if (status != BP_OK)
    return status;
  if (!job->next) {
    if (job->host->features & BP_FEATURE_HINTS && BP_HAS_CALL(job->host, bp_host_api, hint))
      hint = job->host->hint(job->host->ctx, 3);
    bp_logf(job->host, BP_MSG_INFO, "version %u.%u, room %u, hint %d, warmed %d", (unsigned)(job->host->version >> 16),
            (unsigned)(job->host->version & 0xffff), (unsigned)page.record_bytes, (int)hint, job->agent->warmed);
  }
  for (; job->next < 3; job->next++) {
    memset(&entry, 0, sizeof entry);
    entry.cookie = job->next + 1;
    entry.type = BP_TYPE_REGULAR;
    entry.streams = BP_STREAM_BIT(BP_STREAM_DATA);
    entry.valid = BP_HAS_MODE | BP_HAS_SIZE;
    entry.mode = 0600;
    entry.size = strlen(names[job->next]);
    entry.weight = 7;
    if (bp_page_add(&page, &entry, names[job->next], (uint32_t)entry.size, NULL, 0) != BP_OK)
      return BP_OK;
  }
  return bp_page_end(&page, 1);
}

static bp_status open_stream(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t offset, uint64_t *size)
{
  if (stream != BP_STREAM_DATA || offset || cookie < 1 || cookie > 3)
    return BP_E_INVAL;
  job->at = (uint32_t)cookie - 1;
  *size = strlen(names[job->at]);
  return BP_OK;
}

static bp_status read_chunk(bp_job *job, void *buf, uint64_t cap, bp_chunk *chunk)
{
  (void)cap;
  memcpy(buf, names[job->at], strlen(names[job->at]));
  return bp_chunk_set(chunk, 0, strlen(names[job->at]), 1);
}

static bp_status close_stream(bp_job *job, bp_status how)
{
  (void)job, (void)how;
  return BP_OK;
}

static bp_status restore_entry(bp_job *job, const bp_entry *entry, const void *base, const char *dest,
                               uint32_t replace, uint32_t *action)
{
  (void)job, (void)entry, (void)base, (void)dest, (void)replace;
  *action = BP_ACTION_WANT;
  return BP_OK;
}

static bp_status restore_stream(bp_job *job, uint32_t stream, uint64_t size)
{
  (void)job, (void)stream, (void)size;
  return BP_OK;
}

static bp_status write_chunk(bp_job *job, const void *buf, const bp_chunk *chunk)
{
  (void)job, (void)buf, (void)chunk;
  return BP_OK;
}

static bp_status restore_done(bp_job *job, bp_status how)
{
  (void)job, (void)how;
  return BP_OK;
}

static bp_status end(bp_job *job, uint32_t outcome)
{
  (void)outcome;
  free(job);
  return BP_OK;
}

static void destroy(bp_agent *agent)
{
  free(agent);
}

static const bp_agent_api api = {
  .struct_size = sizeof(bp_agent_api), .create = create, .begin = begin, .next_entries = next_entries,
  .open_stream = open_stream, .read = read_chunk, .close_stream = close_stream, .restore_entry = restore_entry,
  .restore_stream = restore_stream, .write = write_chunk, .restore_done = restore_done, .end = end,
  .destroy = destroy, .warm_up = warm_up,
};
static const char *const claims[] = { "/@DRAFT/", NULL };
static const bp_descriptor descriptor = {
  BP_DESCRIPTOR_START, .min_version = BP_VERSION(1, 0), .max_version = BP_TARGET_VERSION,
  .option_size = sizeof(bp_option), .id = "draft", .version = "1.2", .vendor = "filed tests", .license = "MIT",
  .claims = claims, .api = &api,
};
BPLUGIN_DEFINE(descriptor);
