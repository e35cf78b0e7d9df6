/* SPDX-License-Identifier: MIT */
/*
 * today: an agent that uses what is new since 1.0, and runs on a host of 1.0 as well. Its source is a log that only
 * grows: records 1 to `upto`, each a file /@TODAY/<number>. It keeps from the log what bp_begin.keep_from says.
 *
 * Option `gap`: the log is found to be cut after the first page. `state`: the state has so many bytes more, all alike
 * (`noise`: that no compressor makes smaller).
 */
#include <stdlib.h>

#include "bplugin_sdk.h"

struct bp_agent {
  const bp_host_api *host;
  unsigned upto, gap, state, noise;
};
struct bp_job {
  const bp_host_api *host;
  const bp_agent *agent;
  unsigned next, first, cookie, restored;
};

static bp_status create(const bp_host_api *host, bp_agent **out)
{
  bp_agent *agent = *out = calloc(1, sizeof *agent);
  if (!agent)
    return BP_E_NOMEM;
  agent->host = host;
  agent->upto = 3;
  return BP_OK;
}

static void destroy(bp_agent *agent)
{
  free(agent);
}

static bp_status option(bp_agent *agent, const char *key, const char *value)
{
  unsigned number = (unsigned)strtoul(value, NULL, 10);
  if (!strcmp(key, "upto"))
    agent->upto = number;
  else if (!strcmp(key, "gap"))
    agent->gap = !strcmp(value, "yes");
  else if (!strcmp(key, "noise"))
    agent->noise = !strcmp(value, "yes");
  else
    agent->state = number;
  return BP_OK;
}

/* ---- a Job ----------------------------------------------------------------------------------------------------- */

static bp_status begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out)
{
  bp_job *job = *out = calloc(1, sizeof *job);
  if (!job)
    return BP_E_NOMEM;
  job->host = host;
  job->agent = agent;
  job->first = 1;
  if (why->kind == BP_KIND_RESTORE && BP_HAS_FIELD(why, bp_begin, saved_jobs))
    bp_logf(host, BP_MSG_INFO, "restoring %s on %s, %llu entries, %llu bytes of %u Jobs%s%s", why->saved_job,
            *why->saved_base ? why->saved_base : "nothing", (unsigned long long)why->saved_entries,
            (unsigned long long)why->saved_bytes, (unsigned)why->saved_jobs,
            why->flags & BP_BEGIN_PART ? ", a part" : "", why->flags & BP_BEGIN_OLDEST_FIRST ? ", oldest first" : "");
  if (why->state_why == BP_STATE_FOUND) {
    char text[16] = "";
    memcpy(text, why->state, why->state_len < sizeof text ? (size_t)why->state_len : sizeof text - 1);
    job->first = (unsigned)strtoul(text, NULL, 10) + 1;
  }
  if (why->kind == BP_KIND_BACKUP)
    bp_logf(host, BP_MSG_INFO, "from record %u on; the log is needed from %llu on", job->first,
            (unsigned long long)bp_keep_from(why));
  job->next = job->first;
  return BP_OK;
}

/* The state: the last record as text, then what the option `state` asks for. */
static bp_status put_state(const bp_job *job)
{
  const bp_agent *agent = job->agent;
  size_t len = 16 + agent->state;
  char *state = calloc(1, len);
  uint64_t seed = 88172645463325252ull;
  bp_status status;
  if (!state)
    return BP_E_NOMEM;
  (void)snprintf(state, 16, "%u", agent->upto);
  for (size_t i = 16; agent->noise && i < len; i++) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    state[i] = (char)(seed >> 32);
  }
  status = bp_put_state(job->host, state, len, 1);
  free(state);
  if (status == BP_OK)
    (void)bp_watermark(job->host, agent->upto + 1u); /* a host of 1.0 has none: then the whole log is kept */
  return status;
}

static bp_status next_entries(bp_job *job, bp_batch *batch)
{
  bp_page page;
  bp_status status = bp_page_init(&page, batch);
  if (status != BP_OK)
    return status;
  if (job->next == job->first)
    (void)bp_expect(job->host, job->agent->upto + 1u - job->first, 0);
  if (job->next > job->agent->upto) {
    if (job->agent->gap)
      return bp_page_end_gap(&page, job->host);
    status = put_state(job);
    return status == BP_OK ? bp_page_end(&page, 0) : status;
  }
  for (; job->next <= job->agent->upto; job->next++) {
    char name[32];
    bp_entry entry;
    memset(&entry, 0, sizeof entry);
    entry.cookie = job->next;
    entry.type = BP_TYPE_REGULAR;
    entry.flags = BP_ENTRY_SELECTED;
    entry.streams = BP_STREAM_BIT(BP_STREAM_DATA);
    entry.valid = BP_HAS_MODE | BP_HAS_SIZE;
    entry.mode = 0600;
    entry.size = 5;
    (void)snprintf(name, sizeof name, "/@TODAY/%04u", job->next);
    if (bp_page_add(&page, &entry, name, (uint32_t)strlen(name), NULL, 0) != BP_OK)
      break;
  }
  return BP_OK;
}

static bp_status open_stream(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t offset, uint64_t *size)
{
  (void)stream, (void)offset;
  job->cookie = (unsigned)cookie;
  *size = 5;
  return BP_OK;
}

static bp_status read_chunk(bp_job *job, void *buf, uint64_t cap, bp_chunk *chunk)
{
  char text[16];
  (void)cap;
  (void)snprintf(text, sizeof text, "%04u\n", job->cookie);
  memcpy(buf, text, 5);
  return bp_chunk_set(chunk, 0, 5, 1);
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
  job->restored += how == BP_OK;
  return BP_OK;
}

static bp_status end(bp_job *job, uint32_t outcome)
{
  (void)outcome;
  free(job);
  return BP_OK;
}

static const bp_agent_api api = {
  .struct_size = sizeof(bp_agent_api), .create = create, .option = option, .begin = begin,
  .next_entries = next_entries, .open_stream = open_stream, .read = read_chunk, .close_stream = close_stream,
  .restore_entry = restore_entry, .restore_stream = restore_stream, .write = write_chunk,
  .restore_done = restore_done, .end = end, .destroy = destroy,
};
static const bp_option options[] = {
  { "upto", "how many records the log has", NULL, "3", BP_OPTION_INT, 0 },
  { "gap", "the log is cut while it is read", NULL, "no", BP_OPTION_BOOL, 0 },
  { "state", "bytes more in the state", NULL, "0", BP_OPTION_SIZE, 0 },
  { "noise", "they cannot be compressed", NULL, "no", BP_OPTION_BOOL, 0 },
};
static const char *const claims[] = { "/@TODAY/", NULL };
static const bp_descriptor descriptor = {
  BP_DESCRIPTOR_START, .min_version = BP_VERSION(1, 0), .max_version = BP_TARGET_VERSION,
  .option_size = sizeof(bp_option), .id = "today", .version = "1.1", .vendor = "filed tests", .license = "MIT",
  .claims = claims, .options = options, .n_options = sizeof options / sizeof options[0], .api = &api,
};
BPLUGIN_DEFINE(descriptor);
