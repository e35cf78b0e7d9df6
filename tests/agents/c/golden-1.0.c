/* SPDX-License-Identifier: MIT */
/*
 * golden-1.0: an agent as somebody wrote it against version 1.0, from the header alone, in C99, for any platform. Never
 * edited: later hosts have to run it as it is.
 *
 * Its service has five records, /@GOLDEN/record-1 to -5, written at sequence 1 to 5: record k holds k * 30000 bytes of
 * the value k. A Full sends all; with the state "n" only those above n are sent. The option `upto` (default 5) hides
 * the later ones. Restored data is checked byte by byte; commit tells how many records came back.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bplugin.h"

#define RECORDS 5
#define UNIT 30000u

struct bp_agent {
  const bp_host_api *host;
  unsigned upto;
};

struct bp_job {
  bp_agent *agent;
  const bp_host_api *host;
  unsigned base, next, kind, restored;
  uint64_t cookie, position;
};

static bp_status say(const bp_host_api *host, bp_status status, const char *text)
{
  if (host->struct_size >= offsetof(bp_host_api, fail) + sizeof host->fail && host->fail)
    host->fail(host->ctx, status, BP_OS_NONE, 0, text, (uint32_t)strlen(text));
  return status;
}

static bp_status BPLUGIN_CALL create(const bp_host_api *host, bp_agent **out)
{
  bp_agent *agent = calloc(1, sizeof *agent);
  *out = agent;
  if (!agent)
    return BP_E_NOMEM;
  agent->host = host;
  agent->upto = RECORDS;
  return BP_OK;
}

static bp_status BPLUGIN_CALL option(bp_agent *agent, const char *key, const char *value)
{
  if (strcmp(key, "upto"))
    return say(agent->host, BP_E_INVAL, "the only option is upto");
  agent->upto = (unsigned)strtoul(value, NULL, 10);
  return agent->upto <= RECORDS ? BP_OK : say(agent->host, BP_E_INVAL, "upto: there are five records");
}

static bp_status BPLUGIN_CALL begin(bp_agent *agent, const bp_host_api *host, const bp_begin *why, bp_job **out)
{
  char text[16] = "";
  bp_job *job = calloc(1, sizeof *job);
  *out = job;
  if (!job)
    return BP_E_NOMEM;
  job->agent = agent;
  job->host = host;
  job->kind = why->kind;
  if (why->state_why == BP_STATE_FOUND && why->state_format == 1 && why->state_len < sizeof text) {
    memcpy(text, why->state, (size_t)why->state_len);
    job->base = (unsigned)strtoul(text, NULL, 10);
  }
  job->next = job->base + 1;
  return BP_OK;
}

static bp_status BPLUGIN_CALL next_entries(bp_job *job, bp_batch *batch)
{
  char text[32];
  uint64_t heap = batch->cap;
  int len;
  batch->flags = 0;
  for (batch->count = 0; job->next <= job->agent->upto && batch->count < batch->max_entries; batch->count++) {
    uint64_t record_end = ((uint64_t)batch->count + 1) * batch->stride;
    bp_entry entry;
    if (*job->host->cancel)
      return BP_E_CANCELLED;
    len = sprintf(text, "/@GOLDEN/record-%u", job->next);
    if (heap < record_end + (unsigned)len)
      break;
    heap -= (unsigned)len;
    memset(&entry, 0, sizeof entry);
    entry.name_off = (uint32_t)heap;
    entry.name_len = (uint32_t)len;
    entry.cookie = job->next;
    entry.type = BP_TYPE_REGULAR;
    entry.flags = job->base ? BP_ENTRY_SELECTED : 0;
    entry.streams = BP_STREAM_BIT(BP_STREAM_DATA);
    entry.valid = BP_HAS_MODE | BP_HAS_SIZE | BP_HAS_MTIME;
    entry.mode = 0600;
    entry.size = (uint64_t)job->next * UNIT;
    entry.mtime.sec = 1600000000 + (int64_t)job->next;
    memcpy((char *)batch->buf + heap, text, (size_t)len);
    memcpy((char *)batch->buf + (uint64_t)batch->count * batch->stride, &entry,
           batch->stride < sizeof entry ? batch->stride : sizeof entry);
    job->next++;
  }
  batch->heap_low = heap;
  if (job->next <= job->agent->upto)
    return BP_OK;
  if (job->kind == BP_KIND_BACKUP) {
    bp_status status;
    len = sprintf(text, "%u", job->agent->upto);
    status = job->host->put_state(job->host->ctx, text, (uint64_t)len, 1);
    if (status != BP_OK)
      return status;
  }
  if (!job->base)
    batch->flags = BP_BATCH_COMPLETE;
  return BP_END;
}

static bp_status BPLUGIN_CALL open_stream(bp_job *job, uint64_t cookie, uint32_t stream, uint64_t offset,
                                          uint64_t *size)
{
  if (stream != BP_STREAM_DATA || cookie < 1 || cookie > RECORDS)
    return BP_E_INVAL;
  job->cookie = cookie;
  job->position = offset;
  *size = cookie * UNIT;
  return BP_OK;
}

static bp_status BPLUGIN_CALL read_chunk(bp_job *job, void *buf, uint64_t cap, bp_chunk *chunk)
{
  uint64_t left = job->cookie * UNIT - job->position;
  if (*job->host->cancel)
    return BP_E_CANCELLED;
  chunk->offset = job->position;
  chunk->len = left < cap ? left : cap;
  chunk->flags = chunk->len == left ? BP_CHUNK_LAST : 0;
  chunk->reserved = 0;
  memset(buf, (int)job->cookie, (size_t)chunk->len);
  job->position += chunk->len;
  return BP_OK;
}

static bp_status BPLUGIN_CALL close_stream(bp_job *job, bp_status how)
{
  (void)how;
  job->cookie = 0;
  return BP_OK;
}

static bp_status BPLUGIN_CALL restore_entry(bp_job *job, const bp_entry *entry, const void *base, const char *dest,
                                            uint32_t replace, uint32_t *action)
{
  const char *name = (const char *)base + entry->name_off;
  (void)dest, (void)replace;
  job->cookie = (uint64_t)(name[entry->name_len - 1] - '0');
  job->position = 0;
  *action = BP_ACTION_WANT;
  return BP_OK;
}

static bp_status BPLUGIN_CALL restore_stream(bp_job *job, uint32_t stream, uint64_t size)
{
  (void)job, (void)size;
  return stream == BP_STREAM_DATA ? BP_OK : BP_E_UNSUPPORTED;
}

static bp_status BPLUGIN_CALL write_chunk(bp_job *job, const void *buf, const bp_chunk *chunk)
{
  const unsigned char *data = buf;
  uint64_t i;
  if (chunk->offset != job->position)
    return say(job->host, BP_E_CORRUPT, "a gap where none was");
  for (i = 0; i < chunk->len; i++)
    if (data[i] != job->cookie)
      return say(job->host, BP_E_CORRUPT, "another byte than was saved");
  job->position += chunk->len;
  return BP_OK;
}

static bp_status BPLUGIN_CALL restore_done(bp_job *job, bp_status how)
{
  if (how == BP_OK && job->position != job->cookie * UNIT)
    return say(job->host, BP_E_CORRUPT, "another length than was saved");
  job->restored++;
  return BP_OK;
}

static bp_status BPLUGIN_CALL commit(bp_job *job)
{
  char text[64];
  int len = sprintf(text, "golden: kind %u, %u restored", job->kind, job->restored);
  return job->host->message(job->host->ctx, BP_MSG_INFO, text, (uint32_t)len);
}

static bp_status BPLUGIN_CALL end(bp_job *job, uint32_t outcome)
{
  (void)outcome;
  free(job);
  return BP_OK;
}

static void BPLUGIN_CALL destroy(bp_agent *agent)
{
  free(agent);
}

static const bp_agent_api api = {
  sizeof(bp_agent_api), 0, create, option, NULL, NULL, begin, next_entries, NULL, open_stream, read_chunk, close_stream,
  restore_entry, restore_stream, write_chunk, restore_done, commit, NULL, end, NULL, destroy
};
static const bp_option options[] = {
  { "upto", "the last record that exists", NULL, "5", BP_OPTION_INT, BP_OPTION_FROM_DIRECTOR }
};
static const char *const claims[] = { "/@GOLDEN/", NULL };
static const bp_descriptor descriptor = {
  BP_MAGIC, sizeof(bp_descriptor), BP_HEADER_VERSION, BP_VERSION(1, 0), BP_VERSION(1, 0), 0, 0, 0, sizeof(bp_option),
  1, 0, "golden", "1.0", "filed tests", "MIT", NULL, claims, options, 1, &api
};

BPLUGIN_EXPORT const bp_descriptor *BPLUGIN_CALL bplugin_query_v1(uint32_t host_min, uint32_t host_max)
{
  return host_min <= BP_VERSION(1, 0) && host_max >= BP_VERSION(1, 0) ? &descriptor : NULL;
}
